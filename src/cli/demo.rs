//! The demo and the simulated manager, which run until they are told to stop.

use std::net::SocketAddr;

use clap::Args;
use serde_json::json;
use wazuh_simulator::{Settings, Simulator};

use super::{CliError, out::Out, serve::stopped};
use crate::{
    app::AppError,
    clock::Clock,
    demo::{Demo, story},
    domain::audit::AuditEntry,
    text::audit::describe,
};

/// The simulated manager alone.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// Where it listens. Loopback only.
    #[arg(long, default_value = "127.0.0.1:55000")]
    listen: SocketAddr,
    /// The most calls that it answers in a minute, as `max_request_per_minute` of a manager; 0 is
    /// no limit.
    #[arg(long, default_value_t = 300)]
    requests_per_minute_max: u32,
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
    let operator = &demo.operator;
    let mut changes = demo.running.broker.changes();
    let mut seen = operator.audit_after(0).await?.last().map_or(0, |entry| entry.seq);
    // A reader of the banner finds the first requests there.
    demo.ask().await?;
    out.lines(demo.banner().lines(), || demo.facts())?;
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
            stopped = &mut stop => {
                stopped?;
                return Ok(out.say("Stopping; nothing is left behind.", || json!({ "stopping": true }))?);
            }
            // The broker lives longer than this loop, so its changes do not end.
            changed = changes.changed() => changed.map_err(|end| CliError::Failed(end.to_string()))?,
        }
    }
}

fn line(entry: &AuditEntry) -> String {
    let time = entry.time().map(|time| time.format("%H:%M:%S  ").to_string());
    format!("{}{}", time.unwrap_or_default(), describe(entry.clone()))
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
    simulator.set_rate_limit(simulate.requests_per_minute_max);
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
    out.lines(text.lines(), || {
        json!({ "url": url, "user": "wazuh", "password": manager,
                "indexer_user": "admin", "indexer_password": indexer })
    })?;
    stopped().await?;
    drop(server.stop().await);
    Ok(())
}
