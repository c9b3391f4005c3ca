//! `slipway report`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use slipway_api::audit::v1::get_compliance_report_response::Message;
use slipway_api::audit::v1::{
    ComplianceReportFormat, ComplianceReportHeader, GetComplianceReportRequest,
};
use slipway_kernel::Timestamp;

use super::ending::Ending;
use super::json;
use crate::cli::client::{Client, ClientArgs};
use crate::cli::output::{self, STANDARD_STREAM, file_failure, is_broken_pipe};
use crate::cli::{Failure, explain, time};
use crate::config::Config;

const HELP: &str = "\
Everything that changed the environments of a project in a period, who agreed to it, and first what is out of the ordinary.
HTML is one page to be read and printed, which needs nothing but itself; CSV opens in a spreadsheet; JSON is one message a
line, in the form and with the field names of the protos. How much the report is about, and its digest, is told on standard
error. Where a report does not end as it should, the command fails, and what was written is not to be used.

Exit status:
  0  the report is complete
  1  something else failed, here or in the server
  2  the arguments are wrong, and nothing was asked
  3  the server refused: the reason is on standard error
  9  the server can't be reached, or is too busy to answer

Examples:
  slipway report --from 2026-01-01 --to 2026-04-01 --format html > report.html
  slipway report --project shop --environment prod --from 2026-01-01 --to 2027-01-01 --format csv --output year.csv
  slipway report --from 2026-01-01 --to 2026-04-01 --format json | jq -c '.entry // empty'";

/// The arguments of `slipway report`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Report {
    /// The project's slug
    #[arg(
        long,
        env = "SLIPWAY_PROJECT",
        value_name = "SLUG",
        default_value = "default"
    )]
    project: String,

    /// Only the environment with this slug
    #[arg(long, value_name = "SLUG")]
    environment: Option<String>,

    /// The beginning of the period: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    from: Timestamp,

    /// The end of the period, which is not part of it, at most 366 days later: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    to: Timestamp,

    /// How the report is told
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,

    /// The file to write; `-` for standard output
    #[arg(long, value_name = "FILE", default_value = STANDARD_STREAM)]
    output: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    client: ClientArgs,
}

/// How a report is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Html,
    Csv,
    Json,
}

impl Report {
    /// Writes the report. A failure becomes a status of the table.
    pub(in crate::cli) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        match self.write(config).await {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(failure) if is_broken_pipe(&*failure) => Err(failure),
            Err(failure) => {
                eprintln!("slipway: {}", explain(&*failure));
                Ok(Ending::of_failure(&*failure).into())
            }
        }
    }

    async fn write(&self, config: &Config) -> Result<(), Failure> {
        output::refuse_existing(&self.output, self.force)?;
        time::check_order(Some(self.from), Some(self.to))?;
        let client = self.client.connect(config).await?;
        let header = self.receive(&client).await?;
        eprintln!(
            "{} and {} of {}, {} of them with exceptions: the digest of the report is {}",
            counted(header.deployment_count, "deployment"),
            counted(
                header.entry_count - header.deployment_count,
                "reported record"
            ),
            header.project,
            header.exception_count,
            header.digest
        );
        Ok(())
    }

    async fn receive(&self, client: &Client) -> Result<ComplianceReportHeader, Failure> {
        let answer = client.audit().get_compliance_report(self.request()).await;
        let mut report = answer.map_err(|status| client.failed(status))?.into_inner();
        // What is refused leaves no file behind.
        let mut out = output::open(&self.output)?;
        let written = || file_failure("written", &self.output);
        let mut header = None;
        loop {
            let message = report
                .message()
                .await
                .map_err(|status| client.failed(status))?
                .ok_or("the report ended without a summary: it is not complete; run it again")?;
            if self.format == Format::Json {
                let line =
                    json::of_message("slipway.audit.v1.GetComplianceReportResponse", &message)?;
                writeln!(out, "{line}").map_err(written())?;
            }
            match message.message {
                Some(Message::Header(first)) => header = Some(first),
                Some(Message::Content(part)) => out.write_all(&part).map_err(written())?,
                Some(Message::Entry(_) | Message::Items(_) | Message::Records(_)) => {}
                Some(Message::Summary(summary)) => {
                    out.flush().map_err(written())?;
                    return complete(header, summary.entry_count);
                }
                None => return Err("the server sent something unknown; is it newer?".into()),
            }
        }
    }

    fn request(&self) -> GetComplianceReportRequest {
        let format = match self.format {
            Format::Html => ComplianceReportFormat::Html,
            Format::Csv => ComplianceReportFormat::Csv,
            Format::Json => ComplianceReportFormat::Structured,
        };
        GetComplianceReportRequest {
            project: self.project.clone(),
            from_time: Some(time::to_wire(self.from)),
            to_time: Some(time::to_wire(self.to)),
            environment: self.environment.clone().unwrap_or_default(),
            format: format.into(),
        }
    }
}

/// The report's header, where as many entries came as it says.
fn complete(
    header: Option<ComplianceReportHeader>,
    entries: i64,
) -> Result<ComplianceReportHeader, Failure> {
    let header = header.ok_or("the report has no header; is the server another version?")?;
    if header.entry_count != entries {
        let expected = header.entry_count;
        return Err(format!(
            "the report is not complete: {entries} of {expected} entries came; run it again"
        )
        .into());
    }
    Ok(header)
}

fn counted(count: i64, thing: &str) -> String {
    output::counted(u64::try_from(count).unwrap_or_default(), thing)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        report: Report,
    }

    #[test]
    fn a_period_is_needed_and_a_page_is_the_default() {
        let parse = |arguments: &[&str]| {
            Line::try_parse_from(["report"].iter().chain(arguments)).map(|line| line.report)
        };
        let period = ["--from", "2026-01-01", "--to", "2026-04-01"];
        let report = parse(&period).unwrap();
        assert_eq!(report.request().format(), ComplianceReportFormat::Html);
        assert_eq!(report.request().project, "default");
        let csv = parse(&[&period[..], &["--format", "csv"]].concat()).unwrap();
        assert_eq!(csv.request().format(), ComplianceReportFormat::Csv);
        assert!(parse(&period[..2]).is_err());
        assert!(parse(&[&period[..], &["--format", "pdf"]].concat()).is_err());
    }

    #[test]
    fn what_does_not_end_as_it_should_is_not_complete() {
        let header = ComplianceReportHeader {
            entry_count: 2,
            ..Default::default()
        };
        assert!(complete(Some(header.clone()), 2).is_ok());
        assert!(complete(Some(header), 1).is_err());
        assert!(complete(None, 0).is_err());
    }
}
