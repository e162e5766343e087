//! Looking: one request, lists, the audit, the state of the system.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    broker::{Broker, BrokerError, admin::sessions::SignedIn},
    connector::CorrelationTag,
    domain::{
        actor::{Agent, Person},
        audit::AuditEntry,
        facts::{Principal, Resource, Verb},
        id::{AttemptId, RequestId},
        request::{Request, StateName},
    },
    store::{accounts, audit, requests},
};

// What the doors need to name: they do not see policy and store.
pub use super::{
    active_responses::ActiveResponse,
    inbox::{Cursor, InboxGroup, InboxPage, InboxSection, PendingItem},
    system::{ManagerStatus, NamedCounts, SystemStatus},
};
pub use crate::broker::{notifications::ChannelState, requests::undo::UndoOption};
pub use crate::{
    connector::Health,
    policy::PolicyText,
    store::{
        StoreError,
        audit::{AuditFilter, Verified},
        notices::ChannelActivity,
        requests::{ActiveTarget, RequestFilter, RequestSummary},
    },
};

/// How many rows a list shows.
pub const PAGE_ROWS: u32 = 50;

/// A request as a person sees it.
#[derive(Debug, Clone)]
pub struct RequestView {
    /// The request.
    pub request: Request,
    /// The agent as it is now.
    pub agent: Agent,
    /// Who owns the agent now.
    pub owner: Option<Person>,
    /// What the person may do with it, the state aside.
    pub may: Vec<(Verb, Permission)>,
    /// What is sent, or was: one body for all endpoints that share a command and an attempt.
    pub bodies: Vec<Body>,
    /// Its audit entries, oldest first.
    pub timeline: Vec<AuditEntry>,
    /// What can be said beforehand about taking it back.
    pub undo: UndoOption,
    /// The requests that take it back, oldest first.
    pub undos: Vec<(RequestId, StateName)>,
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

/// Whether a person may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// At once.
    Now,
    /// Once the password is given again.
    WithPassword,
    /// No, and why.
    Denied(String),
}

/// The bytes for the endpoints that share a command and an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The command.
    pub command: String,
    /// The attempt; none yet before the claim, and then the body names one of zeros.
    pub attempt: Option<AttemptId>,
    /// How many endpoints.
    pub endpoints: usize,
    /// The bytes, as text.
    pub text: String,
}

impl RequestView {
    /// Whether the person may, the state aside. What was not asked is not allowed.
    pub fn permission(&self, verb: Verb) -> Permission {
        let found = self.may.iter().find(|(asked, _)| *asked == verb);
        found.map_or_else(
            || Permission::Denied("nobody asked".to_owned()),
            |(_, access)| access.clone(),
        )
    }

    /// Whether the person may, be it once the password is given again, the state aside.
    pub fn may(&self, verb: Verb) -> bool {
        self.permission(verb).why_not().is_none()
    }
}

impl Permission {
    /// Why not.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::Now | Self::WithPassword => None,
            Self::Denied(why) => Some(why),
        }
    }
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

    /// [`Broker::request_of_agent`], but waits until nothing further will be sent, at most so long.
    pub async fn wait_for(
        &self,
        agent: &Agent,
        id: RequestId,
        time: Duration,
    ) -> Result<Request, BrokerError> {
        let until = self.clock().now() + time;
        let mut changes = self.changes();
        loop {
            // Marked as seen before looking, so that no change between the two is missed.
            changes.mark_unchanged();
            let request = self.request_of_agent(agent, id).await?;
            if request.state.name().terminal() || self.clock().now() >= until {
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
        Ok(requests::list(&mut self.store().reader().await?, &filter, limit).await?)
    }

    /// One request, for a person.
    pub async fn request_of_person(
        &self,
        who: &SignedIn,
        id: RequestId,
    ) -> Result<RequestView, BrokerError> {
        let mut reader = self.store().reader().await?;
        let request = requests::load(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
        let agent = accounts::agent_by_id(&mut reader, request.agent)
            .await?
            .ok_or(BrokerError::NotFound)?;
        let owner = accounts::person_by_id(&mut reader, agent.owner).await?;
        let timeline = audit::of_request(&mut reader, &id.to_string()).await?;
        let resource = Resource::Request(request.facts(&agent));
        self.authorize(&who.principal(self.clock().now()), Verb::View, &resource)?;
        let may = VERBS.map(|verb| (verb, self.permission(who, verb, &resource)));
        let bodies = self.bodies(&request);
        let mut undos = Vec::new();
        for id in requests::undos(&mut reader, id).await? {
            undos.extend(requests::load(&mut reader, id).await?.map(|r| (id, r.state.name())));
        }
        // The manager may be slow, and there are few readers.
        drop(reader);
        let undo = self.undo_option(&request).await;
        Ok(RequestView { request, agent, owner, may: may.into(), bodies, timeline, undo, undos })
    }

    /// Whether a person may do something with the system as a whole.
    pub fn system_permission(&self, who: &SignedIn, verb: Verb) -> Permission {
        self.permission(who, verb, &Resource::System)
    }

    pub(in crate::broker) fn permission(
        &self,
        who: &SignedIn,
        verb: Verb,
        on: &Resource,
    ) -> Permission {
        let now = self.clock().now();
        if self.engine().may(&who.principal(now), verb, on).allowed {
            return Permission::Now;
        }
        let just_now = SignedIn { authenticated_at: now, ..who.clone() };
        let answer = self.engine().may(&just_now.principal(now), verb, on);
        if answer.allowed { Permission::WithPassword } else { Permission::Denied(answer.why()) }
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

    /// Requests, for a person.
    pub async fn requests_of_person(
        &self,
        who: &SignedIn,
        filter: &RequestFilter,
    ) -> Result<Vec<RequestSummary>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        Ok(requests::list(&mut self.store().reader().await?, filter, PAGE_ROWS).await?)
    }

    pub(in crate::broker) fn authorize_read(
        &self,
        who: &SignedIn,
        verb: Verb,
    ) -> Result<(), BrokerError> {
        self.authorize(&who.principal(self.clock().now()), verb, &Resource::System)
    }
}
