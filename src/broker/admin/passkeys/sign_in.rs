//! Signing in with a passkey: it names the person, and proves that it is them.

use crate::{
    broker::{
        Broker, BrokerError,
        admin::NewSession,
        signed_in::passkey::{PasskeyAnswer, PasskeyQuestion, invalid, refused_facts},
    },
    domain::{
        actor::{Actor, Person, sign_in::SignInOrigin},
        audit::{AuditDetail, AuditEvent, detail::accounts::SignInFacts},
        digest::Digest,
    },
    passkey::{Challenge, PasskeyError, RelyingParty, VerifiedAssertion, parse_nonce},
    store::{
        Read,
        accounts::{self, Passkey},
    },
};

impl Broker {
    /// Asks whoever stands before the door for a passkey. Nothing is kept of it.
    pub fn ask_passkey_to_sign_in(&self) -> Result<PasskeyQuestion, BrokerError> {
        let party = self.relying_party()?;
        let challenge = self.passkey_questions().ask_stranger(self.clock());
        Ok(PasskeyQuestion::new(&challenge, party, Vec::new()))
    }

    /// Begins a session for the person whose passkey answered.
    pub async fn sign_in_with_passkey(
        &self,
        answer: &PasskeyAnswer,
        origin: &SignInOrigin,
    ) -> Result<NewSession, BrokerError> {
        let asked = &self.asked_stranger(answer)?;
        let known = self.holder(&mut self.store().reader().await?, answer).await?;
        let checked = known.as_ref().map(|known| self.check(known, answer, asked)).transpose();
        let Ok(Some(_)) = &checked else {
            self.record_refused_passkey(known.as_ref(), checked.as_ref().err(), origin).await?;
            return Err(checked
                .map_or_else(|error| invalid(&error).into(), |_none| BrokerError::SignInRefused));
        };
        let person = known.map(|known| known.person).ok_or(BrokerError::SignInRefused)?;
        let (token, now) = (self.clock().secret(), self.clock().now());
        let digest = Digest::of(token.as_bytes());
        let facts = SignInFacts::of_session(origin, true);
        self.store()
            .write(|tx| {
                let facts = facts.clone();
                Box::pin(async move {
                    // It may have been removed or used meanwhile.
                    let passkey = self.holder(tx, answer).await?;
                    let passkey = passkey.ok_or(BrokerError::SignInRefused)?;
                    let signed = self.check(&passkey, answer, asked);
                    let counter = signed.map_err(|error| invalid(&error))?.counter;
                    let (id, person) = (passkey.id, passkey.person);
                    let person = accounts::person_by_id(tx, person).await?;
                    let person = person.filter(Person::is_active);
                    let person = person.ok_or(BrokerError::SignInRefused)?;
                    // People of the provider sign in there, where somebody who left is found out.
                    let provided = accounts::identity(tx, person.id).await?.is_some();
                    if provided || !self.settings().sign_in.is_local(&person.name) {
                        return Err(BrokerError::SignInRefused);
                    }
                    if !self.passkey_questions().spend(&asked.nonce, self.clock()) {
                        return Err(BrokerError::SignInRefused);
                    }
                    accounts::use_passkey(tx, id, (counter, now)).await?;
                    self.begin_session(tx, (&person, digest), facts, (now, now)).await
                })
            })
            .await?;
        Ok(NewSession { token, browser: self.unchecked().new_browser(person).await? })
    }

    /// The question that a stranger answers, where it is one of ours of the last minutes.
    fn asked_stranger(&self, answer: &PasskeyAnswer) -> Result<Challenge, BrokerError> {
        let asked = parse_nonce(&answer.nonce)
            .and_then(|nonce| self.passkey_questions().of_stranger(nonce, self.clock()));
        asked.ok_or(BrokerError::SignInRefused)
    }

    /// The passkey that answered, of the person whom the authenticator means: a key of somebody else does
    /// not sign in.
    async fn holder(
        &self,
        read: &mut impl Read,
        answer: &PasskeyAnswer,
    ) -> Result<Option<Passkey>, BrokerError> {
        let known = accounts::passkey_by_credential(read, &answer.credential).await?;
        Ok(known.filter(|known| answer.user == known.person.to_string().as_bytes()))
    }

    /// Whether it signed what was asked.
    pub(super) fn check(
        &self,
        known: &Passkey,
        answer: &PasskeyAnswer,
        asked: &Challenge,
    ) -> Result<VerifiedAssertion, PasskeyError> {
        let party = RelyingParty::of(&self.settings().public_url);
        let party = party.ok_or(PasskeyError::OtherRelyingParty)?;
        answer.assertion().verify_next(asked.digest(), &party, &known.credential)
    }

    /// Writes down that nobody signed in. Whose passkey it was is known where somebody named it; that it
    /// was a copy only where that signed, so that strangers fill no audit.
    pub(super) async fn record_refused_passkey(
        &self,
        known: Option<&Passkey>,
        error: Option<&PasskeyError>,
        origin: &SignInOrigin,
    ) -> Result<(), BrokerError> {
        let person = match known {
            Some(known) => {
                accounts::person_by_id(&mut self.store().reader().await?, known.person).await?
            }
            None => None,
        };
        let name = person.map(|person| person.name).unwrap_or_default();
        if let (Some(known), Some(error @ PasskeyError::Copied { .. })) = (known, error) {
            let facts = refused_facts(known, error);
            let actor = Actor::Unknown { claimed: name.clone() };
            let detail = AuditDetail::PasskeyRefused(facts);
            return Ok(self.record(&AuditEvent::new(actor, Some(name), detail)).await?);
        }
        self.unchecked().record_refused(&name, origin, false).await
    }
}
