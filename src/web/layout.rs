//! What surrounds the content of every page, and how text from outside becomes HTML.

pub(crate) mod escape;
pub(super) mod page;
