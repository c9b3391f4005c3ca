//! `slipway import deployments`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use slipway_api::ledger::v1::ImportHeader;

use super::outcome::Outcome;
use super::pieces::{self, MAX_BATCH_SIZE};
use super::progress::Progress;
use super::session::Session;
use crate::cli::Failure;
use crate::cli::client::ClientArgs;
use crate::cli::create_missing::CreateMissingArgs;
use crate::cli::output::{STANDARD_STREAM, file_failure};
use crate::config::Config;

/// The exit status where everything was dealt with and some lines were refused.
const SOME_REFUSED: u8 = 3;

const HELP: &str = "\
Each line is a JSON object:
  application, version, environment   Required
  deployed_at                         Required: RFC 3339, for example 2026-03-01T09:30:00Z
  kind                                deployed (as where it is left out) or removed
  deployed_by, notes, external_id     Texts
  risk                                low, medium, high or critical; emergency means critical
  attributes                          An object of texts
Any other field is a fault of its line. Faulty lines are told at the end, all others are recorded.

Talks to a running server, and may run beside everything else. An import can be broken off and run again: what is
present is not recorded twice. Of two deployments of an application to an environment at the same microsecond the one
imported later counts as current, so write the oldest first.

Exit status: 0 when every line is recorded or present, 3 when lines were refused, 1 when the import failed.

Examples:
  slipway import deployments history.jsonl
  slipway import deployments history.jsonl --no-create-missing --errors refused.jsonl
  zcat history.jsonl.gz | slipway import deployments - --project shop --environment-tier production";

/// The arguments of `slipway import deployments`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Deployments {
    /// The file, one JSON object a line; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The project's slug
    #[arg(
        long,
        env = "SLIPWAY_PROJECT",
        value_name = "SLUG",
        default_value = "default"
    )]
    project: String,

    #[command(flatten)]
    create_missing: CreateMissingArgs,

    /// How many lines to commit together, 1 to 1000
    #[arg(long, value_name = "LINES", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=MAX_BATCH_SIZE))]
    batch_size: u16,

    /// Write all refused lines to this file, one JSON object (line, reason, message) a line
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,

    #[command(flatten)]
    client: ClientArgs,
}

impl Deployments {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, Failure> {
        // Everything that can fail here fails before the server is asked for anything.
        let (input, bytes) = open(&self.file)?;
        let errors = match &self.errors {
            Some(path) => {
                let file = File::create(path).map_err(file_failure("written", path))?;
                Some(BufWriter::new(file))
            }
            None => None,
        };
        let client = self.client.connect(config).await?;

        let began = Instant::now();
        let pieces = pieces::read_ahead(input, self.batch_size)?;
        let progress = Progress::new(bytes);
        let session = Session::new(
            &client,
            self.header(),
            pieces,
            Outcome::new(errors),
            progress,
        );
        let (outcome, result) = session.run().await;

        // An import that failed before anything was dealt with has nothing to count.
        if result.is_ok() || outcome.lines() > 0 {
            match outcome.tell(io::stdout().lock(), began.elapsed()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
                _ => {}
            }
        }
        result?;
        Ok(match outcome.refused {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(SOME_REFUSED),
        })
    }

    fn header(&self) -> ImportHeader {
        ImportHeader {
            project: self.project.clone(),
            create_missing: Some(self.create_missing.to_wire()),
        }
    }
}

/// Opens the input, and says how many bytes it has where that is known.
fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
    if path == Path::new(STANDARD_STREAM) {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path).map_err(file_failure("read", path))?;
    let metadata = file.metadata().map_err(file_failure("read", path))?;
    let bytes = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::new(file)), bytes))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use slipway_api::catalog::v1::ApplicationKind;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        deployments: Deployments,
    }

    fn header(arguments: &[&str]) -> ImportHeader {
        let words = ["import", "file"].iter().chain(arguments);
        Line::try_parse_from(words).unwrap().deployments.header()
    }

    #[test]
    fn everything_missing_is_created_unless_said_otherwise() {
        let all = header(&[]);
        assert_eq!(all.project, "default");
        let create = all.create_missing.unwrap();
        assert!(create.applications && create.versions && create.environments);
        assert_eq!(create.application_kind(), ApplicationKind::Service);

        let create = header(&["--create-missing", "versions,applications"]);
        let create = create.create_missing.unwrap();
        assert!(create.applications && create.versions && !create.environments);

        let create = header(&["--no-create-missing"]).create_missing.unwrap();
        assert!(!create.applications && !create.versions && !create.environments);
    }

    #[test]
    fn batches_have_a_bound() {
        for size in ["0", "1001", "-1", "x"] {
            assert!(Line::try_parse_from(["import", "file", "--batch-size", size]).is_err());
        }
    }
}
