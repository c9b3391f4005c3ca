//! The commands for pipelines: one call each, an answer that a program can read, and statuses that a job can tell apart.

mod approve;
mod deployment;
mod ending;
mod execute;
mod json;
mod record;
mod release;
mod report;
mod report_check;
mod rollback;
mod session;
mod wait;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use slipway_api::ledger::v1::RiskLevel;
use slipway_kernel::IdGenerator;

pub(super) use self::approve::Approve;
use self::ending::Ending;
pub(super) use self::execute::Execute;
pub(super) use self::record::Record;
pub(super) use self::release::Release;
pub(super) use self::report::Report;
pub(super) use self::report_check::ReportCheck;
pub(super) use self::rollback::Rollback;
use self::session::Session;
pub(super) use self::wait::Wait;
use super::client::ClientArgs;
use super::{Failure, explain};
use crate::config::Config;
use crate::system::SystemIds;

/// What all commands for pipelines take.
#[derive(Debug, Clone, Args)]
struct CallArgs {
    /// The project's slug
    #[arg(
        long,
        env = "SLIPWAY_PROJECT",
        value_name = "SLUG",
        default_value = "default"
    )]
    project: String,

    /// Write the server's answer as one JSON document, in the form and with the field names of the protos
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    client: ClientArgs,
}

/// By what the server recognises a call that comes again.
#[derive(Debug, Clone, Args)]
struct RequestIdArgs {
    /// Repeating the command with the same id within 7 days does nothing twice [default: a new one]
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

impl RequestIdArgs {
    /// The id given, or a new one, which makes the tries of this one command safe.
    fn id(&self) -> String {
        match &self.request_id {
            Some(id) => id.clone(),
            None => SystemIds.uuid().to_string(),
        }
    }
}

/// What people agree to, or a check looked at.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
struct DigestArgs {
    /// The digest of what was looked at, as 64 hexadecimal digits: the deployment's `plan_digest`
    #[arg(long, value_name = "DIGEST")]
    plan_digest: Option<String>,

    /// Take the deployment's digest as it is now, and say which one
    #[arg(long)]
    current: bool,
}

impl DigestArgs {
    /// The digest given, or the deployment's.
    async fn digest(&self, session: &Session, deployment: &str) -> Result<String, Failure> {
        if let Some(digest) = &self.plan_digest {
            return Ok(digest.clone());
        }
        let found = session.deployment(deployment).await?;
        eprintln!(
            "slipway: taking the plan digest {} of {}",
            found.plan_digest,
            deployment::line(&found)
        );
        Ok(found.plan_digest)
    }
}

/// How risky something is said to be.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

/// As messages bear it; 0 where nothing was said.
fn risk_on_wire(risk: Option<Risk>) -> i32 {
    let level = match risk {
        None => RiskLevel::Unspecified,
        Some(Risk::Low) => RiskLevel::Low,
        Some(Risk::Medium) => RiskLevel::Medium,
        Some(Risk::High) => RiskLevel::High,
        Some(Risk::Critical) => RiskLevel::Critical,
    };
    level.into()
}

/// A command for pipelines.
trait Step {
    /// Whom it calls, and how it answers.
    fn calls(&self) -> &CallArgs;

    /// Does it, and says what came of it.
    async fn run(&self, session: &Session) -> Result<Ending, Failure>;
}

/// Runs a command for pipelines. What fails is told, in JSON too where that is wanted, and becomes a status of the table.
#[expect(private_bounds, reason = "the commands are named, their trait is not")]
pub(super) async fn run(step: impl Step, config: &Config) -> Result<ExitCode, Failure> {
    let calls = step.calls();
    let result = match Session::open(calls, config).await {
        Ok(session) => step.run(&session).await,
        Err(failure) => Err(failure),
    };
    let ending = match result {
        Ok(ending) => ending,
        Err(failure) => {
            eprintln!("slipway: {}", explain(&*failure));
            if calls.json {
                session::print(&json::of_failure(&*failure))?;
            }
            Ending::of_failure(&*failure)
        }
    };
    Ok(ending.into())
}
