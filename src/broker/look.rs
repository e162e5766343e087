//! Looking: one request, lists, what is in force, the audit, the state of the system.

use std::time::Duration;

use super::{Broker, BrokerError, sign_in::SignedIn};
use crate::{
    domain::{
        Time,
        actor::{Agent, Person},
        audit::AuditEntry,
        facts::{Principal, Resource, Verb},
        id::RequestId,
        request::Request,
    },
    store::{
        accounts,
        audit::{self, AuditFilter, Verified},
        requests::{self, InForce},
        system,
    },
};

// What the doors need to name: they do not see the store.
pub use crate::store::{
    StoreError,
    requests::{Counts, Filter, Summary},
};

/// How many rows a list shows.
pub const PAGE_ROWS: u32 = 50;

/// A request as a person sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The request.
    pub request: Request,
    /// The agent as it is now.
    pub agent: Agent,
    /// Who owns the agent now.
    pub owner: Option<Person>,
    /// What the person may do with it, the state aside, and the answer to each of the others.
    pub may: Vec<(Verb, Result<(), String>)>,
    /// Its audit entries, oldest first.
    pub timeline: Vec<AuditEntry>,
}

impl Seen {
    /// Whether the person may, the state aside.
    pub fn may(&self, verb: Verb) -> bool {
        self.why_not(verb).is_none()
    }

    /// Why the person may not.
    pub fn why_not(&self, verb: Verb) -> Option<&str> {
        let (_, answer) = self.may.iter().find(|(asked, _)| *asked == verb)?;
        answer.as_ref().err().map(String::as_str)
    }
}

/// The state of the system.
#[derive(Debug, Clone)]
pub struct System {
    /// The manager's name and address.
    pub manager: (String, String),
    /// What the manager says of itself, or why it cannot be asked.
    pub manager_answer: Result<String, String>,
    /// The audit chain.
    pub audit: Verified,
    /// How many requests are in each state.
    pub requests: Vec<(String, u64)>,
    /// How many endpoints have each outcome.
    pub outcomes: Vec<(String, u64)>,
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
        filter: &Filter,
        limit: u32,
    ) -> Result<Vec<Summary>, BrokerError> {
        let filter = Filter { agent: Some(agent.id), ..filter.clone() };
        Ok(requests::list(&mut self.store().reader().await?, &filter, limit).await?)
    }

    /// One request, for a person.
    pub async fn request_of_person(
        &self,
        who: &SignedIn,
        id: RequestId,
    ) -> Result<Seen, BrokerError> {
        let mut reader = self.store().reader().await?;
        let request = requests::load(&mut reader, id).await?.ok_or(BrokerError::NotFound)?;
        let agent = accounts::agent_by_id(&mut reader, request.agent)
            .await?
            .ok_or(BrokerError::NotFound)?;
        let owner = accounts::person_by_id(&mut reader, agent.owner).await?;
        let timeline = audit::of_request(&mut reader, &id.to_string()).await?;
        let resource = Resource::Request(request.facts(&agent));
        let principal = who.principal(self.clock().now());
        self.authorize(&principal, Verb::View, &resource)?;
        let may = [Verb::Approve, Verb::Reject, Verb::Retract, Verb::Cancel].map(|verb| {
            let answer = self.engine().may(&principal, verb, &resource);
            (verb, if answer.allowed { Ok(()) } else { Err(answer.why()) })
        });
        Ok(Seen { request, agent, owner, may: may.into(), timeline })
    }

    /// Requests, for a person.
    pub async fn requests_of_person(
        &self,
        who: &SignedIn,
        filter: &Filter,
    ) -> Result<Vec<Summary>, BrokerError> {
        self.may_look(who, Verb::View)?;
        Ok(requests::list(&mut self.store().reader().await?, filter, PAGE_ROWS).await?)
    }

    /// What may be in force now.
    pub async fn in_force(&self, who: &SignedIn) -> Result<Vec<InForce>, BrokerError> {
        self.may_look(who, Verb::View)?;
        let now = self.clock().now();
        Ok(requests::in_force(&mut self.store().reader().await?, now).await?)
    }

    /// The newest audit entries that match, older than the place `before`.
    pub async fn audit(
        &self,
        who: &SignedIn,
        filter: &AuditFilter,
        before: Option<u64>,
    ) -> Result<Vec<AuditEntry>, BrokerError> {
        self.may_look(who, Verb::ViewAudit)?;
        self.keeper().audit(&who.actor(), filter, before, PAGE_ROWS).await
    }

    /// The state of the system: asks the manager and walks the audit chain.
    pub async fn system(&self, who: &SignedIn) -> Result<System, BrokerError> {
        self.may_look(who, Verb::ViewAudit)?;
        let connector = self.connector();
        let answer = connector.probe(self.clock().now()).await;
        let mut reader = self.store().reader().await?;
        Ok(System {
            manager: (connector.name().to_owned(), connector.url().to_owned()),
            manager_answer: answer.map(|info| info.to_string()).map_err(|e| e.to_string()),
            audit: audit::verify(&mut reader).await?,
            requests: system::counts_by_state(&mut reader).await?,
            outcomes: system::counts_by_outcome(&mut reader).await?,
        })
    }

    /// Counts for whoever watches the broker: requests by state, endpoints by outcome. They name
    /// nobody and nothing.
    pub async fn counts(&self) -> Result<(Counted, Counted), BrokerError> {
        let mut reader = self.store().reader().await?;
        let states = system::counts_by_state(&mut reader).await?;
        Ok((states, system::counts_by_outcome(&mut reader).await?))
    }

    /// Whether the broker can do its work: the store answers and no commit has failed.
    pub async fn ready(&self) -> Result<(), BrokerError> {
        self.store().sound()?;
        system::frozen(&mut self.store().reader().await?).await?;
        Ok(())
    }

    /// How long a request may still wait for people, for countdowns.
    pub fn time_left(&self, deadline: Time) -> Duration {
        (deadline - self.clock().now()).to_std().unwrap_or_default()
    }

    fn may_look(&self, who: &SignedIn, verb: Verb) -> Result<(), BrokerError> {
        self.authorize(&who.principal(self.clock().now()), verb, &Resource::System)
    }
}

/// Numbers by name.
pub type Counted = Vec<(String, u64)>;
