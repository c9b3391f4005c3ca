//! `slipway export deployments`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use slipway_api::ledger::v1::{ListDeploymentRecordsRequest, ListDeploymentRecordsResponse};
use slipway_kernel::Timestamp;

use super::spool::Spool;
use crate::cli::call_error::CallError;
use crate::cli::client::{Client, ClientArgs};
use crate::cli::output::{self, STANDARD_STREAM, file_failure};
use crate::cli::patience::Patience;
use crate::cli::{Failure, deployment_line, time};
use crate::config::Config;

/// The largest page there is.
const PAGE_SIZE: i32 = 1000;

const HELP: &str = "\
Writes one JSON object a line, oldest deployment first; of equal times, the one recorded first. Imported into an empty
project, the file gives the same current state, now and at every past moment; only where two reporters used one
external_id for different deployments, the import refuses the later one and says so. Retracted records are left out.

Talks to a running server, and may run beside everything else. A temporary file holds the records until all are read.

Examples:
  slipway export deployments backup.jsonl
  slipway export deployments --environment prod-eu --from 2026-01-01 --to 2026-04-01 first-quarter.jsonl
  slipway export deployments | gzip > backup.jsonl.gz";

/// The arguments of `slipway export deployments`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Deployments {
    /// The file to write; `-` for standard output
    #[arg(value_name = "FILE", default_value = STANDARD_STREAM)]
    file: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    /// The project's slug
    #[arg(
        long,
        env = "SLIPWAY_PROJECT",
        value_name = "SLUG",
        default_value = "default"
    )]
    project: String,

    /// Only deployments of the application with this key
    #[arg(long, value_name = "KEY")]
    application: Option<String>,

    /// Only deployments to the environment with this slug
    #[arg(long, value_name = "SLUG")]
    environment: Option<String>,

    /// Only deployments at or after this time: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    from: Option<Timestamp>,

    /// Only deployments before this time: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    to: Option<Timestamp>,

    #[command(flatten)]
    client: ClientArgs,
}

impl Deployments {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        output::refuse_existing(&self.file, self.force)?;
        time::check_order(self.from, self.to)?;
        let client = self.client.connect(config).await?;
        let mut spool = Spool::new().map_err(file_failure("written", &std::env::temp_dir()))?;
        let mut count: u64 = 0;
        let mut request = self.request();
        loop {
            let page = fetch(&client, &request).await?;
            let lines = page
                .records
                .into_iter()
                .map(|record| {
                    let id = record.record_id.clone();
                    deployment_line::of_record(record).map_err(|what| {
                        format!("record {id} {what}; is the server newer than this program?")
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            count += lines.len() as u64;
            spool
                .push(&lines)
                .map_err(file_failure("written", &std::env::temp_dir()))?;
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }

        let mut out = output::open(&self.file)?;
        spool
            .write_to(&mut out)
            .map_err(file_failure("written", &self.file))?;
        if self.file != Path::new(STANDARD_STREAM) {
            let written = output::counted(count, "deployment");
            eprintln!("{written} written to {}", self.file.display());
        }
        Ok(ExitCode::SUCCESS)
    }

    fn request(&self) -> ListDeploymentRecordsRequest {
        ListDeploymentRecordsRequest {
            project: self.project.clone(),
            application: self.application.clone().unwrap_or_default(),
            environment: self.environment.clone().unwrap_or_default(),
            from_time: self.from.map(time::to_wire),
            to_time: self.to.map(time::to_wire),
            page_size: PAGE_SIZE,
            ..ListDeploymentRecordsRequest::default()
        }
    }
}

/// Reads one page, again where the failure may pass.
async fn fetch(
    client: &Client,
    request: &ListDeploymentRecordsRequest,
) -> Result<ListDeploymentRecordsResponse, CallError> {
    let mut ledger = client.ledger();
    let mut patience = Patience::default();
    loop {
        let answer = ledger.list_deployment_records(request.clone()).await;
        let error = match answer {
            Ok(page) => return Ok(page.into_inner()),
            Err(status) => client.failed(status),
        };
        let pause = patience.failed(error.pause());
        match pause {
            Some(pause) if error.is_passing() => tokio::time::sleep(pause).await,
            _ => return Err(error),
        }
    }
}
