//! What a person can reject with one form: what was ticked, what the inbox finds, or what an agent
//! asked for and was not sent.

use super::InboxView;
use crate::{
    broker::{
        Broker, BrokerError, SignedIn,
        queries::view::Permission,
        requests::vote::reject_many::{REJECT_MAX, check_number},
    },
    domain::{
        facts::{Resource, Verb},
        id::RequestId,
        len_u64,
        request::Request,
    },
    store::{Read, accounts, requests},
};

/// Which requests a person wants to reject.
#[derive(Debug, Clone)]
pub enum RejectChoice {
    /// None.
    Nothing,
    /// These.
    Ticked(Vec<RequestId>),
    /// Those that the inbox finds.
    Inbox(Box<InboxView>),
    /// Those of the agent with this name that people can still end.
    OpenOf(String),
}

/// What one form can reject.
#[derive(Debug, Clone, Default)]
pub struct Rejectable {
    /// The first of them, and whether the person may reject each.
    pub shown: Vec<(Request, Permission)>,
    /// How many there are beside these.
    pub more: u64,
}

impl Broker {
    /// What a person chose to reject, as it is now: the first [`REJECT_MAX`].
    pub async fn rejectable(
        &self,
        who: &SignedIn,
        choice: &RejectChoice,
    ) -> Result<Rejectable, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let mut reader = self.store().reader().await?;
        let limit = u32::try_from(REJECT_MAX).unwrap_or(u32::MAX);
        let (ids, all) = match choice {
            RejectChoice::Nothing => (Vec::new(), 0),
            RejectChoice::Ticked(ids) => (check_number(ids)?, len_u64(ids.len())),
            RejectChoice::Inbox(view) => self.inbox_ids(who, view, REJECT_MAX).await?,
            RejectChoice::OpenOf(name) => {
                let agent = accounts::agent_by_name(&mut reader, name).await?;
                let agent = agent.ok_or(BrokerError::NotFound)?;
                requests::open_of_agent(&mut reader, agent.id, limit).await?
            }
        };
        let found = len_u64(ids.len());
        let mut shown = Vec::with_capacity(ids.len());
        for id in ids {
            shown.extend(self.rejectable_one(&mut reader, who, id).await?);
        }
        Ok(Rejectable { shown, more: all.saturating_sub(found) })
    }

    /// None where it is gone, or not for these eyes.
    async fn rejectable_one(
        &self,
        reader: &mut impl Read,
        who: &SignedIn,
        id: RequestId,
    ) -> Result<Option<(Request, Permission)>, BrokerError> {
        let Some(request) = requests::load(reader, id).await? else { return Ok(None) };
        let agent = accounts::agent_by_id(reader, request.agent).await?;
        let Some(agent) = agent else { return Ok(None) };
        let resource = Resource::Request(request.facts(&agent));
        let principal = who.principal(self.clock().now());
        if self.authorize(&principal, Verb::View, &resource).is_err() {
            return Ok(None);
        }
        let permission = self.permission(who, Verb::Reject, &resource);
        Ok(Some((request, permission)))
    }
}
