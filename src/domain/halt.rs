//! Why nothing at all is sent, the kill switch aside.

use std::fmt;

/// What keeps everything from being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HaltCause {
    /// A commit failed: what is stored is read at the next start.
    CommitFailed,
    /// The database cannot be read now.
    Unreadable,
    /// The database may lack what was sent.
    Recovery,
    /// The high-water mark cannot be kept.
    MarkNotKept,
    /// The machine's clock jumped, and does not agree with itself and a manager's yet.
    Clock,
    /// The disk of the database is full.
    DiskFull,
    /// The disk of the database has less left than is kept for what is under way.
    DiskLow,
}

impl HaltCause {
    /// Whether it ends when something outside is mended, without a restart of the broker or a
    /// person's word. What is under way then waits; else it ends unsent.
    pub const fn passes(self) -> bool {
        match self {
            Self::Clock | Self::DiskFull | Self::DiskLow => true,
            Self::CommitFailed | Self::Unreadable | Self::Recovery | Self::MarkNotKept => false,
        }
    }
}

/// A reason to send nothing, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// What it is.
    pub cause: HaltCause,
    /// What happened and what ends it, for whoever may read of it: a clause without a full stop.
    pub why: String,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing is sent: {}", self.why)
    }
}
