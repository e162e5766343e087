//! Time, ids and randomness: the only place that reads them from the system.
//!
//! A test makes a manual clock, moves it by hand, and gets the same ids every time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use uuid::Uuid;

use crate::domain::{Time, digest::Digest};

/// A source of time, ids and randomness; cheap to clone, clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock(ClockSource);

#[derive(Debug, Clone)]
enum ClockSource {
    System,
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    now: watch::Sender<Time>,
    drawn: Mutex<u64>,
}

impl Clock {
    /// The machine's clock and randomness.
    pub const fn system() -> Self {
        Self(ClockSource::System)
    }

    /// A clock that stands still until it is moved, and draws the same values every time.
    pub fn manual(now: Time) -> Self {
        Self(ClockSource::Manual(Arc::new(Manual {
            now: watch::Sender::new(now),
            drawn: Mutex::new(0),
        })))
    }

    /// The present moment, to the microsecond.
    pub fn now(&self) -> Time {
        match &self.0 {
            ClockSource::System => {
                #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
                let now = Time::from(std::time::SystemTime::now());
                chrono::DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
            }
            ClockSource::Manual(manual) => *manual.now.borrow(),
        }
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
        match &self.0 {
            ClockSource::System => fill_from_system(&mut bytes),
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

    /// Lets time pass. A manual clock jumps ahead at once.
    pub async fn pause(&self, time: Duration) {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that waits")]
            ClockSource::System => tokio::time::sleep(time).await,
            ClockSource::Manual(_) => self.advance(time),
        }
    }

    /// Ends when the clock reaches a moment. A manual clock must be moved there by somebody else.
    pub async fn reach(&self, moment: Time) {
        match &self.0 {
            ClockSource::System => {
                self.pause((moment - self.now()).to_std().unwrap_or_default()).await;
            }
            ClockSource::Manual(manual) => {
                let mut now = manual.now.subscribe();
                // The sender lives as long as this clock, so waiting cannot fail.
                let _reached = now.wait_for(|now| *now >= moment).await.is_ok();
            }
        }
    }

    /// Moves a manual clock ahead. The system's clock moves by itself: nothing happens.
    pub fn advance(&self, time: Duration) {
        if let ClockSource::Manual(manual) = &self.0 {
            manual.now.send_modify(|now| *now += time);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that draws randomness")]
#[expect(clippy::expect_used, reason = "without randomness no secret is safe: better to stop")]
fn fill_from_system(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives randomness");
}
