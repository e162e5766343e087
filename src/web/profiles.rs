//! What became of what was asked: the record on the pages of an agent and a person, the page of an
//! endpoint, and the overview of everything.

pub(super) mod endpoint;
pub(super) mod overview;
pub(super) mod record;
