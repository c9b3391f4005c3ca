//! The listener for whoever operates the server: `/metrics`, `/healthz`, `/readyz`, plain HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::future::join_all;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// How long one probe may take before its part counts as down.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether a part that calls need, such as the database, answers.
#[async_trait]
pub trait Probe: Send + Sync {
    /// The part's name, as it is told to operators.
    fn name(&self) -> &'static str;

    /// Asks the part. An error says what is wrong; it is logged, not answered.
    async fn probe(&self) -> Result<(), String>;
}

/// What `/readyz` and `/metrics` need.
#[derive(Clone)]
pub struct Operations {
    /// Answered by `/metrics`.
    pub metrics: Arc<Metrics>,
    /// A stopping process isn't ready.
    pub shutdown: Shutdown,
    /// The parts that must answer.
    pub probes: Arc<[Box<dyn Probe>]>,
}

impl Operations {
    /// Serves until the returned future is dropped: also while the process drains, so that the end can be watched.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        // Without it, an answer of several packets waits for a delayed acknowledgement.
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY can't be set");
            }
        });
        axum::serve(listener, self.router()).await
    }

    /// `/metrics`: `OpenMetrics` text. `/healthz`: 200 while the process runs. `/readyz`: 200 where calls can be
    /// answered; 503, naming the parts that are down, where not or while draining.
    pub fn router(self) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .with_state(self)
    }
}

async fn metrics(State(operations): State<Operations>) -> impl IntoResponse {
    match operations.metrics.encode() {
        Ok(text) => {
            let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, form)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics can't be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn ready(State(operations): State<Operations>) -> (StatusCode, String) {
    if operations.shutdown.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    let answers = join_all(operations.probes.iter().map(|probe| async move {
        let answer = tokio::time::timeout(PROBE_TIMEOUT, probe.probe()).await;
        let problem = match answer {
            Ok(Ok(())) => return None,
            Ok(Err(problem)) => problem,
            Err(_) => format!(
                "no answer within {}",
                humantime::format_duration(PROBE_TIMEOUT)
            ),
        };
        tracing::warn!(part = probe.name(), problem, "not ready");
        Some(probe.name())
    }));
    let down: Vec<_> = answers.await.into_iter().flatten().collect();
    if down.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("down: {}\n", down.join(", ")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Part(Result<(), String>);

    #[async_trait]
    impl Probe for Part {
        fn name(&self) -> &'static str {
            "database"
        }

        async fn probe(&self) -> Result<(), String> {
            self.0.clone()
        }
    }

    fn operations(probe: Part) -> Operations {
        Operations {
            metrics: Arc::new(Metrics::new()),
            shutdown: Shutdown::default(),
            probes: Arc::from([Box::new(probe) as Box<dyn Probe>]),
        }
    }

    #[tokio::test]
    async fn readiness_follows_the_parts_and_the_drain() {
        let up = operations(Part(Ok(())));
        assert_eq!(ready(State(up.clone())).await.0, StatusCode::OK);
        up.shutdown.begin();
        assert_eq!(
            ready(State(up)).await,
            (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
        );

        let down = operations(Part(Err("connection refused by 10.0.0.7".to_owned())));
        let answer = ready(State(down)).await;
        assert_eq!(
            answer,
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "down: database\n".to_owned()
            )
        );
    }
}
