//! What becomes of one endpoint.

/// What is known about one endpoint of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The manager put the command into its queue for this endpoint. Not more.
    Sent,
    /// The manager refused it for this endpoint.
    Refused {
        /// The manager's code.
        code: u32,
        /// The manager's words.
        message: String,
    },
    /// Surely nothing was sent to it.
    NotSent {
        /// Why.
        why: String,
    },
    /// It may or may not have been sent.
    Unknown {
        /// Why.
        why: String,
    },
}

impl Outcome {
    /// `sent`, `refused`, `not_sent`, `unknown`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused { .. } => "refused",
            Self::NotSent { .. } => "not_sent",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The manager's code of a refusal.
    pub const fn code(&self) -> Option<u32> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Sent | Self::NotSent { .. } | Self::Unknown { .. } => None,
        }
    }

    /// Why; empty for `sent`.
    pub fn detail(&self) -> &str {
        match self {
            Self::Sent => "",
            Self::Refused { message, .. } => message,
            Self::NotSent { why } | Self::Unknown { why } => why,
        }
    }

    /// Puts a stored outcome together again.
    pub fn from_parts(name: &str, code: Option<u32>, detail: String) -> Option<Self> {
        match (name, code) {
            ("sent", None) => Some(Self::Sent),
            ("refused", Some(code)) => Some(Self::Refused { code, message: detail }),
            ("not_sent", None) => Some(Self::NotSent { why: detail }),
            ("unknown", None) => Some(Self::Unknown { why: detail }),
            _ => None,
        }
    }
}
