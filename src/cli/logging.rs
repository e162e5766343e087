//! The log on standard error: level and form. `docs/logging.md` lists the fields.

use std::io::{self, IsTerminal as _};

use tracing::Level;
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, registry, util::SubscriberInitExt,
};

use super::CliError;
use crate::text::visible::visible;

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Starts the log. `COUNTERSIGN_LOG` is error, warn, info, debug or trace, and overrules `default`;
/// empty is as if it were not set. Fails if it is anything else.
pub(super) fn start(format: LogFormat, default: Level) -> Result<(), CliError> {
    let level = level(default)?;
    // Libraries log what clients send, and could log more: from them only what is wrong.
    let filter = Targets::new()
        .with_default(level.min(Level::WARN))
        .with_target("countersign", level)
        .with_target("wazuh_simulator", level);
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    registry().with(lines.with_filter(filter)).init();
    Ok(())
}

fn level(default: Level) -> Result<Level, CliError> {
    let set = std::env::var_os("COUNTERSIGN_LOG").unwrap_or_default();
    let set = set.to_string_lossy();
    if set.is_empty() {
        return Ok(default);
    }
    // A misspelt level must not silence what somebody wants to see.
    set.parse().map_err(|_unknown| {
        CliError::Use(format!(
            "COUNTERSIGN_LOG is `{}`; allowed: error, warn, info, debug, trace",
            visible(&set)
        ))
    })
}
