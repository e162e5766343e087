//! What works, what does not, what to do.

use std::path::Path;

use serde_json::json;

use super::{CliError, out::Out};
use crate::{app::doctor::examine, config::Config};

pub(super) async fn run(out: Out, config: &Path) -> Result<(), CliError> {
    let config = Config::load(config, std::env::vars())?;
    let findings = examine(&config).await;
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| {
            let (sign, advice) = match &finding.advice {
                None => ("ok", String::new()),
                Some(advice) if finding.fails => ("LOOK", format!(" -> {advice}")),
                Some(advice) => ("note", format!(" -> {advice}")),
            };
            let found = format!("{}{advice}", finding.found);
            vec![sign.to_owned(), finding.check.to_owned(), found]
        })
        .collect();
    out.table(&["", "checked", "found"], &rows, || {
        findings
            .iter()
            .map(|finding| {
                json!({
                    "check": finding.check, "ok": !finding.fails,
                    "found": finding.found, "advice": finding.advice,
                })
            })
            .collect()
    })?;
    if findings.iter().any(|finding| finding.fails) { Err(CliError::No) } else { Ok(()) }
}
