//! Stopping: everybody is told once, and has a bounded time to finish.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Tells every part of the process that it is stopping. Clones share one state.
///
/// A watcher selects on [`Shutdown::draining`] and ends its stream with `UNAVAILABLE`, so that its client reconnects
/// elsewhere; a background task stops taking up new work.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Starts to drain. There is no way back.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether the process is stopping.
    pub fn is_draining(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the process is stopping.
    pub fn draining(&self) -> WaitForCancellationFutureOwned {
        self.0.clone().cancelled_owned()
    }
}

/// SIGINT and SIGTERM, which no longer end the process by themselves from [`Signals::listen`] on.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes over both signals. To be called before anybody is told that the server runs.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the first signal. From then on, a second one ends the process at once, with status 130.
    pub async fn first(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("a second signal arrived: stopping without waiting for calls in flight");
            std::process::exit(130);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
