//! Reading and verifying the audit.

use std::path::{Path, PathBuf};

use chrono::DateTime;
use clap::{Args, Subcommand};
use serde_json::json;

use self::feed_file::FeedFile;
use super::{CliError, accounts::reader, out::Out};
use crate::{
    domain::{
        Time,
        action::with_count,
        audit::{AuditEntry, EventKind},
        id::RequestId,
    },
    store::audit::AuditFilter,
    text::audit::describe,
};

mod feed_file;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Show entries, newest first.
    Query(AuditQuery),
    /// Walk the chain from the first entry and name the first bad one.
    Verify {
        /// Walk the chain in a file that a feed of all events wrote, without the database.
        #[arg(long, value_name = "FILE")]
        feed: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct AuditQuery {
    /// At or after this moment, such as 2026-11-22T10:00:00Z.
    #[arg(long, value_parser = moment)]
    since: Option<Time>,
    /// Before this moment.
    #[arg(long, value_parser = moment)]
    until: Option<Time>,
    /// A kind such as vote.approved, or the part before the dot.
    #[arg(long, value_parser = event_kind)]
    kind: Option<String>,
    /// The name or id of a person or agent.
    #[arg(long)]
    actor: Option<String>,
    /// Requests that this endpoint was part of.
    #[arg(long)]
    endpoint: Option<String>,
    /// The address, account, person or agent acted on.
    #[arg(long)]
    target: Option<String>,
    /// One request.
    #[arg(long, value_parser = request_id)]
    request: Option<String>,
    /// Requests that this policy decided.
    #[arg(long)]
    policy: Option<String>,
    /// Only entries before this one: the next page.
    #[arg(long)]
    before: Option<u64>,
    /// How many entries at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

pub(super) async fn run(out: Out, config: &Path, command: AuditCommand) -> Result<(), CliError> {
    match command {
        AuditCommand::Query(query) => show(out, config, query).await,
        AuditCommand::Verify { feed: Some(file) } => verify_feed(out, &file),
        AuditCommand::Verify { feed: None } => verify(out, config).await,
    }
}

async fn show(out: Out, config: &Path, query: AuditQuery) -> Result<(), CliError> {
    let filter = AuditFilter {
        since: query.since,
        until: query.until,
        kind: query.kind,
        actor: query.actor,
        endpoint: query.endpoint,
        target: query.target,
        request: query.request,
        policy: query.policy,
        ..AuditFilter::default()
    };
    let operator = reader(config).await?;
    let entries = operator.audit(&filter, query.before, query.limit).await?;
    let rows: Vec<_> = entries.iter().map(row).collect();
    out.table(&["place", "time (UTC)", "kind", "request", "what"], &rows, || {
        entries.iter().map(AuditEntry::to_json).collect()
    })?;
    Ok(())
}

async fn verify(out: Out, config: &Path) -> Result<(), CliError> {
    let operator = reader(config).await?;
    let (verified, proofs) = (operator.verify_audit().await?, operator.verify_proofs().await?);
    let broken = verified.broken.or(proofs.broken);
    // The verdict comes last, on a line that holds nothing of what is stored.
    let mut lines = match &broken {
        None => {
            vec![format!("{} entries are sound; the last hash is {}", verified.rows, verified.head)]
        }
        Some((seq, why)) => vec![format!("entry {seq}: {why}"), format!("entry {seq} is bad")],
    };
    if proofs.sound > 0 {
        let signed = with_count(proofs.sound, "signature");
        lines.insert(0, format!("{signed} of passkeys verified"));
    }
    out.lines(lines.iter().map(String::as_str), || {
        json!({
            "sound": broken.is_none(),
            "entries": verified.rows,
            "head": verified.head.to_string(),
            "signatures": proofs.sound,
            "first_bad": broken.as_ref().map(|(seq, why)| json!({ "place": seq, "why": why })),
        })
    })?;
    if broken.is_some() { Err(CliError::No) } else { Ok(()) }
}

fn verify_feed(out: Out, file: &Path) -> Result<(), CliError> {
    let found = FeedFile::read(file)
        .map_err(|error| CliError::Use(format!("--feed: {}: {error}", file.display())))?;
    let broken = found.broken.as_ref();
    let mut lines = match (&found.last, broken) {
        (_, Some((line, why))) => {
            vec![format!("line {line}: {why}"), format!("line {line} is bad")]
        }
        (Some((last, head)), None) => vec![format!(
            "the entries {} to {last} are sound; the last hash is {head}",
            found.first
        )],
        (None, None) => vec!["the file holds no entry".to_owned()],
    };
    for (number, what) in [(found.repeated, "came again"), (found.cut_off, "cut off by a crash")] {
        if number > 0 {
            lines.insert(0, format!("{}: {what}", with_count(number, "line")));
        }
    }
    out.lines(lines.iter().map(String::as_str), || {
        json!({
            "sound": broken.is_none() && found.last.is_some(),
            "first": found.last.map(|_| found.first),
            "last": found.last.map(|(last, _)| last),
            "head": found.last.map(|(_, head)| head.to_string()),
            "repeated": found.repeated,
            "cut_off": found.cut_off,
            "first_bad": broken.map(|(line, why)| json!({ "line": line, "why": why })),
        })
    })?;
    if broken.is_none() && found.last.is_some() { Ok(()) } else { Err(CliError::No) }
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let time = entry.time().map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string());
    vec![
        entry.seq.to_string(),
        time.unwrap_or_else(|_problem| "impossible".to_owned()),
        entry.kind.clone(),
        entry.request.clone().unwrap_or_default(),
        describe(entry.clone()).to_string(),
    ]
}

fn event_kind(text: &str) -> Result<String, String> {
    let known = |kind: &EventKind| {
        kind.name() == text || kind.name().split_once('.').is_some_and(|(start, _)| start == text)
    };
    if EventKind::ALL.iter().any(known) {
        return Ok(text.to_owned());
    }
    let names: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    Err(format!("allowed: the part before a dot, or one of {}", names.join(", ")))
}

fn request_id(text: &str) -> Result<String, String> {
    text.parse::<RequestId>().map(|id| id.to_string()).map_err(|error| error.to_string())
}

fn moment(text: &str) -> Result<Time, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_form| "allowed: a time with its zone, such as 2026-11-22T10:00:00Z".to_owned())
}
