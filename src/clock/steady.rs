//! Time that does not jump: the wall clock, held against the monotonic one.

use std::time::Duration;

use chrono::TimeDelta;

use crate::domain::{Time, clock_jump::ClockJump};

/// What the two clocks show at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// The clock that people and NTP set.
    pub(super) wall: Time,
    /// The clock that nobody sets: what passed since some moment.
    pub(super) passed: Duration,
}

/// The jumps between two looks that are remembered one by one.
const JUMPS_MAX: usize = 8;

/// Follows the wall clock as long as it runs like the monotonic one. When it jumps, time goes on as
/// if it had not, until somebody says that the clock is right.
#[derive(Debug)]
pub(super) struct Steady {
    anchor: Reading,
    /// How far the wall clock was from it when it last jumped; zero while it is trusted.
    noted: TimeDelta,
    /// The last jump, and when it was, by the monotonic clock; none while the wall clock is trusted.
    jumped: Option<(ClockJump, Duration)>,
    /// Those that nobody has recorded yet.
    unrecorded: Vec<ClockJump>,
    /// By how much it was set back, as long as what is stored is not.
    owed: TimeDelta,
}

impl Steady {
    pub(super) const fn new(anchor: Reading) -> Self {
        let (noted, owed) = (TimeDelta::zero(), TimeDelta::zero());
        Self { anchor, noted, jumped: None, unrecorded: Vec::new(), owed }
    }

    /// The moment; it never goes back but by [`Steady::follow`].
    pub(super) fn now(&mut self, reading: Reading) -> Time {
        let steady = self.anchor.wall + (reading.passed.saturating_sub(self.anchor.passed));
        let offset = reading.wall - steady;
        if (offset - self.noted).abs() > ClockJump::LEAST {
            let jump = ClockJump { from: steady + self.noted, to: reading.wall };
            (self.noted, self.jumped) = (offset, Some((jump, reading.passed)));
            if self.unrecorded.len() < JUMPS_MAX {
                self.unrecorded.push(jump);
            }
        }
        if self.jumped.is_none() && offset > TimeDelta::zero() {
            self.anchor = reading;
            return reading.wall;
        }
        steady
    }

    /// The last jump, and how long ago it was; none while the wall clock is trusted.
    pub(super) fn jumped(&self, reading: Reading) -> Option<(ClockJump, Duration)> {
        self.jumped.map(|(jump, at)| (jump, reading.passed.saturating_sub(at)))
    }

    pub(super) fn take_jumps(&mut self) -> Vec<ClockJump> {
        std::mem::take(&mut self.unrecorded)
    }

    /// Goes on from where an earlier run was, where the wall clock is behind that.
    pub(super) fn go_on_from(&mut self, time: Time, reading: Reading) {
        if time - self.now(reading) > ClockJump::LEAST {
            self.anchor = Reading { wall: time, ..reading };
        }
    }

    /// Takes the wall clock's word, though it is still in doubt.
    pub(super) fn follow(&mut self, reading: Reading) {
        let back = self.now(reading) - reading.wall;
        self.owed += back.max(TimeDelta::zero());
        (self.anchor, self.noted) = (reading, TimeDelta::zero());
    }

    pub(super) const fn owed(&self) -> TimeDelta {
        self.owed
    }

    pub(super) fn paid(&mut self, back: TimeDelta) {
        self.owed -= back;
    }

    /// Ends the doubt, where the wall clock is not off.
    pub(super) fn trust(&mut self, reading: Reading) -> bool {
        let off = reading.wall - self.now(reading);
        let trusted = off.abs() <= ClockJump::LEAST && self.owed.is_zero();
        if trusted {
            (self.noted, self.jumped) = (TimeDelta::zero(), None);
        }
        trusted
    }
}
