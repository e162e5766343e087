//! What a person can reject with one form: what was ticked, what the inbox finds, or what an agent
//! asked for and was not sent.

use super::{InboxView, rights::Rights};
use crate::{
    broker::{
        Broker, BrokerError, SignedIn,
        queries::view::Permission,
        requests::vote::reject_many::{REJECT_MAX, check_number},
    },
    domain::{facts::Verb, id::RequestId, len_u64, request::Request},
    store::{accounts, requests},
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
        let mut reader = self.reader_for(who).await?;
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
        let mut rights = Rights::new(self, who, Verb::Reject);
        for id in ids {
            let Some(request) = requests::load(&mut reader, id).await? else { continue };
            let agent = accounts::agent_by_id(&mut reader, request.agent).await?;
            let Some(agent) = agent else { continue };
            // Not for these eyes, where there is none.
            let permission = rights.of(&request.facts(&agent));
            shown.extend(permission.map(|permission| (request, permission)));
        }
        Ok(Rejectable { shown, more: all.saturating_sub(found) })
    }
}
