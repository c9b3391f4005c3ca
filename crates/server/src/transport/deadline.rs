//! Deadlines: the sooner of the caller's and the server's own, for a stream over its whole life.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::stream;
use http::HeaderMap;
use http_body_util::{BodyExt, StreamBody};
use slipway_api::errors::v1::ErrorReason;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{Code, Status};

use super::Transport;
use super::refusal::{answer, code_in, refusal, trailers};
use crate::shutdown::Shutdown;

/// How much sooner than the caller's own deadline the answer leaves. At the deadline itself the caller no longer
/// listens, and the transport library below answers `CANCELLED`, which tells less.
const MARGIN: Duration = Duration::from_millis(5);

/// Ends the call with `DEADLINE_EXCEEDED` when its time is over.
pub(super) async fn enforce(
    State(transport): State<Arc<Transport>>,
    request: Request,
    next: Next,
) -> Response {
    let asked =
        callers_timeout(request.headers()).map(|asked| asked.saturating_sub(MARGIN.min(asked / 8)));
    let method = transport.methods.at(request.uri().path());
    let limits = &transport.limits;
    let limit = if method.is_long() {
        limits.stream_timeout
    } else {
        limits.request_timeout
    };
    let over = match asked {
        Some(asked) if asked < limit => Over::Callers(asked),
        _ => Over::Servers(limit),
    };

    if !method.streaming {
        return match timeout(over.after(), next.run(request)).await {
            Ok(response) => response,
            Err(_) => answer(over.status()),
        };
    }
    let stream = Arc::new(Stream {
        over,
        ends: Instant::now() + over.after(),
        idle_timeout: limits.stream_idle_timeout,
        active: Mutex::new(Instant::now()),
        drains: method
            .is_infrastructure()
            .then(|| transport.shutdown.clone()),
    });
    stream.carry(request, next).await
}

/// Whose time it is that ends.
#[derive(Clone, Copy)]
enum Over {
    Callers(Duration),
    Servers(Duration),
}

impl Over {
    fn after(self) -> Duration {
        match self {
            Self::Callers(after) | Self::Servers(after) => after,
        }
    }

    fn status(self) -> Status {
        let message = match self {
            Self::Callers(_) => "the deadline that the caller set is over".to_owned(),
            Self::Servers(limit) => format!(
                "the call took longer than the {} this server allows; ask for less, or in parts",
                humantime::format_duration(limit)
            ),
        };
        refusal(Code::DeadlineExceeded, ErrorReason::DeadlinePassed, message)
    }
}

/// A streaming call in progress.
struct Stream {
    over: Over,
    ends: Instant,
    idle_timeout: Duration,
    /// When a message last went in either direction.
    active: Mutex<Instant>,
    /// Set where the stream has to be ended from here when the process drains.
    drains: Option<Shutdown>,
}

impl Stream {
    async fn carry(self: Arc<Self>, request: Request, next: Next) -> Response {
        let seen = self.clone();
        let request = request.map(|body| {
            Body::new(body.map_frame(move |frame| {
                seen.touch();
                frame
            }))
        });
        let response = tokio::select! {
            biased;
            response = next.run(request) => response,
            status = self.ended() => return answer(status),
        };
        if code_in(response.headers()).is_some() {
            return response;
        }
        response.map(|body| self.bound(body))
    }

    /// The same body, ended by a status when the stream's time is over.
    fn bound(self: Arc<Self>, body: Body) -> Body {
        let frames = stream::unfold(Some((self, body)), async |state| {
            let (stream, mut body) = state?;
            tokio::select! {
                biased;
                frame = body.frame() => {
                    stream.touch();
                    frame.map(|frame| (frame, Some((stream, body))))
                }
                status = stream.ended() => Some((Ok(trailers(&status)), None)),
            }
        });
        Body::new(StreamBody::new(frames))
    }

    /// Waits for the end of the stream's time, and says why it is over.
    async fn ended(&self) -> Status {
        let drained = async {
            match &self.drains {
                Some(shutdown) => shutdown.draining().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            status = self.timed_out() => status,
            () = drained => refusal(Code::Unavailable, ErrorReason::ShuttingDown, "the server is stopping; connect again"),
        }
    }

    async fn timed_out(&self) -> Status {
        loop {
            let idle = self.active() + self.idle_timeout;
            sleep_until(idle.min(self.ends)).await;
            if Instant::now() >= self.ends {
                return self.over.status();
            }
            // A message may have come meanwhile.
            if Instant::now() >= self.active() + self.idle_timeout {
                let message = format!(
                    "no message went either way for {}; open the stream again",
                    humantime::format_duration(self.idle_timeout)
                );
                return refusal(Code::DeadlineExceeded, ErrorReason::DeadlinePassed, message);
            }
        }
    }

    fn active(&self) -> Instant {
        *self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// The header `grpc-timeout`: one to eight digits and a unit. A malformed one asks for nothing.
fn callers_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(count)),
        "M" => Some(Duration::from_mins(count)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_timeout_is_read_or_ignored() {
        let read = |text: &str| {
            let headers =
                HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), text.parse().unwrap())]);
            callers_timeout(&headers)
        };
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("99999999H"), Some(Duration::from_hours(99_999_999)));
        assert_eq!(read("7n"), Some(Duration::from_nanos(7)));
        for malformed in ["", "m", "1", "+1S", "1s", "123456789S", "1 S", "é"] {
            assert_eq!(read(malformed), None, "{malformed}");
        }
    }
}
