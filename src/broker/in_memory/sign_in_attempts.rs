//! Sign-ins that failed, in memory: a stranger's try writes nothing by itself.
//!
//! A name is throttled for the source that failed, and for no other: nobody can keep somebody else
//! out. What is refused is told to the audit once a minute for each source, with a count.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::TimeDelta;

use crate::{
    broker::BrokerError,
    domain::{
        Time,
        actor::Actor,
        actor::sign_in::{SignInOrigin, Source},
        audit::{AuditDetail, AuditEvent, detail::accounts::RefusedSignInFacts},
        digest::Digest,
        id::PersonId,
    },
};

mod refused_tokens;

pub(in crate::broker) use refused_tokens::RefusedTokens;

/// So many tries are free.
const FREE_TRIES: u32 = 5;
/// The wait after those; it doubles with each further failure.
const WAIT_MIN: TimeDelta = TimeDelta::minutes(1);
/// The longest wait.
const WAIT_MAX: TimeDelta = TimeDelta::minutes(15);
/// A failure counts for this long.
const COUNTS: TimeDelta = TimeDelta::hours(1);
/// So many are remembered; the oldest is forgotten for one more.
const FAILURES_MAX: usize = 10_000;
/// The audit gets one entry for each source within this time.
const TOLD_EVERY: TimeDelta = TimeDelta::minutes(1);
/// People are told this often that sources have to wait.
const NOTICE_EVERY: TimeDelta = TimeDelta::hours(1);
/// So many sources have an entry of their own; further ones share one.
const SOURCES_MAX: usize = 32;

/// What failures are counted under. Names that nobody has share one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) struct FailureKey {
    source: Source,
    person: Option<PersonId>,
    tried: Tried,
}

/// What was tried. Each is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tried {
    /// A password, or what stands for it.
    Password,
    /// What comes after the right password: that forgets wrong passwords.
    SecondFactor,
    /// A token for the API: a program that goes on with a wrong one keeps nobody from signing in.
    ApiToken,
}

#[derive(Debug)]
struct Failures {
    number: u32,
    last: Time,
}

/// What of one source the audit was not told yet.
#[derive(Debug)]
struct Untold {
    /// When the audit was told last.
    told: Time,
    refused: Option<Refused>,
}

#[derive(Debug)]
struct Refused {
    /// The name that was typed last.
    claimed: String,
    facts: RefusedSignInFacts,
}

/// Failures and what the audit was not told of them.
#[derive(Debug, Default)]
pub(in crate::broker) struct SignInAttempts {
    failures: Mutex<BTreeMap<FailureKey, Failures>>,
    /// By source; without one, what the further ones share.
    untold: Mutex<BTreeMap<Option<Source>, Untold>>,
    /// When people were told last that sources have to wait.
    noticed: Mutex<Option<Time>>,
}

impl FailureKey {
    pub(in crate::broker) fn new(origin: &SignInOrigin, person: Option<PersonId>) -> Self {
        Self { source: origin.source.clone(), person, tried: Tried::Password }
    }

    /// Of a browser in which this person signed in before.
    pub(in crate::broker) const fn of_browser(browser: Digest, person: PersonId) -> Self {
        Self { source: Source::Browser(browser), person: Some(person), tried: Tried::Password }
    }

    /// The same for the second factor.
    pub(in crate::broker) fn of_second_factor(self) -> Self {
        Self { tried: Tried::SecondFactor, ..self }
    }

    /// Wrong tokens of one source.
    pub(in crate::broker) fn of_tokens(source: Source) -> Self {
        Self { source, person: None, tried: Tried::ApiToken }
    }
}

impl Failures {
    /// What lies in the future counts for nothing: a clock that was wrong locks nobody out.
    fn count(&self, now: Time) -> bool {
        self.last <= now && now - self.last < COUNTS
    }

    fn wait(&self) -> TimeDelta {
        let Some(doublings) = self.number.checked_sub(FREE_TRIES) else { return TimeDelta::zero() };
        let factor = 1_i32.checked_shl(doublings.min(16)).unwrap_or(i32::MAX);
        WAIT_MIN.checked_mul(factor).map_or(WAIT_MAX, |wait| wait.min(WAIT_MAX))
    }
}

impl SignInAttempts {
    fn failures(&self) -> MutexGuard<'_, BTreeMap<FailureKey, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sources have to wait now.
    pub(in crate::broker) fn waiting(&self, now: Time) -> usize {
        let waits =
            |failures: &&Failures| failures.count(now) && failures.last + failures.wait() > now;
        self.failures().values().filter(waits).count()
    }

    /// Whether it is time to tell people that sources have to wait. It then counts as told.
    pub(in crate::broker) fn notice_due(&self, now: Time) -> bool {
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        let due = noticed.is_none_or(|at| at > now || now - at >= NOTICE_EVERY);
        if due {
            *noticed = Some(now);
        }
        due
    }

    /// Takes what a try needs, and counts it as failed before it is looked at, so that tries at the
    /// same moment are throttled too. [`BrokerError::SignInThrottled`] where the key has to wait:
    /// then it takes nothing from others. One that cannot have what it needs does not count.
    pub(in crate::broker) fn begin<T>(
        &self,
        key: &FailureKey,
        now: Time,
        take: impl FnOnce() -> Result<T, BrokerError>,
    ) -> Result<T, BrokerError> {
        if key.source == Source::Proxy {
            return take();
        }
        let mut all = self.failures();
        all.retain(|_, failures| failures.count(now));
        let oldest = || all.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| key);
        if all.len() >= FAILURES_MAX
            && let Some(oldest) = oldest().cloned()
        {
            all.remove(&oldest);
        }
        let failures = all.entry(key.clone()).or_insert(Failures { number: 0, last: now });
        let left = failures.last + failures.wait() - now;
        if left > TimeDelta::zero() {
            let left = left.to_std().unwrap_or(Duration::ZERO);
            return Err(BrokerError::SignInThrottled(left));
        }
        let taken = take()?;
        failures.number = failures.number.saturating_add(1);
        failures.last = now;
        Ok(taken)
    }

    /// Forgets the failures of a key: the password was right.
    pub(in crate::broker) fn forget(&self, key: &FailureKey) {
        self.failures().remove(key);
    }

    /// Notes that a sign-in was refused. What to tell the audit, unless it was told of this source
    /// within the last minute.
    pub(in crate::broker) fn refused(
        &self,
        (claimed, origin): (&str, &SignInOrigin),
        set_up: bool,
        now: Time,
    ) -> Option<AuditEvent> {
        let mut all = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        let source = Some(origin.source.clone());
        let own = all.contains_key(&source) || all.len() < SOURCES_MAX;
        let (key, named) = if own {
            (source, origin.source.to_string())
        } else {
            (None, "further addresses".to_owned())
        };
        let new = || Untold { told: Time::UNIX_EPOCH, refused: None };
        let untold = all.entry(key).or_insert_with(new);
        let before = untold.refused.take().map_or(0, |refused| refused.facts.tries);
        let device = origin.device.clone();
        untold.refused = Some(Refused {
            claimed: claimed.chars().take(64).collect(),
            facts: RefusedSignInFacts { set_up, source: named, device, tries: before + 1 },
        });
        if untold.waits(now) { None } else { untold.tell(now) }
    }

    /// What the audit was not told yet of sources whose minute is over, or of all.
    pub(in crate::broker) fn untold(&self, now: Time, all: bool) -> Vec<AuditEvent> {
        let mut by_source = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = Vec::new();
        by_source.retain(|_, untold| {
            if all || !untold.waits(now) {
                events.extend(untold.tell(now));
            }
            untold.waits(now)
        });
        events
    }
}

impl Untold {
    fn waits(&self, now: Time) -> bool {
        self.told <= now && now - self.told < TOLD_EVERY
    }

    fn tell(&mut self, now: Time) -> Option<AuditEvent> {
        let Refused { claimed, facts } = self.refused.take()?;
        self.told = now;
        let detail = AuditDetail::SignInRefused(facts);
        Some(AuditEvent::new(Actor::Unknown { claimed }, None, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(n: u8) -> SignInOrigin {
        SignInOrigin::new(Source::of([203, 0, 113, n].into()), "a browser")
    }

    fn wait(attempts: &SignInAttempts, key: &FailureKey, now: Time) -> u64 {
        match attempts.begin(key, now, || Ok(())) {
            Ok(()) => 0,
            Err(BrokerError::SignInThrottled(wait)) => wait.as_secs(),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn wait_grows_for_one_source_alone() {
        let attempts = SignInAttempts::default();
        let (key, other) = (FailureKey::new(&origin(1), None), FailureKey::new(&origin(2), None));
        let mut now = Time::UNIX_EPOCH;
        for _try in 0..FREE_TRIES {
            assert_eq!(wait(&attempts, &key, now), 0);
        }
        for minutes in [1, 2, 4, 8, 15, 15] {
            assert_eq!(wait(&attempts, &key, now), minutes * 60);
            assert_eq!(wait(&attempts, &other, now), 0);
            attempts.forget(&other);
            now += Duration::from_secs(minutes * 60);
            assert_eq!(wait(&attempts, &key, now), 0);
        }
        assert_eq!(wait(&attempts, &key, now + COUNTS), 0);
    }

    #[test]
    fn failure_in_the_future_counts_for_nothing() {
        let attempts = SignInAttempts::default();
        let key = FailureKey::new(&origin(1), None);
        let month = Time::UNIX_EPOCH + TimeDelta::days(30);
        for _try in 0..FREE_TRIES {
            assert_eq!(wait(&attempts, &key, month), 0);
        }
        assert_eq!(wait(&attempts, &key, Time::UNIX_EPOCH), 0);
    }

    #[test]
    fn further_sources_share_one_entry() {
        let attempts = SignInAttempts::default();
        let now = Time::UNIX_EPOCH + TimeDelta::days(30);
        let told = (0..=200).filter_map(|n| attempts.refused(("ann", &origin(n)), false, now));
        assert_eq!(told.count(), SOURCES_MAX + 1);
        let rest = attempts.untold(now + TOLD_EVERY, false);
        let AuditDetail::SignInRefused(facts) = &rest[0].detail else { panic!("{rest:?}") };
        assert_eq!((rest.len(), facts.tries), (1, 201 - 33));
        assert_eq!(facts.source, "further addresses");
    }
}
