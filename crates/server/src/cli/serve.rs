//! `slipway serve`.

use clap::Args;

use super::Failure;
use crate::config::Config;
use crate::serve::{Listening, Process, Services};
use crate::{logging, shutdown};

/// The arguments of `slipway serve`: everything is configured.
#[derive(Debug, Args)]
#[command(after_help = "\
The first SIGINT or SIGTERM drains: health says NOT_SERVING, calls in flight end (at most server.drain_timeout).
The second one stops at once.")]
pub(super) struct Serve {}

impl Serve {
    pub(super) async fn run(self, config: &Config) -> Result<(), Failure> {
        logging::start(&config.log)?;
        let process = Process::new();
        let listening = Listening::bind(config).await?;
        tracing::info!(
            address = %listening.address()?,
            tls = config.server.tls.is_some(),
            "gRPC is served"
        );
        if let Some(address) = listening.operations_address() {
            tracing::info!(address = %address?, "/metrics, /healthz and /readyz are served");
        }
        listening
            .serve(config, &process, Services::default(), shutdown::signaled())
            .await?;
        Ok(())
    }
}
