//! Which approvals of a request count. Whether they suffice is policy's answer: see
//! `policy::verdict`.

use super::{Request, Vote};
use crate::domain::{actor::Agent, decision::Tally};

impl Request {
    /// The approvals that count, as policy is told of them. Left out are people without a voting
    /// role, disabled and suspended people, people who must change their password, the agent's owner then and now,
    /// the person who issued its token, the person who asked, and approvals of another digest.
    pub fn tally(&self, agent_now: &Agent) -> Tally {
        self.votes
            .iter()
            .filter(|vote| self.counts(vote, agent_now))
            .fold(Tally::NONE, |tally, vote| tally.and(vote.person.role))
    }

    /// Whether an approval counts.
    pub fn counts(&self, vote: &Vote, agent_now: &Agent) -> bool {
        self.why_not_counted(vote, agent_now).is_none()
    }

    /// Why an approval does not count; none where it does.
    pub fn why_not_counted(&self, vote: &Vote, agent_now: &Agent) -> Option<&'static str> {
        let (person, id) = (&vote.person, Some(vote.person.id));
        if vote.digest != self.approved_digest() {
            Some("it is for another digest")
        } else if person.disabled {
            Some("this person is disabled")
        } else if person.suspended {
            Some("this person is in no group that may sign in")
        } else if person.must_change_password {
            Some("this person's password was reset and not changed yet")
        } else if person.role.vote_rank().is_none() {
            Some("this person is no longer an analyst, senior or lead")
        } else if [Some(self.owner), Some(agent_now.owner)].contains(&id) {
            Some("this person owns the agent, or did when it asked")
        } else if [self.issuer, agent_now.issuer].contains(&id) {
            Some("this person issued the agent's token")
        } else if self.asked_by.as_ref().is_some_and(|asker| Some(asker.person) == id) {
            Some("this person asked for it")
        } else {
            None
        }
    }

    /// Whoever approved and counts, in the order of the votes.
    pub fn counted(&self, agent_now: &Agent) -> Vec<&str> {
        let counted = self.votes.iter().filter(|vote| self.counts(vote, agent_now));
        counted.map(|vote| vote.person.name.as_str()).collect()
    }
}
