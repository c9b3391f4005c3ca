//! Cuts a file of any size into pieces that fit into one message each, reading only a little ahead.

use std::io::{self, BufRead, BufReader, Read};

use prost::Message;
use serde::Serialize;
use slipway_api::ledger::v1::ImportLine;
use tokio::sync::mpsc;

use crate::cli::deployment_line;

/// The most lines of a batch that the server takes.
pub(super) const MAX_BATCH_SIZE: i64 = 1000;
/// The most bytes of lines in one message: 4 MiB are taken, and a margin is kept for the rest of the message.
const MAX_BATCH_BYTES: usize = 3_584 * 1024;
/// The longest line read. No valid deployment needs as much, however its texts are escaped.
const MAX_LINE_BYTES: u64 = 1024 * 1024;
/// How many faulty lines are held at most before they are passed on.
const MAX_BAD_LINES: usize = 1000;
/// How many pieces are read ahead.
const READ_AHEAD: usize = 2;
/// What an encoded line has around it, at most: a tag and a length.
const FRAME_BYTES: usize = 6;
/// Why a line was refused before it was sent.
const LINE_MALFORMED: &str = "LINE_MALFORMED";

/// Lines that are sent and answered together, and the faulty ones among them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Piece {
    /// The lines to send, possibly none.
    pub(super) lines: Vec<ImportLine>,
    /// The lines that can't be sent.
    pub(super) bad: Vec<BadLine>,
    /// The number of the last line of the piece.
    pub(super) last_line: i64,
    /// How many bytes of the file the piece took.
    pub(super) bytes: u64,
}

/// A line that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct BadLine {
    /// Its number, from 1 on.
    pub(super) line: i64,
    /// The server's reason, or `LINE_MALFORMED`.
    pub(super) reason: String,
    /// For people.
    pub(super) message: String,
}

/// Reads and cuts `input` on a thread of its own, so that neither files nor pipes hold up the network.
pub(super) fn read_ahead(
    input: impl Read + Send + 'static,
    batch_size: u16,
) -> io::Result<mpsc::Receiver<io::Result<Piece>>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let pieces = Pieces::new(BufReader::new(input), batch_size.into());
    // Not one of the runtime's threads: the process may end while this one still waits for a pipe.
    std::thread::Builder::new()
        .name("import-reader".to_owned())
        .spawn(move || {
            for piece in pieces {
                if sender.blocking_send(piece).is_err() {
                    break;
                }
            }
        })?;
    Ok(receiver)
}

/// The pieces of a file.
struct Pieces<R> {
    input: R,
    batch_size: usize,
    /// The number of the line read last.
    line: i64,
    buffer: Vec<u8>,
    /// A line that did not fit into the piece before, and its bytes in the file.
    carried: Option<(ImportLine, u64)>,
    ended: bool,
}

impl<R: BufRead> Pieces<R> {
    fn new(input: R, batch_size: usize) -> Self {
        Self {
            input,
            batch_size,
            line: 0,
            buffer: Vec::new(),
            carried: None,
            ended: false,
        }
    }

    fn cut(&mut self) -> io::Result<Piece> {
        let mut piece = Piece::default();
        let mut size = 0;
        if let Some((line, bytes)) = self.carried.take() {
            size += line.encoded_len() + FRAME_BYTES;
            piece.add(line, bytes);
        }
        while piece.lines.len() < self.batch_size && piece.bad.len() < MAX_BAD_LINES {
            let bytes = self.read_line()?;
            if bytes == 0 {
                self.ended = true;
                break;
            }
            match self.parse() {
                None => piece.bytes += bytes,
                Some(Err(bad)) => {
                    piece.last_line = bad.line;
                    piece.bytes += bytes;
                    piece.bad.push(bad);
                }
                Some(Ok(line)) => {
                    size += line.encoded_len() + FRAME_BYTES;
                    if size > MAX_BATCH_BYTES {
                        self.carried = Some((line, bytes));
                        break;
                    }
                    piece.add(line, bytes);
                }
            }
        }
        Ok(piece)
    }

    /// Reads a line into the buffer, of a longer one only the beginning, and says how many bytes it took; 0 at the end.
    fn read_line(&mut self) -> io::Result<u64> {
        self.buffer.clear();
        let mut limited = self.input.by_ref().take(MAX_LINE_BYTES + 1);
        let mut bytes = limited.read_until(b'\n', &mut self.buffer)? as u64;
        if bytes > MAX_LINE_BYTES && self.buffer.last() != Some(&b'\n') {
            bytes += self.input.skip_until(b'\n')? as u64;
        }
        self.line += 1;
        Ok(bytes)
    }

    /// The line in the buffer; `None` where it is blank.
    fn parse(&self) -> Option<Result<ImportLine, BadLine>> {
        let mut text = self.buffer.as_slice();
        if self.line == 1 {
            // Some editors mark UTF-8 so.
            text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        }
        if text.trim_ascii().is_empty() {
            return None;
        }
        let report = if text.len() as u64 > MAX_LINE_BYTES {
            Err(format!(
                "the line is longer than {MAX_LINE_BYTES} bytes; shorten its texts"
            ))
        } else {
            deployment_line::parse(text)
        };
        let line = self.line;
        Some(match report {
            Ok(report) => Ok(ImportLine {
                line,
                report: Some(report),
            }),
            Err(message) => Err(BadLine {
                line,
                reason: LINE_MALFORMED.to_owned(),
                message,
            }),
        })
    }
}

impl<R: BufRead> Iterator for Pieces<R> {
    type Item = io::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended && self.carried.is_none() {
            return None;
        }
        let piece = self.cut();
        self.ended |= piece.is_err();
        Some(piece)
    }
}

impl Piece {
    fn add(&mut self, line: ImportLine, bytes: u64) {
        self.last_line = line.line;
        self.bytes += bytes;
        self.lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(notes: &str) -> String {
        format!(
            "{{\"application\":\"a\",\"version\":\"1\",\"environment\":\"e\",\"deployed_at\":\"2026-03-01T00:00:00Z\",\
             \"notes\":\"{notes}\"}}\n"
        )
    }

    fn cut(text: &[u8], batch_size: usize) -> Vec<Piece> {
        Pieces::new(text, batch_size).map(Result::unwrap).collect()
    }

    fn numbers(piece: &Piece) -> Vec<i64> {
        piece.lines.iter().map(|line| line.line).collect()
    }

    #[test]
    fn lines_keep_their_numbers_and_faulty_ones_stay_behind() {
        let text = format!("\u{feff}{0}\n  \n{0}nonsense\n{0}{{}}\r\n{0}", good("x"));
        let pieces = cut(text.as_bytes(), 2);
        assert_eq!(numbers(&pieces[0]), [1, 4]);
        assert_eq!(numbers(&pieces[1]), [6, 8]);
        let bad: Vec<_> = pieces[1].bad.iter().map(|bad| bad.line).collect();
        assert_eq!(bad, [5, 7]);
        assert_eq!(pieces[1].last_line, 8);
        let bytes: u64 = pieces.iter().map(|piece| piece.bytes).sum();
        assert_eq!(bytes, text.len() as u64);
    }

    #[test]
    fn the_last_line_needs_no_line_break() {
        let pieces = cut(good("x").trim_end().as_bytes(), 10);
        assert_eq!(numbers(&pieces[0]), [1]);
        assert!(cut(b"", 10).iter().all(|piece| piece.lines.is_empty()));
    }

    #[test]
    fn no_piece_has_more_bytes_than_a_message_takes() {
        let text = good(&"n".repeat(900 * 1024)).repeat(9);
        let pieces = cut(text.as_bytes(), 1000);
        let found: Vec<_> = pieces.iter().map(numbers).collect();
        assert_eq!(found, [vec![1, 2, 3], vec![4, 5, 6], vec![7, 8, 9]]);
        for piece in &pieces {
            let size: usize = piece.lines.iter().map(Message::encoded_len).sum();
            assert!(size < MAX_BATCH_BYTES);
        }
        let bytes: u64 = pieces.iter().map(|piece| piece.bytes).sum();
        assert_eq!(bytes, text.len() as u64);
    }

    #[test]
    fn a_line_without_end_is_one_faulty_line() {
        let text = format!("{}{}{}", good("x"), good(&"n".repeat(5 << 20)), good("y"));
        let pieces = cut(text.as_bytes(), 10);
        assert_eq!(numbers(&pieces[0]), [1, 3]);
        assert_eq!(pieces[0].bad[0].line, 2);
        assert!(pieces[0].bad[0].message.contains("longer than"));
        assert_eq!(pieces[0].bytes, text.len() as u64);
    }

    #[test]
    fn faulty_lines_do_not_pile_up() {
        let pieces = cut("x\n".repeat(2_500).as_bytes(), 10);
        let counts: Vec<_> = pieces.iter().map(|piece| piece.bad.len()).collect();
        assert_eq!(counts, [1000, 1000, 500]);
    }

    #[test]
    fn a_file_that_can_no_longer_be_read_ends_the_pieces() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let mut pieces = Pieces::new(BufReader::new(Broken), 10);
        assert!(pieces.next().unwrap().is_err());
        assert!(pieces.next().is_none());
    }
}
