//! `slipway record`.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use slipway_api::ledger::v1::{
    DeploymentReport, RecordDeploymentRequest, RecordDeploymentResponse, RecordKind,
};
use slipway_kernel::Timestamp;

use super::ending::{Ending, help};
use super::{CallArgs, RequestIdArgs, Risk, Session, Step, risk_on_wire};
use crate::cli::create_missing::CreateMissingArgs;
use crate::cli::output::printable;
use crate::cli::{Failure, time};

const HELP: &str = help!(
    "\
For what another tool carried out. Reporting the same deployment again finds the record that is there. Where policies
govern an environment, `slipway release` asks for what shall become current there.

Examples:
  slipway record --application cart --version 1.4.2 --environment staging
  slipway record --application cart --version 1.4.2 --environment staging \\
    --deployed-by \"$GITHUB_ACTOR\" --attribute commit=$GITHUB_SHA --external-id $GITHUB_RUN_ID
  slipway record --application cart --version 1.4.2 --environment staging --kind removed"
);

/// The arguments of `slipway record`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Record {
    /// The application's key
    #[arg(long, value_name = "KEY")]
    application: String,

    /// The identifier of the version that was deployed or removed
    #[arg(long, value_name = "IDENTIFIER")]
    version: String,

    /// The environment's slug
    #[arg(long, value_name = "SLUG")]
    environment: String,

    /// What happened
    #[arg(long, value_enum, default_value = "deployed")]
    kind: Kind,

    /// When: RFC 3339, or a day in UTC [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    deployed_at: Option<Timestamp>,

    /// Who deployed it, in the words of the tool that did
    #[arg(long, value_name = "WHO")]
    deployed_by: Option<String>,

    /// How risky it was
    #[arg(long, value_enum)]
    risk: Option<Risk>,

    /// What is worth knowing about it
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,

    /// Further facts; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(String, String)>,

    /// What the reporting tool calls the deployment: reported again by it, it is the same one
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,

    /// Say what would be refused, and record nothing
    #[arg(long)]
    validate_only: bool,

    #[command(flatten)]
    create_missing: CreateMissingArgs,

    #[command(flatten)]
    request_id: RequestIdArgs,

    #[command(flatten)]
    calls: CallArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Deployed,
    Removed,
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, for example commit=4f2a".to_owned()),
    }
}

impl Step for Record {
    fn calls(&self) -> &CallArgs {
        &self.calls
    }

    async fn run(&self, session: &Session) -> Result<Ending, Failure> {
        let request = self.request();
        let answer = session
            .call(async || {
                let mut ledger = session.client.ledger();
                ledger.record_deployment(request.clone()).await
            })
            .await?;
        let words = self.words(&answer);
        session.tell(
            "slipway.ledger.v1.RecordDeploymentResponse",
            &answer,
            &words,
        )?;
        Ok(Ending::Done)
    }
}

impl Record {
    fn request(&self) -> RecordDeploymentRequest {
        let kind = match self.kind {
            Kind::Deployed => RecordKind::Deployed,
            Kind::Removed => RecordKind::Removed,
        };
        let report = DeploymentReport {
            application: self.application.clone(),
            version: self.version.clone(),
            environment: self.environment.clone(),
            deployed_time: self.deployed_at.map(time::to_wire),
            kind: kind.into(),
            deployed_by: self.deployed_by.clone().unwrap_or_default(),
            risk_level: risk_on_wire(self.risk),
            notes: self.notes.clone().unwrap_or_default(),
            attributes: self.attribute.iter().cloned().collect::<BTreeMap<_, _>>(),
            external_id: self.external_id.clone().unwrap_or_default(),
        };
        RecordDeploymentRequest {
            project: self.calls.project.clone(),
            report: Some(report),
            create_missing: Some(self.create_missing.to_wire()),
            request_id: self.request_id.id(),
            validate_only: self.validate_only,
        }
    }

    fn words(&self, answer: &RecordDeploymentResponse) -> String {
        let verb = match (answer.already_present, self.validate_only) {
            (true, _) => "already recorded",
            (false, true) => "would be recorded",
            (false, false) => "recorded",
        };
        let removed = match self.kind {
            Kind::Deployed => "",
            Kind::Removed => " removed",
        };
        let created: Vec<_> = [
            ("the application", answer.application_created),
            ("the version", answer.version_created),
            ("the environment", answer.environment_created),
        ]
        .into_iter()
        .filter_map(|(what, created)| created.then_some(what))
        .collect();
        let created = match created.as_slice() {
            [] => String::new(),
            created => format!(" (new: {})", created.join(", ")),
        };
        printable(&format!(
            "{verb}: {} {} in {}{removed}{created}",
            self.application, self.version, self.environment
        ))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        record: Record,
    }

    fn parse(arguments: &[&str]) -> Result<Record, clap::Error> {
        let least = [
            "record",
            "--application",
            "cart",
            "--version",
            "1",
            "--environment",
            "e",
        ];
        let words = least.iter().chain(arguments);
        Line::try_parse_from(words).map(|line| line.record)
    }

    #[test]
    fn what_is_said_is_asked_for() {
        let record = parse(&[
            "--kind",
            "removed",
            "--deployed-at",
            "2026-03-01",
            "--risk",
            "high",
            "--attribute",
            "commit=4f2a",
            "--attribute",
            "note=a=b",
            "--no-create-missing",
            "--request-id",
            "run-7",
        ])
        .unwrap();
        let request = record.request();
        assert_eq!(request.request_id, "run-7");
        let create = request.create_missing.unwrap();
        assert!(!create.applications && !create.versions && !create.environments);
        let report = request.report.unwrap();
        assert_eq!(report.kind(), RecordKind::Removed);
        assert_eq!(report.deployed_time.unwrap().seconds, 1_772_323_200);
        assert_eq!(report.attributes["note"], "a=b");
    }

    #[test]
    fn each_command_without_an_id_gets_its_own() {
        let ids = [(); 2].map(|()| parse(&[]).unwrap().request().request_id);
        assert!(!ids[0].is_empty());
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn what_is_wrong_is_refused_before_any_call() {
        assert!(Line::try_parse_from(["record", "--application", "cart"]).is_err());
        for wrong in [
            ["--attribute", "commit"],
            ["--attribute", "=x"],
            ["--risk", "huge"],
            ["--kind", "gone"],
        ] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_was_created_is_told() {
        let record = parse(&[]).unwrap();
        let answer = RecordDeploymentResponse {
            version_created: true,
            ..RecordDeploymentResponse::default()
        };
        assert_eq!(
            record.words(&answer),
            "recorded: cart 1 in e (new: the version)"
        );
    }
}
