//! Policy is asked on a reader, ahead of the transaction that uses the answer. The transaction checks that
//! nothing moved on which the answer rests; else it asks policy itself.

use chrono::TimeDelta;

use super::FirstDecision;
use crate::{
    broker::Broker,
    domain::{
        Time, decision::Decision, digest::Digest, facts::PolicyQuestion,
        facts::history::AgentHistory, request::Request,
    },
    store::{StoreError, Subject, Tx, Version},
};

/// For how long after the first read an answer counts. What counts for some time alone, such as asks
/// within a minute, counts as if it were the moment of reading: later it would be less.
const COUNTS: TimeDelta = TimeDelta::seconds(5);

/// What stood before the first read, and when that was.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker) struct ReadPoint {
    version: Version,
    at: Time,
}

/// A first decision that was made on a reader.
#[derive(Debug, Clone)]
pub(in crate::broker) struct Ahead {
    pub(in crate::broker) since: ReadPoint,
    pub(in crate::broker) first: FirstDecision,
}

impl Broker {
    /// Taken before the first read.
    pub(in crate::broker) fn read_point(&self) -> ReadPoint {
        // The version first: what is stored after that is younger than the moment, or counts as moved.
        ReadPoint { version: self.store().version(), at: self.clock().now() }
    }

    /// Whether an answer that rests on what was read since then may still count.
    pub(in crate::broker) fn is_recent(&self, since: ReadPoint) -> bool {
        (TimeDelta::zero()..=COUNTS).contains(&(self.clock().now() - since.at))
    }

    /// A decision that was made ahead, where nothing moved that it rests on. What is counted over all
    /// agents moves all the time: it is read again, and policy asked where it is another by now.
    pub(in crate::broker) async fn first_decision(
        &self,
        tx: &mut Tx<'_>,
        ahead: &Ahead,
        request: &Request,
    ) -> Result<Option<(Decision, AgentHistory)>, StoreError> {
        let Ahead { since, first } = ahead;
        let question = &first.question;
        if !self.holds_still(tx, *since, request, (question, first.decision.policy_hash)) {
            return Ok(None);
        }
        let Some(moved) = self.moved_over_all(tx, *since, request, question).await? else {
            return Ok(Some((first.decision.clone(), first.history.clone())));
        };
        let (automatic_last_day, manager_changed) = moved;
        let question = PolicyQuestion { automatic_last_day, manager_changed, ..question.clone() };
        let FirstDecision { decision, history, .. } = self.answer(question, first.events.clone());
        Ok(Some((decision, history)))
    }

    /// Whether nothing moved that an answer about a request rests on, but what is counted over all.
    pub(in crate::broker) fn holds_still(
        &self,
        tx: &Tx<'_>,
        since: ReadPoint,
        request: &Request,
        (question, by): (&PolicyQuestion, Digest),
    ) -> bool {
        self.is_recent(since)
            && by == self.engine().hash()
            && !tx.moved_since(since.version, &Subject::of(request))
            // Addresses that were learned are in memory.
            && self.target_facts(request, question.now) == question.target
    }

    /// What is counted over all agents, where it is another by now.
    pub(in crate::broker) async fn moved_over_all(
        &self,
        tx: &mut Tx<'_>,
        since: ReadPoint,
        request: &Request,
        question: &PolicyQuestion,
    ) -> Result<Option<(u64, bool)>, StoreError> {
        if !tx.moved_since(since.version, &[Subject::Progress]) {
            return Ok(None);
        }
        let then = (question.automatic_last_day, question.manager_changed);
        let now = self.over_all(tx, request, question.now).await?;
        Ok(Some(now).filter(|now| *now != then))
    }
}
