//! How far an import is: a bar on a terminal, else a line every few seconds.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::outcome::rate;
use crate::cli::output::counted;

/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// How often the bar is drawn anew while nothing happens.
const TICK: Duration = Duration::from_millis(250);
const BAR: &str = "{bar:30} {percent:>3} %  {msg}, {eta} left";
const SPINNER: &str = "{spinner}  {msg}";

/// Tells on standard error how far the import is.
pub(super) struct Progress {
    /// How many bytes there are, where that is known.
    total: Option<u64>,
    bytes: u64,
    began: Instant,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
}

impl Progress {
    /// Begins, for a file of so many bytes.
    pub(super) fn new(total: Option<u64>) -> Self {
        let began = Instant::now();
        let shown = if std::io::stderr().is_terminal() {
            let (bar, template) = match total {
                Some(total) => (ProgressBar::new(total), BAR),
                None => (ProgressBar::new_spinner(), SPINNER),
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            Shown::Bar(bar)
        } else {
            Shown::Lines { last: began }
        };
        Self {
            total,
            bytes: 0,
            began,
            shown,
        }
    }

    /// So many more bytes of the file are dealt with, which makes `lines` in all.
    pub(super) fn advance(&mut self, bytes: u64, lines: u64) {
        self.bytes += bytes;
        let per_second = counted(rate(lines, self.began.elapsed()), "line");
        let text = format!("{}, {per_second}/s", counted(lines, "line"));
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.set_message(text);
                bar.set_position(self.bytes);
            }
            Shown::Lines { last } => {
                if last.elapsed() >= LINE_INTERVAL {
                    *last = Instant::now();
                    let percent = self
                        .total
                        .and_then(|total| (self.bytes * 100).checked_div(total))
                        .map_or(String::new(), |percent| format!("{percent} %, "));
                    eprintln!("{percent}{text}");
                }
            }
        }
    }

    /// Tells something beside the numbers.
    pub(super) fn note(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Shown::Lines { .. } => eprintln!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
