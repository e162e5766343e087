//! Reading and verifying the audit.

use std::path::Path;

use chrono::DateTime;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

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

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Show entries, newest first.
    Query(AuditQuery),
    /// Walk the chain from the first entry and name the first bad one.
    Verify,
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
        AuditCommand::Verify => verify(out, config).await,
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
        entries.iter().map(as_json).collect()
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

/// The row as stored. A row that cannot be read says so under `problem`, and a detail that is not
/// even JSON is shown as its text.
fn as_json(entry: &AuditEntry) -> Value {
    let mut row = json!({
        "place": entry.seq,
        "time": entry.time().ok().map(|time| time.to_rfc3339()),
        "kind": entry.kind,
        "actor": { "kind": entry.actor_kind, "id": entry.actor_id, "name": entry.actor_name },
        "request": entry.request,
        "action": entry.action,
        "target": entry.target,
        "detail": serde_json::from_str::<Value>(&entry.detail)
            .unwrap_or_else(|_no_json| json!(entry.detail)),
        "previous": entry.previous.to_string(),
        "hash": entry.hash().to_string(),
    });
    if let (Err(problem), Some(row)) = (&describe(entry.clone()).event, row.as_object_mut()) {
        row.insert("problem".to_owned(), json!(problem.to_string()));
    }
    row
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
