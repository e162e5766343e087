//! What a receiver knows a notice by.

use std::fmt;

use crate::domain::{Time, digest::Canonical};

/// The name of one notice to one receiver: the same each time it is tried, and in no other case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeId(String);

impl NoticeId {
    /// Of the stored notice's number and time, and of the receiver of a channel.
    pub fn new(number: i64, at: Time, channel: &str, receiver: &str) -> Self {
        let digest = Canonical::new(1, "notice")
            .text(&number.to_string())
            .text(&at.timestamp_micros().to_string())
            .text(channel)
            .text(receiver)
            .digest();
        Self(format!("ntc_{}", digest.to_string().chars().take(32).collect::<String>()))
    }
}

impl fmt::Display for NoticeId {
    /// `ntc_` and 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
