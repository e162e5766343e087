//! Time, ids and randomness: the only place that reads them from the system.
//!
//! A test makes a manual clock, moves it by hand, and gets the same ids every time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use tokio::sync::watch;
use uuid::Uuid;

use self::steady::{Reading, Steady};
use crate::domain::{Time, clock_jump::ClockJump, digest::Digest};

mod steady;

/// A source of time, ids and randomness; cheap to clone, clones are the same clock.
///
/// [`Clock::now`] is what everything goes by that waits, counts or ends: it follows the wall clock
/// as long as that runs like the monotonic clock, and does not follow a jump. [`Clock::wall`] is
/// what the audit and the log are dated by.
#[derive(Debug, Clone)]
pub struct Clock(Arc<ClockParts>);

#[derive(Debug)]
struct ClockParts {
    source: ClockSource,
    steady: Mutex<Steady>,
}

#[derive(Debug)]
enum ClockSource {
    /// The moment from which the monotonic clock counts.
    System(Instant),
    Manual(Manual),
}

#[derive(Debug)]
struct Manual {
    reading: watch::Sender<Reading>,
    drawn: Mutex<u64>,
}

impl ClockSource {
    fn read(&self) -> Reading {
        match self {
            Self::System(began) => {
                #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
                let wall = Time::from(std::time::SystemTime::now());
                let wall = Time::from_timestamp_micros(wall.timestamp_micros()).unwrap_or(wall);
                let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                Reading { wall, passed: Duration::from_micros(micros) }
            }
            Self::Manual(manual) => *manual.reading.borrow(),
        }
    }
}

impl Clock {
    /// The machine's clock and randomness.
    pub fn system() -> Self {
        Self::new(ClockSource::System(Instant::now()))
    }

    /// A clock that stands still until it is moved, and draws the same values every time.
    pub fn manual(now: Time) -> Self {
        let reading = Reading { wall: now, passed: Duration::ZERO };
        let (reading, drawn) = (watch::Sender::new(reading), Mutex::default());
        Self::new(ClockSource::Manual(Manual { reading, drawn }))
    }

    fn new(source: ClockSource) -> Self {
        let steady = Mutex::new(Steady::new(source.read()));
        Self(Arc::new(ClockParts { source, steady }))
    }

    fn steady(&self) -> (MutexGuard<'_, Steady>, Reading) {
        let steady = self.0.steady.lock().unwrap_or_else(PoisonError::into_inner);
        (steady, self.0.source.read())
    }

    /// The present moment, to the microsecond. It goes back only by [`Clock::follow`].
    pub fn now(&self) -> Time {
        let (mut steady, reading) = self.steady();
        steady.now(reading)
    }

    /// What the machine's clock shows, right or wrong.
    pub fn wall(&self) -> Time {
        self.0.source.read().wall
    }

    /// How far the machine's clock is ahead of [`Clock::now`]; below zero where it is behind.
    pub fn off(&self) -> TimeDelta {
        let (mut steady, reading) = self.steady();
        reading.wall - steady.now(reading)
    }

    /// The last jump, and how long ago it was; none while the machine's clock is trusted.
    pub fn jumped(&self) -> Option<(ClockJump, Duration)> {
        let (mut steady, reading) = self.steady();
        steady.now(reading);
        steady.jumped(reading)
    }

    /// The jumps since this was last asked.
    pub fn take_jumps(&self) -> Vec<ClockJump> {
        let (mut steady, reading) = self.steady();
        steady.now(reading);
        steady.take_jumps()
    }

    /// Goes on from where an earlier run was. A machine's clock that is behind that has jumped.
    pub fn go_on_from(&self, moment: Time) {
        let (mut steady, reading) = self.steady();
        steady.go_on_from(moment, reading);
    }

    /// Takes the word of the machine's clock for what it is now. Where that is a step back, what is
    /// stored must follow: [`Clock::owed`].
    pub fn follow(&self) {
        let (mut steady, reading) = self.steady();
        steady.follow(reading);
    }

    /// By how much it went back while what is stored did not.
    pub fn owed(&self) -> TimeDelta {
        self.steady().0.owed()
    }

    /// What is stored went back by so much.
    pub fn paid(&self, back: TimeDelta) {
        self.steady().0.paid(back);
    }

    /// Trusts the machine's clock again; false, and nothing happens, where it is still off.
    pub fn trust(&self) -> bool {
        let (mut steady, reading) = self.steady();
        steady.trust(reading)
    }

    /// A new id, ordered by time (UUID version 7).
    pub fn id<Id: From<Uuid>>(&self) -> Id {
        let millis = u64::try_from(self.now().timestamp_millis()).unwrap_or(0);
        let random: [u8; 10] = self.random();
        Id::from(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// Random bytes that nobody can guess.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0.source {
            ClockSource::System(_) => fill_from_system(&mut bytes),
            ClockSource::Manual(manual) => {
                let mut drawn = manual.drawn.lock().unwrap_or_else(PoisonError::into_inner);
                *drawn += 1;
                let block = Digest::of(&drawn.to_be_bytes());
                bytes.iter_mut().zip(*block.bytes()).for_each(|(byte, drawn)| *byte = drawn);
            }
        }
        bytes
    }

    /// A new secret of 256 bits, as 64 hexadecimal digits.
    pub fn secret(&self) -> String {
        Digest::of(&self.random::<32>()).to_string()
    }

    /// Lets time pass. A manual clock runs ahead at once.
    pub async fn pause(&self, time: Duration) {
        match &self.0.source {
            #[expect(clippy::disallowed_methods, reason = "the one place that waits")]
            ClockSource::System(_) => tokio::time::sleep(time).await,
            ClockSource::Manual(_) => {
                self.advance(time);
                // Else whoever pauses again and again would let nobody else run.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Ends when the clock reaches a moment. A manual clock must be moved there by somebody else.
    pub async fn reach(&self, moment: Time) {
        match &self.0.source {
            ClockSource::System(_) => {
                self.pause((moment - self.now()).to_std().unwrap_or_default()).await;
            }
            ClockSource::Manual(manual) => {
                let mut moved = manual.reading.subscribe();
                // The sender lives as long as this clock, so waiting cannot fail.
                while self.now() < moment && moved.changed().await.is_ok() {}
            }
        }
    }

    /// Moves a manual clock ahead. The system's clock moves by itself: nothing happens.
    pub fn advance(&self, time: Duration) {
        if let ClockSource::Manual(manual) = &self.0.source {
            manual.reading.send_modify(|now| {
                now.wall += time;
                now.passed += time;
            });
        }
    }

    /// Sets a manual clock to another time, ahead or back, while no time passes.
    pub fn jump(&self, by: TimeDelta) {
        if let ClockSource::Manual(manual) = &self.0.source {
            manual.reading.send_modify(|now| now.wall += by);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that draws randomness")]
#[expect(clippy::expect_used, reason = "without randomness no secret is safe: better to stop")]
fn fill_from_system(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives randomness");
}
