//! What people look for among requests, and what each part of a search keeps out.

use crate::{
    broker::{Broker, BrokerError, SignedIn, TokenHolder, queries::view::PAGE_ROWS},
    domain::{
        Time, action::ActionKind, address::pattern::TargetPattern, endpoint::EndpointId,
        facts::Verb, id::RequestId, len_u64, request::StateName,
    },
    store::{
        Read, accounts,
        requests::{self, FoundRequests, RequestFilter, RequestSearch, RequestSummary},
    },
};

/// What is looked for among requests. An absent part does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestQuery {
    /// Only this agent's, by its name.
    pub agent: Option<String>,
    /// Only in this state.
    pub state: Option<StateName>,
    /// Only of this action.
    pub action: Option<ActionKind>,
    /// Only on this target. One that was asked for exactly so is found alone.
    pub target: Option<String>,
    /// Only on the endpoint with this id, `001` or `paris/001`, or with this in its name.
    pub endpoint: Option<String>,
    /// Only those asked at this moment or later.
    pub since: Option<Time>,
    /// Only what does not end by itself.
    pub permanent: bool,
    /// Only where the alert was found, or was not.
    pub alert: Option<bool>,
    /// Only those asked before this one: the key of the next page.
    pub before: Option<RequestId>,
}

/// A part of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestPart {
    /// [`RequestQuery::agent`].
    Agent,
    /// [`RequestQuery::state`].
    State,
    /// [`RequestQuery::action`].
    Action,
    /// [`RequestQuery::target`].
    Target,
    /// [`RequestQuery::endpoint`].
    Endpoint,
    /// [`RequestQuery::since`].
    Since,
    /// [`RequestQuery::permanent`].
    Permanent,
    /// [`RequestQuery::alert`].
    Alert,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct RequestsFound {
    /// A page of them, newest first: at most [`PAGE_ROWS`].
    pub rows: Vec<RequestSummary>,
    /// The last request that was looked at, where there are more to look at.
    pub looked_until: Option<RequestId>,
    /// Where nothing was found: how many there would be without each part, at most [`PAGE_ROWS`].
    pub without: Vec<(RequestPart, u64)>,
}

impl RequestPart {
    const ALL: [Self; 8] = [
        Self::Agent,
        Self::State,
        Self::Action,
        Self::Target,
        Self::Endpoint,
        Self::Since,
        Self::Permanent,
        Self::Alert,
    ];
}

impl RequestQuery {
    /// The same without a part; none where that is not asked for.
    fn without(&self, part: RequestPart) -> Option<Self> {
        let all = self.clone();
        let less = match part {
            RequestPart::Agent => Self { agent: None, ..all },
            RequestPart::State => Self { state: None, ..all },
            RequestPart::Action => Self { action: None, ..all },
            RequestPart::Target => Self { target: None, ..all },
            RequestPart::Endpoint => Self { endpoint: None, ..all },
            RequestPart::Since => Self { since: None, ..all },
            RequestPart::Permanent => Self { permanent: false, ..all },
            RequestPart::Alert => Self { alert: None, ..all },
        };
        (less != *self).then_some(less)
    }
}

impl Broker {
    /// A page of requests, for a person.
    pub async fn find_requests(
        &self,
        who: &SignedIn,
        asked: &RequestQuery,
    ) -> Result<RequestsFound, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let mut reader = self.reader_for(who).await?;
        let FoundRequests { mut rows, looked_until } = find(&mut reader, asked, PAGE_ROWS).await?;
        let mut without = Vec::new();
        if rows.is_empty() && asked.before.is_none() {
            for part in RequestPart::ALL {
                let Some(less) = asked.without(part) else { continue };
                let number = len_u64(find(&mut reader, &less, PAGE_ROWS).await?.rows.len());
                without.extend((number > 0).then_some((part, number)));
            }
        }
        drop(reader);
        self.note_holds(&mut rows).await?;
        Ok(RequestsFound { rows, looked_until, without })
    }

    /// The same for a program: at most `limit` of them.
    pub async fn find_requests_with_token(
        &self,
        who: &TokenHolder,
        asked: &RequestQuery,
        limit: u32,
    ) -> Result<FoundRequests, BrokerError> {
        self.authorize_token_read(who, Verb::View)?;
        let mut reader = self.reader_for_token(who).await?;
        let FoundRequests { mut rows, looked_until } = find(&mut reader, asked, limit).await?;
        drop(reader);
        self.note_holds(&mut rows).await?;
        Ok(FoundRequests { rows, looked_until })
    }
}

async fn find(
    read: &mut impl Read,
    asked: &RequestQuery,
    limit: u32,
) -> Result<FoundRequests, BrokerError> {
    let RequestQuery { state, action, since, before, permanent, alert, .. } = asked.clone();
    let mut filter = RequestFilter { state, action, before, since, ..RequestFilter::default() };
    if let Some(name) = &asked.agent {
        let agent = accounts::agent_by_name(read, name).await?;
        let Some(agent) = agent else { return Ok(FoundRequests::default()) };
        filter.agent = Some(agent.id);
    }
    let mut search = RequestSearch { permanent, alert, ..RequestSearch::default() };
    if let Some(target) = &asked.target {
        if requests::is_target(read, target).await? {
            filter.argument = Some(target.clone());
        } else if let Some(pattern) = TargetPattern::parse(target) {
            search.targets = Some(requests::targets(read, &pattern, &filter).await?);
        }
    }
    if let Some(endpoint) = &asked.endpoint {
        if is_id(endpoint) {
            filter.endpoint = Some(endpoint.clone());
        } else {
            search.name = Some(endpoint.to_lowercase());
        }
    }
    filter.search = (search != RequestSearch::default()).then_some(search);
    Ok(requests::search(read, &filter, limit).await?)
}

/// Whether a text is an id, perhaps with its manager before it.
fn is_id(text: &str) -> bool {
    let id = text.rsplit_once('/').map_or(text, |(_, id)| id);
    EndpointId::parse(id).is_some()
}
