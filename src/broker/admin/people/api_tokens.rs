//! Tokens for the API: people make their own, admins those of services. A token is known in one moment
//! only: what is stored is its hash. Making or revoking one takes the password in the same form: a
//! stolen session must not make itself a token.

use chrono::TimeDelta;
use ipnet::IpNet;

use crate::{
    broker::{
        Broker, BrokerError, SignedIn,
        admin::{
            agents::enabled_person,
            passkeys::{check_password, told},
        },
        input::{check_name, name_taken},
    },
    domain::{
        actor::{
            Person,
            api_token::{API_TOKEN_PREFIX, ApiToken, TOKEN_DAYS_MAX, TokenScope},
        },
        audit::{
            AuditDetail, AuditEvent,
            detail::api_token::{ApiTokenFacts, NewApiTokenFacts},
        },
        digest::Digest,
        facts::Verb,
        id::{ApiTokenId, PersonId},
        notice::NoticeKind,
        proposal::InvalidField,
    },
    store::{StoreError, Tx, accounts, audit, notices},
};

/// A person owns at most this many, expired ones included.
pub const API_TOKENS_MAX: usize = 20;

/// A token to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewApiToken<'a> {
    /// What it is called: 1 to 32 of `a-z 0-9 . _ -`. A service acts under it.
    pub name: &'a str,
    /// What it is for: at least one.
    pub scopes: &'a [TokenScope],
    /// From where it opens something: at least one.
    pub networks: &'a [IpNet],
    /// For how many days: 1 to [`TOKEN_DAYS_MAX`].
    pub days: u32,
}

/// A token, and its secret in the only moment in which that is known.
#[derive(Debug, Clone)]
pub struct IssuedApiToken {
    /// The token.
    pub token: ApiToken,
    /// [`API_TOKEN_PREFIX`] and 64 hexadecimal digits.
    pub secret: String,
}

/// A token as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedApiToken {
    /// The token.
    pub token: ApiToken,
    /// The name of its owner.
    pub owner: String,
    /// Whether it opens nothing any more because of its age.
    pub expired: bool,
}

impl Broker {
    /// Makes a token of the person's own.
    pub async fn create_api_token(
        &self,
        who: &SignedIn,
        new: NewApiToken<'_>,
    ) -> Result<IssuedApiToken, BrokerError> {
        self.issue_api_token(who, new, None).await
    }

    /// Makes a token of a service that somebody answers for.
    pub async fn create_service_token(
        &self,
        who: &SignedIn,
        owner: &str,
        new: NewApiToken<'_>,
    ) -> Result<IssuedApiToken, BrokerError> {
        self.authorize_admin(who, Verb::ManageAgents)?;
        self.issue_api_token(who, new, Some(owner)).await
    }

    /// `owner` is none where it is the person's own.
    async fn issue_api_token(
        &self,
        who: &SignedIn,
        new: NewApiToken<'_>,
        owner: Option<&str>,
    ) -> Result<IssuedApiToken, BrokerError> {
        check_password(who)?;
        let (name, now, id) = (&check_name(new.name)?, self.clock().now(), self.clock().id());
        let (scopes, networks) = (&check_scopes(new.scopes)?, new.networks);
        if networks.is_empty() || !(1..=TOKEN_DAYS_MAX).contains(&new.days) {
            return Err(boundless().into());
        }
        let secret = format!("{API_TOKEN_PREFIX}{}", self.clock().secret());
        let hash = Digest::of(secret.as_bytes());
        let issued = self.store().write(|tx| {
            Box::pin(async move {
                let active = who.active(tx, now).await?;
                let person = match owner {
                    None => active.person().clone(),
                    Some(owner) => enabled_person(tx, owner).await?,
                };
                if owner.is_some() && is_of_another(tx, name, person.id).await? {
                    return Err(name_taken(StoreError::Conflict, name));
                }
                check_number(accounts::api_tokens(tx, person.id).await?.len(), &person)?;
                let token = ApiToken {
                    id,
                    owner: person.id,
                    name: name.clone(),
                    service: owner.is_some(),
                    scopes: scopes.clone(),
                    networks: networks.to_vec(),
                    created_at: now,
                    expires_at: now + TimeDelta::days(new.days.into()),
                    used: None,
                };
                accounts::add_api_token(tx, &token, hash).await?;
                let detail = AuditDetail::ApiTokenCreated(facts(&token));
                let event = AuditEvent::new(active.actor(), Some(person.name), detail);
                audit::append(tx, &event, now).await?;
                let notice = told(NoticeKind::ApiTokenChanged, person.id, now);
                notices::insert(tx, &notice).await?;
                Ok::<_, BrokerError>(token)
            })
        });
        Ok(IssuedApiToken { token: issued.await?, secret })
    }

    /// The person's own tokens, and those of services that they answer for: the first made first.
    pub async fn own_api_tokens(&self, who: &SignedIn) -> Result<Vec<ListedApiToken>, BrokerError> {
        let all = accounts::api_tokens(&mut self.store().reader().await?, who.id()).await?;
        Ok(self.listed(all))
    }

    /// The tokens of all people and services, by owner.
    pub async fn all_api_tokens(&self, who: &SignedIn) -> Result<Vec<ListedApiToken>, BrokerError> {
        self.authorize_admin(who, Verb::ManageAgents)?;
        let all = accounts::all_api_tokens(&mut self.store().reader().await?).await?;
        Ok(self.listed(all))
    }

    fn listed(&self, all: Vec<accounts::StoredApiToken>) -> Vec<ListedApiToken> {
        let now = self.clock().now();
        let listed = |accounts::StoredApiToken { token, owner, .. }| {
            let expired = token.expires_at <= now;
            ListedApiToken { token, owner: owner.name, expired }
        };
        all.into_iter().map(listed).collect()
    }

    /// Revokes a token, at once and for ever: one's own, or as an admin anybody's.
    pub async fn revoke_api_token(
        &self,
        who: &SignedIn,
        id: ApiTokenId,
    ) -> Result<(), BrokerError> {
        check_password(who)?;
        let now = self.clock().now();
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = who.active(tx, now).await?;
                    let found = accounts::api_token_by_id(tx, id).await?;
                    let found = found.ok_or(BrokerError::NotFound)?;
                    if found.owner.id != active.person().id {
                        // Whose it is, is for admins to know.
                        self.authorize_admin(who, Verb::ManageAgents)
                            .map_err(|_hidden| BrokerError::NotFound)?;
                    }
                    accounts::revoke_api_token(tx, id, now).await?;
                    let facts = ApiTokenFacts { id, name: found.token.name };
                    let detail = AuditDetail::ApiTokenRevoked(facts);
                    let on = Some(found.owner.name);
                    audit::append(tx, &AuditEvent::new(active.actor(), on, detail), now).await?;
                    let notice = told(NoticeKind::ApiTokenChanged, found.owner.id, now);
                    notices::insert(tx, &notice).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Whether a person, an agent or a service that somebody else answers for has this name: the audit says
/// it alone. A second token of a service is how one is replaced.
async fn is_of_another(tx: &mut Tx<'_>, name: &str, owner: PersonId) -> Result<bool, StoreError> {
    let of_other = |stored: &accounts::StoredApiToken| {
        stored.token.service && stored.token.name == name && stored.owner.id != owner
    };
    Ok(accounts::person_by_name(tx, name).await?.is_some()
        || accounts::agent_by_name(tx, name).await?.is_some()
        || accounts::all_api_tokens(tx).await?.iter().any(of_other))
}

/// What the audit keeps of a new token.
fn facts(token: &ApiToken) -> NewApiTokenFacts {
    let ApiToken { id, name, service, scopes, networks, expires_at, .. } = token.clone();
    NewApiTokenFacts { id, name, service, scopes, networks, expires_at }
}

/// At least one, each once.
fn check_scopes(scopes: &[TokenScope]) -> Result<Vec<TokenScope>, InvalidField> {
    let wanted: Vec<_> =
        TokenScope::ALL.into_iter().filter(|scope| scopes.contains(scope)).collect();
    if !wanted.is_empty() {
        return Ok(wanted);
    }
    Err(InvalidField {
        field: "scopes".to_owned(),
        problem: "none is chosen".to_owned(),
        allowed: format!("one or more of {}", TokenScope::ALL.map(TokenScope::name).join(", ")),
    })
}

fn check_number(number: usize, owner: &Person) -> Result<(), InvalidField> {
    if number < API_TOKENS_MAX {
        return Ok(());
    }
    Err(InvalidField {
        field: "token".to_owned(),
        problem: format!("{} has {number} already", owner.name),
        allowed: "revoke one first".to_owned(),
    })
}

/// A token that is good everywhere, or for ever.
fn boundless() -> InvalidField {
    InvalidField {
        field: "networks".to_owned(),
        problem: "a token needs networks and days".to_owned(),
        allowed: format!("at least one network, and 1 to {TOKEN_DAYS_MAX} days"),
    }
}
