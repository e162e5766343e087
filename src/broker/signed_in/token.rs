//! A program that came with a token for the API. It is no [`SignedIn`], and nothing makes one of it: a
//! verb that takes a person on the page cannot be reached with a token, whatever policy says.

use std::net::IpAddr;

use super::ActiveSession;
use crate::{
    broker::{Broker, BrokerError, SignedIn, in_memory::FailureKey},
    domain::{
        Time,
        actor::{
            Actor, Person,
            api_token::{API_TOKEN_PREFIX, ApiToken, TokenScope, UsedToken},
            sign_in::Source,
        },
        audit::{AuditDetail, AuditEvent, detail::api_token::RefusedApiTokenFacts},
        digest::Digest,
        facts::{Authentication, Principal},
        id::ApiTokenId,
    },
    store::{
        Tx,
        accounts::{self, StoredApiToken},
        audit,
    },
};

/// When a token was last used is stored at most this often.
const TOUCH_SECONDS: i64 = 60;

/// Somebody who had a token for the API at the door. Outside of the broker nobody can make one.
///
/// Only verbs that read, comment and reject take it. Nothing is written on its strength: the token is
/// looked at again in the transaction of the act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHolder {
    owner: Person,
    token: ApiToken,
}

impl TokenHolder {
    /// Which token it is.
    pub const fn id(&self) -> ApiTokenId {
        self.token.id
    }

    /// The name under which it acts, for the log.
    pub fn name(&self) -> &str {
        if self.token.service { &self.token.name } else { &self.owner.name }
    }

    /// Whether the token is for this.
    pub fn has_scope(&self, scope: TokenScope) -> bool {
        self.token.scopes.contains(&scope)
    }

    /// Fails where the token is not for this.
    pub(in crate::broker) fn ensure_scope(&self, scope: TokenScope) -> Result<(), BrokerError> {
        if self.has_scope(scope) { Ok(()) } else { Err(BrokerError::ScopeMissing(scope)) }
    }

    /// The person whose eyes it reads with.
    pub(in crate::broker) const fn owner(&self) -> &Person {
        &self.owner
    }

    /// What policy is told: its owner, who proved nothing for this act, ever.
    pub(in crate::broker) fn principal(&self) -> Principal {
        Principal::Person(self.owner.clone(), Authentication::NONE)
    }

    /// What the audit keeps of the token.
    pub(in crate::broker) fn used(&self) -> UsedToken {
        let ApiToken { id, name, service, .. } = self.token.clone();
        UsedToken { id, name, owner: service.then(|| self.owner.name.clone()) }
    }

    /// Looks at the token again, in the transaction of what it is used for.
    /// [`BrokerError::TokenOver`] where it opens nothing by now.
    pub(in crate::broker) async fn active(
        &self,
        tx: &mut Tx<'_>,
        now: Time,
    ) -> Result<Self, BrokerError> {
        let found = accounts::api_token_by_id(tx, self.token.id).await?;
        let found = found.filter(|stored| opens(stored, now)).ok_or(BrokerError::TokenOver)?;
        Ok(Self { owner: found.owner, token: found.token })
    }
}

/// Who comments and rejects: a person on the page, or a program with a token.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker) enum Objector<'a> {
    /// A person.
    Person(&'a SignedIn),
    /// A program.
    Program(&'a TokenHolder),
}

/// [`Objector`], whose session or token is active in the transaction of the act.
#[derive(Debug)]
pub(in crate::broker) enum ActiveObjector {
    /// A person.
    Person(Box<ActiveSession>),
    /// A program.
    Program(Box<TokenHolder>),
}

impl Objector<'_> {
    /// The same, looked at again. [`BrokerError::SessionOver`] or [`BrokerError::TokenOver`] where
    /// neither stands any more.
    pub(in crate::broker) async fn active(
        self,
        tx: &mut Tx<'_>,
        now: Time,
    ) -> Result<ActiveObjector, BrokerError> {
        Ok(match self {
            Self::Person(who) => ActiveObjector::Person(Box::new(who.active(tx, now).await?)),
            Self::Program(who) => ActiveObjector::Program(Box::new(who.active(tx, now).await?)),
        })
    }
}

impl ActiveObjector {
    /// The person; of a program, the one who answers for it.
    pub(in crate::broker) const fn person(&self) -> &Person {
        match self {
            Self::Person(session) => session.person(),
            Self::Program(holder) => &holder.owner,
        }
    }

    /// What policy is told.
    pub(in crate::broker) fn principal(&self, now: Time) -> Principal {
        match self {
            Self::Person(session) => session.principal(now),
            Self::Program(holder) => holder.principal(),
        }
    }

    /// The token that was used; none by a person on the page.
    pub(in crate::broker) fn token(&self) -> Option<UsedToken> {
        match self {
            Self::Person(_) => None,
            Self::Program(holder) => Some(holder.used()),
        }
    }
}

/// Whether a token opens something at this moment, wherever it comes from.
fn opens(stored: &StoredApiToken, now: Time) -> bool {
    let StoredApiToken { token, owner, .. } = stored;
    owner.is_active() && !owner.must_change_password && now < token.expires_at
}

impl Broker {
    /// Who comes with this token from this address, none where that is not known; nobody where the
    /// token opens nothing there. Wrong tokens of one source are throttled; a right one never is.
    pub async fn token_holder(
        &self,
        token: &str,
        from: Option<IpAddr>,
    ) -> Result<Option<TokenHolder>, BrokerError> {
        let now = self.clock().now();
        let hash = Digest::of(token.as_bytes());
        let found = if is_sound(token) {
            accounts::api_token_by_hash(&mut self.store().reader().await?, hash).await?
        } else {
            None
        };
        let local = |stored: &StoredApiToken| {
            if stored.provided {
                // Else nobody could say any more that they may.
                return self.provider_name().is_some();
            }
            self.settings().sign_in.is_local(&stored.owner.name)
        };
        let found = found.filter(|stored| opens(stored, now) && local(stored));
        let count = || {
            let key = FailureKey::of_tokens(from.map_or(Source::Proxy, Source::of));
            self.unchecked().attempts().begin(&key, now, || Ok(()))
        };
        let Some(StoredApiToken { token, owner, .. }) = found else {
            count()?;
            return Ok(None);
        };
        let address = from.map(|address| address.to_canonical());
        let inside = |address: &IpAddr| token.networks.iter().any(|one| one.contains(address));
        let holder = TokenHolder { owner, token: token.clone() };
        let Some(address) = address.filter(inside) else {
            self.note_refused_token(&holder, address).await?;
            // As one that opens nothing: the answer tells nobody which it is.
            count()?;
            return Ok(None);
        };
        self.note_used_token(&token, &address.to_string()).await?;
        Ok(Some(holder))
    }

    /// Notes when a token was last used: not with each call.
    async fn note_used_token(&self, token: &ApiToken, from: &str) -> Result<(), BrokerError> {
        let now = self.clock().now();
        let same = |(at, before): &(Time, String)| {
            (now - *at).num_seconds() <= TOUCH_SECONDS && before == from
        };
        let lacks_room = self.store().lacks_room().is_some();
        if lacks_room || token.used.as_ref().is_some_and(same) {
            return Ok(());
        }
        let id = token.id;
        let noted = self.store().write_quietly(|tx| {
            Box::pin(async move { accounts::touch_api_token(tx, id, (now, from)).await })
        });
        Ok(noted.await?)
    }

    /// Writes down that a token came from outside of its networks: once an hour for each.
    async fn note_refused_token(
        &self,
        holder: &TokenHolder,
        from: Option<IpAddr>,
    ) -> Result<(), BrokerError> {
        let now = self.clock().now();
        if self.store().lacks_room().is_some() || !self.refused_tokens().is_due(holder.id(), now) {
            return Ok(());
        }
        let unknown = || "an address that no trusted proxy says".to_owned();
        let ApiToken { id, name, .. } = holder.token.clone();
        let source = from.map_or_else(unknown, |address| address.to_string());
        let facts = RefusedApiTokenFacts { id, name, source };
        let actor = Actor::with_token(&holder.owner, Some(&holder.used()));
        let on = Some(holder.owner.name.clone());
        let event = AuditEvent::new(actor, on, AuditDetail::ApiTokenRefused(facts));
        Ok(self.record(&event).await?)
    }

    /// Writes an event of a program that changes nothing else.
    pub(in crate::broker) async fn record_of_token(
        &self,
        who: &TokenHolder,
        event: impl Fn(Actor) -> AuditEvent + Send + Sync,
    ) -> Result<(), BrokerError> {
        let (now, event) = (self.clock().now(), &event);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let holder = who.active(tx, now).await?;
                    let actor = Actor::with_token(&holder.owner, Some(&holder.used()));
                    audit::append(tx, &event(actor), now).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Whether a text has the form of a token.
fn is_sound(token: &str) -> bool {
    let digits = token.strip_prefix(API_TOKEN_PREFIX);
    digits.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
