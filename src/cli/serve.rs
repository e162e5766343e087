//! What runs until it is told to stop: the broker, the demo, the simulated manager.

use std::{net::SocketAddr, path::Path};

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, out::Out};
use crate::{
    app::{AppError, AppParts},
    clock::Clock,
    config::{Config, ConfigError},
    demo::{Demo, story},
    domain::audit::AuditEntry,
    simulator::{Settings, Simulator},
    text::{audit::describe, visible::visible},
};

/// The simulated manager alone.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// Where it listens. Loopback only.
    #[arg(long, default_value = "127.0.0.1:55000")]
    listen: SocketAddr,
}

pub(super) async fn serve(out: Out, path: &Path) -> Result<(), CliError> {
    let config = Config::load(path, std::env::vars())?;
    let text = std::fs::read(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    let parts = AppParts::from_config(&config, &text).await?;
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
    out.say(&text, || facts)?;
    for (name, answer) in running.broker.manager_answers().await {
        let text = match &answer {
            Ok(answer) => format!("The manager {name} answers: {}.", visible(answer)),
            Err(why) => format!("The manager {name} does not answer yet: {}.", visible(why)),
        };
        out.say(&text, || json!({ "manager": name, "answers": answer.is_ok() }))?;
    }
    stopped().await?;
    running.stop().await;
    Ok(())
}

pub(super) async fn demo(out: Out, once: bool) -> Result<(), CliError> {
    let demo = Demo::start().await?;
    let done = if once { play(out, &demo).await } else { follow(out, &demo).await };
    demo.stop().await;
    done
}

async fn play(out: Out, demo: &Demo) -> Result<(), CliError> {
    let mut closed = Ok(());
    let good = story::play(demo, |line| {
        if closed.is_ok() {
            closed = out.say(&line, || json!(line));
        }
    });
    let good = good.await?;
    closed?;
    if good { Ok(()) } else { Err(CliError::Failed("a step came out differently".to_owned())) }
}

/// Prints a line for each thing that happens, until Ctrl-C.
async fn follow(out: Out, demo: &Demo) -> Result<(), CliError> {
    let operator = demo.running.broker.operator().clone();
    let mut changes = demo.running.broker.changes();
    let mut seen = operator.audit_after(0).await?.last().map_or(0, |entry| entry.seq);
    out.say(&demo.banner(), || demo.facts())?;
    demo.ask().await?;
    let stop = stopped();
    tokio::pin!(stop);
    loop {
        changes.mark_unchanged();
        for entry in operator.audit_after(seen).await? {
            out.say(
                &line(&entry),
                || json!({ "kind": entry.kind, "what": describe(entry.clone()).to_string() }),
            )?;
            seen = entry.seq;
        }
        tokio::select! {
            stopped = &mut stop => return stopped,
            // The broker lives longer than this loop, so its changes do not end.
            changed = changes.changed() => changed.map_err(|end| CliError::Failed(end.to_string()))?,
        }
    }
}

fn line(entry: &AuditEntry) -> String {
    let time = chrono::DateTime::from_timestamp_micros(entry.at_us)
        .map(|time| time.format("%H:%M:%S").to_string())
        .unwrap_or_default();
    format!("{time}  {}", describe(entry.clone()))
}

pub(super) async fn simulate(out: Out, simulate: &Simulate) -> Result<(), CliError> {
    if !simulate.listen.ip().is_loopback() {
        return Err(CliError::Use(format!(
            "--listen {}: allowed is a loopback address, such as 127.0.0.1:55000",
            simulate.listen
        )));
    }
    let clock = Clock::system();
    let (manager, indexer) = (clock.secret(), clock.secret());
    let simulator = Simulator::new(Settings::demo(&manager, &indexer));
    let server = simulator.listen(simulate.listen).await.map_err(|source| {
        let what = format!("cannot listen on {}", simulate.listen);
        AppError::Io { what, source }
    })?;
    let url = server.url();
    let text = format!(
        "A simulated Wazuh 4.14 manager listens on {url}.\n\
         API user wazuh, password {manager}\n\
         indexer user admin, password {indexer} (same address)\n\
         Ctrl-C ends it. COUNTERSIGN_LOG=info shows its calls."
    );
    out.say(&text, || {
        json!({ "url": url, "user": "wazuh", "password": manager,
                "indexer_user": "admin", "indexer_password": indexer })
    })?;
    stopped().await?;
    server.stop().await;
    Ok(())
}

/// Ends with Ctrl-C or SIGTERM.
async fn stopped() -> Result<(), CliError> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
    }
}
