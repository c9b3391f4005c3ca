//! What became of the lines of an import.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use indicatif::{HumanCount, HumanDuration};
use slipway_api::ledger::v1::ImportDeploymentsResponse;

use super::pieces::{BadLine, Piece};
use crate::cli::output::{counted, printable};

/// How many refused lines are kept to be shown at the end.
const MAX_SHOWN: usize = 100;

/// Counts over all answers, and the refused lines.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Lines that became records.
    recorded: u64,
    /// Lines that were known before.
    already_present: u64,
    /// Lines that were refused, by the server or before they were sent.
    pub(super) refused: u64,
    applications: u64,
    versions: u64,
    environments: u64,
    /// The last line that is dealt with.
    pub(super) through: i64,
    /// How often the stream had to be opened again.
    pub(super) reopened: u64,
    shown: Vec<BadLine>,
    errors: Option<BufWriter<File>>,
}

impl Outcome {
    /// Nothing yet. Refused lines are written to `errors` too.
    pub(super) fn new(errors: Option<BufWriter<File>>) -> Self {
        Self {
            errors,
            ..Self::default()
        }
    }

    /// How many lines are dealt with.
    pub(super) fn lines(&self) -> u64 {
        self.recorded + self.already_present + self.refused
    }

    /// Adds a piece and the answer to it; one of which nothing was sent has none.
    pub(super) fn add(
        &mut self,
        piece: Piece,
        answer: Option<ImportDeploymentsResponse>,
    ) -> io::Result<()> {
        let answer = answer.unwrap_or_default();
        self.recorded += count(answer.recorded_count);
        self.already_present += count(answer.already_present_count);
        self.applications += count(answer.created_application_count);
        self.versions += count(answer.created_version_count);
        self.environments += count(answer.created_environment_count);
        self.through = self.through.max(piece.last_line);

        let refused = answer.errors.into_iter().map(|error| {
            let reason = error.reason().as_str_name();
            BadLine {
                line: error.line,
                reason: reason.trim_start_matches("ERROR_REASON_").to_owned(),
                message: of_line(&error.message),
            }
        });
        let mut bad: Vec<_> = piece.bad.into_iter().chain(refused).collect();
        bad.sort_by_key(|bad| bad.line);
        for bad in bad {
            self.refuse(bad)?;
        }
        Ok(())
    }

    fn refuse(&mut self, bad: BadLine) -> io::Result<()> {
        self.refused += 1;
        if let Some(errors) = &mut self.errors {
            serde_json::to_writer(&mut *errors, &bad)?;
            errors.write_all(b"\n")?;
        }
        if self.shown.len() < MAX_SHOWN {
            self.shown.push(bad);
        }
        Ok(())
    }

    /// Makes sure that all refused lines are in their file.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.errors.as_mut().map_or(Ok(()), Write::flush)
    }

    /// Writes the summary, then the refused lines.
    pub(super) fn tell(&self, mut out: impl Write, took: Duration) -> io::Result<()> {
        writeln!(
            out,
            "{} in {} ({}/s)",
            counted(self.lines(), "line"),
            seconds(took),
            counted(rate(self.lines(), took), "line")
        )?;
        for (what, count) in [
            ("recorded", self.recorded),
            ("already present", self.already_present),
            ("refused", self.refused),
            ("applications created", self.applications),
            ("versions created", self.versions),
            ("environments created", self.environments),
        ] {
            writeln!(out, "  {what:<20} {:>12}", HumanCount(count).to_string())?;
        }
        if self.reopened > 0 {
            writeln!(
                out,
                "Begun again {}; what was committed before without an answer counts as already present.",
                counted(self.reopened, "time")
            )?;
        }
        if self.refused > 0 {
            writeln!(out, "Refused:")?;
        }
        for bad in &self.shown {
            let message = printable(&bad.message);
            writeln!(out, "  line {}: {}: {message}", bad.line, bad.reason)?;
        }
        let more = self.refused - self.shown.len() as u64;
        if more > 0 {
            writeln!(
                out,
                "  and {} more; --errors FILE writes all of them",
                HumanCount(more)
            )?;
        }
        out.flush()
    }
}

/// The server's message with its fields named as a line names them, which has no part `report`.
fn of_line(message: &str) -> String {
    let mut text = format!(": {message}");
    for before in [": ", "; "] {
        for (field, name) in [
            ("report.deployed_time", "deployed_at"),
            ("report.risk_level", "risk"),
            ("report.", ""),
        ] {
            text = text.replace(&format!("{before}{field}"), &format!("{before}{name}"));
        }
    }
    text.split_off(2)
}

/// Lines per second.
pub(super) fn rate(lines: u64, took: Duration) -> u64 {
    u64::try_from(u128::from(lines) * 1_000_000 / took.as_micros().max(1)).unwrap_or(u64::MAX)
}

fn seconds(took: Duration) -> String {
    if took < Duration::from_mins(2) {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        HumanDuration(took).to_string()
    }
}

fn count(count: i32) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use slipway_api::errors::v1::ErrorReason;
    use slipway_api::ledger::v1::LineError;

    use super::*;

    fn bad(line: i64) -> BadLine {
        BadLine {
            line,
            reason: "LINE_MALFORMED".to_owned(),
            message: "no\u{1b}[31m JSON".to_owned(),
        }
    }

    #[test]
    fn counts_and_refused_lines_are_told_in_the_order_of_the_file() {
        let mut outcome = Outcome::default();
        let piece = Piece {
            bad: vec![bad(2), bad(4)],
            last_line: 4,
            ..Piece::default()
        };
        let answer = ImportDeploymentsResponse {
            recorded_count: 1_200,
            already_present_count: 1,
            created_version_count: 7,
            errors: vec![LineError {
                line: 3,
                reason: ErrorReason::VersionDeprecated.into(),
                message: "report.version: old".to_owned(),
            }],
            ..ImportDeploymentsResponse::default()
        };
        outcome.add(piece, Some(answer)).unwrap();
        let mut told = Vec::new();
        outcome.tell(&mut told, Duration::from_secs(2)).unwrap();
        let told = String::from_utf8(told).unwrap();
        assert!(
            told.starts_with("1,204 lines in 2.0 s (602 lines/s)\n"),
            "{told}"
        );
        assert!(told.contains("recorded                    1,200"), "{told}");
        let end = "Refused:\n  line 2: LINE_MALFORMED: no\u{fffd}[31m JSON\n  line 3: VERSION_DEPRECATED: version: old\n  line 4: \
                   LINE_MALFORMED: no\u{fffd}[31m JSON\n";
        assert!(told.ends_with(end), "{told}");
        assert_eq!(outcome.through, 4);
    }

    #[test]
    fn a_hundred_refused_lines_are_shown_and_all_are_written() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let file = BufWriter::new(path.reopen().unwrap());
        let mut outcome = Outcome::new(Some(file));
        let piece = Piece {
            bad: (1..=250).map(bad).collect(),
            ..Piece::default()
        };
        outcome.add(piece, None).unwrap();
        outcome.flush().unwrap();
        let mut told = Vec::new();
        outcome.tell(&mut told, Duration::ZERO).unwrap();
        let told = String::from_utf8(told).unwrap();
        assert_eq!(told.matches("LINE_MALFORMED").count(), 100);
        assert!(told.contains("and 150 more"), "{told}");
        let written = std::fs::read_to_string(path.path()).unwrap();
        assert_eq!(written.lines().count(), 250);
        assert!(written.starts_with(r#"{"line":1,"reason":"LINE_MALFORMED","message":"#));
    }
}
