//! `slipway audit verify`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::HumanCount;
use slipway_api::audit::v1::{
    ChainBreak, ChainBreakKind, Checkpoint, Verification, VerifyAuditTrailRequest,
};

use super::{Chain, ChainArgs, checkpoint};
use crate::cli::Failure;
use crate::cli::client::ClientArgs;
use crate::cli::output::printable;
use crate::config::Config;

/// The exit status where something is not as it was written.
const BROKEN: u8 = 4;

const HELP: &str = "\
The server recomputes the chain and compares it with every record that it vouches for, and with the checkpoint. Without
a checkpoint, somebody who recomputed the whole chain is not found.

Talks to a running server, and may run beside everything else; takes time in proportion to the chain.

Exit status: 0 when everything agrees, 4 when something was changed, 1 when it could not be verified.

Examples:
  slipway audit verify
  slipway audit verify --checkpoint default-2026-03-01.json
  slipway audit verify --installation";

/// The arguments of `slipway audit verify`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Verify {
    /// A file that `slipway audit checkpoint` wrote; `-` for standard input. Its chain is verified if none is named
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    client: ClientArgs,
}

impl Verify {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        let checkpoint = match &self.checkpoint {
            Some(path) => Some(checkpoint::read(path)?),
            None => None,
        };
        let chain = match (&checkpoint, self.chain.named()) {
            (Some(checkpoint), None) => Chain(checkpoint.project.clone()),
            _ => self.chain.chain(),
        };
        let client = self.client.connect(config).await?;
        let request = VerifyAuditTrailRequest {
            project: chain.0.clone(),
            checkpoint: checkpoint.clone(),
        };
        let answer = client.audit().verify_audit_trail(request).await;
        let verification = answer
            .map_err(|status| client.failed(status))?
            .into_inner()
            .verification
            .ok_or("the server sent no result; is it another version?")?;

        // The status tells the result too, where nobody reads the words.
        let text = told(&chain, checkpoint.as_ref(), &verification);
        let _ = io::stdout().write_all(text.as_bytes());
        Ok(if verification.verified {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(BROKEN)
        })
    }
}

/// The result in words.
fn told(chain: &Chain, checkpoint: Option<&Checkpoint>, found: &Verification) -> String {
    let events = HumanCount(u64::try_from(found.event_count).unwrap_or_default());
    let facts = HumanCount(u64::try_from(found.fact_count).unwrap_or_default());
    let mut text = if found.verified {
        format!("verified: {chain}\n")
    } else {
        format!("NOT VERIFIED: {chain} is not as it was written\n")
    };
    if !found.verified {
        text += &broken(found.first_break.as_ref());
    }
    // Writing to a string can't fail.
    let _ = writeln!(text, "  events recomputed      {events}");
    let _ = writeln!(text, "  records compared       {facts}");
    let _ = writeln!(
        text,
        "  waiting to be chained  {}",
        found.unchained_event_count
    );
    match (checkpoint, found.verified) {
        (Some(checkpoint), true) => {
            let _ = writeln!(
                text,
                "  checkpoint             agrees, at position {}",
                checkpoint.position
            );
        }
        (Some(_), false) => {}
        (None, _) => {
            text += "  checkpoint             none given: a chain rewritten as a whole would not be found\n";
        }
    }
    if let Some(head) = &found.head {
        let _ = writeln!(
            text,
            "  head                   {} at position {}",
            head.hash, head.position
        );
    }
    text
}

/// The first break in words.
fn broken(first_break: Option<&ChainBreak>) -> String {
    let Some(found) = first_break else {
        return "  the server does not say where\n".to_owned();
    };
    let kind = match found.kind() {
        ChainBreakKind::Unspecified => "something of a kind that this program does not know",
        ChainBreakKind::EventMissing => "an event is missing",
        ChainBreakKind::EventChanged => "an event was changed",
        ChainBreakKind::EventMisplaced => "an event stands where it does not belong",
        ChainBreakKind::FactMissing => "a record is missing",
        ChainBreakKind::FactChanged => "a record was changed",
        ChainBreakKind::FactUnaccounted => "there are records that no event vouches for",
        ChainBreakKind::ChainCut => "the chain was cut back before the checkpoint",
        ChainBreakKind::CheckpointDiffers => {
            "the chain was rewritten: it differs from the checkpoint"
        }
        ChainBreakKind::Unreadable => "a row holds a value that Slipway never writes",
    };
    let mut place = String::new();
    if found.position > 0 {
        let _ = write!(place, " at position {}", found.position);
    }
    if !found.event_id.is_empty() {
        let _ = write!(place, ", event {}", printable(&found.event_id));
    }
    let explanation = printable(&found.explanation);
    format!("  first break: {kind}{place}\n  {explanation}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_is_named_first() {
        let found = Verification {
            event_count: 1_234,
            first_break: Some(ChainBreak {
                position: 7,
                event_id: "01".to_owned(),
                kind: ChainBreakKind::FactChanged.into(),
                explanation: "record x gives another digest".to_owned(),
            }),
            ..Verification::default()
        };
        let text = told(&Chain("shop".to_owned()), None, &found);
        let start = "NOT VERIFIED: the chain of project shop is not as it was written\n  first break: a record was \
                     changed at position 7, event 01\n  record x gives another digest\n";
        assert!(text.starts_with(start), "{text}");
        assert!(text.contains("1,234"), "{text}");
    }

    #[test]
    fn what_a_missing_checkpoint_means_is_told() {
        let found = Verification {
            verified: true,
            ..Verification::default()
        };
        let chain = Chain(String::new());
        let text = told(&chain, None, &found);
        assert!(text.starts_with("verified: the chain of the installation\n"));
        assert!(text.contains("none given"), "{text}");
        let checkpoint = Checkpoint {
            position: 5,
            ..Checkpoint::default()
        };
        assert!(told(&chain, Some(&checkpoint), &found).contains("agrees, at position 5"));
    }
}
