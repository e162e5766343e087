//! Passwords: how long they are, and secrets that are typed once.

use crate::{broker::BrokerError, clock::Clock, domain::actor::password_length_allowed};

pub(super) fn check_strength(password: &str) -> Result<(), BrokerError> {
    if password_length_allowed(password) { Ok(()) } else { Err(BrokerError::WeakPassword) }
}

/// A secret that a person types once: 96 bits, in groups of four digits.
pub(super) fn one_time_secret(clock: &Clock) -> String {
    let digits: Vec<_> = clock.secret().chars().take(24).collect();
    digits.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}
