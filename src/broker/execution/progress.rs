//! What one step of the worker came to.

use crate::domain::id::RequestId;

/// What one step of the worker came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is approved, or the kill switch is on.
    Idle,
    /// The oldest approved request cannot be claimed yet: why.
    Held(String),
    /// A request moved: it was sent and settled, or turned out not to be allowed any more.
    Moved(RequestId),
}
