//! What changes touched of what policy is told: optimistic concurrency control. Who decides on a reader
//! takes the version before the first read, and asks in the transaction whether one of its subjects moved
//! since. It is never told that nothing moved where something did; the other way round costs a decision.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::domain::{
    actor::Actor, audit::AuditEvent, id::AgentId, lifecycle::Transition, request::Request,
};
use crate::store::sqlite::transaction::DataVersion;

/// How many subjects are remembered.
const SUBJECTS_MAX: usize = 5_000;

/// What a change may touch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An agent: its requests, and what it was refused.
    Agent(AgentId),
    /// What actions act on: an address or an account.
    Target(String),
    /// What was sent, and on whose word, over all agents: what is counted of that.
    Progress,
    /// Everything else: accounts, policies, managers, the clock, and what another process changed.
    System,
}

/// The number of a change that is stored, as are all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version(u64);

/// The last change of each subject.
#[derive(Debug, Default)]
pub(in crate::store) struct Versions(Mutex<Moves>);

#[derive(Debug, Default)]
struct Moves {
    /// Of the newest change, stored or not.
    last: Version,
    stored: Version,
    /// Of the open batch, and of the one before where that was stored.
    data_versions: (Option<DataVersion>, Option<DataVersion>),
    /// What is not remembered moved then.
    forgotten: Version,
    subjects: HashMap<Subject, Version>,
}

impl Moves {
    fn touch(&mut self, subjects: impl IntoIterator<Item = Subject>) {
        let next = Version(self.last.0 + 1);
        for subject in subjects {
            self.last = next;
            self.subjects.insert(subject, next);
        }
        if self.subjects.len() > SUBJECTS_MAX {
            self.subjects.clear();
            self.forgotten = next;
        }
    }
}

impl Versions {
    fn moves(&self) -> MutexGuard<'_, Moves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a batch begins. Where another process committed something since the batch before,
    /// nobody knows what it touched.
    pub(super) fn begin(&self, data_version: DataVersion) {
        let mut moves = self.moves();
        if moves.data_versions.1.take() != Some(data_version) {
            moves.touch([Subject::System]);
        }
        moves.data_versions.0 = Some(data_version);
    }

    /// Notes a change, before it is stored: the next of the same batch must know.
    pub(super) fn touch(&self, subjects: Vec<Subject>) {
        self.moves().touch(subjects);
    }

    /// Notes that all changes so far are stored. Not before: who took the version of one that is not
    /// would not see it.
    pub(super) fn store(&self) {
        let mut moves = self.moves();
        moves.stored = moves.last;
        moves.data_versions = (None, moves.data_versions.0);
    }

    /// What whoever reads from now on sees.
    pub(in crate::store) fn stored(&self) -> Version {
        self.moves().stored
    }

    /// Whether one of these moved since.
    pub(in crate::store) fn moved_since(&self, since: Version, subjects: &[Subject]) -> bool {
        let moves = self.moves();
        let moved = |subject| *moves.subjects.get(subject).unwrap_or(&moves.forgotten) > since;
        subjects.iter().any(moved)
    }
}

impl Subject {
    /// What a request's facts hang on, whatever happens to others.
    pub fn of(request: &Request) -> [Self; 3] {
        let target = request.action.argument();
        [Self::Agent(request.agent), Self::Target(target), Self::System]
    }

    /// What a change of a request touches.
    pub(in crate::store) fn touched_by(transition: &Transition, new: bool) -> Vec<Self> {
        let [agent, target, _] = Self::of(transition.request());
        // What was just asked is not sent, and nobody voted.
        let progress = (!new).then_some(Self::Progress);
        [agent, target].into_iter().chain(progress).collect()
    }

    /// What an event touches; that of a request is [`Self::touched_by`] its change.
    pub(in crate::store) fn of_event(event: &AuditEvent) -> Option<Self> {
        match (event.request, &event.actor) {
            (Some(_), _) => None,
            (None, Actor::Agent { id, .. }) => Some(Self::Agent(*id)),
            (None, _) => Some(Self::System),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DataVersion, SUBJECTS_MAX, Subject, Version, Versions};

    fn target(n: usize) -> Subject {
        Subject::Target(n.to_string())
    }

    /// After one batch, what its connection saw, and the version then.
    fn stored_once() -> (Versions, DataVersion, Version) {
        let (versions, seen) = (Versions::default(), DataVersion { connection: 1, version: 7 });
        versions.begin(seen);
        versions.store();
        let since = versions.stored();
        (versions, seen, since)
    }

    #[test]
    fn forgotten_subject_counts_as_moved() {
        let versions = Versions::default();
        let since = versions.stored();
        (1..=SUBJECTS_MAX).for_each(|n| versions.touch(vec![target(n)]));
        assert!(!versions.moved_since(since, &[target(0)]));
        versions.touch(vec![target(SUBJECTS_MAX + 1)]);
        assert!(versions.moved_since(since, &[target(0)]));
        assert_eq!(versions.moves().subjects.len(), 0);
        versions.store();
        assert!(!versions.moved_since(versions.stored(), &[target(0), target(1)]));
    }

    #[test]
    fn batch_that_was_not_stored_moves_everything() {
        let (versions, seen, since) = stored_once();
        versions.begin(seen);
        assert!(!versions.moved_since(since, &[Subject::System]));
        versions.begin(seen);
        assert!(versions.moved_since(since, &[Subject::System]));
    }

    #[test]
    fn connection_opened_anew_moves_everything() {
        let (versions, seen, since) = stored_once();
        versions.begin(DataVersion { connection: 2, ..seen });
        assert!(versions.moved_since(since, &[Subject::System]));
    }
}
