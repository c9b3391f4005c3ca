//! `slipway audit checkpoint`, and the file that it writes.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};
use slipway_api::audit::v1::{Checkpoint, ExportCheckpointRequest};
use slipway_kernel::Timestamp;

use super::ChainArgs;
use crate::cli::client::ClientArgs;
use crate::cli::output::{self, STANDARD_STREAM, file_failure};
use crate::cli::{Failure, time};
use crate::config::Config;

/// The most bytes that a checkpoint has.
const MAX_FILE_BYTES: u64 = 64 * 1024;

const HELP: &str = "\
Whoever can rewrite the whole database can rewrite the chain too. A checkpoint kept on another machine finds even that:
give it to `slipway audit verify --checkpoint`.

Talks to a running server, and may run beside everything else.

Examples:
  slipway audit checkpoint -o default-$(date +%F).json
  slipway audit checkpoint --installation | ssh vault 'cat > installation.json'";

/// The arguments of `slipway audit checkpoint`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct TakeCheckpoint {
    /// The file to write, as JSON; `-` for standard output
    #[arg(long, short, value_name = "FILE", default_value = STANDARD_STREAM)]
    output: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    client: ClientArgs,
}

impl TakeCheckpoint {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        output::refuse_existing(&self.output, self.force)?;
        let client = self.client.connect(config).await?;
        let chain = self.chain.chain();
        let request = ExportCheckpointRequest {
            project: chain.0.clone(),
        };
        let answer = client.audit().export_checkpoint(request).await;
        let checkpoint = answer
            .map_err(|status| client.failed(status))?
            .into_inner()
            .checkpoint
            .ok_or("the server sent no checkpoint; is it another version?")?;
        let told = format!(
            "Checkpoint of {chain} at position {} written to {}; keep it where nobody who can change the database can \
             change it.",
            checkpoint.position,
            self.output.display()
        );
        let file = CheckpointFile::try_from(checkpoint)?;

        let mut out = output::open(&self.output)?;
        let mut text = serde_json::to_string_pretty(&file)?;
        text.push('\n');
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(file_failure("written", &self.output))?;
        if self.output != Path::new(STANDARD_STREAM) {
            eprintln!("{told}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A checkpoint as a file holds it, in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointFile {
    /// The project's slug; absent for the chain of the installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    position: i64,
    hash: String,
    /// RFC 3339.
    checkpoint_time: String,
    form: String,
}

/// Reads a checkpoint from a file, or from standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Checkpoint, Failure> {
    let mut text = String::new();
    let failure = file_failure("read", path);
    let input: Box<dyn Read> = if path == Path::new(STANDARD_STREAM) {
        Box::new(io::stdin())
    } else {
        match std::fs::File::open(path) {
            Ok(file) => Box::new(file),
            Err(error) => return Err(failure(error).into()),
        }
    };
    input
        .take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(failure)?;
    let file: CheckpointFile = serde_json::from_str(&text).map_err(|error| {
        format!(
            "`{}` is no checkpoint as `slipway audit checkpoint` writes it: {error}",
            path.display()
        )
    })?;
    Ok(file.try_into()?)
}

impl TryFrom<Checkpoint> for CheckpointFile {
    type Error = String;

    fn try_from(checkpoint: Checkpoint) -> Result<Self, String> {
        let taken = checkpoint
            .checkpoint_time
            .and_then(time::from_wire)
            .ok_or("the server sent a checkpoint without a valid time")?;
        Ok(Self {
            project: (!checkpoint.project.is_empty()).then_some(checkpoint.project),
            position: checkpoint.position,
            hash: checkpoint.hash,
            checkpoint_time: taken.to_string(),
            form: checkpoint.form,
        })
    }
}

impl TryFrom<CheckpointFile> for Checkpoint {
    type Error = String;

    fn try_from(file: CheckpointFile) -> Result<Self, String> {
        let taken = Timestamp::parse(&file.checkpoint_time)
            .map_err(|error| format!("checkpoint_time: {error}"))?;
        Ok(Self {
            project: file.project.unwrap_or_default(),
            position: file.position,
            hash: file.hash,
            checkpoint_time: Some(time::to_wire(taken)),
            form: file.form,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(project: &str) -> Checkpoint {
        let taken = Timestamp::parse("2026-03-01T09:30:00.123456Z").unwrap();
        Checkpoint {
            project: project.to_owned(),
            position: 42,
            hash: format!("sha256:{}", "ab".repeat(32)),
            checkpoint_time: Some(time::to_wire(taken)),
            form: "slipway.audit-link.v1".to_owned(),
        }
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint.json");
        for project in ["default", ""] {
            let file = CheckpointFile::try_from(checkpoint(project)).unwrap();
            std::fs::write(&path, serde_json::to_string_pretty(&file).unwrap()).unwrap();
            assert_eq!(read(&path).unwrap(), checkpoint(project));
        }
    }

    #[test]
    fn what_is_no_checkpoint_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("other.json");
        assert!(read(&path).unwrap_err().to_string().contains("other.json"));
        for text in ["", "{}", "{\"position\": 1, \"more\": 2}"] {
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("other.json"), "{error}");
        }
    }
}
