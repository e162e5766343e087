//! The exact rows of the audit: the stored detail of every kind of event, in every form that it can
//! have, and the hash of the row. The chain hashes these bytes, so they never change: a difference
//! here breaks the record of every installation.

use std::collections::BTreeSet;

use countersign::domain::{
    Time,
    audit::{AuditDetail, AuditEntry, AuditEvent, EventKind},
    digest::Digest,
};

mod api_tokens;
mod passkeys;
mod transitions;
mod unreadable;
mod verbs;

/// Rows in one chain, each with a name.
#[derive(Default)]
struct Rows(Vec<(String, AuditEntry)>);

impl Rows {
    fn last(&self) -> (u64, Digest) {
        self.0.last().map_or((0, Digest::ZERO), |(_, row)| (row.seq, row.hash()))
    }

    fn add(&mut self, name: &str, event: &AuditEvent, now: Time) {
        let before = self.0.last().and_then(|(_, row)| row.time().ok());
        // So it was when the first of these rows were made.
        let at = before.map_or(now, |before| before.max(now));
        let row = AuditEntry::after(self.last(), event, at).unwrap();
        self.0.push((name.to_owned(), row));
    }

    /// What the golden file holds.
    fn text(&self) -> String {
        let paragraph = |(name, row): &(String, AuditEntry)| {
            let AuditEntry { kind, detail, .. } = row;
            format!("# {name}\n{kind}\n{detail}\n{}\n\n", row.hash())
        };
        self.0.iter().map(paragraph).collect()
    }

    fn kinds(&self) -> BTreeSet<&str> {
        self.0.iter().map(|(_, row)| row.kind.as_str()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_kind_has_a_golden_row() {
    let (transitions, verbs) = (transitions::rows(), Box::pin(verbs::rows()).await);
    let found: BTreeSet<_> = transitions.kinds().union(&verbs.kinds()).copied().collect();
    assert_eq!(found, EventKind::ALL.map(EventKind::name).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_rows_round_trip_unchanged() {
    for (name, row) in transitions::rows().0.into_iter().chain(Box::pin(verbs::rows()).await.0) {
        let detail = row.typed_detail().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(detail.kind().name(), row.kind, "{name}");
        assert_eq!(detail.to_stored().unwrap(), row.detail, "{name}");
    }
}

/// What versions before this one wrote, where a field was added since.
const OLD: [(EventKind, &str); 9] = [
    (EventKind::PersonAdded, r#"{"role":"lead","id":"per_01a3185c601b7924913516a5993435ec"}"#),
    (EventKind::PersonDisabled, "{}"),
    (EventKind::AgentAdded, r#"{"owner":"alice","id":"agt_01a3185c872b7bc6b471c189d78c7646"}"#),
    (EventKind::SignInRefused, "{}"),
    (EventKind::Frozen, r#"{"reason":"odd"}"#),
    (EventKind::Unfrozen, r#"{"reason":"all is well"}"#),
    (
        EventKind::Started,
        r#"{"version":"0.1.0","configuration_sha256":"b7d64a9221007dfd5390f7df6cd5b8f3ea4f82faa1237141e35ebf161f5511a1","manager":"https://127.0.0.1:55000"}"#,
    ),
    (
        EventKind::DispatchRecovered,
        r#"{"outcomes":[{"endpoint":"001","outcome":"refused","code":1750,"detail":"is off"}],"state":"settled"}"#,
    ),
    (
        EventKind::RequestAsked,
        r#"{"effect":"Block 203.0.113.7 on 001 for 10 minutes","manager":"main","endpoints":["001"],"skipped":[],"term_seconds":600,"claim":{"reason":"brute force","alert_id":null,"confidence":80},"alert_found":false,"digest":"8931c604368a6ac6f1e86e0c4badc837b77dd2430440fd220162f98229fa55a7","decision":{"verdict":"run","needs":null,"people":0,"policies":["p"],"why":"because of p","errors":[],"policy_hash":"5b3a02e57af9b55aae545b599baa6a6798a364d8d2798a38536249f77e30fe5f"},"state":"approved"}"#,
    ),
];

#[test]
fn rows_of_earlier_versions_are_read() {
    for (kind, text) in OLD {
        let detail = AuditDetail::from_stored(kind, text);
        assert_eq!(detail.unwrap_or_else(|error| panic!("{text}: {error}")).kind(), kind);
    }
}
