//! The exact rows of the audit: the stored detail of every kind of event, in every form that it can
//! have, and the hash of the row. The chain hashes these bytes, so they never change: a difference
//! here breaks the record of every installation.

use std::collections::BTreeSet;

use countersign::domain::{
    Time,
    audit::{AuditEntry, AuditEvent, EventKind},
    digest::Digest,
};

mod transitions;
mod verbs;

/// Rows in one chain, each with a name.
#[derive(Default)]
struct Rows(Vec<(String, AuditEntry)>);

impl Rows {
    fn last(&self) -> (u64, i64, Digest) {
        let last = self.0.last();
        last.map_or((0, 0, Digest::ZERO), |(_, row)| (row.seq, row.at_us, row.hash()))
    }

    fn add(&mut self, name: &str, event: &AuditEvent, now: Time) {
        let row = AuditEntry::after(self.last(), event, now);
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
    let (transitions, verbs) = (transitions::rows(), verbs::rows().await);
    let found: BTreeSet<_> = transitions.kinds().union(&verbs.kinds()).copied().collect();
    assert_eq!(found, EventKind::ALL.map(EventKind::name).into());
}
