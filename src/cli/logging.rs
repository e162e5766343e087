//! The log on standard error: level and form. `docs/logging.md` lists the fields.

use std::io::{self, IsTerminal as _};

use tracing::Level;
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, registry, util::SubscriberInitExt,
};

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Starts the log. `COUNTERSIGN_LOG` is error, warn, info, debug or trace, and overrules `default`.
pub(super) fn start(format: LogFormat, default: Level) {
    let level = std::env::var("COUNTERSIGN_LOG").ok().and_then(|level| level.parse().ok());
    let level: Level = level.unwrap_or(default);
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
}
