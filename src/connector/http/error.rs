//! What went wrong with an outside system, in a sentence for people.

use std::time::Duration;

use crate::domain::action::with_count;

/// Why an outside system did not do what it was asked. In every variant `system` is its name and
/// address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorError {
    /// There is no connection, or it broke, or no answer came in time.
    #[error("{system} does not answer: {why}; check its address and that it is running")]
    Unreachable {
        system: String,
        /// How the connection ended.
        why: String,
    },
    /// This machine itself lacks what a connection takes: files, memory, an address, its resolver.
    /// No byte left, and the system has nothing to do with it.
    #[error("this machine cannot call {system} at the moment, which is no fault of it: {why}")]
    Local {
        system: String,
        /// What is missing, in the words of this machine.
        why: String,
    },
    /// It showed a certificate that is not the configured one.
    #[error(
        "the certificate of {system} is not trusted: {why}; it has the SHA-256 fingerprint \
         {presented}. If that is the fingerprint of the right machine, set pin_sha256 to it, or \
         set ca_file and tls_server_name to what the certificate carries"
    )]
    Certificate {
        system: String,
        /// What is wrong with it.
        why: String,
        /// SHA-256 of the certificate that was shown.
        presented: String,
    },
    /// Wrong user or password.
    #[error(
        "{system} rejects the user name or the password; correct the password in its file, which \
         is read again by itself, or the user name in the configuration and restart the broker"
    )]
    LoginRefused { system: String },
    /// Too many wrong passwords came from this machine.
    #[error(
        "{system} blocks all logins from this machine after too many wrong passwords; correct \
         the password and wait five minutes"
    )]
    Blocked { system: String },
    /// The user lacks a right.
    #[error("{system} refuses: {detail}; give the user the right {right}")]
    Forbidden {
        system: String,
        /// The right, as the system names it.
        right: String,
        /// The system's words.
        detail: String,
    },
    /// Too many calls in this minute, by all clients together.
    #[error(
        "{system} accepts no more calls for {seconds} s; wait, or raise its \
         max_request_per_minute"
    )]
    RateLimited {
        system: String,
        /// How long nothing is asked, in seconds.
        seconds: u32,
    },
    /// The broker's own limit, which leaves room in the system's limit for other clients.
    #[error(
        "rate limit reached: Countersign makes at most {calls} calls per minute to {system}; it \
         waits for {seconds} s"
    )]
    OverBudget {
        system: String,
        /// The most calls in a minute.
        calls: usize,
        /// Until there is room again, in seconds.
        seconds: u32,
    },
    /// One agent asked for as many calls in this minute as it leaves to all others.
    #[error(
        "an agent has used its share of the calls to {system}; others are not affected; it has \
         room again in {seconds} s"
    )]
    OverShare {
        system: String,
        /// Until it has room again, in seconds.
        seconds: u32,
    },
    /// It failed several times in a row, and is not called for a while.
    #[error("{system} is not called for {seconds} s, because calls to it kept failing: {why}")]
    CircuitOpen {
        system: String,
        /// How the last call failed.
        why: String,
        /// Until one call is made, in seconds.
        seconds: u32,
    },
    /// It is starting, stopping or lacks one of its parts.
    #[error("{system} is not ready: {detail}; try again in a moment")]
    Busy {
        system: String,
        /// The system's words.
        detail: String,
    },
    /// Any other answer that is not the one expected.
    #[error("{system} answered {status}: {detail}")]
    Answer {
        system: String,
        /// The HTTP status.
        status: u16,
        /// The system's words, or what is wrong with them.
        detail: String,
    },
    /// Its answer is larger than this client reads.
    #[error("{system} answered with more than {limit}")]
    TooLarge {
        system: String,
        /// The limit with its unit.
        limit: String,
    },
    /// The configuration is wrong.
    #[error("`{value}` is not a valid {key}: {allowed}")]
    Settings {
        /// The key in the configuration.
        key: String,
        /// What the configuration holds for it.
        value: String,
        /// What would be right.
        allowed: String,
    },
}

/// How long after a change of its user's rights a token that was made in the same second is still
/// dead: one made in the next second lives.
pub(in crate::connector) const TOKEN_SECOND: Duration = Duration::from_millis(1100);

impl ConnectorError {
    pub(in crate::connector) fn settings(
        key: impl Into<String>,
        value: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Settings { key: key.into(), value: value.into(), allowed: allowed.into() }
    }

    /// The same in words that stay the same as long as the trouble does: without a countdown.
    pub fn lasting(&self) -> String {
        match self {
            Self::CircuitOpen { why, .. } => why.clone(),
            Self::RateLimited { system, .. } => format!(
                "{system} accepts no more calls in this minute; raise its max_request_per_minute \
                 if that goes on"
            ),
            Self::OverBudget { system, calls, .. } => format!(
                "rate limit reached: Countersign makes at most {calls} calls per minute to {system}"
            ),
            Self::OverShare { system, .. } => {
                format!("it has used its share of the calls to {system} in this minute")
            }
            Self::Unreachable { .. }
            | Self::Local { .. }
            | Self::Certificate { .. }
            | Self::LoginRefused { .. }
            | Self::Blocked { .. }
            | Self::Forbidden { .. }
            | Self::Busy { .. }
            | Self::Answer { .. }
            | Self::TooLarge { .. }
            | Self::Settings { .. } => self.to_string(),
        }
    }

    /// Whether nobody was called, because there were too many calls or too many that failed.
    pub const fn is_held_back(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::OverBudget { .. }
                | Self::OverShare { .. }
                | Self::CircuitOpen { .. }
        )
    }

    /// The same for an agent: which system, and how long to wait. Neither where that is nor what it
    /// said.
    pub fn for_agents(&self) -> String {
        let name = self.system_name();
        let Some(wait) = self.retry_in() else {
            return format!(
                "Countersign cannot ask {name}, and waiting does not help. Tell the user: a person \
                 has to look at the page System"
            );
        };
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let why = if matches!(self, Self::OverShare { .. }) {
            "your questions have used up your share of the calls to"
        } else {
            "at the moment Countersign cannot ask"
        };
        format!("{why} {name}. Ask again in {}, or tell the user", with_count(seconds, "second"))
    }

    fn system_name(&self) -> &str {
        let system = match self {
            Self::Unreachable { system, .. }
            | Self::Local { system, .. }
            | Self::Certificate { system, .. }
            | Self::LoginRefused { system }
            | Self::Blocked { system }
            | Self::Forbidden { system, .. }
            | Self::RateLimited { system, .. }
            | Self::OverBudget { system, .. }
            | Self::OverShare { system, .. }
            | Self::CircuitOpen { system, .. }
            | Self::Busy { system, .. }
            | Self::Answer { system, .. }
            | Self::TooLarge { system, .. } => system,
            Self::Settings { .. } => return "the manager",
        };
        system.split_once(" at ").map_or(system, |(name, _address)| name)
    }

    /// How long to wait before it may be different; none where a person has to act first.
    pub fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { .. } => Some(Duration::from_secs(3)),
            Self::Local { .. }
            | Self::Certificate { .. }
            | Self::Busy { .. }
            | Self::Answer { status: 500.., .. } => Some(Duration::from_secs(5)),
            Self::RateLimited { seconds, .. }
            | Self::OverBudget { seconds, .. }
            | Self::OverShare { seconds, .. }
            | Self::CircuitOpen { seconds, .. } => Some(Duration::from_secs((*seconds).into())),
            Self::Answer { status: 401, .. } => Some(TOKEN_SECOND),
            Self::Answer { .. }
            | Self::LoginRefused { .. }
            | Self::Blocked { .. }
            | Self::Forbidden { .. }
            | Self::TooLarge { .. }
            | Self::Settings { .. } => None,
        }
    }
}
