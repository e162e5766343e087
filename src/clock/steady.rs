//! Time that does not jump: the wall clock, held against the monotonic one.

use std::{collections::VecDeque, time::Duration};

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

/// Small steps that add up to a jump within so many minutes are one.
const WINDOW_MINUTES: u64 = 60;

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
    steps: Steps,
}

/// Where the wall clock was when the monotonic clock began, as each reading has it: every step of the
/// wall clock moves that. For each of the last minutes the earliest and the latest.
#[derive(Debug, Default)]
struct Steps(VecDeque<(u64, Time, Time)>);

impl Steps {
    /// How far it has moved in one direction within the window, this reading included; below zero
    /// where it went back.
    fn add(&mut self, reading: Reading) -> TimeDelta {
        let (minute, origin) = (reading.passed.as_secs() / 60, reading.wall - reading.passed);
        while self.0.front().is_some_and(|(then, ..)| then + WINDOW_MINUTES <= minute) {
            self.0.pop_front();
        }
        match self.0.back_mut() {
            Some((last, earliest, latest)) if *last == minute => {
                (*earliest, *latest) = ((*earliest).min(origin), (*latest).max(origin));
            }
            Some(_) | None => self.0.push_back((minute, origin, origin)),
        }
        let (mut ahead, mut back) = (TimeDelta::zero(), TimeDelta::zero());
        for (_, earliest, latest) in &self.0 {
            (ahead, back) = (ahead.max(origin - *earliest), back.min(origin - *latest));
        }
        if ahead >= -back { ahead } else { back }
    }

    /// What was a jump is no step.
    fn begin_anew(&mut self, reading: Reading) {
        self.0.clear();
        self.add(reading);
    }
}

impl Steady {
    pub(super) fn new(anchor: Reading) -> Self {
        let (noted, owed) = (TimeDelta::zero(), TimeDelta::zero());
        let mut steps = Steps::default();
        steps.begin_anew(anchor);
        Self { anchor, noted, jumped: None, unrecorded: Vec::new(), owed, steps }
    }

    /// The moment; it never goes back but by [`Steady::follow`].
    pub(super) fn now(&mut self, reading: Reading) -> Time {
        let steady = self.anchor.wall + (reading.passed.saturating_sub(self.anchor.passed));
        let offset = reading.wall - steady;
        let (at_once, in_all) = (offset - self.noted, self.steps.add(reading));
        let by = if at_once.abs() > ClockJump::LEAST { at_once } else { in_all };
        if by.abs() > ClockJump::LEAST {
            self.steps.begin_anew(reading);
            let jump = ClockJump { from: reading.wall - by, to: reading.wall };
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
