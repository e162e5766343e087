//! The simulated manager, called over HTTP as a broker would call it.

// Always on here; it lets clippy see that helpers are test code too.
#![cfg(test)]

mod behaviour;
mod captures;
mod client;
