//! Endpoints that are away: each is waited for by a child, a request of its own for one endpoint.
//! People approve the children with their parent.

use chrono::TimeDelta;

use super::{Outcome, Request, State, StateName, Target};
use crate::domain::{
    Time,
    digest::{Canonical, Digest},
    endpoint::SkipReason,
    id::RequestId,
};

/// How a request waits for endpoints that are away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// For how long after it was asked, in seconds.
    pub seconds: u32,
    /// Of a child: the request that it was approved with.
    pub parent: Option<Parent>,
}

/// The request that a child was approved with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Its id.
    pub id: RequestId,
    /// What people approved.
    pub digest: Digest,
}

impl Target {
    /// Whether it was away: certainly nothing was sent there, because it was not connected.
    pub fn is_away(&self) -> bool {
        match &self.outcome {
            Some(
                Outcome::NotSent { why: said } | Outcome::Refused { code: Some(_), message: said },
            ) => said.starts_with(SkipReason::NOT_ACTIVE),
            Some(
                Outcome::Sent
                | Outcome::Refused { code: None, .. }
                | Outcome::Unknown { .. }
                | Outcome::Confirmed(_)
                | Outcome::Verified(_)
                | Outcome::Unconfirmed { .. }
                | Outcome::Ended { .. }
                | Outcome::Reverted { .. },
            )
            | None => false,
        }
    }
}

impl Request {
    /// The endpoints that were away when it was asked for, and are waited for.
    pub fn targets_away(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.away)
    }

    /// The request that it was approved with; none where it is no child.
    pub fn parent(&self) -> Option<Parent> {
        self.wait.and_then(|wait| wait.parent)
    }

    /// The last moment at which it waits, and at which a child may be sent; none where nothing waits.
    pub fn wait_until(&self) -> Option<Time> {
        self.wait.map(|wait| self.asked_at + TimeDelta::seconds(wait.seconds.into()))
    }

    /// Whether its own calls are over, so that what they did can be taken back.
    pub fn may_be_undone(&self) -> bool {
        self.state.name() == StateName::Settled || self.waits_for_children()
    }

    /// The digest that people approve: of a child, its parent's.
    pub fn approved_digest(&self) -> Digest {
        self.parent().map_or(self.digest, |parent| parent.digest)
    }

    /// Until when it waits is a part of what people approve, and of a child what they approved it with.
    pub(super) fn add_wait(&self, canonical: Canonical) -> Canonical {
        let Some(Wait { seconds, parent }) = self.wait else { return canonical };
        let canonical = canonical.text("when_back").number(seconds.into());
        match parent {
            None => canonical,
            Some(parent) => canonical.text(&parent.digest.to_string()),
        }
    }

    /// Until when it goes on to wait after its last call: while some endpoint was away, and time is
    /// left. A child that is being sent has no time left once its parent was ended.
    pub(in crate::domain) fn goes_on_waiting(&self, now: Time) -> Option<Time> {
        let wait = self.wait_until()?;
        let until = if let (State::Dispatching { use_by }, Some(_)) = (&self.state, self.parent()) {
            wait.min(*use_by)
        } else {
            wait
        };
        (now < until && self.targets.iter().any(Target::is_away)).then_some(until)
    }

    /// The children of a request that begins to wait, each as it is before its first transition.
    pub(in crate::domain) fn children(&self, now: Time) -> impl Iterator<Item = Self> {
        let wait = self.wait.filter(|wait| wait.parent.is_none()).zip(self.wait_until());
        let away = self.targets.iter().filter(|target| target.is_away());
        away.filter_map(move |target| {
            let (wait, until) = wait?;
            let parent = Parent { id: self.id, digest: self.digest };
            let Target { endpoint, criticality, command, .. } = target.clone();
            let mut child = Self {
                version: 1,
                targets: vec![Target { away: true, ..Target::new(endpoint, criticality, command) }],
                skipped: Vec::new(),
                state: State::Waiting { until },
                attempts: Vec::new(),
                held_because: None,
                review: None,
                // The turn of the step was its parent's, and is over only with this one.
                plan: None,
                wait: Some(Wait { parent: Some(parent), ..wait }),
                ..self.clone()
            };
            child.digest = child.computed_digest();
            child.id = child_id(child.digest, now);
            Some(child)
        })
    }

    /// Whether a child may be tried at this moment: after a call that came too early, not at once.
    pub fn may_try_again(&self, now: Time) -> bool {
        let last = self.attempts.iter().filter_map(|attempt| attempt.answered_at).max();
        let tries = i32::try_from(self.attempts.len()).unwrap_or(i32::MAX).min(TRIES_COUNTED);
        last.is_none_or(|last| now >= last + TimeDelta::minutes(tries.into()))
    }
}

/// A child waits a minute longer after each call that came too early, and never more than these.
const TRIES_COUNTED: i32 = 15;

/// The same child always has the same id: it is made from its digest.
fn child_id(digest: Digest, now: Time) -> RequestId {
    let mut random = [0; 10];
    random.copy_from_slice(&digest.bytes()[..10]);
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    RequestId::from(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
