//! The log on standard error: level and form. `docs/logging.md` lists the fields.

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, registry, util::SubscriberInitExt,
};

use crate::clock::Clock;

mod line;

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
    // Libraries could log anything: from them only what is wrong. And from rmcp nothing, which
    // quotes ids, headers and errors of messages: `mcp` logs refused messages itself.
    let filter = Targets::new()
        .with_default(level.min(Level::WARN))
        .with_target("countersign", level)
        .with_target("wazuh_simulator", level)
        .with_target("rmcp", LevelFilter::OFF);
    let lines = line::Lines { format, clock: Clock::system() };
    registry().with(lines.with_filter(filter)).init();
}
