//! The door for programs.

mod acts;
mod attacks;
mod document;
mod example;
mod fixtures;
mod reading;
mod routes;
mod tokens;
