//! Whether notices arrive.

use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use super::{CliError, out::Out};
use crate::{app::notifications::test, config::Config, connector::is_mail_address};

/// What people are told.
#[derive(Debug, Subcommand)]
pub(super) enum NotifyCommand {
    /// Send a test notice by every channel, and say what came of each.
    Test {
        /// Where the test mail goes; without it, to the sender's own address.
        #[arg(long)]
        to: Option<String>,
    },
}

pub(super) async fn run(out: Out, config: &Path, command: NotifyCommand) -> Result<(), CliError> {
    let NotifyCommand::Test { to } = command;
    if let Some(to) = to.as_deref().filter(|to| !is_mail_address(to)) {
        return Err(CliError::Use(format!("--to: `{to}` is no mail address")));
    }
    let config = Config::load(config, std::env::vars())?;
    let results = test(&config, to.as_deref()).await?;
    if results.is_empty() {
        let none = "no channel is configured; see [notify.webhook.<name>] and [notify.mail]";
        return Err(CliError::Failed(none.to_owned()));
    }
    let rows: Vec<_> = results
        .iter()
        .map(|(channel, sent)| match sent {
            Ok(()) => vec!["ok".to_owned(), channel.clone(), "it arrived".to_owned()],
            Err(why) => vec!["LOOK".to_owned(), channel.clone(), why.clone()],
        })
        .collect();
    out.table(&["", "channel", "what came of it"], &rows, || {
        let each = results.iter();
        each.map(|(channel, sent)| {
            json!({ "channel": channel, "ok": sent.is_ok(), "problem": sent.as_ref().err() })
        })
        .collect()
    })?;
    if results.iter().all(|(_, sent)| sent.is_ok()) { Ok(()) } else { Err(CliError::No) }
}
