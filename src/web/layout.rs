//! What surrounds the content of every page, and how text from outside becomes HTML.

pub(in crate::web) mod chart;
pub(in crate::web) mod error_page;
pub(crate) mod escape;
pub(super) mod moment;
pub(super) mod page;
