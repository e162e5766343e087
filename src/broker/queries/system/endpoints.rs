//! What the managers know of their endpoints, for programs.

use crate::{
    broker::{Broker, BrokerError, TokenHolder, queries::for_agents::endpoints::away},
    connector::asked_by,
    domain::{
        action::{Action, Term},
        endpoint::{Endpoint, EndpointId, Selection},
        facts::Verb,
        id::AgentId,
    },
};

/// An endpoint, as its manager knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEndpoint {
    /// Its manager.
    pub manager: String,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Why it could not take part in a response now; none where it could.
    pub away: Option<String>,
}

impl Broker {
    /// The endpoints of all managers, in the order of managers and ids: at most `limit`, after one of
    /// them. They rest on the managers' lists, which are read once within some seconds: no endpoint is
    /// asked.
    pub async fn endpoints_with_token(
        &self,
        who: &TokenHolder,
        after: Option<&(String, EndpointId)>,
        limit: usize,
    ) -> Result<Vec<KnownEndpoint>, BrokerError> {
        self.authorize_token_read(who, Verb::View)?;
        let kinds = self.engine().catalogue().responses().to_vec();
        let Some(action) = kinds.into_iter().find_map(Action::example) else {
            return Ok(Vec::new());
        };
        let mut managers: Vec<_> = self.managers().iter().collect();
        managers.sort_by(|one, other| one.name().cmp(other.name()));
        let (now, mut found) = (self.clock().now(), Vec::new());
        for manager in managers {
            let begins = after.is_none_or(|(name, _)| name.as_str() <= manager.name());
            if !begins || found.len() >= limit {
                continue;
            }
            let look = manager.resolve(&Selection::All, &action, Term::Permanent, now);
            // A token has its share of the calls as an agent has.
            let all = asked_by(AgentId::from(who.id().uuid()), look).await?;
            let seen = all.candidates.into_iter().filter(|candidate| {
                self.sees(who.owner(), manager.name(), &candidate.endpoint.groups)
            });
            let known = seen.map(|candidate| KnownEndpoint {
                manager: manager.name().to_owned(),
                away: away(&candidate),
                endpoint: candidate.endpoint,
            });
            let is_next = |one: &KnownEndpoint| {
                after.is_none_or(|(name, id)| (name, id) < (&one.manager, &one.endpoint.id))
            };
            found.extend(known.filter(is_next));
        }
        found.truncate(limit);
        Ok(found)
    }
}
