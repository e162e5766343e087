//! The door for programs.

mod acts;
mod attacks;
mod document;
mod example;
pub(crate) mod fixtures;
mod networks;
mod reading;
pub(crate) mod routes;
mod tokens;
