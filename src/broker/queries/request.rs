//! One request, and lists of them.

pub mod plan;
pub mod record;
pub mod search;
pub mod target_alerts;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use self::record::RecordDays;
use super::view::{Body, RequestView};
use crate::{
    broker::{Broker, BrokerError, SignedIn, TokenHolder},
    connector::CorrelationTag,
    domain::{
        actor::Agent,
        audit::AuditEntry,
        facts::{Principal, Resource, Verb},
        id::{AttemptId, RequestId},
        request::{Outcome, Request, StateName},
    },
    store::{
        Read, StoreError, accounts, audit,
        record::{RecordOf, fates},
        requests::{self, ChildSummary, RequestFilter, RequestSummary},
    },
};

/// So many earlier requests for the same are looked at.
const BEFORE_MAX: u32 = 20;

/// The requests for the same action on the same target that were asked before, the newest first.
async fn asked_before(
    read: &mut impl Read,
    request: &Request,
) -> Result<Vec<RequestSummary>, StoreError> {
    let filter = RequestFilter {
        action: Some(request.action.kind()),
        argument: Some(request.action.argument()),
        before: Some(request.id),
        ..RequestFilter::default()
    };
    requests::list(read, &filter, BEFORE_MAX).await
}

/// What a person may do with a request.
const VERBS: [Verb; 9] = [
    Verb::Approve,
    Verb::Reject,
    Verb::Retract,
    Verb::Cancel,
    Verb::Undo,
    Verb::Resolve,
    Verb::Comment,
    Verb::BreakGlass,
    Verb::Review,
];

/// A request as a program sees it that came with a token.
#[derive(Debug, Clone)]
pub struct ProgramView {
    /// The request.
    pub request: Request,
    /// The agent as it is now.
    pub agent: Agent,
    /// Its audit entries, oldest first.
    pub timeline: Vec<AuditEntry>,
    /// The requests that wait, or waited, for its endpoints that were away.
    pub children: Vec<ChildSummary>,
}

impl Broker {
    /// One of the agent's own requests; another agent's is not found.
    pub async fn request_of_agent(
        &self,
        agent: &Agent,
        id: RequestId,
    ) -> Result<Request, BrokerError> {
        let mut reader = self.store().reader().await?;
        let request = requests::load(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
        let asker = accounts::agent_by_id(&mut reader, request.agent)
            .await?
            .ok_or(BrokerError::NotFound)?;
        let resource = Resource::Request(request.facts(&asker));
        self.authorize(&Principal::Agent(agent.clone()), Verb::View, &resource)
            .map_err(|_hidden| BrokerError::NotFound)?;
        Ok(request)
    }

    /// The requests that took this one back, as far as the agent may see them: an undo of another
    /// agent's request lifts whatever rests on the same rule or timer.
    pub async fn undos_of_agent(&self, agent: &Agent, request: &Request) -> Vec<RequestId> {
        let outcomes = request.targets.iter().filter_map(|target| target.outcome.as_ref());
        let all: BTreeSet<_> = outcomes.filter_map(Outcome::reverted_by).collect();
        let mut undos = Vec::new();
        for id in all {
            if self.request_of_agent(agent, id).await.is_ok() {
                undos.push(id);
            }
        }
        undos
    }

    /// The requests that wait for endpoints of this one, for whoever may see it; none where they cannot
    /// be read now.
    pub async fn children_of(&self, request: &Request) -> Vec<ChildSummary> {
        if request.wait.is_none() {
            return Vec::new();
        }
        let Ok(mut reader) = self.store().reader().await else { return Vec::new() };
        requests::children(&mut reader, request.id).await.unwrap_or_default()
    }

    /// [`Broker::request_of_agent`], but waits until nothing further will be sent, or only to endpoints
    /// that are away, at most so long.
    pub async fn wait_for(
        &self,
        agent: &Agent,
        id: RequestId,
        time: Duration,
    ) -> Result<Request, BrokerError> {
        let until = self.clock().now() + time;
        let mut changes = self.store().changes_of(id);
        loop {
            // Marked as seen before looking, so that no change between the two is missed.
            changes.mark_unchanged();
            let request = self.request_of_agent(agent, id).await?;
            if !is_waited_for(&request) || self.clock().now() >= until {
                return Ok(request);
            }
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() { return Ok(request); }
                }
                () = self.clock().reach(until) => {}
            }
        }
    }

    /// The agent's own requests.
    pub async fn requests_of_agent(
        &self,
        agent: &Agent,
        filter: &RequestFilter,
        limit: u32,
    ) -> Result<Vec<RequestSummary>, BrokerError> {
        let filter = RequestFilter { agent: Some(agent.id), ..filter.clone() };
        self.list(&filter, limit).await
    }

    /// Requests with the reasons why approved ones are not being sent, as they are now.
    async fn list(
        &self,
        filter: &RequestFilter,
        limit: u32,
    ) -> Result<Vec<RequestSummary>, BrokerError> {
        let mut reader = self.store().reader().await?;
        let mut found = requests::list(&mut reader, filter, limit).await?;
        drop(reader);
        self.note_holds(&mut found).await?;
        Ok(found)
    }

    /// Why approved requests are not being sent, as it is now. What keeps them waiting may be another
    /// request, of anybody.
    async fn note_holds(&self, found: &mut [RequestSummary]) -> Result<(), BrokerError> {
        let mut holds = self.holds(&mut self.store().reader().await?).await?;
        for summary in found {
            summary.held_because = holds.remove(&summary.id);
        }
        Ok(())
    }

    /// One request, for a person.
    pub async fn request_of_person(
        &self,
        who: &SignedIn,
        id: RequestId,
    ) -> Result<RequestView, BrokerError> {
        let mut reader = self.reader_for(who).await?;
        let request = requests::load(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
        let agent = accounts::agent_by_id(&mut reader, request.agent)
            .await?
            .ok_or(BrokerError::NotFound)?;
        let owner = accounts::person_by_id(&mut reader, agent.owner).await?;
        let timeline = audit::of_request(&mut reader, &id.to_string()).await?;
        let resource = Resource::Request(request.facts(&agent));
        self.authorize(&who.principal(self.clock().now()), Verb::View, &resource)?;
        let permissions = VERBS.map(|verb| (verb, self.permission(who, verb, &resource)));
        let bodies = self.bodies(&request);
        let before = asked_before(&mut reader, &request).await?;
        let month = RecordDays::of("", self.clock().now()).map_err(BrokerError::from)?;
        let of_agent = fates(&mut reader, &RecordOf::Agent(agent.id), month.since).await?;
        let children = match request.wait {
            Some(_) => requests::children(&mut reader, id).await?,
            None => Vec::new(),
        };
        let undos = self.undos_around(&mut reader, &request, self.clock().now()).await?;
        // The manager may be slow, and there are few readers.
        drop(reader);
        let request = self.with_hold(request).await?;
        let active = self.active_before(&request).await?;
        let undo_also_lifts = self.undo_also_lifts(&request).await?;
        let undo = match request.wait {
            Some(_) => self.undo_option(&request).await,
            None => self.undo_option_beside(&request, &undo_also_lifts).await,
        };
        let alert = request.alert.shown.as_ref();
        let alert_url = alert.and_then(|alert| self.manager(&request.manager)?.alert_url(alert));
        let protected_neighbour = self.protected_neighbour(&request.action);
        Ok(RequestView {
            request,
            agent,
            owner,
            permissions: permissions.into(),
            bodies,
            timeline,
            active,
            undo,
            undo_also_lifts,
            undos,
            children,
            alert_url,
            protected_neighbour,
            before,
            of_agent,
        })
    }

    /// One request, for a program.
    pub async fn request_with_token(
        &self,
        who: &TokenHolder,
        id: RequestId,
    ) -> Result<ProgramView, BrokerError> {
        self.authorize_token_read(who, Verb::View)?;
        let mut reader = self.reader_for_token(who).await?;
        let request = requests::load(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
        let agent = accounts::agent_by_id(&mut reader, request.agent)
            .await?
            .ok_or(BrokerError::NotFound)?;
        let resource = Resource::Request(request.facts(&agent));
        self.authorize(&who.principal(), Verb::View, &resource)?;
        let timeline = audit::of_request(&mut reader, &id.to_string()).await?;
        let children = match request.wait {
            Some(_) => requests::children(&mut reader, id).await?,
            None => Vec::new(),
        };
        drop(reader);
        let request = self.with_hold(request).await?;
        Ok(ProgramView { request, agent, timeline, children })
    }

    /// The bodies of a request. Made as they are made for sending, so that what is shown is sent.
    fn bodies(&self, request: &Request) -> Vec<Body> {
        let mut parts: BTreeMap<(Option<AttemptId>, &str), usize> = BTreeMap::new();
        for target in &request.targets {
            *parts.entry((target.attempt, &target.command)).or_default() += 1;
        }
        let body = |((attempt, command), endpoints): ((Option<AttemptId>, &str), usize)| {
            let mark = CorrelationTag {
                request: request.id,
                attempt: attempt.unwrap_or_else(|| AttemptId::from(uuid::Uuid::nil())),
                digest: request.digest,
            };
            let connector = self.manager(&request.manager)?;
            let bytes = connector.body(command, &request.action, &mark);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Some(Body { command: command.to_owned(), attempt, endpoints, text })
        };
        parts.into_iter().filter_map(body).collect()
    }
}

/// Whether an agent's call waits for what becomes of it: not once it is over, nor while it waits for
/// endpoints, which may be away for a day.
fn is_waited_for(request: &Request) -> bool {
    let state = request.state.name();
    !state.terminal() && state != StateName::Waiting
}
