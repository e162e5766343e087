//! A clock that did not run on: somebody set it, or the machine stood still.

use std::fmt;

use chrono::TimeDelta;

use super::{Time, action::with_count};

/// The wall clock went from one moment to another while the monotonic clock did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockJump {
    /// What it should have shown.
    pub from: Time,
    /// What it showed.
    pub to: Time,
}

impl ClockJump {
    /// What is less is no jump: clocks are set by seconds all the time.
    pub const LEAST: TimeDelta = TimeDelta::minutes(1);

    /// By how much; below zero where it went back.
    pub fn by(self) -> TimeDelta {
        self.to - self.from
    }
}

impl fmt::Display for ClockJump {
    /// "5 hours ahead, from 2026-11-22 10:33:07 to 2026-11-22 15:33:07 UTC".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.by() < TimeDelta::zero() { "back" } else { "ahead" };
        let (span, form) = (span(self.by()), "%Y-%m-%d %H:%M:%S");
        let (from, to) = (self.from.format(form), self.to.format(form));
        write!(f, "{span} {side}, from {from} to {to} UTC")
    }
}

/// A span without its sign, in its largest whole unit: "5 hours", "90 minutes".
pub fn span(of: TimeDelta) -> String {
    let seconds = of.num_seconds().unsigned_abs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let whole = |(size, _): &&(u64, &str)| seconds >= 2 * size || seconds == *size;
    let (size, unit) = units.iter().find(whole).unwrap_or(&(1, "second"));
    with_count(seconds / size, unit)
}
