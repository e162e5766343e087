//! What may be in force now.

use super::view::PAGE_ROWS;
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{facts::Verb, id::RequestId, request::StateName},
    store::requests::{self, ActiveTarget},
};

/// A request whose response may be in force now.
#[derive(Debug, Clone)]
pub struct ActiveResponse {
    /// Where it may be in force; at least one.
    pub places: Vec<ActiveTarget>,
    /// The names of the people who approved it, and whether they broke the glass; nobody where
    /// nobody had to.
    pub approvers: Vec<(String, bool)>,
    /// The open request that would take it back.
    pub undo: Option<(RequestId, StateName)>,
}

impl Broker {
    /// What may be in force now, the newest request first, at most [`PAGE_ROWS`] requests; where
    /// `before` is given, only those asked before it.
    pub async fn active_responses(
        &self,
        who: &SignedIn,
        before: Option<RequestId>,
    ) -> Result<Vec<ActiveResponse>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let (mut reader, now) = (self.store().reader().await?, self.clock().now());
        let rows = requests::active(&mut reader, now, before, PAGE_ROWS).await?;
        let mut found = Vec::new();
        for places in rows.chunk_by(|one, other| one.request == other.request) {
            let Some(request) = places.first().map(|place| place.request) else { continue };
            found.push(ActiveResponse {
                places: places.to_vec(),
                approvers: requests::approvers(&mut reader, request).await?,
                undo: requests::open_undo(&mut reader, request).await?,
            });
        }
        Ok(found)
    }
}
