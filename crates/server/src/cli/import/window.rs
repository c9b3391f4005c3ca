//! What was sent and is not answered yet. It is kept, so that after a broken connection an import goes on where the
//! server is, also where the file was a pipe that can't be read twice.

use std::collections::VecDeque;

use slipway_api::ledger::v1::{ImportBatch, ImportDeploymentsResponse};

use super::pieces::Piece;

/// How many pieces may wait for an answer: the server is never idle, and memory is bounded.
pub(super) const WINDOW: usize = 8;

/// Pieces in the order of the file, of which the server has answered none.
#[derive(Debug, Default)]
pub(super) struct Window {
    pieces: VecDeque<Piece>,
}

/// The server answered something that the contract does not allow: nothing it says can be relied on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OutOfStep {
    /// An answer to nothing.
    #[error("the server answered a batch that was not sent, up to line {through}")]
    Unasked {
        /// As answered.
        through: i64,
    },
    /// An answer to something else.
    #[error(
        "the server answered up to line {through}, where an answer up to line {expected} was due"
    )]
    OtherLine {
        /// As answered.
        through: i64,
        /// The last line of the oldest batch sent.
        expected: i64,
    },
    /// An answer that leaves lines out.
    #[error(
        "the server told what became of {told} lines of a batch of {sent}, the one up to line {through}"
    )]
    LinesMissing {
        /// As answered.
        through: i64,
        /// How many lines the counts of the answer give.
        told: usize,
        /// How many lines were sent.
        sent: usize,
    },
}

impl Window {
    /// Whether another piece may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.pieces.len() < WINDOW
    }

    /// Whether everything is answered.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Takes a piece that is to be sent.
    pub(super) fn push(&mut self, piece: Piece) {
        self.pieces.push_back(piece);
    }

    /// What to send again on a new connection, in order.
    pub(super) fn batches(&self) -> impl Iterator<Item = ImportBatch> {
        self.pieces.iter().filter_map(batch)
    }

    /// Takes the oldest piece out where nothing of it was to be sent.
    pub(super) fn settle(&mut self) -> Option<Piece> {
        self.pieces.pop_front_if(|piece| piece.lines.is_empty())
    }

    /// Takes the oldest piece out, which this answers.
    pub(super) fn answered(
        &mut self,
        answer: &ImportDeploymentsResponse,
    ) -> Result<Piece, OutOfStep> {
        let through = answer.committed_through_line;
        let piece = self
            .pieces
            .pop_front()
            .ok_or(OutOfStep::Unasked { through })?;
        let expected = piece.lines.last().map_or(0, |line| line.line);
        if through != expected {
            return Err(OutOfStep::OtherLine { through, expected });
        }
        let sent = piece.lines.len();
        let told = [answer.recorded_count, answer.already_present_count]
            .map(|count| usize::try_from(count).unwrap_or_default())
            .iter()
            .fold(answer.errors.len(), |sum, count| sum + count);
        if told != sent {
            return Err(OutOfStep::LinesMissing {
                through,
                told,
                sent,
            });
        }
        Ok(piece)
    }
}

/// What of a piece is sent, if anything.
pub(super) fn batch(piece: &Piece) -> Option<ImportBatch> {
    let lines = piece.lines.clone();
    (!lines.is_empty()).then_some(ImportBatch { lines })
}

#[cfg(test)]
mod tests {
    use slipway_api::ledger::v1::{ImportLine, LineError};

    use super::*;
    use crate::cli::import::pieces::BadLine;

    fn piece(lines: &[i64]) -> Piece {
        Piece {
            lines: lines
                .iter()
                .map(|&line| ImportLine { line, report: None })
                .collect(),
            last_line: lines.last().copied().unwrap_or_default(),
            ..Piece::default()
        }
    }

    fn answer(through: i64, recorded: i32, present: i32) -> ImportDeploymentsResponse {
        ImportDeploymentsResponse {
            committed_through_line: through,
            recorded_count: recorded,
            already_present_count: present,
            ..ImportDeploymentsResponse::default()
        }
    }

    fn resent(window: &Window) -> Vec<i64> {
        let lines = window.batches().flat_map(|batch| batch.lines);
        lines.map(|line| line.line).collect()
    }

    #[test]
    fn only_what_is_not_answered_is_sent_again() {
        let mut window = Window::default();
        for lines in [[1, 2].as_slice(), &[4, 5], &[6]] {
            window.push(piece(lines));
        }
        assert_eq!(window.answered(&answer(2, 1, 1)).unwrap(), piece(&[1, 2]));
        assert_eq!(resent(&window), [4, 5, 6]);
        let mut refused = answer(5, 1, 0);
        refused.errors.push(LineError::default());
        window.answered(&refused).unwrap();
        assert_eq!(resent(&window), [6]);
        window.answered(&answer(6, 0, 1)).unwrap();
        assert!(window.is_empty());
    }

    #[test]
    fn a_piece_of_faulty_lines_only_is_settled_in_its_turn() {
        let mut window = Window::default();
        window.push(piece(&[1]));
        let bad = Piece {
            bad: vec![BadLine {
                line: 2,
                reason: String::new(),
                message: String::new(),
            }],
            ..Piece::default()
        };
        window.push(bad.clone());
        assert_eq!(window.settle(), None);
        assert_eq!(resent(&window), [1]);
        window.answered(&answer(1, 1, 0)).unwrap();
        assert_eq!(window.settle(), Some(bad));
        assert!(window.is_empty());
    }

    #[test]
    fn there_is_room_until_the_window_is_full() {
        let mut window = Window::default();
        for line in (1..).take(WINDOW) {
            assert!(window.has_room());
            window.push(piece(&[line]));
        }
        assert!(!window.has_room());
    }

    #[test]
    fn an_answer_that_fits_nothing_is_not_believed() {
        let mut window = Window::default();
        let unasked = OutOfStep::Unasked { through: 9 };
        assert_eq!(window.answered(&answer(9, 1, 0)), Err(unasked));
        window.push(piece(&[1, 2]));
        let other = OutOfStep::OtherLine {
            through: 1,
            expected: 2,
        };
        assert_eq!(window.answered(&answer(1, 1, 0)), Err(other));
        window.push(piece(&[1, 2]));
        let missing = OutOfStep::LinesMissing {
            through: 2,
            told: 1,
            sent: 2,
        };
        assert_eq!(window.answered(&answer(2, 1, 0)), Err(missing));
    }
}
