//! The high-water mark: how far the database has come, told from outside of it. A copy that was
//! restored, or a snapshot that was rolled back, does not know what was sent since; the mark does.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{Time, digest::Digest};

/// The newest entry of an audit chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// Its place: 1, 2, 3, …
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// When it was written, to the microsecond.
    pub at: Time,
}

impl fmt::Display for ChainHead {
    /// "entry 17 of 2026-11-22 10:33:07 UTC".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of {} UTC", self.seq, self.at.format("%Y-%m-%d %H:%M:%S"))
    }
}

/// The newest entry that was there before the last call left, and whose database it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HighWaterMark {
    /// The newest entry.
    pub head: ChainHead,
    /// The hash of the first entry: the installation.
    pub installation: Digest,
}

/// Why a database may lack what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// A used database without a mark.
    #[error("the database was used before, and its high-water mark is missing")]
    NoMark,
    /// The file cannot be read, or is no mark, or was written in part.
    #[error("the high-water mark cannot be read: {0}")]
    Unreadable(String),
    /// The mark of another database.
    #[error("the high-water mark is that of another installation, at {}", .0.head)]
    OtherInstallation(HighWaterMark),
    /// The mark of a database that was used, and an empty one.
    #[error("the database is empty, and its high-water mark is at {}", .0.head)]
    Empty(HighWaterMark),
    /// The entry of the mark is not there.
    #[error("the database is older than its high-water mark: it ends with {since}, the mark is at {}", mark.head)]
    Behind {
        /// The mark.
        mark: HighWaterMark,
        /// The newest entry that is not younger than the mark.
        since: ChainHead,
    },
}

impl Gap {
    /// The mark; none where there is none that can be read.
    pub const fn mark(&self) -> Option<HighWaterMark> {
        match self {
            Self::NoMark | Self::Unreadable(_) => None,
            Self::OtherInstallation(mark) | Self::Empty(mark) | Self::Behind { mark, .. } => {
                Some(*mark)
            }
        }
    }
}
