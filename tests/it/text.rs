//! The sentences that people read.

mod timeline;
