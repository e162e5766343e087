//! What agents and people do with a request.

mod submit;
mod undo;
mod vote;
