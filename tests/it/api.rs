//! The door for programs.

mod acts;
mod attacks;
mod document;
mod example;
mod fixtures;
mod networks;
mod reading;
mod routes;
mod tokens;
