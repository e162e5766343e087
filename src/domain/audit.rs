//! What is recorded, and the chain that shows when somebody rewrites it.
//!
//! In reading order: the [`kind`] of an event, the facts that such an event has ([`detail`]), the
//! [`event`] itself, the row that it becomes in the [`chain`], and the form in which programs get that.

pub mod chain;
pub mod detail;
pub mod event;
mod export;
pub mod high_water_mark;
pub mod installation;
pub mod kind;

pub use chain::{AuditEntry, EntryProblem, HashedColumns, UnreadableEntry};
pub use detail::AuditDetail;
pub use event::AuditEvent;
pub use kind::{EventGroup, EventKind};
