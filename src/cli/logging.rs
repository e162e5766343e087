//! The log on standard error: level and form. `docs/logging.md` lists the fields.

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, registry, util::SubscriberInitExt,
};

use super::CliError;
use crate::{clock::Clock, text::visible::visible};

mod line;

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
    // Libraries could log anything: from them only what is wrong. And from rmcp nothing, which
    // quotes ids, headers and errors of messages: `mcp` logs refused messages itself.
    let filter = Targets::new()
        .with_default(level.min(Level::WARN))
        .with_target("countersign", level)
        .with_target("wazuh_simulator", level)
        .with_target("rmcp", LevelFilter::OFF);
    let lines = line::Lines { format, clock: Clock::system() };
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
