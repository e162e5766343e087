//! Which requests can be approved with one form.

use super::{
    inbox::{InboxGroup, PendingItem, filter::tier_of, rights::Rights, stops},
    view::Permission,
};
use crate::{
    broker::{
        Broker, BrokerError, SignedIn,
        requests::approve_identical::{TOGETHER_MAX, identical},
    },
    domain::{decision::Tier, facts::Verb, id::RequestId},
    store::{
        requests::{self, Pending, PendingFilter},
        system,
    },
};

impl Broker {
    /// The waiting requests of the lowest tier that ask for the same as this one and that this
    /// person may approve, earliest deadline first, at most [`TOGETHER_MAX`].
    pub async fn identical_requests(
        &self,
        who: &SignedIn,
        of: RequestId,
    ) -> Result<Vec<PendingItem>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let (mut reader, now) = (self.reader_for(who).await?, self.clock().now());
        let like = requests::load(&mut reader, of).await?.ok_or(BrokerError::NotFound)?;
        let same = PendingFilter { action: Some(like.action.clone()), ..PendingFilter::default() };
        let mut same = requests::pending(&mut reader, (who.id(), now), &same).await?;
        same.sort_by_key(|one| (one.deadline, one.facts.id));
        let (mut alike, mut rights) = (Vec::new(), Rights::new(self, who, Verb::Approve));
        let freezes = system::frozen(&mut reader).await?;
        drop(reader);
        // What they meet on their endpoints is shown, whoever asked for it.
        let mut reader = self.store().reader().await?;
        same.retain(|one| {
            !one.voted
                && one.term == like.term
                && tier_of(one) == Tier::Low
                && !stops(&freezes, &one.manager, &one.facts)
        });
        for Pending { facts, voted, assignee, snoozed_until, .. } in same {
            let approve = rights.of(&facts).filter(Permission::with_others);
            let Some(approve) = approve else { continue };
            if alike.len() == TOGETHER_MAX {
                break;
            }
            let Some(request) = requests::load(&mut reader, facts.id).await? else { continue };
            if identical(&request, &like) && request.tier() == Tier::Low {
                let active = self.already_active(&mut reader, &request, now).await?;
                alike.push(PendingItem {
                    request,
                    agent: facts.agent,
                    approve,
                    voted,
                    active,
                    assignee,
                    snoozed_until,
                });
            }
        }
        Ok(alike)
    }
}

impl InboxGroup {
    /// One of several that the person may approve together, among those that are shown.
    pub fn approvable_with(&self) -> Option<RequestId> {
        let low = |one: &&PendingItem| {
            !one.voted && one.approve.with_others() && one.request.tier() == Tier::Low
        };
        let mut low: Vec<_> = self.members.iter().filter(low).map(|one| &one.request).collect();
        while let Some(last) = low.pop() {
            if low.iter().any(|other| identical(other, last)) {
                return Some(last.id);
            }
        }
        None
    }
}
