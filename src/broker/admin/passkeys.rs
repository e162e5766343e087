//! The passkeys of people: asked for, added, removed. Adding or removing one takes the password in the same
//! form: a stolen session must not make itself a key.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    broker::{
        Broker, BrokerError, SignedIn,
        signed_in::passkey::{PasskeyQuestion, invalid},
    },
    domain::{
        Time,
        actor::api_token::ApiToken,
        audit::{
            AuditDetail, AuditEvent,
            detail::{
                accounts::NoFacts,
                api_token::ApiTokenFacts,
                passkey::{NewPasskeyFacts, PasskeyFacts},
            },
        },
        id::{PasskeyId, PersonId},
        notice::{Notice, NoticeKind, NoticeSubject},
        proposal::InvalidField,
    },
    passkey::{Act, Credential, Registration, RelyingParty},
    store::{
        Tx,
        accounts::{self, Passkey},
        audit, notices,
    },
};

pub mod second_factor;
mod sign_in;

/// A person has at most this many.
pub const PASSKEYS_MAX: usize = 10;
/// The longest name of one, in characters.
pub const PASSKEY_NAME_CHARS_MAX: usize = 40;

/// What a browser brings back when a key was made.
#[derive(Debug, Clone, Copy)]
pub struct NewPasskey<'a> {
    /// The person's name for it.
    pub name: &'a str,
    /// [`PasskeyQuestion::nonce`].
    pub nonce: &'a str,
    /// What the browser says of the question.
    pub client_data: &'a [u8],
    /// What the authenticator made.
    pub attestation: &'a [u8],
}

/// A passkey as its person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPasskey {
    /// Which.
    pub id: PasskeyId,
    /// The person's name for it.
    pub name: String,
    /// When it was added.
    pub added_at: Time,
    /// When it was last used.
    pub used_at: Option<Time>,
    /// Whether the person may have it on several devices.
    pub may_be_copied: bool,
    /// The name of the other server that it was made for: it does not work here.
    pub elsewhere: Option<String>,
}

impl OwnPasskey {
    /// A passkey, as it is at this server.
    fn at(party: Option<&RelyingParty>, passkey: Passkey) -> Self {
        let here = party.is_some_and(|party| passkey.is_for(party));
        let Passkey { id, name, added_at, used_at, credential, relying_party, .. } = passkey;
        let elsewhere = (!here).then_some(relying_party);
        Self { id, name, added_at, used_at, may_be_copied: credential.may_be_copied, elsewhere }
    }
}

impl Broker {
    /// The passkeys of the person, the first added first.
    pub async fn passkeys(&self, who: &SignedIn) -> Result<Vec<OwnPasskey>, BrokerError> {
        let all = accounts::passkeys(&mut self.store().reader().await?, who.id()).await?;
        let party = RelyingParty::of(&self.settings().public_url);
        Ok(all.into_iter().map(|passkey| OwnPasskey::at(party.as_ref(), passkey)).collect())
    }

    /// Asks the person's authenticator for a key that is not there yet.
    pub async fn ask_for_new_passkey(
        &self,
        who: &SignedIn,
    ) -> Result<PasskeyQuestion, BrokerError> {
        let known = accounts::passkeys(&mut self.store().reader().await?, who.id()).await?;
        check_number(known.len())?;
        self.passkey_question(who, Act::AddKey, known)
    }

    /// Adds the key that was asked for.
    pub async fn add_passkey(
        &self,
        who: &SignedIn,
        new: NewPasskey<'_>,
    ) -> Result<PasskeyId, BrokerError> {
        let (name, party, now) = (check_name(new.name)?, self.relying_party()?, self.clock().now());
        check_password(who)?;
        let asked = self.take_question(new.nonce, who, Act::AddKey)?;
        let NewPasskey { client_data, attestation, .. } = new;
        let credential = Registration { client_data, attestation }.verify(asked.digest(), &party);
        let credential = credential.map_err(|error| invalid(&error))?;
        let id: PasskeyId = self.clock().id();
        let passkey = &Passkey {
            id,
            person: who.id(),
            name: name.to_owned(),
            credential,
            relying_party: party.id,
            added_at: now,
            used_at: None,
        };
        let detail = &AuditDetail::PasskeyAdded(facts(passkey));
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = who.active(tx, now).await?;
                    check_number(accounts::passkeys(tx, who.id()).await?.len())?;
                    if !accounts::add_passkey(tx, passkey).await? {
                        let problem = "somebody has it already".to_owned();
                        let allowed = "another one".to_owned();
                        let field = "passkey".to_owned();
                        return Err(InvalidField { field, problem, allowed }.into());
                    }
                    let on = Some(active.person().name.clone());
                    let event = AuditEvent::new(active.actor(), on, detail.clone());
                    audit::append(tx, &event, now).await?;
                    let notice = told(NoticeKind::PasskeyChanged, who.id(), now);
                    notices::insert(tx, &notice).await?;
                    Ok::<_, BrokerError>(())
                })
            })
            .await?;
        Ok(id)
    }

    /// Removes one of the person's own keys: it proves nothing from now on. Not the last one while the
    /// sign-in asks for it.
    pub async fn remove_passkey(&self, who: &SignedIn, id: PasskeyId) -> Result<(), BrokerError> {
        check_password(who)?;
        let now = self.clock().now();
        let party = &RelyingParty::of(&self.settings().public_url);
        self.store()
            .write(|tx| {
                Box::pin(async move {
                    let active = who.active(tx, now).await?;
                    let own = accounts::passkeys(tx, who.id()).await?;
                    let here = |key: &&Passkey| party.as_ref().is_some_and(|p| key.is_for(p));
                    let last = own.iter().filter(here).count() == 1;
                    let passkey = own.iter().find(|passkey| passkey.id == id);
                    let passkey = passkey.ok_or(BrokerError::NotFound)?;
                    let needed = accounts::second_factor(tx, who.id()).await?.is_some();
                    if last && here(&passkey) && needed {
                        return Err(last_one().into());
                    }
                    let name = passkey.name.clone();
                    accounts::remove_passkey(tx, (who.id(), id), now).await?;
                    let on = Some(active.person().name.clone());
                    let detail = AuditDetail::PasskeyRemoved(PasskeyFacts { id, name });
                    audit::append(tx, &AuditEvent::new(active.actor(), on, detail), now).await?;
                    let notice = told(NoticeKind::PasskeyChanged, who.id(), now);
                    notices::insert(tx, &notice).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Removes all passkeys of a person, their own tokens for the API, and the second factor with its
/// recovery codes. What to record of each.
pub(super) async fn remove_factors(
    tx: &mut Tx<'_>,
    person: PersonId,
    now: Time,
) -> Result<Vec<AuditDetail>, BrokerError> {
    let mut removed = Vec::new();
    for Passkey { id, name, .. } in accounts::passkeys(tx, person).await? {
        accounts::remove_passkey(tx, (person, id), now).await?;
        removed.push(AuditDetail::PasskeyRemoved(PasskeyFacts { id, name }));
    }
    if !removed.is_empty() {
        notices::insert(tx, &told(NoticeKind::PasskeyChanged, person, now)).await?;
    }
    removed.extend(revoke_own_api_tokens(tx, person, now).await?);
    if accounts::switch_second_factor_off(tx, person).await? {
        removed.push(AuditDetail::SecondFactorOff(NoFacts {}));
        notices::insert(tx, &told(NoticeKind::SecondFactorChanged, person, now)).await?;
    }
    Ok(removed)
}

/// Revokes a person's own tokens for the API, not those of services that they answer for. What to record
/// of each.
async fn revoke_own_api_tokens(
    tx: &mut Tx<'_>,
    person: PersonId,
    now: Time,
) -> Result<Vec<AuditDetail>, BrokerError> {
    let mut revoked = Vec::new();
    let all = accounts::api_tokens(tx, person).await?.into_iter().map(|stored| stored.token);
    for ApiToken { id, name, .. } in all.filter(|token| !token.service) {
        accounts::revoke_api_token(tx, id, now).await?;
        revoked.push(AuditDetail::ApiTokenRevoked(ApiTokenFacts { id, name }));
    }
    if !revoked.is_empty() {
        notices::insert(tx, &told(NoticeKind::ApiTokenChanged, person, now)).await?;
    }
    Ok(revoked)
}

/// The person and the admins hear of it: whoever did it may be neither.
pub(super) fn told(kind: NoticeKind, person: PersonId, at: Time) -> Notice {
    Notice { kind, about: NoticeSubject::Account(person), at }
}

fn last_one() -> InvalidField {
    InvalidField {
        field: "passkey".to_owned(),
        problem: "it is your last one, and your password alone does not sign you in".to_owned(),
        allowed: "add another one first, or switch the second factor off".to_owned(),
    }
}

/// What the audit keeps of a new key.
fn facts(passkey: &Passkey) -> NewPasskeyFacts {
    let Passkey { id, person, name, credential, relying_party, .. } = passkey;
    let Credential { id: credential_id, key, model, may_be_copied, .. } = credential;
    NewPasskeyFacts {
        id: *id,
        person: *person,
        name: name.clone(),
        credential: BASE64_URL_SAFE_NO_PAD.encode(credential_id),
        public_key: BASE64_URL_SAFE_NO_PAD.encode(key),
        model: BASE64_URL_SAFE_NO_PAD.encode(model),
        may_be_copied: *may_be_copied,
        relying_party: relying_party.clone(),
    }
}

fn check_name(name: &str) -> Result<&str, InvalidField> {
    let name = name.trim();
    if (1..=PASSKEY_NAME_CHARS_MAX).contains(&name.chars().count()) {
        return Ok(name);
    }
    Err(InvalidField {
        field: "name".to_owned(),
        problem: "it is missing or too long".to_owned(),
        allowed: format!("1 to {PASSKEY_NAME_CHARS_MAX} characters"),
    })
}

fn check_number(number: usize) -> Result<(), InvalidField> {
    if number < PASSKEYS_MAX {
        return Ok(());
    }
    Err(InvalidField {
        field: "passkey".to_owned(),
        problem: format!("you have {number} already"),
        allowed: "remove one first".to_owned(),
    })
}

pub(super) fn check_password(who: &SignedIn) -> Result<(), InvalidField> {
    if who.gave_proof() {
        return Ok(());
    }
    Err(InvalidField {
        field: "password".to_owned(),
        problem: "it is missing".to_owned(),
        allowed: "your password, with this form".to_owned(),
    })
}
