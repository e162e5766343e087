//! Questions to passkeys that were asked and not answered: each is taken once, within minutes. After
//! a restart nobody's answer counts, and whoever was asked is asked again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{
    broker::signed_in::ticket::SecondFactorTicket,
    clock::Clock,
    domain::{Time, id::PersonId},
    passkey::{Act, Challenge, NONCE_BYTES},
};

/// How long a question is good for: an authenticator may want to be fetched.
const KEPT: TimeDelta = TimeDelta::minutes(5);
/// How many questions wait of one person; the oldest goes first.
const PER_PERSON_MAX: usize = 8;
/// What a stranger's nonce is for.
const STRANGER: &str = "countersign sign-in\n";
/// How many bytes of a nonce of which nothing is kept say when it was made, and are drawn; the others sign
/// those.
const SIGNED_BYTES: [usize; 2] = [8, 8];

/// What was asked and when, the oldest first.
#[derive(Debug, Default)]
pub(in crate::broker) struct PasskeyQuestions {
    kept: Mutex<VecDeque<(Challenge, Time)>>,
    /// Signs the nonces of those who sign in. Nothing is kept of their questions, so that nobody can ask
    /// so much that others have to wait.
    key: OnceLock<[u8; 32]>,
    /// The nonces of those who have signed in, and when.
    spent: Mutex<BTreeMap<[u8; NONCE_BYTES], Time>>,
}

impl PasskeyQuestions {
    /// A new question to a person.
    pub(in crate::broker) fn ask(&self, act: Act, person: PersonId, clock: &Clock) -> Challenge {
        let person = Some(person);
        let challenge = Challenge { act, person, nonce: clock.random() };
        let (mut kept, now) = (locked(&self.kept), clock.now());
        kept.retain(|(_, at)| now - *at < KEPT);
        if kept.iter().filter(|(other, _)| other.person == person).count() >= PER_PERSON_MAX {
            let oldest = kept.iter().position(|(other, _)| other.person == person);
            oldest.and_then(|oldest| kept.remove(oldest));
        }
        kept.push_back((challenge, now));
        challenge
    }

    /// The question with this nonce, which is over with that.
    pub(in crate::broker) fn take(
        &self,
        nonce: &[u8; NONCE_BYTES],
        clock: &Clock,
    ) -> Option<Challenge> {
        let (mut kept, now) = (locked(&self.kept), clock.now());
        let place = kept.iter().position(|(one, _)| one.nonce == *nonce)?;
        let (challenge, at) = kept.remove(place)?;
        (now - at < KEPT).then_some(challenge)
    }

    /// A new question to somebody who wants to sign in.
    pub(in crate::broker) fn ask_stranger(&self, clock: &Clock) -> Challenge {
        let nonce = self.signed_nonce(STRANGER, clock);
        Challenge { act: Act::SignIn, person: None, nonce }
    }

    /// A ticket for somebody whose password was right: the one with this hash.
    pub(in crate::broker) fn ticket(
        &self,
        (person, password_hash): (PersonId, &str),
        clock: &Clock,
    ) -> SecondFactorTicket {
        let nonce = self.signed_nonce(&of_password(person, password_hash), clock);
        SecondFactorTicket { person, nonce }
    }

    /// What a ticket asks the passkeys of its person, where we gave it within the last minutes for the
    /// password with this hash.
    pub(in crate::broker) fn of_second_factor(
        &self,
        ticket: SecondFactorTicket,
        password_hash: &str,
        clock: &Clock,
    ) -> Option<Challenge> {
        let SecondFactorTicket { person, nonce } = ticket;
        let ours = self.is_ours(&nonce, &of_password(person, password_hash), clock);
        ours.then_some(Challenge { act: Act::SignIn, person: Some(person), nonce })
    }

    /// The question to a stranger with this nonce, where we asked it within the last minutes.
    pub(in crate::broker) fn of_stranger(
        &self,
        nonce: [u8; NONCE_BYTES],
        clock: &Clock,
    ) -> Option<Challenge> {
        self.is_ours(&nonce, STRANGER, clock).then_some(Challenge {
            act: Act::SignIn,
            person: None,
            nonce,
        })
    }

    /// Whether a question was not answered yet of which nothing was kept. It is from now on.
    pub(in crate::broker) fn spend(&self, nonce: &[u8; NONCE_BYTES], clock: &Clock) -> bool {
        let (mut spent, now) = (locked(&self.spent), clock.now());
        spent.retain(|_, at| now - *at < KEPT);
        spent.insert(*nonce, now).is_none()
    }

    /// A nonce of which nothing is kept: when it was made, what is drawn, and as many bytes of a MAC as
    /// there is room for, which make it ours and name what it is for.
    fn signed_nonce(&self, what_for: &str, clock: &Clock) -> [u8; NONCE_BYTES] {
        let drawn = clock.random::<{ SIGNED_BYTES[1] }>();
        let mut nonce = [0; NONCE_BYTES];
        let signed = clock.now().timestamp_micros().to_be_bytes().into_iter().chain(drawn);
        nonce.iter_mut().zip(signed).for_each(|(place, byte)| *place = byte);
        let signature = self.mac(&nonce, what_for, clock).finalize().into_bytes();
        let rest = nonce.iter_mut().skip(SIGNED_BYTES.iter().sum());
        rest.zip(signature).for_each(|(place, byte)| *place = byte);
        nonce
    }

    /// Whether we made this nonce for that within the last minutes.
    fn is_ours(&self, nonce: &[u8; NONCE_BYTES], what_for: &str, clock: &Clock) -> bool {
        let at = nonce.first_chunk().map(|at| i64::from_be_bytes(*at));
        let Some(at) = at.and_then(Time::from_timestamp_micros) else { return false };
        let signature: Vec<_> = nonce.iter().skip(SIGNED_BYTES.iter().sum()).copied().collect();
        let ours = self.mac(nonce, what_for, clock).verify_truncated_left(&signature).is_ok();
        ours && (TimeDelta::zero()..KEPT).contains(&(clock.now() - at))
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn mac(&self, nonce: &[u8; NONCE_BYTES], what_for: &str, clock: &Clock) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.get_or_init(|| clock.random()))
            .expect("any length");
        mac.update(what_for.as_bytes());
        let signed = nonce.iter().take(SIGNED_BYTES.iter().sum()).copied();
        mac.update(&signed.collect::<Vec<_>>());
        mac
    }
}

/// What a ticket is for: the person, with that very password.
fn of_password(person: PersonId, password_hash: &str) -> String {
    format!("countersign second factor\n{person}\n{password_hash}\n")
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    fn person(number: u128) -> PersonId {
        PersonId::from(Uuid::from_u128(number))
    }

    fn questions() -> (PasskeyQuestions, Clock) {
        (PasskeyQuestions::default(), Clock::manual(Time::UNIX_EPOCH))
    }

    #[test]
    fn question_is_taken_once_and_within_five_minutes() {
        let (questions, clock) = questions();
        let asked = questions.ask(Act::AddKey, person(1), &clock);
        assert_eq!(questions.take(&asked.nonce, &clock), Some(asked));
        assert_eq!(questions.take(&asked.nonce, &clock), None);
        let late = questions.ask(Act::AddKey, person(1), &clock);
        clock.advance(Duration::from_mins(5));
        assert_eq!(questions.take(&late.nonce, &clock), None);
    }

    #[test]
    fn questions_are_bounded_for_each_person() {
        let (questions, clock) = questions();
        let first = questions.ask(Act::AddKey, person(1), &clock);
        let other = questions.ask(Act::AddKey, person(2), &clock);
        let last: Vec<_> =
            (0..PER_PERSON_MAX).map(|_| questions.ask(Act::AddKey, person(1), &clock)).collect();
        assert_eq!(questions.take(&first.nonce, &clock), None, "the oldest had to go");
        assert_eq!(questions.take(&last[0].nonce, &clock), Some(last[0]));
        assert_eq!(questions.take(&other.nonce, &clock), Some(other));
    }

    #[test]
    fn strangers_question_is_spent_once_and_within_five_minutes() {
        let (questions, clock) = questions();
        let asked = questions.ask_stranger(&clock);
        for _ in 0..10_000 {
            questions.ask_stranger(&clock);
        }
        assert_eq!(questions.of_stranger(asked.nonce, &clock), Some(asked));
        assert!(questions.spend(&asked.nonce, &clock));
        assert!(!questions.spend(&asked.nonce, &clock));
        clock.advance(Duration::from_mins(5));
        assert_eq!(questions.of_stranger(asked.nonce, &clock), None);
    }

    #[test]
    fn strangers_nonce_that_is_not_ours_is_none() {
        let (questions, clock) = questions();
        let asked = questions.ask_stranger(&clock);
        for place in 0..NONCE_BYTES {
            let mut nonce = asked.nonce;
            nonce[place] ^= 1;
            assert_eq!(questions.of_stranger(nonce, &clock), None, "byte {place}");
        }
        let other = PasskeyQuestions::default();
        assert_eq!(other.of_stranger(asked.nonce, &clock), None, "of another start");
        let personal = questions.ask(Act::AddKey, person(1), &clock);
        assert_eq!(questions.of_stranger(personal.nonce, &clock), None);
        assert_eq!(questions.take(&asked.nonce, &clock), None);
        let ticket = questions.ticket((person(1), "hash"), &clock);
        assert_eq!(questions.of_stranger(ticket.nonce, &clock), None, "a ticket");
    }

    #[test]
    fn ticket_is_of_its_person_password_and_minutes() {
        let (questions, clock) = questions();
        let ticket = questions.ticket((person(1), "hash"), &clock);
        let asked = questions.of_second_factor(ticket, "hash", &clock).unwrap();
        assert_eq!((asked.person, asked.nonce), (Some(person(1)), ticket.nonce));
        assert_eq!(questions.of_second_factor(ticket, "another", &clock), None);
        let other = SecondFactorTicket { person: person(2), ..ticket };
        assert_eq!(questions.of_second_factor(other, "hash", &clock), None);
        for place in 0..NONCE_BYTES {
            let mut changed = ticket;
            changed.nonce[place] ^= 1;
            let asked = questions.of_second_factor(changed, "hash", &clock);
            assert_eq!(asked, None, "byte {place}");
        }
        let nonce = questions.ask_stranger(&clock).nonce;
        let strangers = SecondFactorTicket { nonce, ..ticket };
        assert_eq!(questions.of_second_factor(strangers, "hash", &clock), None);
        assert_eq!(SecondFactorTicket::parse(&ticket.text()), Some(ticket));
        clock.advance(Duration::from_mins(5));
        assert_eq!(questions.of_second_factor(ticket, "hash", &clock), None, "too late");
    }
}
