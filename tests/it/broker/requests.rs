//! What agents and people do with a request.

mod odd_rows;
mod submit;
mod undo;
mod vote;
