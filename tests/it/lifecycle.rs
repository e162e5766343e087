//! How a request lives: every transition function is applied with every combination of a small
//! set of inputs to every request that can be reached, and the rules are held against all steps.
//!
//! In reading order: the request and the people of the [`world`], the [`input`]s, the [`walk`];
//! then what must hold: [`promises`] about running, [`voting`], [`records`] of what happened,
//! [`refusals`], the broken [`glass`], what is learnt after the calls ([`observing`]), the
//! [`digest`] that people approve, and what they are told ([`notices`]).

mod digest;
mod glass;
mod input;
mod notices;
mod observing;
mod promises;
mod records;
mod refusals;
mod voting;
mod walk;
pub(crate) mod world;

pub(crate) use observing::outcome_moves;
pub(crate) use walk::walk;
