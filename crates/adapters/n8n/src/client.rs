//! One call of the API and its answer.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use slipway_workflows::EngineError;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::addresses::Addresses;
use crate::answer::Answer;
use crate::options::{Options, OptionsError};

/// The most bytes of an answer that lists.
pub(crate) const LIST: usize = 64 * 1024 * 1024;
/// The most bytes of an answer that shows one workflow: twice what n8n takes, because it shows what runs beside the draft.
pub(crate) const ONE: usize = 32 * 1024 * 1024;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next call. n8n ends one after 5 s; a call on it then would be lost.
const KEPT: Duration = Duration::from_secs(3);
/// How often a call is made anew because n8n asked for a pause.
const ATTEMPTS: u32 = 10;
/// The pause where n8n asks for one without saying how long.
const PAUSE: Duration = Duration::from_secs(1);
/// The shortest pause, whatever n8n says.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Speaks to an instance.
pub(crate) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The address of the API.
    root: String,
    key: HeaderValue,
    /// One for each call under way.
    places: Semaphore,
    /// What must appear in no text.
    secret: String,
    /// Which workflow was given which webhook's address lately.
    pub(crate) addresses: Addresses,
}

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// It was never sent.
    Unreachable(String),
    /// It may have been received.
    Lost(String),
    /// It has more bytes than we take.
    TooLarge {
        /// How many at least.
        bytes: usize,
    },
    /// n8n wants a pause that is longer than the time left.
    Busy(Duration),
}

impl Client {
    pub(crate) fn new(address: &str, options: &Options) -> Result<Self, OptionsError> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.enforce_http(false);
        Ok(Self {
            http: legacy::Client::builder(TokioExecutor::new())
                .pool_idle_timeout(KEPT)
                .pool_timer(TokioTimer::new())
                .build(connector(tcp)?),
            root: format!("{address}/api/v1"),
            key: options.api_key.header()?,
            places: Semaphore::new(options.max_parallel),
            secret: options.api_key.expose().to_owned(),
            addresses: Addresses::default(),
        })
    }

    /// Reads.
    pub(crate) async fn read(
        &self,
        path: &str,
        most: usize,
        deadline: Instant,
    ) -> Result<Answer, NoAnswer> {
        self.call(Method::GET, path, None, most, deadline).await
    }

    /// Writes.
    pub(crate) async fn write(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        deadline: Instant,
    ) -> Result<Answer, EngineError> {
        let answer = self.call(method, path, body, ONE, deadline).await;
        answer.map_err(NoAnswer::of_write)
    }

    /// Makes the call, and makes it again after a pause for as long as n8n asks for one.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        most: usize,
        deadline: Instant,
    ) -> Result<Answer, NoAnswer> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        let mut attempt = 1;
        loop {
            let request = self.request(method.clone(), path, body.clone())?;
            let answer = self.once(request, most, deadline).await?;
            let Some(pause) = answer.pause else {
                return Ok(answer);
            };
            let pause = pause.max(SHORTEST_PAUSE);
            if attempt == ATTEMPTS || Instant::now() + pause >= deadline {
                return Err(NoAnswer::Busy(pause));
            }
            sleep(pause).await;
            attempt += 1;
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.root))
            .header("X-N8N-API-KEY", &self.key)
            .header(header::ACCEPT, "application/json");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|error| NoAnswer::Unreachable(error.to_string()))
    }

    async fn once(
        &self,
        request: Request<Full<Bytes>>,
        most: usize,
        deadline: Instant,
    ) -> Result<Answer, NoAnswer> {
        let late =
            || NoAnswer::Unreachable("the time was over before it could be asked".to_owned());
        let place = timeout_at(deadline, self.places.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(late());
        };
        // A time-out looks at its call first, which would be sent.
        if Instant::now() >= deadline {
            return Err(late());
        }
        let exchanged = timeout_at(deadline, self.exchange(request, most)).await;
        exchanged.unwrap_or_else(|_| {
            Err(NoAnswer::Lost(
                "there was none within the time given".to_owned(),
            ))
        })
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Answer, NoAnswer> {
        let response = self.http.request(request).await.map_err(|error| {
            let problem = self.hide(&whole(&error));
            if error.is_connect() {
                NoAnswer::Unreachable(format!(
                    "{problem}: check that n8n runs at {} and that this server may go there",
                    self.root
                ))
            } else {
                NoAnswer::Lost(format!("{problem}, asked of n8n at {}", self.root))
            }
        })?;
        let (head, body) = response.into_parts();
        if let Some(bytes) = length(&head.headers).filter(|bytes| *bytes > most) {
            return Err(NoAnswer::TooLarge { bytes });
        }
        let body = Limited::new(body, most).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                NoAnswer::TooLarge { bytes: most + 1 }
            } else {
                NoAnswer::Lost(self.hide(&whole(error.as_ref())))
            }
        })?;
        Ok(Answer {
            status: head.status,
            body: body.to_bytes(),
            pause: (head.status == http::StatusCode::TOO_MANY_REQUESTS)
                .then(|| pause(&head.headers)),
        })
    }

    /// The text without the key, should n8n or something before it repeat it.
    pub(crate) fn hide(&self, text: &str) -> String {
        // A key of a few characters would blot out words that have nothing to do with it.
        if self.secret.len() < 8 {
            return text.to_owned();
        }
        text.replace(&self.secret, "[secret]")
    }
}

impl NoAnswer {
    /// What it means for something that was read.
    pub(crate) fn of_read(self) -> EngineError {
        match self {
            Self::Unreachable(problem) | Self::Lost(problem) => {
                EngineError::Unavailable { problem }
            }
            Self::TooLarge { bytes } => EngineError::Failed {
                message: too_large(bytes),
            },
            Self::Busy(retry_after) => EngineError::Busy { retry_after },
        }
    }

    /// What it means for something that was written.
    fn of_write(self) -> EngineError {
        match self {
            Self::Unreachable(problem) => EngineError::Unavailable { problem },
            Self::Lost(problem) => EngineError::Uncertain { problem },
            Self::TooLarge { bytes } => EngineError::Uncertain {
                problem: too_large(bytes),
            },
            Self::Busy(retry_after) => EngineError::Busy { retry_after },
        }
    }
}

fn too_large(bytes: usize) -> String {
    format!("the answer has at least {bytes} bytes, which is more than we take")
}

/// Trusts the certificates of this machine, or Mozilla's where it has none.
fn connector(tcp: HttpConnector) -> Result<HttpsConnector<HttpConnector>, OptionsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let of_this_machine =
        HttpsConnectorBuilder::new().with_provider_and_native_roots(Arc::clone(&provider));
    let with_roots = match of_this_machine {
        Ok(with_roots) => with_roots,
        Err(_) => HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| OptionsError::Tls(error.to_string()))?,
    };
    Ok(with_roots
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp))
}

fn length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// How long n8n wants to be left alone.
fn pause(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(header::RETRY_AFTER);
    let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
    // More than a day would only overflow somebody's clock.
    seconds.map_or(PAUSE, |seconds: u64| {
        Duration::from_secs(seconds.min(86_400))
    })
}

/// The error with its causes, each of which adds something.
fn whole(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
