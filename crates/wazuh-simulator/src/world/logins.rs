//! Valid tokens, and addresses that are blocked after failed logins.

use std::collections::HashMap;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::settings::Settings;

/// `max_login_attempts`.
const BAD_LOGINS_MAX: u32 = 50;
/// `block_time`.
const BLOCK_SECS: i64 = 300;

/// The valid tokens, and the failed logins of each address.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    tokens: HashMap<String, Token>,
    /// The second of the last change that ended the tokens of a user, or of all (`None`).
    ended: HashMap<Option<String>, i64>,
    issued: u64,
    bad: HashMap<IpAddr, (u32, DateTime<Utc>)>,
}

#[derive(Debug)]
struct Token {
    owner: String,
    issued: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl Logins {
    pub(crate) fn issue(&mut self, user: &str, now: DateTime<Utc>, settings: &Settings) -> String {
        self.issued += 1;
        // Being unique is enough: these tokens protect nothing real.
        let token = format!("simulated.{}.{}", self.issued, now.timestamp_micros());
        let life = TimeDelta::from_std(settings.token_life).unwrap_or(TimeDelta::MAX);
        let end = now.checked_add_signed(life).unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.tokens.insert(token.clone(), Token { owner: user.to_owned(), issued: now, end });
        token
    }

    /// Revokes the tokens of one user, or of all: also those that are issued later in the same
    /// second, because both times are whole seconds (capture 96).
    pub(crate) fn revoke(&mut self, user: Option<&str>, now: DateTime<Utc>) {
        self.ended.insert(user.map(str::to_owned), now.timestamp());
    }

    pub(crate) fn owner(&self, token: &str, now: DateTime<Utc>) -> Option<String> {
        let Token { owner, issued, end } = self.tokens.get(token)?;
        let ended = [None, Some(owner.clone())].map(|of| self.ended.get(&of).copied());
        let revoked = ended.into_iter().flatten().any(|ended| issued.timestamp() <= ended);
        (now < *end && !revoked).then(|| owner.clone())
    }

    /// Whether an address is blocked. The right password does not help, and a success resets
    /// nothing.
    pub(crate) fn is_blocked(&mut self, address: IpAddr, now: DateTime<Utc>) -> bool {
        self.bad.retain(|_, (_, first)| now - *first < TimeDelta::seconds(BLOCK_SECS));
        self.bad.get(&address).is_some_and(|(count, _)| *count >= BAD_LOGINS_MAX)
    }

    pub(crate) fn note_bad(&mut self, address: IpAddr, now: DateTime<Utc>) {
        let (count, _) = self.bad.entry(address).or_insert((0, now));
        *count += 1;
    }
}
