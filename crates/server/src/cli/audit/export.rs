//! `slipway audit export`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sha2::{Digest, Sha256};
use slipway_api::audit::v1::export_audit_events_response::Message;
use slipway_api::audit::v1::{AuditEventFilter, ExportAuditEventsRequest, ExportSummary};
use slipway_kernel::Timestamp;

use super::ChainArgs;
use super::event::EventLine;
use crate::cli::client::ClientArgs;
use crate::cli::output::{self, STANDARD_STREAM, file_failure};
use crate::cli::{Failure, time};
use crate::config::Config;

const HELP: &str = "\
Writes one JSON object a line, in the order of the chain. At its end the server says how many events it sent and the
digest over their hashes; where that is not what arrived, the export fails and the file is not to be used.

Talks to a running server, and may run beside everything else.

Examples:
  slipway audit export audit.jsonl
  slipway audit export --installation --from 2026-01-01 | gzip > installation.jsonl.gz";

/// The arguments of `slipway audit export`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Export {
    /// The file to write; `-` for standard output
    #[arg(value_name = "FILE", default_value = STANDARD_STREAM)]
    file: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    chain: ChainArgs,

    /// Only events at or after this time: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    from: Option<Timestamp>,

    /// Only events before this time: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    to: Option<Timestamp>,

    #[command(flatten)]
    client: ClientArgs,
}

impl Export {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        output::refuse_existing(&self.file, self.force)?;
        time::check_order(self.from, self.to)?;
        let client = self.client.connect(config).await?;
        let chain = self.chain.chain();
        let filter = AuditEventFilter {
            project: chain.0.clone(),
            from_time: self.from.map(time::to_wire),
            to_time: self.to.map(time::to_wire),
            ..AuditEventFilter::default()
        };
        let request = ExportAuditEventsRequest {
            filter: Some(filter),
        };
        let answer = client.audit().export_audit_events(request).await;
        let mut events = answer.map_err(|status| client.failed(status))?.into_inner();

        let mut out = output::open(&self.file)?;
        let mut received = Received::default();
        let summary = loop {
            let message = events
                .message()
                .await
                .map_err(|status| client.failed(status))?
                .ok_or("the export ended without a summary: it is not complete; run it again")?;
            match message.message {
                Some(Message::Event(event)) => {
                    received.add(&event.hash)?;
                    let line = serde_json::to_string(&EventLine::try_from(event)?)?;
                    writeln!(out, "{line}").map_err(file_failure("written", &self.file))?;
                }
                Some(Message::Summary(summary)) => break summary,
                None => return Err("the server sent something unknown; is it newer?".into()),
            }
        };
        out.flush().map_err(file_failure("written", &self.file))?;
        received.check(&summary)?;

        eprintln!(
            "{} of {chain}, complete: the digest over their hashes is {}",
            output::counted(received.count, "event"),
            summary.digest
        );
        if summary.unchained_event_count > 0 {
            eprintln!(
                "{} newer events wait to be chained and are not in it",
                summary.unchained_event_count
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What arrived, computed as the server does.
#[derive(Default)]
struct Received {
    count: u64,
    hashes: Sha256,
}

impl Received {
    fn add(&mut self, hash: &str) -> Result<(), String> {
        let parsed: slipway_kernel::Sha256 = hash
            .strip_prefix("sha256:")
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| format!("an event came with `{hash}`, which is no hash"))?;
        self.hashes.update(parsed.as_bytes());
        self.count += 1;
        Ok(())
    }

    fn check(&self, summary: &ExportSummary) -> Result<(), String> {
        let digest = slipway_kernel::Sha256::from_bytes(self.hashes.clone().finalize().into());
        let digest = format!("sha256:{digest}");
        if u64::try_from(summary.event_count) != Ok(self.count) || summary.digest != digest {
            return Err(format!(
                "the export is not what the server sent: {} events with digest {digest} arrived, {} with {} were sent; \
                 run it again, over TLS where the network is not trusted",
                self.count, summary.event_count, summary.digest
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_must_be_that_of_what_arrived() {
        let mut received = Received::default();
        let hash = slipway_kernel::Sha256::of_bytes(b"x");
        received.add(&format!("sha256:{hash}")).unwrap();
        let digest = slipway_kernel::Sha256::of_bytes(hash.as_bytes());
        let summary = ExportSummary {
            event_count: 1,
            digest: format!("sha256:{digest}"),
            ..ExportSummary::default()
        };
        received.check(&summary).unwrap();

        let more = ExportSummary {
            event_count: 2,
            ..summary.clone()
        };
        assert!(received.check(&more).is_err());
        received.add(&format!("sha256:{hash}")).unwrap();
        assert!(received.check(&summary).is_err());
        assert!(received.add("").is_err());
    }
}
