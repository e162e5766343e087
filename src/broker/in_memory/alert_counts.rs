//! What was counted of the alerts that name a target, for a minute: pages that are opened again, or by
//! many people, ask the indexer once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::TimeDelta;
use tokio::sync::{OnceCell, Semaphore};

use crate::{
    clock::Clock,
    domain::{Time, evidence::TargetAlerts},
};

/// How long an answer is kept.
const KEPT: TimeDelta = TimeDelta::minutes(1);
/// How many answers are kept.
const ANSWERS_MAX: usize = 256;
/// How long a page waits for one, its turn included.
const WAIT: Duration = Duration::from_secs(2);
/// How many questions each manager's indexer is asked at once.
const AT_ONCE_MAX: usize = 4;
/// How long it is asked nothing more after it did not answer.
const REST: TimeDelta = TimeDelta::seconds(30);

/// What was counted, and when; none where nothing holds alerts.
pub type AlertCount = Option<(Time, Arc<TargetAlerts>)>;

/// A manager whose indexer is left alone, or one question to it.
type Slow = (String, Option<CountKey>);
/// Until when, and why.
type Rest = (Time, String);

/// The answers by manager and what the alerts name.
#[derive(Debug, Default)]
pub(in crate::broker) struct AlertCounts {
    kept: Mutex<BTreeMap<CountKey, Kept>>,
    /// Until when a manager's indexer is asked nothing, or not one question, and why.
    resting: Mutex<BTreeMap<Slow, Rest>>,
    /// Whose turn it is at each manager's indexer.
    asking: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

/// A manager, and what is looked for: text of our own, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) struct CountKey {
    pub(in crate::broker) manager: String,
    pub(in crate::broker) of_account: bool,
    pub(in crate::broker) value: String,
}

/// One answer, perhaps still to come.
#[derive(Debug, Clone)]
struct Kept {
    /// When it was first asked for.
    at: Time,
    answer: Arc<OnceCell<AlertCount>>,
}

impl AlertCounts {
    /// The answer that is kept, or what `ask` brings within two seconds. For each key there is one
    /// question at a time; who comes meanwhile waits for its answer. The error says in words why
    /// nothing can be known now.
    pub(in crate::broker) async fn answer<E: ToString>(
        &self,
        key: CountKey,
        clock: &Clock,
        ask: impl Future<Output = Result<Option<TargetAlerts>, E>> + Send,
    ) -> Result<AlertCount, String> {
        let (manager, asked_for) = (key.manager.clone(), key.clone());
        let answer = self.place(key, clock.now());
        let asked = answer.get_or_try_init(|| async {
            let now = clock.now();
            if let Some(why) = self.rests(&asked_for, now) {
                return Err(why);
            }
            let (turns, until) = (self.turns(&manager), now + WAIT);
            let turn = tokio::select! {
                biased;
                turn = turns.acquire() => turn.ok(),
                () = clock.reach(until) => None,
            };
            let Some(_turn) = turn else {
                return Err("it is being asked too much at the moment".to_owned());
            };
            let found = tokio::select! {
                biased;
                found = ask => found.map_err(|error| (None, error.to_string())),
                () = clock.reach(until) => {
                    let why = format!("it did not answer within {} s", WAIT.as_secs());
                    Err((Some(asked_for.clone()), why))
                }
            };
            found.map(|found| found.map(|found| (now, Arc::new(found)))).map_err(|(slow, why)| {
                self.rest(&manager, slow, (clock.now() + REST, why.clone()));
                why
            })
        });
        asked.await.cloned()
    }

    fn turns(&self, manager: &str) -> Arc<Semaphore> {
        let mut asking = locked(&self.asking);
        let turns = asking.entry(manager.to_owned());
        Arc::clone(turns.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_MAX))))
    }

    /// Where the answer stands or will stand.
    fn place(&self, key: CountKey, now: Time) -> Arc<OnceCell<AlertCount>> {
        let mut kept = locked(&self.kept);
        kept.retain(|_, one| now - one.at < KEPT);
        if kept.len() >= ANSWERS_MAX && !kept.contains_key(&key) {
            let oldest = kept.iter().min_by_key(|(_, one)| one.at).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
        let new = || Kept { at: now, answer: Arc::default() };
        Arc::clone(&kept.entry(key).or_insert_with(new).answer)
    }

    /// What was too slow is left alone by itself: one heavy target must not hide the others. Where a
    /// second one is slow, too, the indexer is.
    fn rest(&self, manager: &str, slow: Option<CountKey>, until: Rest) {
        let mut resting = locked(&self.resting);
        let of_manager = |(other, one): &Slow| other == manager && *one != slow;
        let second = resting.keys().any(of_manager);
        let slow = slow.filter(|_| !second);
        resting.insert((manager.to_owned(), slow), until);
    }

    fn rests(&self, key: &CountKey, now: Time) -> Option<String> {
        let mut resting = locked(&self.resting);
        resting.retain(|_, (until, _)| now < *until);
        let of = |slow| resting.get(&(key.manager.clone(), slow));
        of(None).or_else(|| of(Some(key.clone()))).map(|(_, why)| why.clone())
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn key(value: usize) -> CountKey {
        CountKey { manager: "m".to_owned(), of_account: false, value: value.to_string() }
    }

    fn alerts(total: u64) -> TargetAlerts {
        let first = Time::UNIX_EPOCH;
        let (hours, places) = (Vec::new(), Vec::new());
        TargetAlerts { total, first, hours, places, elsewhere: 0, behind: None }
    }

    fn total(answer: Result<AlertCount, String>) -> u64 {
        answer.unwrap().unwrap().1.total
    }

    #[tokio::test]
    async fn answers_kept_are_bounded_oldest_goes_first() {
        let (counts, clock) = (AlertCounts::default(), Clock::manual(Clock::system().now()));
        for value in 0..=ANSWERS_MAX {
            let ask = async { Ok::<_, String>(Some(alerts(1))) };
            assert_eq!(total(counts.answer(key(value), &clock, ask).await), 1);
            clock.advance(Duration::from_millis(1));
        }
        assert_eq!(locked(&counts.kept).len(), ANSWERS_MAX);
        let again = |value| {
            let ask = async { Ok::<_, String>(Some(alerts(2))) };
            counts.answer(key(value), &clock, ask)
        };
        assert_eq!(total(again(1).await), 1, "it is kept");
        assert_eq!(total(again(0).await), 2, "it had to go");
    }

    #[tokio::test]
    async fn one_question_at_a_time_for_each_key() {
        let (counts, clock) = (AlertCounts::default(), Clock::manual(Clock::system().now()));
        let asked = AtomicUsize::new(0);
        let ask = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, String>(Some(alerts(1)))
        };
        let (one, other) = tokio::join!(
            counts.answer(key(1), &clock, ask()),
            counts.answer(key(1), &clock, ask())
        );
        assert_eq!((total(one), total(other), asked.load(Ordering::SeqCst)), (1, 1, 1));
    }

    #[tokio::test]
    async fn question_waits_for_its_turn_two_seconds() {
        let (counts, clock) = (AlertCounts::default(), Clock::manual(Clock::system().now()));
        let turns = counts.turns("m");
        let taken = turns.acquire_many(u32::try_from(AT_ONCE_MAX).unwrap()).await.unwrap();
        let ask = || async { Ok::<_, String>(Some(alerts(1))) };
        let pass = async {
            tokio::task::yield_now().await;
            clock.advance(WAIT);
        };
        let (late, ()) = tokio::join!(counts.answer(key(1), &clock, ask()), pass);
        assert_eq!(late.unwrap_err(), "it is being asked too much at the moment");
        let free = async {
            tokio::task::yield_now().await;
            drop(taken);
        };
        let (found, ()) = tokio::join!(counts.answer(key(1), &clock, ask()), free);
        assert_eq!(total(found), 1);
    }
}
