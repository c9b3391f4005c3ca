//! `slipway serve`.

use std::io::{self, Write};

use clap::Args;
use slipway_application::bootstrap::bootstrap;

use super::Failure;
use crate::config::Config;
use crate::grpc::Api;
use crate::logging;
use crate::serve::{Listening, Process, Services};
use crate::shutdown::Signals;
use crate::tasks::Tasks;
use crate::welcome::welcome;
use crate::wiring::{self, DatabaseProbe, OneServer};

/// The arguments of `slipway serve`: everything is configured.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slipway serve                                           Serve on embedded defaults
  SLIPWAY__DATABASE__URL=env:DB_URL slipway serve         Serve on the database whose address $DB_URL holds

The schema is brought up to date first. One server runs on a SQLite file; with cluster = true
any number share a PostgreSQL database.
The first SIGINT or SIGTERM drains: health says NOT_SERVING, calls in flight end (at most server.drain_timeout).
The second one stops at once.")]
pub(super) struct Serve {}

impl Serve {
    pub(super) async fn run(self, config: &Config) -> Result<(), Failure> {
        logging::start(&config.log)?;
        let signals = Signals::listen()?;
        let process = Process::new();
        let _lock = OneServer::lock(config)?;
        let listening = Listening::bind(config).await?;
        for migration in wiring::migrate(config).await? {
            tracing::info!(migration, "the schema was brought up to date");
        }
        let _presence = wiring::mark_presence(config).await?;
        let context = wiring::context(config, &process).await?;
        let token_file = wiring::token_file(config);
        bootstrap(&context, |secret| {
            wiring::write_private(&token_file, secret.reveal())
        })
        .await?;

        let api = Api::new(context.clone(), &process, &config.limits);
        let services = Services {
            routes: api.services(&config.limits),
            descriptor_sets: vec![slipway_api::FILE_DESCRIPTOR_SET],
            protect: Some(api.protect()),
            probes: vec![Box::new(DatabaseProbe(context.clone()))],
        };

        announce(config, &listening)?;
        let tasks = Tasks::start(context, &process, config);
        let served = listening
            .serve(config, &process, services, signals.first())
            .await;
        process.shutdown.begin();
        tasks.finish().await;
        Ok(served?)
    }
}

/// Says where the server answers. Everything that could keep it from that is behind it.
fn announce(config: &Config, listening: &Listening) -> Result<(), Failure> {
    let address = listening.address()?;
    tracing::info!(%address, tls = config.server.tls.is_some(), "gRPC is served");
    if let Some(address) = listening.operations_address() {
        tracing::info!(address = %address?, "/metrics, /healthz and /readyz are served");
    }
    // A server runs on where nobody reads what it prints.
    let mut out = io::stdout();
    let _ = out
        .write_all(welcome(config, address).as_bytes())
        .and_then(|()| out.flush());
    Ok(())
}
