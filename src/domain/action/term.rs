//! How long a response lasts, and counts in words.

use std::fmt;

/// How long a response lasts. Of one that takes another back: how long that one lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Term {
    /// The endpoint undoes it after this many seconds.
    Seconds(u32),
    /// It stays until a person undoes it.
    Permanent,
}

impl Term {
    /// Seconds; none for a permanent one.
    pub const fn seconds(self) -> Option<u32> {
        match self {
            Self::Seconds(seconds) => Some(seconds),
            Self::Permanent => None,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Permanent => f.write_str("until somebody undoes it"),
            Self::Seconds(seconds) => write!(f, "for {}", duration_text(seconds)),
        }
    }
}

/// Seconds in plain words: "10 minutes", "90 seconds", "2 hours".
pub fn duration_text(seconds: u32) -> String {
    let (count, unit) = match seconds {
        s if s >= 86_400 && s % 86_400 == 0 => (s / 86_400, "day"),
        s if s >= 3600 && s % 3600 == 0 => (s / 3600, "hour"),
        s if s >= 60 && s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    with_count(u64::from(count), unit)
}

/// A count with its noun: "1 endpoint", "12 endpoints".
pub fn with_count(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
