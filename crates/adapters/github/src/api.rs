//! Requests and answers: what is repeated, what is waited for, and what each refusal means.

use std::{
    error::Error as StdError,
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use octocrab::Octocrab;
use serde::{Serialize, de::DeserializeOwned};
use slipway_snapshots::GitError;
use tokio::time::Instant;

use crate::{
    options::{Options, OptionsError},
    pause::Pause,
    wire::Refusal,
};

/// How often a request is sent where no answer comes. The pauses between take 1.75 s together.
pub(crate) const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How often one request is sent again because GitHub limited it.
const LIMITED_ATTEMPTS: u32 = 10;
/// The most bytes of an answer: the largest file that GitHub takes, in base64.
const MAX_ANSWER_BYTES: usize = 150_000_000;
/// The most characters of GitHub's words in an error.
const MAX_WORDS: usize = 1_000;

/// One repository's API.
pub(crate) struct Api {
    octocrab: Octocrab,
    /// `/repos/OWNER/REPOSITORY`.
    repository: String,
    location: String,
    timeout: Duration,
    max_wait: Duration,
    /// GitHub limits an account and not a request: nobody asks anything before this.
    gate: Mutex<Option<(Instant, Pause)>>,
}

/// The calls of one operation.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    api: &'a Api,
    /// No pause goes beyond this.
    until: Instant,
}

/// An answer that the caller has to understand.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// What was asked, for errors.
    request: String,
}

/// What became of a request that was sent once.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// GitHub has understood it and answered.
    Answered(Answer),
    /// GitHub failed, or no answer came: it may have been carried out.
    Lost(String),
}

impl Api {
    pub(crate) fn new(options: &Options) -> Result<Self, OptionsError> {
        options.check_names()?;
        Ok(Self {
            octocrab: options.client()?,
            repository: format!("/repos/{}/{}", options.owner, options.repository),
            location: options.location()?,
            timeout: options.timeout,
            max_wait: options.max_wait,
            gate: Mutex::new(None),
        })
    }

    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// Begins an operation, from which on its pauses count.
    pub(crate) fn session(&self) -> Session<'_> {
        Session {
            api: self,
            until: Instant::now() + self.max_wait,
        }
    }

    fn gate(&self) -> MutexGuard<'_, Option<(Instant, Pause)>> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request, and reads the answer whole.
    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Answer, Broken> {
        let builder = http::Request::builder()
            .method(method.clone())
            .uri(path)
            .header(header::ACCEPT, "application/vnd.github+json");
        let request = self.octocrab.build_request(builder, body)?;
        let (head, body) = self.octocrab.execute(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(Broken::Body)?
            .to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            request: format!("{method} {path}"),
        })
    }
}

/// Why there is no answer.
enum Broken {
    Client(octocrab::Error),
    Body(Box<dyn StdError + Send + Sync>),
}

impl From<octocrab::Error> for Broken {
    fn from(error: octocrab::Error) -> Self {
        Self::Client(error)
    }
}

impl Session<'_> {
    /// A path below the repository's own.
    fn path(self, rest: &str) -> String {
        format!("{}{rest}", self.api.repository)
    }

    /// Reads something.
    pub(crate) async fn get(self, rest: &str) -> Result<Answer, GitError> {
        self.repeat(Method::GET, rest, None::<&()>).await
    }

    /// Makes something that is the same however often it is made: an object.
    pub(crate) async fn make(
        self,
        rest: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Answer, GitError> {
        let answer = self.repeat(Method::POST, rest, Some(body)).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::OK => Ok(answer),
            _ => Err(self.refusal_of_write(&answer).await),
        }
    }

    /// Sends a request until GitHub answers.
    async fn repeat(
        self,
        method: Method,
        rest: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Answer, GitError> {
        let mut problem = String::new();
        for attempt in 0..ATTEMPTS {
            pause_before(attempt).await;
            match self.once(&method, rest, body).await? {
                Outcome::Answered(answer) => return Ok(answer),
                Outcome::Lost(why) => problem = why,
            }
        }
        Err(unavailable(format!("{problem} ({ATTEMPTS} times)")))
    }

    /// Sends a request once; again only where GitHub limited it, and so did nothing.
    pub(crate) async fn once(
        self,
        method: &Method,
        rest: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Outcome, GitError> {
        let path = self.path(rest);
        for _ in 0..LIMITED_ATTEMPTS {
            self.wait_for_gate().await?;
            let exchange = self.api.exchange(method, &path, body);
            let outcome = match tokio::time::timeout(self.api.timeout, exchange).await {
                Ok(Ok(answer)) => self.understand(answer)?,
                Ok(Err(broken)) => self.diagnose(broken, method, &path)?,
                Err(_) => Some(Outcome::Lost(format!(
                    "{method} {path}: no answer within {} s",
                    self.api.timeout.as_secs_f32()
                ))),
            };
            if let Some(outcome) = outcome {
                if let Outcome::Lost(problem) = &outcome {
                    tracing::warn!(%method, path, problem, "GitHub did not answer");
                }
                return Ok(outcome);
            }
        }
        Err(unavailable(format!(
            "GitHub limited {method} {path} {LIMITED_ATTEMPTS} times in a row"
        )))
    }

    /// `None` where GitHub limits us: the gate is closed then.
    fn understand(self, answer: Answer) -> Result<Option<Outcome>, GitError> {
        match answer.status {
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                let message = answer.words().message;
                let pause = Pause::asked_by(answer.status, &answer.headers, &message);
                Ok(match pause {
                    Some(pause) => {
                        self.close_gate(pause);
                        None
                    }
                    None => Some(Outcome::Answered(answer)),
                })
            }
            StatusCode::UNAUTHORIZED => Err(GitError::Unauthenticated {
                message: answer.said(),
            }),
            status if status.is_redirection() => Err(GitError::Refused {
                message: format!(
                    "GitHub says that {} has moved; correct the setting to where it is now",
                    self.api.location
                ),
            }),
            status if status.is_server_error() => Ok(Some(Outcome::Lost(format!(
                "{}: GitHub failed with {status}",
                answer.request
            )))),
            _ => Ok(Some(Outcome::Answered(answer))),
        }
    }

    /// What it means that there is no answer; `None` where GitHub limits us.
    fn diagnose(
        self,
        broken: Broken,
        method: &Method,
        path: &str,
    ) -> Result<Option<Outcome>, GitError> {
        let lost = |problem: String| Ok(Some(Outcome::Lost(format!("{method} {path}: {problem}"))));
        let error = match broken {
            Broken::Body(error) => return lost(causes(error.as_ref())),
            Broken::Client(error) => error,
        };
        // The client itself reads only one kind of answers: those to its requests for a token of the App.
        match error {
            octocrab::Error::GitHub { source, .. } => {
                let headers = source.headers.clone().unwrap_or_default();
                if let Some(pause) = Pause::asked_by(source.status_code, &headers, &source.message)
                {
                    self.close_gate(pause);
                    return Ok(None);
                }
                let said = cut(&source.message);
                match source.status_code {
                    status if status.is_server_error() => lost(format!(
                        "GitHub failed with {status} where the App asked for a token"
                    )),
                    // The only thing in that request which can be wrong is the repository.
                    StatusCode::UNPROCESSABLE_ENTITY => Err(GitError::NoRepository {
                        location: self.api.location.clone(),
                    }),
                    status => Err(GitError::Unauthenticated {
                        message: format!("the App was given no token ({status}): {said}"),
                    }),
                }
            }
            octocrab::Error::JWT { .. } => Err(GitError::Unauthenticated {
                message: "the App's private key signs nothing; download a new one".to_owned(),
            }),
            error => lost(causes(&error)),
        }
    }

    fn close_gate(self, pause: Pause) {
        tracing::warn!(pause = %pause, "GitHub limits our requests");
        let end = Instant::now() + pause.length;
        let mut gate = self.api.gate();
        if gate.as_ref().is_none_or(|(closed, _)| *closed < end) {
            *gate = Some((end, pause));
        }
    }

    async fn wait_for_gate(self) -> Result<(), GitError> {
        let Some((end, pause)) = self.api.gate().clone() else {
            return Ok(());
        };
        if end <= Instant::now() {
            return Ok(());
        }
        if end > self.until {
            return Err(unavailable(format!(
                "GitHub limits our requests and asks for a pause {pause}; an operation waits {} s at most",
                self.api.max_wait.as_secs_f32()
            )));
        }
        tokio::time::sleep_until(end).await;
        Ok(())
    }

    /// Whether the repository is there and shown to us. GitHub answers 404 for it and for all within it alike.
    pub(crate) async fn repository_is_there(self) -> Result<(), GitError> {
        let answer = self.get("").await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            StatusCode::NOT_FOUND => Err(GitError::NoRepository {
                location: self.api.location.clone(),
            }),
            _ => Err(answer.refusal()),
        }
    }

    /// What it means that GitHub refused to write.
    pub(crate) async fn refusal_of_write(self, answer: &Answer) -> GitError {
        if answer.status != StatusCode::NOT_FOUND {
            return answer.refusal();
        }
        match self.repository_is_there().await {
            Ok(()) => GitError::Unauthenticated {
                message: format!(
                    "{} shows us the repository but not what is needed to write to it; the credentials need write access to its contents",
                    self.api.location
                ),
            },
            Err(error) => error,
        }
    }
}

impl Answer {
    /// The answer's message, which GitHub has described.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, GitError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            unavailable(format!(
                "GitHub's answer to {} can't be read: {error}",
                self.request
            ))
        })
    }

    fn words(&self) -> Refusal {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// GitHub's own words.
    pub(crate) fn said(&self) -> String {
        let words = self.words();
        let mut said = format!("{} answered {}", self.request, self.status.as_u16());
        if !words.message.is_empty() {
            // Writing to a String can't fail.
            let _ = write!(said, ": {}", words.message);
        }
        for error in &words.errors {
            let _ = write!(said, "; {error}");
        }
        cut(&said)
    }

    /// What it means that GitHub refused.
    pub(crate) fn refusal(&self) -> GitError {
        let message = self.said();
        let too_large = self
            .words()
            .errors
            .iter()
            .any(|error| error["code"] == "too_large");
        match self.status {
            StatusCode::FORBIDDEN if !too_large => GitError::Unauthenticated { message },
            // The repository is being made or moved, or GitHub has not yet seen that it is empty no more.
            StatusCode::CONFLICT => unavailable(message),
            _ => GitError::Refused { message },
        }
    }

    /// Whether GitHub has said that there is nothing in the repository at all. It answers with the same status where
    /// the repository can't be reached just now.
    pub(crate) fn is_of_empty_repository(&self) -> bool {
        self.status == StatusCode::CONFLICT && self.words().message.contains("is empty")
    }
}

/// Waits before another attempt, longer each time.
pub(crate) async fn pause_before(attempt: u32) {
    if let Some(doublings) = attempt.checked_sub(1) {
        tokio::time::sleep(FIRST_PAUSE * 2_u32.saturating_pow(doublings)).await;
    }
}

pub(crate) fn unavailable(problem: String) -> GitError {
    GitError::Unavailable { problem }
}

/// An error and what caused it, each said once.
pub(crate) fn causes(error: &dyn StdError) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let words = error.to_string();
        if said.is_empty() {
            said = words;
        } else if !said.contains(&words) {
            // Writing to a String can't fail.
            let _ = write!(said, ": {words}");
        }
        next = error.source();
    }
    cut(&said)
}

fn cut(words: &str) -> String {
    words.chars().take(MAX_WORDS).collect()
}
