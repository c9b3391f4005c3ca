//! `slipway migrate`.

use clap::Args;

use super::Failure;
use crate::config::Config;
use crate::wiring;

/// The arguments of `slipway migrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slipway migrate                              Bring the schema up to date
  slipway migrate --status                     Say which migrations are missing, and change nothing
  slipway migrate --grant slipway_app          Then let this PostgreSQL role do what the server needs, and no more

It may run beside live servers: migrations only add, so that this version and the one before can run side by side, and
several at once wait for one another. `slipway serve` does the same when it starts.")]
pub(super) struct Migrate {
    /// Only say what would be done
    #[arg(long)]
    status: bool,

    /// A PostgreSQL role, not the schema's owner, that the server connects as
    #[arg(long, value_name = "ROLE", conflicts_with = "status")]
    grant: Option<String>,
}

impl Migrate {
    pub(super) async fn run(self, config: &Config) -> Result<(), Failure> {
        let options = wiring::migration_options(config)?;
        if self.status {
            wiring::require_database(config)?;
            let state = slipway_sql::schema_state(&options).await?;
            println!(
                "{} applied, {} to apply",
                state.applied.len(),
                state.pending.len()
            );
            for migration in state.pending {
                println!("  {migration}");
            }
            return Ok(());
        }
        let added = wiring::migrate(config).await?;
        if added.is_empty() {
            println!("The schema is up to date.");
        }
        for migration in added {
            println!("Added {migration}.");
        }
        if let Some(role) = self.grant {
            slipway_sql::grant_application_role(&options, &role).await?;
            println!("The role {role} may do what the server needs.");
        }
        Ok(())
    }
}
