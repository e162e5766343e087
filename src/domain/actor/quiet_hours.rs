//! When a person gets no mail that can wait.

use std::fmt;

use chrono::{NaiveTime, TimeDelta, Timelike as _};

use crate::domain::{Time, proposal::InvalidField};

/// The longest quiet hours: nobody is out of reach for a day.
const LENGTH_MAX: TimeDelta = TimeDelta::hours(16);

/// From one time of the day until another, each day, over midnight where the first is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// The first minute.
    pub from: NaiveTime,
    /// The minute in which they are over.
    pub until: NaiveTime,
}

impl QuietHours {
    /// From two times as `22:00`. Fails where one is none, and where they are more than 16 hours apart.
    pub fn parse(from: &str, until: &str) -> Result<Self, InvalidField> {
        let (from, until) = (time("quiet_from", from)?, time("quiet_until", until)?);
        let length = until - from;
        let length = if length > TimeDelta::zero() { length } else { length + TimeDelta::days(1) };
        if length > LENGTH_MAX {
            let problem = format!("`{}` is too long after the beginning", until.format("%H:%M"));
            return Err(invalid("quiet_until", problem, "at most 16 hours after the beginning"));
        }
        Ok(Self { from, until })
    }

    /// When they are over that go on at this moment, by a clock that is so many minutes ahead of UTC;
    /// none where they do not.
    pub fn end(&self, now: Time, utc_offset_minutes: i16) -> Option<Time> {
        let local = (now + TimeDelta::minutes(utc_offset_minutes.into())).time();
        let quiet = if self.from < self.until {
            (self.from..self.until).contains(&local)
        } else {
            local >= self.from || local < self.until
        };
        let left = self.until - local;
        let left = if left > TimeDelta::zero() { left } else { left + TimeDelta::days(1) };
        quiet.then(|| now + left)
    }

    /// The minutes of the day.
    pub fn minutes(&self) -> (u32, u32) {
        let minutes = |time: NaiveTime| time.num_seconds_from_midnight() / 60;
        (minutes(self.from), minutes(self.until))
    }

    /// From the minutes of the day; none where one is past its end.
    pub fn of_minutes(from: u32, until: u32) -> Option<Self> {
        let time = |minutes: u32| {
            NaiveTime::from_num_seconds_from_midnight_opt(minutes.checked_mul(60)?, 0)
        };
        Some(Self { from: time(from)?, until: time(until)? })
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from.format("%H:%M"), self.until.format("%H:%M"))
    }
}

fn time(field: &str, text: &str) -> Result<NaiveTime, InvalidField> {
    NaiveTime::parse_from_str(text.trim(), "%H:%M").map_err(|_unreadable| {
        let shown: String = text.chars().take(20).collect();
        invalid(field, format!("`{shown}` is no time of the day"), "00:00 to 23:59")
    })
}

fn invalid(field: &str, problem: String, allowed: &str) -> InvalidField {
    InvalidField { field: field.to_owned(), problem, allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Time {
        format!("2026-11-30T{time}Z").parse().unwrap()
    }

    #[test]
    fn quiet_hours_end_by_local_clock() {
        let night = QuietHours::parse("22:00", "06:30").unwrap();
        assert_eq!(night.end(at("22:00:00"), 0), Some("2026-12-01T06:30:00Z".parse().unwrap()));
        assert_eq!(night.end(at("06:29:59"), 0), Some(at("06:30:00")));
        assert_eq!(night.end(at("06:30:00"), 0), None);
        assert_eq!(night.end(at("21:59:59"), 0), None);
        // An hour ahead of UTC it is 22:00 already, and 06:30.
        assert_eq!(night.end(at("21:00:00"), 60), Some("2026-12-01T05:30:00Z".parse().unwrap()));
        assert_eq!(night.end(at("05:30:00"), 60), None);
        let lunch = QuietHours::parse("12:00", "13:00").unwrap();
        assert_eq!(lunch.end(at("12:30:00"), 0), Some(at("13:00:00")));
        assert_eq!(lunch.end(at("13:00:00"), 0), None);
        assert_eq!(lunch.end(at("02:30:00"), -840), Some(at("03:00:00")));
    }

    #[test]
    fn wrong_quiet_hours_name_field_and_value() {
        for (from, until, field) in [
            ("25:00", "06:00", "quiet_from"),
            ("22", "06:00", "quiet_from"),
            ("22:00", "", "quiet_until"),
            ("22:00", "22:00", "quiet_until"),
            ("18:57", "18:56", "quiet_until"),
        ] {
            let error = QuietHours::parse(from, until).unwrap_err();
            assert_eq!(error.field, field, "{from} {until}: {error}");
        }
    }

    #[test]
    fn quiet_hours_survive_their_minutes() {
        let night = QuietHours::parse("22:05", "06:30").unwrap();
        let (from, until) = night.minutes();
        assert_eq!((from, until), (1325, 390));
        assert_eq!(QuietHours::of_minutes(from, until), Some(night));
        assert_eq!(QuietHours::of_minutes(1440, 0), None);
    }
}
