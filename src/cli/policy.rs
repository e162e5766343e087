//! Checking and testing policies before they become active.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, out::Out};
use crate::{
    config::Config,
    policy::{Engine, cases},
};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Parse and strictly validate the policies.
    Check(Folder),
    /// Check them, then run the test cases beside them.
    Test(Folder),
}

#[derive(Debug, Args)]
pub(super) struct Folder {
    /// The folder; without it the one that the configuration names.
    folder: Option<PathBuf>,
}

pub(super) fn run(out: Out, config: &Path, command: PolicyCommand) -> Result<(), CliError> {
    match command {
        PolicyCommand::Check(folder) => check(out, config, folder).map(drop),
        PolicyCommand::Test(folder) => test(out, config, folder),
    }
}

fn check(out: Out, config: &Path, folder: Folder) -> Result<(Engine, PathBuf), CliError> {
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
    Ok((engine, folder))
}

fn test(out: Out, config: &Path, folder: Folder) -> Result<(), CliError> {
    let (engine, folder) = check(out, config, folder)?;
    let results = cases::run(&folder, &engine)?;
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
