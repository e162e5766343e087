//! The broker, which runs until it is told to stop.

use std::path::Path;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, out::Out};
use crate::{app::AppParts, config::Config};

pub(super) async fn serve(out: Out, path: &Path) -> Result<(), CliError> {
    // From the first moment: who stops it while it starts wants a clean stop, too.
    let mut stop = tokio::spawn(stopped());
    let config = Config::load(path, std::env::vars())?;
    // Whoever renews a certificate sends it; nobody who does shall end the broker.
    let mut hang_up = signal(SignalKind::hangup())?;
    let parts = AppParts::from_config(&config).await?;
    let running = parts.open().await?.work();
    let mut text = format!("Serving {} on {}.", config.server.public_url, running.address);
    let address = running.address.to_string();
    let mut facts = json!({ "listening": address });
    if let Some(code) = running.broker.open_setup().await? {
        let page = format!("{}/set-up", config.server.public_url);
        text = format!(
            "{text}\nNobody can sign in yet. Open {page} and make the first admin there.\n\
             One-time code: {code}"
        );
        facts = json!({ "listening": address, "set_up": page, "code": code });
    }
    out.lines(text.lines(), || facts)?;
    for (name, answer) in running.broker.manager_answers().await {
        let text = match &answer {
            Ok(answer) => format!("The manager {name} answers: {answer}."),
            Err(why) => format!("The manager {name} does not answer yet: {why}."),
        };
        out.say(&text, || json!({ "manager": name, "answers": answer.is_ok() }))?;
    }
    loop {
        tokio::select! {
            ended = &mut stop => break ended.map_err(|error| CliError::Failed(error.to_string()))??,
            Some(()) = hang_up.recv() => running.renew_certificate(),
        }
    }
    running.stop().await;
    Ok(())
}

/// Ends with Ctrl-C or SIGTERM.
pub(super) async fn stopped() -> Result<(), CliError> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
    }
}
