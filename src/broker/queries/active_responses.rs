//! What may be active now.

use std::collections::{BTreeMap, btree_map::Entry};

use super::view::PAGE_ROWS;
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{facts::Verb, id::RequestId, request::StateName},
    store::{
        Read, StoreError,
        requests::{self, ActiveFilter, ActiveRow, RequestOrigin},
    },
};

/// A response that is active on an endpoint, or may be.
#[derive(Debug, Clone)]
pub struct ActiveResponse {
    /// Where it is active, since when and until when.
    pub row: ActiveRow,
    /// The requests that it rests on, oldest first; none where the endpoint did it without one.
    pub requests: Vec<ActiveRequest>,
}

/// A request that an active response rests on.
#[derive(Debug, Clone)]
pub struct ActiveRequest {
    /// The request.
    pub id: RequestId,
    /// What is known of it on the endpoint.
    pub outcome: &'static str,
    /// Who asked for it, and why.
    pub origin: RequestOrigin,
    /// The names of the people who approved it, and whether they broke the glass; nobody where
    /// nobody had to.
    pub approvers: Vec<(String, bool)>,
    /// The open request that would take it back.
    pub undo: Option<(RequestId, StateName)>,
}

impl Broker {
    /// A page of what may be active now: at most [`PAGE_ROWS`] rows, after those of `page` pages
    /// before it. The second part says whether there are more.
    pub async fn active_responses(
        &self,
        who: &SignedIn,
        filter: &ActiveFilter,
        page: u32,
    ) -> Result<(Vec<ActiveResponse>, bool), BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let (mut reader, now) = (self.store().reader().await?, self.clock().now());
        let window = (page.saturating_mul(PAGE_ROWS), PAGE_ROWS + 1);
        let mut rows = requests::active(&mut reader, filter, window, now).await?;
        let shown = usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
        let more = rows.len() > shown;
        rows.truncate(shown);
        let mut known: BTreeMap<RequestId, ActiveRequest> = BTreeMap::new();
        let mut found = Vec::new();
        for row in rows {
            let mut requests = Vec::new();
            for (id, outcome) in &row.rests_on {
                let request = match known.entry(*id) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(active_request(&mut reader, *id).await?),
                };
                requests.push(ActiveRequest { outcome, ..request.clone() });
            }
            found.push(ActiveResponse { row, requests });
        }
        Ok((found, more))
    }
}

async fn active_request(read: &mut impl Read, id: RequestId) -> Result<ActiveRequest, StoreError> {
    Ok(ActiveRequest {
        id,
        outcome: "",
        origin: requests::origin(read, id).await?,
        approvers: requests::approvers(read, id).await?,
        undo: requests::open_undo(read, id).await?,
    })
}
