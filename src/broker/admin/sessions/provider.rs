//! Signing in at the identity provider, and being asked again there for one act.

use super::{
    NewSession,
    membership::{give_role, give_teams, suspend},
};
use crate::{
    broker::{Broker, BrokerError, SESSION_HOURS, SignedIn, in_memory::UNMATCHABLE},
    connector::{Handshake, Identity, IdentityProvider, ProviderError},
    domain::{
        Time,
        actor::{Actor, Person, Role, sign_in::SignInOrigin, valid_name},
        audit::{
            AuditDetail, AuditEvent,
            detail::accounts::{IdentityFacts, NewPersonFacts, SignInFacts},
        },
        digest::Digest,
        id::PersonId,
        proposal::InvalidField,
    },
    store::{
        Tx,
        accounts::{self, StoredIdentity},
        audit,
    },
};

/// The longest name that people are called by, in characters.
const DISPLAY_NAME_CHARS_MAX: usize = 80;

/// A browser on its way to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderTrip {
    /// Where it goes.
    pub url: String,
    /// What it alone knows until it is back.
    pub secret: String,
}

/// What a browser brings back from the provider.
#[derive(Debug, Clone, Copy)]
pub struct ProviderAnswer<'a> {
    /// [`ProviderTrip::secret`].
    pub secret: &'a str,
    /// `code`: what the provider gives for the token.
    pub code: &'a str,
    /// `state`: ties it to the browser that was sent.
    pub state: &'a str,
}

impl ProviderAnswer<'_> {
    /// Whether the provider answers what this browser was sent with. The secret is the browser's own, so
    /// that comparing tells nobody anything.
    pub fn is_of_its_trip(&self) -> bool {
        !self.secret.is_empty() && Handshake::of(self.secret).state == self.state
    }
}

impl Broker {
    /// The identity provider's name; none where there is none.
    pub fn provider_name(&self) -> Option<&str> {
        self.identity_provider().map(IdentityProvider::name)
    }

    /// Sends a browser to the provider to sign somebody in. Nothing is kept of it.
    pub async fn begin_provider_sign_in(&self) -> Result<ProviderTrip, BrokerError> {
        self.trip(u32::try_from(SESSION_HOURS * 3600).unwrap_or(u32::MAX)).await
    }

    /// Begins a session for whom the provider names, a person of the first time included.
    pub async fn sign_in_with_provider(
        &self,
        answer: ProviderAnswer<'_>,
        origin: &SignInOrigin,
    ) -> Result<NewSession, BrokerError> {
        // Each answer has the provider called, and codes can be made up.
        let key = self.unchecked().nameless_key(origin).await?;
        self.unchecked().begin_attempt(&key, ("", origin), || Ok(())).await?;
        let redeemed = self.redeem(answer, None).await;
        if !matches!(redeemed, Err(ProviderError::Refused { .. })) {
            self.unchecked().attempts().forget(&key);
        }
        let told = match &redeemed {
            Ok(identity) => self.member(identity).map(|role| (identity, role)),
            Err(error) => Err(refused(error)),
        };
        let (identity, role) = match told {
            Ok(member) => member,
            Err(problem) => {
                let name = redeemed.as_ref().map_or("", |identity| &identity.name);
                self.unchecked().record_refused(name, origin, false).await?;
                if let Ok(identity) = &redeemed {
                    self.suspend_subject(&identity.subject).await?;
                }
                return Err(problem);
            }
        };
        let (token, now) = (self.clock().secret(), self.clock().now());
        let digest = Digest::of(token.as_bytes());
        let facts = &SignInFacts {
            provider: self.issuer().to_owned(),
            ..SignInFacts::of_session(origin, false)
        };
        let new = self.clock().id();
        // What the provider does not say is long ago.
        let authenticated_at = identity.authenticated_at.unwrap_or(Time::UNIX_EPOCH).min(now);
        let begun = self
            .store()
            .write(|tx| {
                Box::pin(async move {
                    let person = self.person_of(tx, (identity, role), new, now).await?;
                    let times = (now, authenticated_at);
                    self.begin_session(tx, (&person, digest), facts.clone(), times).await?;
                    Ok::<_, BrokerError>(person)
                })
            })
            .await;
        if let Err(BrokerError::SignInRefused | BrokerError::Invalid(_)) = &begun {
            self.unchecked().record_refused(&identity.name, origin, false).await?;
        }
        let person = begun?;
        self.provider_sessions().was_read(digest, identity.refresh_token.clone(), now);
        Ok(NewSession { token, browser: self.unchecked().new_browser(person.id).await? })
    }

    /// Sends the browser of somebody who is signed in to the provider, which asks again who it is, for
    /// one form.
    pub async fn ask_confirmation(
        &self,
        who: &SignedIn,
        form: Digest,
    ) -> Result<ProviderTrip, BrokerError> {
        let now = self.clock().now();
        let trip = self.trip(0).await?;
        let id = confirmation_id(&trip.secret);
        self.provider_sessions().ask(id, (who.id(), who.session()), form, now);
        Ok(trip)
    }

    /// The provider asked again, and it is the same person: the form may be sent within five minutes,
    /// once. The name of what was confirmed.
    pub async fn confirm(
        &self,
        who: &SignedIn,
        answer: ProviderAnswer<'_>,
    ) -> Result<Digest, BrokerError> {
        let (id, asked_at) = self.asked(who, answer)?;
        let redeemed = self.redeem(answer, Some(asked_at)).await;
        let identity = redeemed.map_err(|error| refused(&error))?;
        let key = (self.issuer(), identity.subject.as_str());
        if who.identity().is_none_or(|own| (own.issuer.as_str(), own.subject.as_str()) != key) {
            return Err(not_confirmed("somebody else signed in there").into());
        }
        let now = self.clock().now();
        let facts = SignInFacts {
            provider: self.issuer().to_owned(),
            confirmed: true,
            ..SignInFacts::default()
        };
        let detail = &AuditDetail::SignedIn(facts);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = who.active(tx, now).await?;
                    let event = AuditEvent::new(active.actor(), None, detail.clone());
                    accounts::prove_session(tx, who.session(), now).await?;
                    audit::append(tx, &event, now).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        self.provider_sessions().confirm(id, now);
        Ok(id)
    }

    /// The name of a confirmation that was asked for in this session, and when that was.
    pub(super) fn asked(
        &self,
        who: &SignedIn,
        answer: ProviderAnswer<'_>,
    ) -> Result<(Digest, Time), InvalidField> {
        let id = confirmation_id(answer.secret);
        let at = self.provider_sessions().asked_at(id, who.session(), self.clock().now());
        let late = "it was not asked for in this session, or more than five minutes ago";
        Ok((id, at.ok_or_else(|| not_confirmed(late))?))
    }

    /// The person with the provider's word for this very form, where it was confirmed. That is over with
    /// this.
    pub fn take_confirmation(&self, who: &SignedIn, id: Digest, form: Digest) -> Option<SignedIn> {
        let now = self.clock().now();
        let taken = self.provider_sessions().take(id, who.session(), form, now);
        taken.then(|| who.confirmed(now))
    }

    pub(super) fn identity_provider(&self) -> Option<&IdentityProvider> {
        self.parts.integrations.provider.as_ref()
    }

    pub(super) fn issuer(&self) -> &str {
        self.identity_provider().map_or("", IdentityProvider::issuer)
    }

    async fn trip(&self, max_age: u32) -> Result<ProviderTrip, BrokerError> {
        let provider = self.identity_provider().ok_or(BrokerError::NotFound)?;
        let secret = self.clock().secret();
        let url = provider.authorize_url(&Handshake::of(&secret), max_age).await;
        let url = url.map_err(BrokerError::ProviderUnavailable)?;
        Ok(ProviderTrip { url, secret })
    }

    async fn redeem(
        &self,
        answer: ProviderAnswer<'_>,
        since: Option<Time>,
    ) -> Result<Identity, ProviderError> {
        let refused = |why: &str| {
            let name = self.provider_name().unwrap_or("nobody").to_owned();
            ProviderError::Refused { name, why: why.to_owned() }
        };
        let provider = self.identity_provider().ok_or_else(|| refused("it is not configured"))?;
        if !answer.is_of_its_trip() {
            return Err(refused("the answer belongs to no sign-in of this browser; begin again"));
        }
        provider.redeem(answer.code, &Handshake::of(answer.secret), since).await
    }

    /// Suspends the person whom the provider names no role for by now, where there is one.
    async fn suspend_subject(&self, subject: &str) -> Result<(), BrokerError> {
        let (key, now) = ((self.issuer(), subject), self.clock().now());
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let person = accounts::person_by_identity(tx, key).await?;
                    match person.filter(Person::is_active) {
                        Some(person) => suspend(tx, &person, now).await,
                        None => Ok(()),
                    }
                })
            })
            .await
    }

    /// Who a code stands for, and the role that goes with their groups.
    pub(super) async fn redeem_member(
        &self,
        answer: ProviderAnswer<'_>,
        since: Option<Time>,
    ) -> Result<(Identity, Role), BrokerError> {
        let redeemed = self.redeem(answer, since).await;
        let identity = redeemed.map_err(|error| refused(&error))?;
        let role = self.member(&identity)?;
        Ok((identity, role))
    }

    /// The role of somebody in one of the configured groups.
    fn member(&self, identity: &Identity) -> Result<Role, BrokerError> {
        self.settings().sign_in.role_of(&identity.groups).ok_or_else(|| {
            refused(&ProviderError::Refused {
                name: self.provider_name().unwrap_or_default().to_owned(),
                why: "you are in none of the groups that may sign in here".to_owned(),
            })
        })
    }

    /// The person with this identity, as the provider describes them by now; added where there is none.
    async fn person_of(
        &self,
        tx: &mut Tx<'_>,
        (identity, role): (&Identity, Role),
        new: PersonId,
        now: Time,
    ) -> Result<Person, BrokerError> {
        let stored = stored_identity(self.issuer(), identity);
        let teams = self.settings().sign_in.teams_of(&identity.groups);
        let key = (stored.issuer.as_str(), stored.subject.as_str());
        if let Some(person) = accounts::person_by_identity(tx, key).await? {
            if person.disabled {
                return Err(BrokerError::SignInRefused);
            }
            if person.suspended {
                accounts::resume_person(tx, person.id).await?;
            }
            accounts::set_display_name(tx, person.id, &stored.display_name).await?;
            if person.role != role {
                give_role(tx, &person, role, now).await?;
            }
            let teams = teams.unwrap_or_else(|| person.teams.clone());
            if person.teams != teams {
                give_teams(tx, &person, &teams, now).await?;
            }
            return Ok(Person { role, teams, suspended: false, ..person });
        }
        let person = Person {
            teams: teams.unwrap_or_default(),
            ..Person::new(new, local_name(&identity.name)?, role)
        };
        if accounts::people(tx).await?.is_empty() {
            let problem = "nobody has set up this server yet".to_owned();
            return Err(name_problem(problem, "the first admin, by the code of the set-up").into());
        }
        // Never an account that is there already: it is somebody's, and the provider's name proves nothing.
        if accounts::person_by_name(tx, &person.name).await?.is_some() {
            let problem = format!("`{}` is somebody else's name here", person.name);
            return Err(name_problem(problem, "another name at the provider").into());
        }
        accounts::add_person(tx, &person, UNMATCHABLE, now).await?;
        accounts::add_identity(tx, person.id, &stored).await?;
        let StoredIdentity { issuer, subject, .. } = stored;
        let facts = NewPersonFacts {
            role,
            id: person.id,
            mail: None,
            identity: Some(IdentityFacts { issuer, subject }),
            teams: person.teams.clone(),
        };
        let event = AuditEvent::new(
            Actor::System,
            Some(person.name.clone()),
            AuditDetail::PersonAdded(facts),
        );
        audit::append(tx, &event, now).await?;
        Ok(person)
    }
}

/// What is kept of whom the provider names.
pub(super) fn stored_identity(issuer: &str, identity: &Identity) -> StoredIdentity {
    let display_name = identity.display_name.trim();
    StoredIdentity {
        issuer: issuer.to_owned(),
        subject: identity.subject.clone(),
        display_name: display_name.chars().take(DISPLAY_NAME_CHARS_MAX).collect(),
    }
}

/// The name of a confirmation, which tells nothing of the browser's secret.
fn confirmation_id(secret: &str) -> Digest {
    Digest::of(format!("countersign confirmation\n{secret}").as_bytes())
}

fn refused(error: &ProviderError) -> BrokerError {
    match error {
        ProviderError::Unavailable(error) => BrokerError::ProviderUnavailable(error.clone()),
        ProviderError::Refused { .. } => BrokerError::ProviderRefused(error.to_string()),
    }
}

pub(super) fn not_confirmed(problem: &str) -> InvalidField {
    InvalidField {
        field: "confirmation".to_owned(),
        problem: problem.to_owned(),
        allowed: "your own sign-in at the identity provider, now".to_owned(),
    }
}

fn name_problem(problem: String, allowed: &str) -> InvalidField {
    InvalidField { field: "name".to_owned(), problem, allowed: allowed.to_owned() }
}

/// The name here of somebody whom the provider calls this: what stands before an `@`, in small letters.
fn local_name(name: &str) -> Result<String, InvalidField> {
    let local = name.split('@').next().unwrap_or_default().to_lowercase();
    if valid_name(&local) {
        return Ok(local);
    }
    let shown: String = name.chars().take(64).collect();
    let problem = format!("the identity provider calls you `{shown}`, which is no name here");
    Err(name_problem(problem, "1 to 32 of a-z, 0-9, `.`, `_` and `-`, before an `@`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_name_becomes_local_name() {
        assert_eq!(local_name("Alice.Smith@corp.example").unwrap(), "alice.smith");
        assert_eq!(local_name("bob").unwrap(), "bob");
        for wrong in ["", "@corp", "alice smith", "ali\u{430}ce", "a/b", "../x", ".alice"] {
            let error = local_name(wrong).unwrap_err();
            assert_eq!(error.field, "name", "{wrong}");
        }
    }
}
