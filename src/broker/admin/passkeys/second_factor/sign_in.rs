//! The step after the password (ADR 40): a ticket that says whose password was right and when, and a
//! passkey of that person or a recovery code. Nothing is kept of a ticket until it was used.

use super::{code_hash, told};
use crate::{
    broker::{
        Broker, BrokerError,
        admin::NewSession,
        signed_in::{
            passkey::{PasskeyAnswer, PasskeyQuestion, invalid, no_passkey},
            ticket::SecondFactorTicket,
        },
    },
    domain::{
        Time,
        actor::{Person, sign_in::SignInOrigin},
        audit::detail::accounts::{BesidePassword, SignInFacts},
        digest::Digest,
        notice::NoticeKind,
    },
    passkey::{Challenge, PasskeyError},
    store::{
        Read, Tx,
        accounts::{self, Passkey},
        notices,
    },
};

/// What is given beside the password.
#[derive(Debug, Clone, Copy)]
pub enum SecondProof<'a> {
    /// What a passkey of the person signed.
    Passkey(&'a PasskeyAnswer),
    /// A recovery code, as it was typed.
    RecoveryCode(&'a str),
}

/// A passkey whose signature was not taken, and why.
type Refused = (Passkey, PasskeyError);

impl Broker {
    /// Asks the passkeys of whoever gave the right password. Fails where there is none for this server;
    /// [`BrokerError::SessionOver`] where the password was given too long ago.
    pub async fn ask_second_factor(&self, ticket: &str) -> Result<PasskeyQuestion, BrokerError> {
        let party = self.relying_party()?;
        let mut reader = self.store().reader().await?;
        let (person, asked) = self.asked_second(&mut reader, ticket).await?;
        let known = accounts::passkeys(&mut reader, person.id).await?;
        let question = PasskeyQuestion::new(&asked, party, known);
        if question.credentials.is_empty() {
            return Err(no_passkey().into());
        }
        Ok(question)
    }

    /// Begins a session for whoever gave the right password and now the second factor. What is wrong is
    /// counted, and recorded as a refused sign-in.
    pub async fn sign_in_with_second_factor(
        &self,
        ticket: &str,
        proof: SecondProof<'_>,
        origin: &SignInOrigin,
    ) -> Result<NewSession, BrokerError> {
        let (person, _) = self.asked_second(&mut self.store().reader().await?, ticket).await?;
        let unchecked = self.unchecked();
        let (key, _) = unchecked.failure_key(origin, Some(person.id)).await?;
        let key = key.of_second_factor();
        unchecked.begin_attempt(&key, (&person.name, origin), || Ok(())).await?;
        let (token, now) = (self.clock().secret(), self.clock().now());
        let digest = Digest::of(token.as_bytes());
        let done = self.store().write(|tx| {
            Box::pin(self.begin_with_second_factor(tx, (ticket, proof), (digest, origin), now))
        });
        match done.await {
            Ok(Ok(())) => {
                unchecked.attempts().forget(&key);
                Ok(NewSession { token, browser: unchecked.new_browser(person.id).await? })
            }
            Ok(Err((passkey, error))) => {
                self.record_refused_passkey(Some(&passkey), Some(&error), origin).await?;
                Err(invalid(&error).into())
            }
            Err(error) => {
                if matches!(error, BrokerError::SignInRefused) {
                    unchecked.record_refused(&person.name, origin, false).await?;
                }
                Err(error)
            }
        }
    }

    async fn begin_with_second_factor(
        &self,
        tx: &mut Tx<'_>,
        (ticket, proof): (&str, SecondProof<'_>),
        (token, origin): (Digest, &SignInOrigin),
        now: Time,
    ) -> Result<Result<(), Refused>, BrokerError> {
        // The password may have been changed meanwhile, and the code used.
        let (person, asked) = self.asked_second(tx, ticket).await?;
        let beside = match proof {
            SecondProof::Passkey(answer) => {
                if let Err(refused) = self.use_passkey(tx, (&person, &asked), answer, now).await? {
                    return Ok(Err(refused));
                }
                BesidePassword::Passkey
            }
            SecondProof::RecoveryCode(typed) => {
                if !accounts::use_recovery_code(tx, person.id, code_hash(typed)).await? {
                    return Err(BrokerError::SignInRefused);
                }
                let notice = told(NoticeKind::RecoveryCodeUsed, person.id, now);
                notices::insert(tx, &notice).await?;
                BesidePassword::RecoveryCode
            }
        };
        if !self.passkey_questions().spend(&asked.nonce, self.clock()) {
            return Err(BrokerError::SignInRefused);
        }
        let facts =
            SignInFacts { beside_password: Some(beside), ..SignInFacts::of_session(origin, false) };
        // Whoever has a code may not be the one whom it was given to: it proves nothing for any act.
        let authenticated_at = match beside {
            BesidePassword::Passkey => now,
            BesidePassword::RecoveryCode => Time::UNIX_EPOCH,
        };
        self.begin_session(tx, (&person, token), facts, (now, authenticated_at)).await?;
        Ok(Ok(()))
    }

    /// Takes what a passkey of this person signed.
    async fn use_passkey(
        &self,
        tx: &mut Tx<'_>,
        (person, asked): (&Person, &Challenge),
        answer: &PasskeyAnswer,
        now: Time,
    ) -> Result<Result<(), Refused>, BrokerError> {
        let known = accounts::passkeys(tx, person.id).await?.into_iter();
        let mut known = known.filter(|passkey| passkey.credential.id == answer.credential);
        let passkey = known.next().ok_or(BrokerError::SignInRefused)?;
        match self.check(&passkey, answer, asked) {
            Ok(signed) => {
                accounts::use_passkey(tx, passkey.id, (signed.counter, now)).await?;
                Ok(Ok(()))
            }
            Err(error) => Ok(Err((passkey, error))),
        }
    }

    /// Whose ticket this is, and what it asks their passkeys. [`BrokerError::SessionOver`] where it is
    /// none of ours of the last minutes, or the person has another password by now.
    async fn asked_second(
        &self,
        read: &mut impl Read,
        ticket: &str,
    ) -> Result<(Person, Challenge), BrokerError> {
        let ticket = SecondFactorTicket::parse(ticket).ok_or(BrokerError::SessionOver)?;
        let found = accounts::person_and_hash(read, ticket.person).await?;
        let found = found.filter(|(person, _)| person.is_active());
        let (person, hash) = found.ok_or(BrokerError::SessionOver)?;
        let asked = self.passkey_questions().of_second_factor(ticket, &hash, self.clock());
        Ok((person, asked.ok_or(BrokerError::SessionOver)?))
    }
}
