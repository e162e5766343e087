//! On whose word something is written: a person who signed in, an agent, the command line. Each is
//! looked at again in the transaction of the act.

use chrono::TimeDelta;

use super::BrokerError;
use crate::{
    domain::{
        Time,
        actor::{Actor, Agent, Person},
        audit::detail::passkey::ProofFacts,
        clock_jump::ClockJump,
        digest::Digest,
        facts::{ActProof, Authentication, Principal},
        id::PersonId,
        request::Requester,
    },
    passkey::{Act, RelyingParty},
    store::{
        Read, StoreError, Tx,
        accounts::{self, StoredIdentity, StoredSession},
    },
};

pub mod passkey;
mod scope;
pub mod ticket;
pub mod token;

/// A session ends after this many minutes without use.
pub const SESSION_IDLE_MINUTES: i64 = 30;
/// A session ends after this many hours, used or not.
pub const SESSION_HOURS: i64 = 12;

/// Somebody who had a session at the door. Outside of the broker nobody can make one or change it.
///
/// It is enough to show and to look things up. Nothing is written on its strength: that takes an
/// `ActiveSession`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    person: Person,
    /// The hash of the session's token.
    session: Digest,
    /// When the password was last given.
    authenticated_at: Time,
    /// When the last proof was given in this session, for any act.
    proved_at: Time,
    /// Whether the person has passkeys for this server.
    has_passkeys: bool,
    /// Who the person is at the identity provider; none for who is kept here.
    identity: Option<StoredIdentity>,
    /// What came with the act itself.
    proof: GivenProof,
}

/// What a person gave for one act, beside the session.
#[derive(Debug, Clone, PartialEq, Eq)]
enum GivenProof {
    None,
    Password,
    /// The identity provider asked again, for this form alone.
    Provider,
    /// For this act alone.
    Passkey(Act, Box<ProofFacts>),
}

/// Somebody whose session is active in the transaction of the act: it ends when its person is
/// disabled or gets another role or another password. The actor of an audit event and the person
/// of a vote come from here alone.
#[derive(Debug)]
pub(in crate::broker) struct ActiveSession(SignedIn);

impl SignedIn {
    /// Somebody with this session, found by the hash of its token, at this server.
    pub(in crate::broker) fn new(
        stored: StoredSession,
        session: Digest,
        party: Option<&RelyingParty>,
    ) -> Self {
        let StoredSession { person, authenticated_at, proved_at, passkeys_for, identity, .. } =
            stored;
        let has_passkeys = party.is_some_and(|party| passkeys_for.contains(&party.id));
        let proof = GivenProof::None;
        Self { person, session, authenticated_at, proved_at, has_passkeys, identity, proof }
    }

    /// The person as the door found them.
    pub const fn profile(&self) -> &Person {
        &self.person
    }

    /// The name that the password belongs to.
    pub(in crate::broker) fn name(&self) -> &str {
        &self.person.name
    }

    /// The person's id.
    pub const fn id(&self) -> PersonId {
        self.person.id
    }

    /// For unit tests of the doors.
    #[cfg(test)]
    pub(crate) fn made_up(person: Person) -> Self {
        Self {
            person,
            session: Digest::ZERO,
            authenticated_at: Time::UNIX_EPOCH,
            proved_at: Time::UNIX_EPOCH,
            has_passkeys: false,
            identity: None,
            proof: GivenProof::None,
        }
    }

    /// The same, with the password given now.
    pub(in crate::broker) fn authenticated(&self, now: Time) -> Self {
        let proof = GivenProof::Password;
        Self { authenticated_at: now, proved_at: now, proof, ..self.clone() }
    }

    /// The same, confirmed by the identity provider now.
    pub(in crate::broker) fn confirmed(&self, now: Time) -> Self {
        Self { proof: GivenProof::Provider, ..self.authenticated(now) }
    }

    /// The same, had they given now what they can give for any act: the password, or the provider's word.
    pub(in crate::broker) fn proved_now(&self, now: Time) -> Self {
        if self.identity.is_some() { self.confirmed(now) } else { self.authenticated(now) }
    }

    /// What the person is called who signs in at the identity provider, maybe nothing; none for who is
    /// kept here.
    pub fn display_name(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.display_name.as_str())
    }

    /// Who the person is at the identity provider; none for who is kept here.
    pub(in crate::broker) const fn identity(&self) -> Option<&StoredIdentity> {
        self.identity.as_ref()
    }

    /// The same, with what a passkey signed for this act.
    pub(in crate::broker) fn with_passkey(&self, act: Act, facts: ProofFacts) -> Self {
        Self { proof: GivenProof::Passkey(act, Box::new(facts)), ..self.clone() }
    }

    /// What a passkey signed for this very act.
    pub(in crate::broker) fn passkey_proof(&self, act: Act) -> Option<&ProofFacts> {
        match &self.proof {
            GivenProof::Passkey(signed, facts) => (*signed == act).then_some(facts),
            GivenProof::None | GivenProof::Password | GivenProof::Provider => None,
        }
    }

    /// Whether the person can be asked for a passkey at this server.
    pub const fn has_passkeys(&self) -> bool {
        self.has_passkeys
    }

    /// The hash of the session's token.
    pub(in crate::broker) const fn session(&self) -> Digest {
        self.session
    }

    /// Whether the password, or the provider's word, came with the act itself.
    pub fn gave_proof(&self) -> bool {
        matches!(self.proof, GivenProof::Password | GivenProof::Provider)
    }

    /// Whether the person chooses their first password now: they signed in with a one-time password
    /// within the last five minutes.
    pub fn chooses_first_password(&self, now: Time) -> bool {
        // A clock that went back must not make it younger than it is.
        let recent = TimeDelta::zero()..=TimeDelta::minutes(5);
        self.person.must_change_password && recent.contains(&(now - self.authenticated_at))
    }

    /// What policy is told where no passkey signed the act.
    pub fn principal(&self, now: Time) -> Principal {
        // A clock that went back must not make a proof younger than it is.
        let since = |then: Time| u64::try_from((now - then).num_seconds()).unwrap_or(u64::MAX);
        let proof = match self.proof {
            GivenProof::Password => ActProof::Password,
            GivenProof::Provider => ActProof::Provider,
            GivenProof::None | GivenProof::Passkey(..) => ActProof::None,
        };
        let given = Authentication {
            age_seconds: since(self.authenticated_at),
            proof_age_seconds: since(self.proved_at),
            proof,
        };
        Principal::Person(self.person.clone(), given)
    }

    /// What policy is told of an act that a passkey signed.
    pub(in crate::broker) fn principal_with_passkey(&self) -> Principal {
        Principal::Person(self.person.clone(), Authentication::BEST)
    }

    /// Looks at the session again, in the transaction of what it is used for.
    /// [`BrokerError::SessionOver`] where it ended meanwhile.
    pub(in crate::broker) async fn active(
        &self,
        tx: &mut Tx<'_>,
        now: Time,
    ) -> Result<ActiveSession, BrokerError> {
        let stored = active_session(tx, self.session, now).await?;
        let person = stored.ok_or(BrokerError::SessionOver)?.person;
        Ok(ActiveSession(Self { person, ..self.clone() }))
    }
}

impl ActiveSession {
    /// The person, read in this transaction.
    pub(in crate::broker) const fn person(&self) -> &Person {
        &self.0.person
    }

    /// What policy is told.
    pub(in crate::broker) fn principal(&self, now: Time) -> Principal {
        self.0.principal(now)
    }

    /// What policy is told of an act that a passkey signed.
    pub(in crate::broker) fn principal_with_passkey(&self) -> Principal {
        self.0.principal_with_passkey()
    }

    /// What a passkey signed for this act.
    pub(in crate::broker) fn passkey_proof(&self, act: Act) -> Option<&ProofFacts> {
        self.0.passkey_proof(act)
    }

    /// What the audit is told.
    pub(in crate::broker) fn actor(&self) -> Actor {
        Actor::from(&self.0.person)
    }

    /// The same for the doors.
    pub(in crate::broker) fn into_signed_in(self) -> SignedIn {
        self.0
    }
}

/// Who does what both people and the command line may.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker) enum Authority<'a> {
    /// A person. Policy was asked.
    Session(&'a SignedIn),
    /// The command line, or the program itself. Policy is not asked.
    Trusted(&'a Actor),
}

impl Authority<'_> {
    /// What the audit is told. [`BrokerError::SessionOver`] where the session ended meanwhile.
    pub(in crate::broker) async fn actor(
        self,
        tx: &mut Tx<'_>,
        now: Time,
    ) -> Result<Actor, BrokerError> {
        match self {
            Self::Session(who) => Ok(who.active(tx, now).await?.actor()),
            Self::Trusted(actor) => Ok(actor.clone()),
        }
    }
}

/// Who does what both agents and people may: cancel and undo.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker) enum Caller<'a> {
    /// An agent, with the token it had at the door.
    Agent(&'a Agent),
    /// A person.
    Person(&'a SignedIn),
}

/// A caller whose token or session is active in the transaction of the act.
#[derive(Debug)]
pub(in crate::broker) enum ActiveCaller {
    /// An agent.
    Agent(Agent),
    /// A person.
    Person(ActiveSession),
}

impl Caller<'_> {
    /// What policy is told before anything is written.
    pub(in crate::broker) fn principal(self, now: Time) -> Principal {
        match self {
            Self::Agent(agent) => Principal::Agent(agent.clone()),
            Self::Person(who) => who.principal(now),
        }
    }

    /// The caller, looked at again. [`BrokerError::NotFound`] where the token opens nothing by
    /// now, [`BrokerError::SessionOver`] where the session ended.
    pub(in crate::broker) async fn active(
        self,
        tx: &mut Tx<'_>,
        now: Time,
    ) -> Result<ActiveCaller, BrokerError> {
        Ok(match self {
            Self::Agent(agent) => ActiveCaller::Agent(active_agent(tx, agent).await?),
            Self::Person(who) => ActiveCaller::Person(who.active(tx, now).await?),
        })
    }
}

impl ActiveCaller {
    /// What policy is told.
    pub(in crate::broker) fn principal(&self, now: Time) -> Principal {
        match self {
            Self::Agent(agent) => Principal::Agent(agent.clone()),
            Self::Person(session) => session.principal(now),
        }
    }

    /// What the audit is told.
    pub(in crate::broker) fn actor(&self) -> Actor {
        match self {
            Self::Agent(agent) => Actor::from(agent),
            Self::Person(session) => session.actor(),
        }
    }

    /// The person who asks in an agent's stead; none where it is the agent itself.
    pub(in crate::broker) fn requester(&self) -> Option<Requester> {
        let Self::Person(session) = self else { return None };
        let person = session.person();
        Some(Requester { person: person.id, name: person.name.clone(), role: person.role })
    }
}

/// The agent as it is now. [`BrokerError::NotFound`] where its token was revoked or replaced since
/// the door looked at it.
pub(in crate::broker) async fn active_agent(
    read: &mut impl Read,
    then: &Agent,
) -> Result<Agent, BrokerError> {
    let agent = accounts::agent_by_id(read, then.id).await?;
    let same = |now: &Agent| !now.revoked && now.issued_at == then.issued_at;
    agent.filter(same).ok_or(BrokerError::NotFound)
}

/// A session that neither ended nor ran out, of a person who is not disabled.
pub(in crate::broker) async fn active_session(
    read: &mut impl Read,
    token: Digest,
    now: Time,
) -> Result<Option<StoredSession>, StoreError> {
    let found = accounts::session(read, token).await?;
    Ok(found.filter(|session| {
        let proved = session.authenticated_at.max(session.proved_at);
        let begun = session.seen_at.max(session.created_at).max(proved);
        // Another page may have used it a moment after this one looked at the clock.
        session.person.is_active()
            && begun - now <= ClockJump::LEAST
            && now - session.seen_at <= TimeDelta::minutes(SESSION_IDLE_MINUTES)
            && now - session.created_at <= TimeDelta::hours(SESSION_HOURS)
    }))
}
