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

    /// The same in whole seconds, rounded: a clock that was set by an hour is off by some microseconds.
    pub fn by_seconds(self) -> i64 {
        rounded_seconds(self.by())
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

fn rounded_seconds(of: TimeDelta) -> i64 {
    (of.num_milliseconds() + 500).div_euclid(1000)
}

/// Units of time in seconds, each with the next smaller one.
const UNITS: [(u64, u64, &str); 4] =
    [(86_400, 3_600, "day"), (3_600, 60, "hour"), (60, 1, "minute"), (1, 1, "second")];

/// A span without its sign, rounded to its largest unit of which there are two, or exactly one: "5
/// hours", "90 minutes".
pub fn span(of: TimeDelta) -> String {
    let seconds = rounded_seconds(of.abs()).unsigned_abs();
    let fits = |(size, smaller, _): &&(u64, u64, &str)| {
        let rounded = (seconds + smaller / 2) / smaller * smaller;
        rounded >= 2 * size || rounded == *size
    };
    let (size, _, unit) = UNITS.iter().find(fits).unwrap_or(&(1, 1, "second"));
    with_count((seconds + size / 2) / size, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_is_rounded_to_its_unit() {
        for (millis, said) in [
            (17_999_999, "5 hours"),
            (-17_999_999, "5 hours"),
            (18_000_400, "5 hours"),
            (7_199_000, "2 hours"),
            (5_400_000, "90 minutes"),
            (3_599_900, "1 hour"),
            (7_100_000, "118 minutes"),
            (118_000, "118 seconds"),
            (61_499, "61 seconds"),
            (172_799_999, "2 days"),
            (0, "0 seconds"),
        ] {
            assert_eq!(span(TimeDelta::milliseconds(millis)), said, "{millis}");
        }
    }
}
