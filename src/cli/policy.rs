//! Checking and testing policies before they become active.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, files::must_exist, out::Out};
use crate::{
    app::policies,
    broker::admin::policies::folder::{PolicyDifference, PolicyFolder},
    config::Config,
    domain::digest::Digest,
    policy::{Engine, PolicyChange, cases},
};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Parse and strictly validate the policies.
    Check(Folder),
    /// Check them, then run the test cases beside them.
    Test(Folder),
    /// Show what differs between the active set and the configured folder, and make that active.
    Activate(Activation),
}

#[derive(Debug, Args)]
pub(super) struct Folder {
    /// The folder; without it the one that the configuration names.
    folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Activation {
    /// The digest of the difference that was shown. With it, and while no server runs, the set in
    /// the folder becomes the active one.
    #[arg(long)]
    digest: Option<String>,
}

pub(super) async fn run(out: Out, config: &Path, command: PolicyCommand) -> Result<(), CliError> {
    match command {
        PolicyCommand::Activate(Activation { digest }) => {
            activate(out, config, digest.as_deref()).await
        }
        PolicyCommand::Check(folder) => check(out, config, folder).map(drop),
        PolicyCommand::Test(folder) => test(out, config, folder),
    }
}

fn check(out: Out, config: &Path, folder: Folder) -> Result<Engine, CliError> {
    let folder = match folder.folder {
        Some(folder) => folder,
        None => Config::load(config, std::env::vars())?.server.policies,
    };
    let engine = Engine::load(&folder)?;
    let count = engine.policies().len();
    if !out.json {
        let hash = engine.hash().prefix();
        out.say(&format!("{count} policies are sound; the set is {hash}"), || json!(null))?;
        for note in engine.notes() {
            out.say(&format!("note: {note}"), || json!(null))?;
        }
    }
    Ok(engine)
}

fn test(out: Out, config: &Path, folder: Folder) -> Result<(), CliError> {
    let engine = check(out, config, folder)?;
    let results = cases::run(&engine)?;
    let failed = results.iter().filter(|result| !result.passed).count();
    let rows: Vec<_> = results
        .iter()
        .map(|result| {
            let answer = if result.passed {
                "passes".to_owned()
            } else {
                format!("FAILS: expected {}, got {}", result.expected, result.got)
            };
            vec![result.file.clone(), result.name.clone(), answer]
        })
        .collect();
    out.table(&["file", "case", "result"], &rows, || {
        results
            .iter()
            .map(|result| {
                json!({
                    "file": result.file, "case": result.name, "passed": result.passed,
                    "expected": result.expected, "got": result.got,
                })
            })
            .collect()
    })?;
    if failed > 0 {
        return Err(CliError::Failed(format!("{failed} of {} cases fail", results.len())));
    }
    Ok(())
}

async fn activate(out: Out, config: &Path, digest: Option<&str>) -> Result<(), CliError> {
    let config = Config::load(config, std::env::vars())?;
    must_exist(&config.server.database)?;
    if let Some(digest) = digest {
        let allowed = "Allowed: the digest that `countersign policy activate` shows";
        let shown = Digest::parse(digest)
            .ok_or_else(|| CliError::Use(format!("--digest: {digest}. {allowed}.")))?;
        let hash = policies::activate(&config, shown).await?;
        let text = format!("The policy set {} is active.", hash.prefix());
        return Ok(out.say(&text, || json!({ "active": hash.to_string() }))?);
    }
    let folder = config.server.policies.display();
    let text = match policies::compared(&config).await? {
        None => "No policy set is active yet: the first start takes the folder.".to_owned(),
        Some(PolicyFolder::Active) => format!("The set in {folder} is the active one."),
        Some(PolicyFolder::Unusable(why)) => {
            return Err(CliError::Failed(format!("The active set stays: {why}")));
        }
        Some(PolicyFolder::Other(difference)) => return show(out, &difference),
    };
    Ok(out.say(&text, || json!({ "digest": null, "changes": [] }))?)
}

fn show(out: Out, difference: &PolicyDifference) -> Result<(), CliError> {
    let PolicyDifference { digest, changes } = difference;
    let mut lines = Vec::new();
    for PolicyChange { kind, name, file, text } in changes {
        let file = file.as_ref().map_or_else(String::new, |file| format!(" ({file})"));
        lines.push(format!("{} {name}{file}", kind.name()));
        lines.extend(text.lines().map(|line| format!("    {line}")));
    }
    lines.push(format!(
        "To make this the active set: activate it on the page under Policy, or stop the server and \
         run: countersign policy activate --digest {digest}"
    ));
    let change = |change: &PolicyChange| {
        json!({
            "change": change.kind.name(), "name": change.name, "file": change.file,
            "text": change.text,
        })
    };
    Ok(out.lines(lines.iter().map(String::as_str), || {
        json!({
            "digest": digest.to_string(),
            "changes": changes.iter().map(change).collect::<Vec<_>>(),
        })
    })?)
}
