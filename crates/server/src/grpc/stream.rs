//! Calls that last: each is asked for its next answer until it has none, or is refused, or the process drains.

use std::future::Future;
use std::pin::Pin;

use futures_util::{Stream, stream};
use slipway_api::errors::v1::ErrorReason;
use tonic::{Code, Status};

use super::door::Session;
use super::refusal::Refusal;
use crate::shutdown::Shutdown;

/// The answers of a call that lasts.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Something that gives one answer after another.
pub(super) trait Source: Send + 'static {
    /// The answers.
    type Answer: Send;

    /// The next answer; `None` at the end.
    fn next(
        &mut self,
        session: &mut Session,
    ) -> impl Future<Output = Result<Option<Self::Answer>, Ended>> + Send;
}

/// Why a call that lasts ended early.
pub(super) enum Ended {
    /// It was refused.
    Refused(Refusal),
    /// The caller's side of the stream broke; the status is the transport's own.
    Broken(Status),
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The answers of `source`. It is asked for one only when the caller has taken the one before.
pub(super) fn answers<S: Source>(
    session: Session,
    shutdown: &Shutdown,
    source: S,
) -> Answers<S::Answer> {
    let state = (session, shutdown.clone(), source);
    Box::pin(stream::try_unfold(
        state,
        |(mut session, shutdown, mut source)| async move {
            let next = tokio::select! {
                biased;
                () = shutdown.draining() => Err(shutting_down().into()),
                next = source.next(&mut session) => next,
            };
            match next {
                Ok(Some(answer)) => Ok(Some((answer, (session, shutdown, source)))),
                Ok(None) => Ok(None),
                Err(Ended::Refused(refusal)) => Err(session.refused(refusal).await),
                Err(Ended::Broken(status)) => Err(status),
            }
        },
    ))
}

fn shutting_down() -> Refusal {
    Refusal::new(
        Code::Unavailable,
        ErrorReason::ShuttingDown,
        "the server is shutting down; connect again",
    )
}
