//! What goes wrong, and when.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::{
    access::now,
    answers::{Reply, refusal},
};

/// What goes wrong with a request.
#[derive(Clone)]
pub enum Fault {
    /// The connection is dropped before the request is carried out.
    DropBefore,
    /// The request is carried out, and the connection dropped instead of an answer.
    DropAfter,
    /// The request is not carried out, and answered with this status: 500, 502 or any other.
    Status(u16),
    /// The request is carried out, and answered with this status nevertheless.
    StatusAfter(u16),
    /// The hour's requests are used up; new ones come after this time.
    PrimaryLimit {
        /// 403 or 429: GitHub answers either.
        status: u16,
        /// When the next hour begins.
        reset_in: Duration,
    },
    /// Too much at once.
    SecondaryLimit {
        /// 403 or 429: GitHub answers either.
        status: u16,
        /// The pause that is asked for, where the answer says.
        retry_after: Option<Duration>,
    },
    /// The request is answered this much later.
    Delay(Duration),
    /// All tokens are revoked before the request is looked at.
    Revoke,
    /// Somebody else commits this file to this branch (`env/production`) before the request is carried out.
    SomebodyCommits {
        /// The branch.
        branch: String,
        /// The file's path.
        path: String,
        /// Its content.
        content: String,
    },
    /// The answer is changed.
    Alter(fn(&mut Value)),
}

/// Which requests a fault is for.
#[derive(Debug, Clone)]
pub struct When {
    method: Option<Method>,
    part: String,
    skip: usize,
    times: usize,
}

impl When {
    /// The first request of this method whose path holds this text.
    pub fn first(method: &str, part: &str) -> Self {
        Self {
            method: Some(method.parse().expect("a method")),
            part: part.to_owned(),
            skip: 0,
            times: 1,
        }
    }

    /// The next request, whatever it is.
    pub fn next() -> Self {
        Self {
            method: None,
            part: String::new(),
            skip: 0,
            times: 1,
        }
    }

    /// Lets so many pass before.
    #[must_use]
    pub fn after(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }

    /// So many in a row instead of one.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn is_for(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method) && path.contains(&self.part)
    }
}

/// The faults to come.
#[derive(Default)]
pub(crate) struct Faults(Vec<(When, Fault)>);

impl Faults {
    pub(crate) fn add(&mut self, when: When, fault: Fault) {
        self.0.push((when, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Those that strike this request.
    pub(crate) fn strike(&mut self, method: &Method, path: &str) -> Vec<Fault> {
        let mut struck = Vec::new();
        for (when, fault) in &mut self.0 {
            if !when.is_for(method, path) {
                continue;
            }
            if when.skip > 0 {
                when.skip -= 1;
            } else if when.times > 0 {
                when.times -= 1;
                struck.push(fault.clone());
            }
        }
        self.0.retain(|(when, _)| when.times > 0);
        struck
    }
}

impl Fault {
    /// What is answered instead of carrying the request out.
    pub(crate) fn reply(&self) -> Option<Reply> {
        match self {
            Self::Status(status) => Some(refusal(code(*status), "Server Error")),
            Self::PrimaryLimit { status, reset_in } => Some(
                refusal(code(*status), "API rate limit exceeded for user ID 1.")
                    .with("x-ratelimit-limit", "5000")
                    .with("x-ratelimit-remaining", "0")
                    .with(
                        "x-ratelimit-reset",
                        &(now() + reset_in.as_secs()).to_string(),
                    ),
            ),
            Self::SecondaryLimit {
                status,
                retry_after,
            } => {
                let reply = refusal(
                    code(*status),
                    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
                );
                Some(match retry_after {
                    Some(pause) => reply.with("retry-after", &pause.as_secs().to_string()),
                    None => reply,
                })
            }
            _ => None,
        }
    }
}

pub(crate) fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}
