//! People, agents and the audit: what needs neither manager nor policy. The
//! command line does these for whoever may read the data folder.

use super::sessions::SignedIn;
use crate::{
    broker::BrokerError,
    clock::Clock,
    domain::{
        actor::{Actor, valid_name},
        audit::{
            AuditDetail, AuditEntry, AuditEvent,
            detail::system::{AuditReadFacts, AuditReadFilter},
        },
        digest::Digest,
        proposal::InvalidField,
    },
    store::{
        Store, StoreError, Tx, accounts,
        audit::{self, AuditFilter, Verified},
    },
};

mod agents;
mod people;

pub use agents::NewAgent;
pub use people::{NewPerson, PersonChange};

/// Keeps people, agents, the kill switch and the audit: what needs neither manager nor policy.
#[derive(Debug, Clone)]
pub struct Operator {
    store: Store,
    clock: Clock,
    /// Nothing is changed once this session is over.
    session: Option<Digest>,
}

impl Operator {
    /// A operator of this store.
    pub const fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, session: None }
    }

    /// The same operator for as long as a session stands: who is disabled, gets another role or
    /// another password has none any more.
    pub(in crate::broker) fn for_session(&self, who: &SignedIn) -> Self {
        Self { session: Some(who.session), ..self.clone() }
    }

    /// Fails where the session that the change rests on is over by now.
    pub(in crate::broker) async fn ensure_session_active(
        &self,
        tx: &mut Tx<'_>,
    ) -> Result<(), BrokerError> {
        let Some(session) = self.session else { return Ok(()) };
        if accounts::session(tx, session).await?.is_some() {
            return Ok(());
        }
        Err(BrokerError::NotAllowed("your session is over; sign in again".to_owned()))
    }

    /// The store.
    pub(in crate::broker) const fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The newest audit entries that match, older than the place `before`; reading them is itself
    /// written down.
    pub async fn audit(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, BrokerError> {
        let page = audit::page(&mut self.store.reader().await?, filter, before, limit).await?;
        let AuditFilter { since: _, until: _, kind, actor: by, endpoint, target, request, policy } =
            filter.clone();
        let filter = AuditReadFilter { kind, actor: by, endpoint, target, request, policy };
        let facts = AuditReadFacts { filter, rows: u64::try_from(page.len()).unwrap_or(u64::MAX) };
        let event = &AuditEvent::new(actor.clone(), None, AuditDetail::AuditRead(facts));
        let now = self.clock.now();
        self.store
            .write(|tx| Box::pin(async move { audit::append(tx, event, now).await.map(drop) }))
            .await?;
        Ok(page)
    }

    /// The entries after a place, oldest first: for whoever follows what happens.
    pub async fn audit_after(&self, seq: u64) -> Result<Vec<AuditEntry>, BrokerError> {
        Ok(audit::after(&mut self.store.reader().await?, seq, 1000).await?)
    }

    /// Walks the audit chain from its first row.
    pub async fn verify_audit(&self) -> Result<Verified, BrokerError> {
        Ok(audit::verify(&mut self.store.reader().await?).await?)
    }
}

fn check_name(name: &str) -> Result<String, InvalidField> {
    if valid_name(name) {
        return Ok(name.to_owned());
    }
    Err(InvalidField {
        field: "name".to_owned(),
        problem: format!("`{}` is not allowed", name.chars().take(40).collect::<String>()),
        allowed: "1 to 32 of a-z, 0-9, `.`, `_`, `-`, starting with a letter or digit".to_owned(),
    })
}

/// A text that must be said: not blank, at most 500 characters.
pub(in crate::broker) fn check_reason(field: &str, text: &str) -> Result<String, InvalidField> {
    let text = text.trim();
    if !text.is_empty() && text.chars().count() <= 500 {
        return Ok(text.to_owned());
    }
    Err(InvalidField {
        field: field.to_owned(),
        problem: "it is missing or too long".to_owned(),
        allowed: "1 to 500 characters".to_owned(),
    })
}

/// A secret that a person types once: 96 bits, in groups of four digits.
pub(in crate::broker) fn one_time_secret(clock: &Clock) -> String {
    let digits: Vec<_> = clock.secret().chars().take(24).collect();
    digits.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}

/// Somebody or something that is over cannot be changed any more.
fn inactive(name: &str, state: &str) -> InvalidField {
    InvalidField {
        field: "name".to_owned(),
        problem: format!("`{name}` is {state}, and stays so"),
        allowed: "one that is active; add another under a new name".to_owned(),
    }
}

fn name_taken(error: StoreError, name: &str) -> BrokerError {
    if matches!(error, StoreError::Conflict) {
        return InvalidField {
            field: "name".to_owned(),
            problem: format!("`{name}` is taken"),
            allowed: "a name that nobody has, disabled and revoked ones included".to_owned(),
        }
        .into();
    }
    error.into()
}
