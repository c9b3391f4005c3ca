//! Stopping: everybody is told once, and has a bounded time to finish.

use tokio::signal::unix::{SignalKind, signal};
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

/// Waits for the first SIGINT or SIGTERM. From then on, a second one ends the process at once, with status 130.
pub async fn signaled() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut next = async move || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    next().await;
    tokio::spawn(async move {
        next().await;
        tracing::warn!("a second signal arrived: stopping without waiting for calls in flight");
        std::process::exit(130);
    });
    Ok(())
}
