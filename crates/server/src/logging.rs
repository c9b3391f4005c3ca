//! Logging: for people on a terminal, one JSON object per line elsewhere, always on standard error, so that what a
//! command prints for its caller stays apart.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// Why logging didn't start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter can't be read. A configuration that was loaded has a filter that can.
    #[error("log.filter can't be read; write one like `info,slipway::access=warn`")]
    Filter(#[from] ParseError),
    /// The process already logs elsewhere.
    #[error("logging was already started in this process")]
    Started(#[from] TryInitError),
}

/// Starts logging for the whole process, and logs panics rather than printing them.
pub fn start(log: &Log) -> Result<(), LoggingError> {
    let filter = EnvFilter::builder().parse(&log.filter)?;
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if wants_json(log.format, terminal) {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    } else {
        lines.compact().with_ansi(terminal).boxed()
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()?;

    std::panic::set_hook(Box::new(|panic| {
        let location = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("a panic without words");
        tracing::error!(location, "panic: {message}");
    }));
    Ok(())
}

fn wants_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Auto => !terminal,
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_lines_for_people_unless_told_otherwise() {
        assert!(!wants_json(LogFormat::Auto, true));
        assert!(wants_json(LogFormat::Auto, false));
        assert!(wants_json(LogFormat::Json, true));
        assert!(!wants_json(LogFormat::Pretty, false));
    }
}
