//! One request: its page, and the forms on it.

mod alert;
mod already_active;
pub(super) mod approve_identical;
pub(super) mod break_glass;
pub(super) mod decide;
pub(super) mod endpoint;
pub(super) mod form;
pub(super) mod page;
pub(super) mod plan;
pub(super) mod resolve;
mod sections;
pub(super) mod shown;
