//! What may be active now.

use std::collections::{BTreeMap, btree_map::Entry};

use super::view::PAGE_ROWS;
use crate::{
    broker::{Broker, BrokerError, SignedIn, TokenHolder},
    domain::{
        Time, address::pattern::TargetPattern, endpoint::EndpointId, facts::Verb, id::RequestId,
        request::StateName,
    },
    store::{
        Read, StoreError,
        requests::{
            self, ActiveFilter, ActiveKey, ActiveRow, MissedEndpoint, RequestOrigin, RowOutcome,
        },
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
    pub known: RowOutcome,
    /// Who asked for it, and why.
    pub origin: RequestOrigin,
    /// The names of the people who approved it, and whether they broke the glass; nobody where
    /// nobody had to.
    pub approvers: Vec<(String, bool)>,
    /// The request that takes it back.
    pub undo: Option<(RequestId, UndoState)>,
}

/// How far a request is that takes an active response back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoState {
    /// It is open.
    Open(StateName),
    /// It was sent, and nobody knows whether it was done there.
    Uncertain,
}

impl Broker {
    /// A page of the endpoints that missed responses for an address, an account or what else is acted on.
    pub async fn missed(
        &self,
        who: &SignedIn,
        argument: &str,
        after: Option<(RequestId, EndpointId)>,
    ) -> Result<Vec<MissedEndpoint>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let mut reader = self.reader_for(who).await?;
        Ok(requests::missed(&mut reader, argument, after, PAGE_ROWS).await?)
    }

    /// A page of what may be active now: at most [`PAGE_ROWS`] rows, after those of `page` pages
    /// before it. The second part says whether there are more.
    pub async fn active_responses(
        &self,
        who: &SignedIn,
        filter: &ActiveFilter,
        page: u32,
    ) -> Result<(Vec<ActiveResponse>, bool), BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let (mut reader, now) = (self.reader_for(who).await?, self.clock().now());
        let filter = &with_network(&mut reader, filter, now).await?;
        let window = (page.saturating_mul(PAGE_ROWS), PAGE_ROWS + 1);
        let mut rows = requests::active(&mut reader, filter, window, now).await?;
        let shown = usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
        let more = rows.len() > shown;
        rows.truncate(shown);
        Ok((with_requests(&mut reader, rows).await?, more))
    }

    /// The same for a program: at most `limit`, the oldest first, after a key.
    pub async fn active_responses_with_token(
        &self,
        who: &TokenHolder,
        after: Option<&ActiveKey>,
        limit: u32,
    ) -> Result<Vec<ActiveResponse>, BrokerError> {
        self.authorize_token_read(who, Verb::View)?;
        let (mut reader, now) = (self.reader_for_token(who).await?, self.clock().now());
        let rows = requests::active_after(&mut reader, after, limit, now).await?;
        Ok(with_requests(&mut reader, rows).await?)
    }
}

/// The rows with the requests that they rest on.
async fn with_requests(
    read: &mut impl Read,
    rows: Vec<ActiveRow>,
) -> Result<Vec<ActiveResponse>, StoreError> {
    let mut known: BTreeMap<RequestId, ActiveRequest> = BTreeMap::new();
    let mut found = Vec::new();
    for row in rows {
        let mut requests = Vec::new();
        for one in &row.rests_on {
            let mut request = match known.entry(one.id) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => new.insert(active_request(read, one.id).await?).clone(),
            };
            if request.undo.is_none() {
                let uncertain = match one.undone_by {
                    Some(undo) => Some(undo),
                    None => requests::uncertain_undo(read, one.id, &row.endpoint).await?,
                };
                request.undo = uncertain.map(|undo| (undo, UndoState::Uncertain));
            }
            requests.push(ActiveRequest { known: one.known, ..request });
        }
        found.push(ActiveResponse { row, requests });
    }
    Ok(found)
}

/// A network that is searched for is looked for among the targets.
async fn with_network(
    read: &mut impl Read,
    filter: &ActiveFilter,
    now: Time,
) -> Result<ActiveFilter, StoreError> {
    match TargetPattern::parse(filter.search.trim()) {
        Some(network @ TargetPattern::Network(_)) => {
            let targets = Some(requests::active_targets(read, &network, now).await?);
            Ok(ActiveFilter { search: String::new(), targets, ..filter.clone() })
        }
        Some(TargetPattern::Part(_)) | None => Ok(filter.clone()),
    }
}

async fn active_request(read: &mut impl Read, id: RequestId) -> Result<ActiveRequest, StoreError> {
    Ok(ActiveRequest {
        id,
        known: RowOutcome::Sent,
        origin: requests::origin(read, id).await?,
        approvers: requests::approvers(read, id).await?,
        undo: requests::open_undo(read, id).await?.map(|(id, state)| (id, UndoState::Open(state))),
    })
}
