//! What became of what was asked: the record on the pages of an agent and a person, the pages of an
//! endpoint and a target, and the overview of everything.

pub(super) mod endpoint;
pub(super) mod overview;
pub(super) mod record;
pub(super) mod target;
