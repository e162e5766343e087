//! Signing in with a passkey: it names the person, and proves that it is them.

use crate::{
    broker::{
        Broker, BrokerError,
        admin::NewSession,
        signed_in::passkey::{PasskeyAnswer, PasskeyQuestion, invalid, parse_nonce},
    },
    domain::{actor::sign_in::SignInOrigin, audit::detail::accounts::SignInFacts, digest::Digest},
    passkey::Challenge,
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
        let known = self.check_holder(&mut self.store().reader().await?, answer, asked).await;
        if let Err(BrokerError::SignInRefused | BrokerError::Invalid(_)) = &known {
            self.unchecked().record_refused("", origin, false).await?;
        }
        let person = known?.person;
        let (token, now) = (self.clock().secret(), self.clock().now());
        let digest = Digest::of(token.as_bytes());
        let facts = SignInFacts::of_session(origin, true);
        self.store()
            .write(|tx| {
                let facts = facts.clone();
                Box::pin(async move {
                    // It may have been removed or used meanwhile.
                    let passkey = self.check_holder(tx, answer, asked).await?;
                    let (counter, id) = (passkey.credential.counter, passkey.id);
                    let person = accounts::person_by_id(tx, passkey.person).await?;
                    let person = person.filter(|person| !person.disabled);
                    let person = person.ok_or(BrokerError::SignInRefused)?;
                    if !self.passkey_questions().spend(&asked.nonce, self.clock()) {
                        return Err(BrokerError::SignInRefused);
                    }
                    accounts::use_passkey(tx, id, (counter, now)).await?;
                    self.begin_session(tx, (&person, digest), facts, now).await
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

    /// The passkey that answered, as it is after that use.
    async fn check_holder(
        &self,
        read: &mut impl Read,
        answer: &PasskeyAnswer,
        asked: &Challenge,
    ) -> Result<Passkey, BrokerError> {
        let party = self.relying_party()?;
        let known = accounts::passkey_by_credential(read, &answer.credential).await?;
        // The authenticator says whom it means; a key of somebody else does not sign in.
        let is_its = |known: &Passkey| answer.user == known.person.to_string().as_bytes();
        let mut known = known.filter(is_its).ok_or(BrokerError::SignInRefused)?;
        let signed = answer.assertion().verify_next(asked.digest(), &party, &known.credential);
        let signed = signed.map_err(|error| invalid(&error))?;
        known.credential.counter = signed.counter;
        Ok(known)
    }
}
