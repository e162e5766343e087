//! What surrounds the content of every page, and how text from outside becomes HTML.

#[cfg_attr(not(test), expect(dead_code, reason = "the pages that draw bars come after it"))]
pub(in crate::web) mod chart;
pub(in crate::web) mod error_page;
pub(crate) mod escape;
pub(super) mod page;
