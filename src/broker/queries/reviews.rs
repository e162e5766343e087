//! The reviews of broken glass that are due.

use super::view::Permission;
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        facts::{Resource, Verb},
        request::Request,
    },
    store::{accounts, requests},
};

impl Broker {
    /// The reviews that are due and that this person may make, the longest due first.
    pub async fn reviews_due(&self, who: &SignedIn) -> Result<Vec<Request>, BrokerError> {
        let mut reader = self.reader_for(who).await?;
        let mut due = Vec::new();
        for id in requests::reviews_due(&mut reader).await? {
            let Some(request) = requests::load(&mut reader, id).await? else { continue };
            let Some(agent) = accounts::agent_by_id(&mut reader, request.agent).await? else {
                continue;
            };
            let resource = Resource::Request(request.facts(&agent));
            let may =
                !matches!(self.permission(who, Verb::Review, &resource), Permission::Denied(_));
            if may && !request.glass_broken_by(who.profile()) {
                due.push(request);
            }
        }
        Ok(due)
    }
}
