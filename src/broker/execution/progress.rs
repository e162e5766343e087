//! What one step of the worker came to.

use crate::domain::id::RequestId;

/// What one step of the worker came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is approved.
    Idle,
    /// The kill switch stops all that is approved.
    Stopped,
    /// The oldest approved request cannot be claimed yet: why.
    Held(String),
    /// A request moved: it was sent and settled, or turned out not to be allowed any more.
    Moved(RequestId),
}
