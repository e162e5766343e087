//! Rows to domain values and back. A row that makes no sense is an error with its table and id.

use serde_json::{Value, json};
use sqlx::{Row as _, sqlite::SqliteRow};

use super::StoreError;
use crate::domain::{
    Time,
    decision::{Decision, Reason, Tally, Verdict},
    digest::Digest,
    endpoint::EndpointId,
    evidence::Evidence,
    facts::AlertFacts,
};

#[cfg(test)]
mod tests;

/// What an inconsistent row is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) table: &'static str,
    pub(super) id: &'a str,
}

impl At<'_> {
    pub(super) fn wrong(self, why: impl Into<String>) -> StoreError {
        StoreError::Inconsistent { table: self.table, id: self.id.to_owned(), why: why.into() }
    }

    /// Parses text that a domain type wrote.
    pub(super) fn read<T>(
        self,
        text: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(text).ok_or_else(|| self.wrong(format!("`{text}` is not what was written")))
    }

    pub(super) fn time(self, micros: i64) -> Result<Time, StoreError> {
        Time::from_timestamp_micros(micros).ok_or_else(|| self.wrong("a time is out of range"))
    }

    pub(super) fn maybe_time(self, micros: Option<i64>) -> Result<Option<Time>, StoreError> {
        micros.map(|micros| self.time(micros)).transpose()
    }

    pub(super) fn number<T: TryFrom<i64>>(self, number: i64) -> Result<T, StoreError> {
        T::try_from(number).map_err(|_range| self.wrong("a number is out of range"))
    }

    pub(super) fn json(self, text: &str) -> Result<Value, StoreError> {
        serde_json::from_str(text).map_err(|error| self.wrong(error.to_string()))
    }
}

pub(super) fn text(row: &SqliteRow, column: &str) -> Result<String, StoreError> {
    Ok(row.try_get(column)?)
}

pub(super) fn maybe_text(row: &SqliteRow, column: &str) -> Result<Option<String>, StoreError> {
    Ok(row.try_get(column)?)
}

pub(super) fn integer(row: &SqliteRow, column: &str) -> Result<i64, StoreError> {
    Ok(row.try_get(column)?)
}

pub(super) fn maybe_integer(row: &SqliteRow, column: &str) -> Result<Option<i64>, StoreError> {
    Ok(row.try_get(column)?)
}

/// A count that a query returned; never negative.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn write_alert(alert: &AlertFacts) -> String {
    json!({
        "found": alert.found,
        "names_target": alert.names_target,
        "level": alert.level,
        "age_seconds": alert.age_seconds,
        "summary": alert.summary,
    })
    .to_string()
}

pub(super) fn read_alert(at: At<'_>, text: &str) -> Result<AlertFacts, StoreError> {
    let json = at.json(text)?;
    let read = || {
        Some(AlertFacts {
            found: json.get("found")?.as_bool()?,
            names_target: json.get("names_target")?.as_bool()?,
            level: u8::try_from(json.get("level")?.as_u64()?).ok()?,
            age_seconds: json.get("age_seconds")?.as_u64(),
            summary: json.get("summary")?.as_str()?.to_owned(),
        })
    };
    read().ok_or_else(|| at.wrong("the alert is incomplete"))
}

pub(super) fn write_evidence(evidence: &Evidence) -> String {
    json!({
        "index": evidence.index,
        "alert": evidence.alert,
        "rule": evidence.rule,
        "at": evidence.at.timestamp_micros(),
    })
    .to_string()
}

pub(super) fn read_evidence(at: At<'_>, text: &str) -> Result<Evidence, StoreError> {
    let json = at.json(text)?;
    let word = |field| Some(json.get(field)?.as_str()?.to_owned());
    let read = || {
        Some(Evidence {
            index: word("index")?,
            alert: word("alert")?,
            rule: word("rule")?,
            at: Time::from_timestamp_micros(json.get("at")?.as_i64()?)?,
        })
    };
    read().ok_or_else(|| at.wrong("the evidence is incomplete"))
}

fn write_tally(tally: Tally) -> Value {
    json!([tally.people, tally.analyst, tally.senior, tally.lead])
}

fn read_tally(json: &Value) -> Option<Tally> {
    let part = |index| u8::try_from(json.get(index)?.as_u64()?).ok();
    Some(Tally { people: part(0)?, analyst: part(1)?, senior: part(2)?, lead: part(3)? })
}

fn write_reasons(reasons: &[Reason]) -> Value {
    reasons.iter().map(|reason| json!([reason.policy, reason.why])).collect()
}

fn read_reasons(json: &Value) -> Option<Vec<Reason>> {
    let read = |pair: &Value| {
        let part = |index| Some(pair.get(index)?.as_str()?.to_owned());
        Some(Reason { policy: part(0)?, why: part(1)? })
    };
    json.as_array()?.iter().map(read).collect()
}

pub(super) fn write_decision(decision: &Decision) -> String {
    let least = match decision.verdict {
        Verdict::Approval(least) => Some(write_tally(least)),
        Verdict::Run | Verdict::Deny => None,
    };
    json!({
        "verdict": decision.verdict.name(),
        "least": least,
        "reasons": write_reasons(&decision.reasons),
        "errors": decision.errors,
        "kept_out": decision.kept_out.iter()
            .map(|(id, reasons)| json!([id.as_str(), write_reasons(reasons)])).collect::<Vec<_>>(),
        "policy_hash": decision.policy_hash.to_string(),
        "tally": write_tally(decision.tally),
        "break_glass": decision.break_glass,
        "at": decision.at.timestamp_micros(),
    })
    .to_string()
}

pub(super) fn read_decision(at: At<'_>, text: &str) -> Result<Decision, StoreError> {
    let json = at.json(text)?;
    decision_from(&json).ok_or_else(|| at.wrong("the decision is incomplete"))
}

fn decision_from(json: &Value) -> Option<Decision> {
    let verdict = match (json.get("verdict")?.as_str()?, json.get("least")?) {
        ("run", Value::Null) => Verdict::Run,
        ("deny", Value::Null) => Verdict::Deny,
        ("approval", least) => Verdict::Approval(read_tally(least)?),
        _ => return None,
    };
    let kept_out = |pair: &Value| {
        Some((EndpointId::parse(pair.get(0)?.as_str()?)?, read_reasons(pair.get(1)?)?))
    };
    let errors = json.get("errors")?.as_array()?;
    Some(Decision {
        verdict,
        reasons: read_reasons(json.get("reasons")?)?,
        errors: errors.iter().map(|e| Some(e.as_str()?.to_owned())).collect::<Option<_>>()?,
        kept_out: json.get("kept_out")?.as_array()?.iter().map(kept_out).collect::<Option<_>>()?,
        policy_hash: Digest::parse(json.get("policy_hash")?.as_str()?)?,
        tally: read_tally(json.get("tally")?)?,
        // Rows from before there was a glass to break do not say.
        break_glass: json.get("break_glass").is_some_and(|broken| *broken == json!(true)),
        at: Time::from_timestamp_micros(json.get("at")?.as_i64()?)?,
    })
}
