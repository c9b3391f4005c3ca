//! `slipway audit list`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;
use slipway_api::audit::v1::{AuditEvent, AuditEventFilter, AuditOutcome, ListAuditEventsRequest};
use slipway_identity::Command;
use slipway_kernel::Timestamp;

use super::ChainArgs;
use super::event::{self, EventLine};
use crate::cli::client::ClientArgs;
use crate::cli::output::{self, STANDARD_STREAM, file_failure, printable};
use crate::cli::{Failure, time};
use crate::config::Config;

/// How many names are offered in place of one that does not exist.
const MAX_NEAR: usize = 5;
/// The parts of a state that tell most about it, with what is put before them.
const ESSENTIALS: [(&str, &str); 9] = [
    ("application", ""),
    ("version", ""),
    ("identifier", ""),
    ("environment", "in "),
    ("kind", ""),
    ("key", ""),
    ("slug", ""),
    ("recorded", "recorded: "),
    ("made_on", "made on "),
];

const HELP: &str = "\
Newest first. Talks to a running server, and may run beside everything else.

Examples:
  slipway audit list
  slipway audit list --outcome refused --from 2026-03-01
  slipway audit list --command RetractDeploymentRecord --json";

/// The arguments of `slipway audit list`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct List {
    #[command(flatten)]
    chain: ChainArgs,

    /// How many events to show at most, 1 to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
    limit: i32,

    /// Only events of this command, for example `RecordDeployment`
    #[arg(long, value_name = "NAME", value_parser = command_name)]
    command: Option<String>,

    /// Only events of the principal with this id
    #[arg(long, value_name = "UUID")]
    principal: Option<String>,

    /// Only what was done, or only what was refused
    #[arg(long, value_enum)]
    outcome: Option<Outcome>,

    /// Only events at or after this time: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    from: Option<Timestamp>,

    /// Only events before this time: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    to: Option<Timestamp>,

    /// Write each event whole, as a JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Outcome {
    Allowed,
    Refused,
}

impl List {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        time::check_order(self.from, self.to)?;
        let client = self.client.connect(config).await?;
        let stdout = Path::new(STANDARD_STREAM);
        let mut out = output::open(stdout)?;
        let mut request = self.request();
        let mut left = self.limit;
        // Pages of large events end early.
        while left > 0 {
            request.page_size = left;
            let answer = client.audit().list_audit_events(request.clone()).await;
            let page = answer.map_err(|status| client.failed(status))?.into_inner();
            for event in page.events {
                left -= 1;
                let line = if self.json {
                    serde_json::to_string(&EventLine::try_from(event)?)?
                } else {
                    row(&event)
                };
                writeln!(out, "{line}").map_err(file_failure("written", stdout))?;
            }
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        out.flush().map_err(file_failure("written", stdout))?;
        Ok(ExitCode::SUCCESS)
    }

    fn request(&self) -> ListAuditEventsRequest {
        let outcome = match self.outcome {
            None => AuditOutcome::Unspecified,
            Some(Outcome::Allowed) => AuditOutcome::Allowed,
            Some(Outcome::Refused) => AuditOutcome::Refused,
        };
        ListAuditEventsRequest {
            filter: Some(AuditEventFilter {
                project: self.chain.chain().0,
                command: self.command.clone().unwrap_or_default(),
                principal_id: self.principal.clone().unwrap_or_default(),
                outcome: outcome.into(),
                from_time: self.from.map(time::to_wire),
                to_time: self.to.map(time::to_wire),
                ..AuditEventFilter::default()
            }),
            ..ListAuditEventsRequest::default()
        }
    }
}

/// An event on one line.
fn row(event: &AuditEvent) -> String {
    let principal = event.principal.clone().unwrap_or_default();
    let who = match principal.display_name.as_str() {
        "" => principal.principal_id.as_str(),
        name => name,
    };
    let what = event.resource.clone().unwrap_or_default();
    let outcome = match event.refusal_reason.as_str() {
        "" => event::outcome(event.outcome()).to_owned(),
        reason => format!("{} ({reason})", event::outcome(event.outcome())),
    };
    let times = match event.repeat_count {
        ..=1 => String::new(),
        count => format!(", {count} times"),
    };
    let chain = match event.project.as_str() {
        "" => "installation",
        project => project,
    };
    printable(&format!(
        "{:<27}  {chain}  {outcome}  {}  {} {}{}  by {who}{times}",
        event::time_of(event).unwrap_or_default(),
        event.command,
        what.r#type,
        what.name,
        essentials(event),
    ))
}

/// What the event was about, where its resource's name doesn't say so to people.
fn essentials(event: &AuditEvent) -> String {
    let state = [&event.after_json, &event.before_json]
        .into_iter()
        .find_map(|json| serde_json::from_str::<Value>(json).ok())
        .unwrap_or_default();
    let told: Vec<String> = ESSENTIALS
        .iter()
        .filter_map(|(name, prefix)| {
            let value = match state.get(name)? {
                Value::String(text) if text.is_empty() => return None,
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            Some(format!("{prefix}{value}"))
        })
        .collect();
    match told.as_slice() {
        [] => String::new(),
        told => format!(" ({})", told.join(" ")),
    }
}

/// The command of this name, or an error that lists those that may have been meant.
fn command_name(text: &str) -> Result<String, String> {
    let names = || Command::ALL.iter().map(|command| command.name());
    if let Some(name) = names().find(|name| *name == text) {
        return Ok(name.to_owned());
    }
    let wanted = text.to_ascii_lowercase();
    let mut near: Vec<_> = names()
        .map(|name| {
            let lower = name.to_ascii_lowercase();
            let distance = if !wanted.is_empty() && lower.contains(&wanted) {
                0
            } else {
                strsim::damerau_levenshtein(&wanted, &lower)
            };
            (distance, name)
        })
        .filter(|(distance, name)| *distance <= name.len() / 2)
        .collect();
    near.sort_unstable();
    let near: Vec<_> = near
        .into_iter()
        .take(MAX_NEAR)
        .map(|(_, name)| name)
        .collect();
    Err(match near.as_slice() {
        [] => format!(
            "there is no command `{text}`; commands are named as the API's methods, such as RecordDeployment"
        ),
        near => format!(
            "there is no command `{text}`; did you mean {}?",
            near.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_its_names_hold() {
        let event = AuditEvent {
            event_time: Some(prost_types::Timestamp::default()),
            command: "RecordDeployment".to_owned(),
            outcome: AuditOutcome::Refused.into(),
            refusal_reason: "PERMISSION_MISSING".to_owned(),
            principal: Some(slipway_api::identity::v1::PrincipalRef {
                display_name: "Eve\n\u{1b}[2J".to_owned(),
                ..Default::default()
            }),
            repeat_count: 3,
            ..AuditEvent::default()
        };
        let row = row(&event);
        assert_eq!(row.lines().count(), 1);
        assert!(
            row.contains("refused (PERMISSION_MISSING)  RecordDeployment"),
            "{row}"
        );
        assert!(row.ends_with("by Eve \u{fffd}[2J, 3 times"), "{row}");
    }

    #[test]
    fn an_event_tells_what_it_was_about_and_in_which_chain() {
        let event = AuditEvent {
            command: "RecordDeployment".to_owned(),
            after_json:
                r#"{"application":"cart","version":"1.4.2","environment":"prod","kind":"deployed"}"#
                    .to_owned(),
            ..AuditEvent::default()
        };
        let row = row(&event);
        assert!(row.contains("(cart 1.4.2 in prod deployed)"), "{row}");
        assert!(row.contains("  installation  "), "{row}");
    }

    #[test]
    fn an_unknown_command_is_told_with_its_neighbours() {
        assert_eq!(
            command_name("RecordDeployment").unwrap(),
            "RecordDeployment"
        );
        let error = command_name("RecordDeploymnet").unwrap_err();
        assert!(error.contains("did you mean RecordDeployment"), "{error}");
        let error = command_name("token").unwrap_err();
        assert!(error.contains("CreateToken"), "{error}");
        assert!(command_name("zzz").unwrap_err().contains("methods"));
    }
}
