//! What a person's passkeys are asked, and what they sign: for one act, once.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::SignedIn;
use crate::{
    broker::{Broker, BrokerError},
    domain::{
        audit::{
            AuditDetail, AuditEvent,
            detail::passkey::{ProofFacts, RefusedPasskeyFacts},
        },
        digest::Digest,
        facts::Verb,
        id::RequestId,
        lifecycle::Displayed,
        proposal::InvalidField,
    },
    passkey::{Act, Assertion, Challenge, PasskeyError, RelyingParty, nonce_text, parse_nonce},
    store::{
        accounts::{self, Passkey},
        audit,
    },
};

/// The longest reason of a refusal in the audit, in characters.
const REFUSAL_CHARS_MAX: usize = 200;

/// A question to the passkeys of somebody, for the browser to pass on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyQuestion {
    /// What names the question in the answer, in base64url.
    pub nonce: String,
    /// What is signed.
    pub challenge: Digest,
    /// The server that asks.
    pub party: RelyingParty,
    /// The keys that the person has for this server: the authenticator's names for them.
    pub credentials: Vec<Vec<u8>>,
}

/// What a browser brings back when a passkey was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyAnswer {
    /// [`PasskeyQuestion::nonce`].
    pub nonce: String,
    /// The authenticator's name for the key.
    pub credential: Vec<u8>,
    /// Whom the authenticator keeps it for, where it says: the id of a person, as text.
    pub user: Vec<u8>,
    /// What the browser says of the question.
    pub client_data: Vec<u8>,
    /// What the authenticator says of itself and of the person.
    pub authenticator_data: Vec<u8>,
    /// The signature of both.
    pub signature: Vec<u8>,
}

impl PasskeyQuestion {
    /// To those of these keys that were made for this server.
    pub(in crate::broker) fn new(
        challenge: &Challenge,
        party: RelyingParty,
        known: Vec<Passkey>,
    ) -> Self {
        let here = known.into_iter().filter(|passkey| passkey.is_for(&party));
        let credentials = here.map(|passkey| passkey.credential.id).collect();
        let nonce = nonce_text(&challenge.nonce);
        Self { nonce, challenge: challenge.digest(), party, credentials }
    }
}

impl PasskeyAnswer {
    /// What was signed, to be verified.
    pub(in crate::broker) fn assertion(&self) -> Assertion {
        Assertion {
            client_data: self.client_data.clone(),
            authenticator_data: self.authenticator_data.clone(),
            signature: self.signature.clone(),
        }
    }
}

/// Whether passkeys sign such an act.
pub const fn signs(verb: Verb) -> bool {
    matches!(verb, Verb::Approve | Verb::BreakGlass)
}

/// An act on a request as it was shown.
pub(in crate::broker) const fn act_on(verb: Verb, request: RequestId, shown: Displayed) -> Act {
    Act::Request { verb, request, version: shown.version, digest: shown.digest }
}

/// What was signed was not taken.
pub(in crate::broker) fn invalid(error: &PasskeyError) -> InvalidField {
    InvalidField {
        field: "passkey".to_owned(),
        problem: error.to_string(),
        allowed: "one that answers what was asked, on this page".to_owned(),
    }
}

/// What the audit keeps of that: no more of what came from outside than says what it was.
pub(in crate::broker) fn refused_facts(
    passkey: &Passkey,
    error: &PasskeyError,
) -> RefusedPasskeyFacts {
    let why = error.to_string().chars().take(REFUSAL_CHARS_MAX).collect();
    RefusedPasskeyFacts { id: passkey.id, name: passkey.name.clone(), why }
}

/// The person has no such key.
pub(in crate::broker) fn no_passkey() -> InvalidField {
    InvalidField {
        field: "passkey".to_owned(),
        problem: "it is none of yours".to_owned(),
        allowed: "one that you added on the page of your account".to_owned(),
    }
}

impl Broker {
    /// Asks the person's passkeys to sign an act on what was shown. Fails where they have none, and where
    /// passkeys do not sign such an act.
    pub async fn ask_passkey(
        &self,
        who: &SignedIn,
        verb: Verb,
        (request, shown): (RequestId, Displayed),
    ) -> Result<PasskeyQuestion, BrokerError> {
        let known = accounts::passkeys(&mut self.store().reader().await?, who.id()).await?;
        let question = self.passkey_question(who, act_on(verb, request, shown), known)?;
        if question.credentials.is_empty() || !signs(verb) {
            return Err(no_passkey().into());
        }
        Ok(question)
    }

    /// A question to those of the person's passkeys that were made for this server.
    pub(in crate::broker) fn passkey_question(
        &self,
        who: &SignedIn,
        act: Act,
        known: Vec<Passkey>,
    ) -> Result<PasskeyQuestion, BrokerError> {
        let party = self.relying_party()?;
        let challenge = self.passkey_questions().ask(act, who.id(), self.clock());
        Ok(PasskeyQuestion::new(&challenge, party, known))
    }

    /// The question that an answer names, asked of this person for this act. It is over with that.
    pub(in crate::broker) fn take_question(
        &self,
        nonce: &str,
        who: &SignedIn,
        act: Act,
    ) -> Result<Challenge, BrokerError> {
        let nonce = parse_nonce(nonce);
        let asked = nonce.and_then(|nonce| self.passkey_questions().take(&nonce, self.clock()));
        let asked = asked.filter(|asked| asked.person == Some(who.id()) && asked.act == act);
        Ok(asked.ok_or_else(|| InvalidField {
            field: "passkey".to_owned(),
            problem: "it was not asked for this, or more than five minutes ago".to_owned(),
            allowed: "an answer to the question of this page, once".to_owned(),
        })?)
    }

    /// The person, with what one of their passkeys signed for this act. A signature that is not taken is
    /// recorded. The question is over in any case.
    pub async fn prove(
        &self,
        who: &SignedIn,
        verb: Verb,
        (request, shown): (RequestId, Displayed),
        answer: &PasskeyAnswer,
    ) -> Result<SignedIn, BrokerError> {
        let (act, party) = (act_on(verb, request, shown), &self.relying_party()?);
        let asked = &self.take_question(&answer.nonce, who, act)?;
        let now = self.clock().now();
        let used = self.store().write(|tx| {
            Box::pin(async move {
                let active = who.active(tx, now).await?;
                let own = accounts::passkeys(tx, who.id()).await?;
                let is_it = |passkey: &Passkey| passkey.credential.id == answer.credential;
                let passkey = own.into_iter().find(is_it).ok_or_else(no_passkey)?;
                let credential = &passkey.credential;
                match answer.assertion().verify_next(asked.digest(), party, credential) {
                    Ok(signed) => {
                        accounts::use_passkey(tx, passkey.id, (signed.counter, now)).await?;
                        accounts::prove_session(tx, who.session(), now).await?;
                        Ok(Ok(passkey))
                    }
                    Err(error) => {
                        let detail = AuditDetail::PasskeyRefused(refused_facts(&passkey, &error));
                        let on = Some(active.person().name.clone());
                        let mut event = AuditEvent::new(active.actor(), on, detail);
                        event.request = Some(request);
                        audit::append(tx, &event, now).await?;
                        Ok::<_, BrokerError>(Err(error))
                    }
                }
            })
        });
        let passkey = used.await?.map_err(|error| invalid(&error))?;
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let facts = ProofFacts {
            passkey: passkey.id,
            name: passkey.name,
            version: shown.version,
            nonce: nonce_text(&asked.nonce),
            origin: party.origin.clone(),
            client_data: text(&answer.client_data),
            authenticator_data: text(&answer.authenticator_data),
            signature: text(&answer.signature),
        };
        Ok(who.with_passkey(act, facts))
    }

    /// Why browsers make no passkeys for this server; none where they do.
    pub fn passkeys_impossible(&self) -> Option<String> {
        let url = &self.settings().public_url;
        RelyingParty::of(url).is_none().then(|| {
            format!(
                "Browsers make no passkeys for {}. They need a server with a name and TLS, which \
                 server.public_url says.",
                url.as_str()
            )
        })
    }

    /// For whom keys are made.
    pub(in crate::broker) fn relying_party(&self) -> Result<RelyingParty, BrokerError> {
        let url = &self.settings().public_url;
        Ok(RelyingParty::of(url).ok_or_else(|| InvalidField {
            field: "passkey".to_owned(),
            problem: format!("browsers make none for {}", url.as_str()),
            allowed: "a server with a name and TLS, which server.public_url says".to_owned(),
        })?)
    }
}
