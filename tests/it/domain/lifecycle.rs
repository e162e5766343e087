//! How a request lives: every transition function is applied with every combination of a small
//! set of inputs to every request that can be reached, and the rules are held against all steps.
//!
//! In reading order: the request and the people of the [`fixtures`], one [`input`] and
//! [`every_input`], the [`walk`]; then what must hold: [`invariants`] of running, [`votes`],
//! [`records`] of what happened, [`refusals`], [`break_glass`], and what is learnt after the calls
//! ([`observe`]).

mod break_glass;
mod every_input;
pub(crate) mod fixtures;
mod input;
mod invariants;
mod observe;
mod records;
mod refusals;
mod votes;
mod walk;

pub(crate) use observe::outcome_moves;
pub(crate) use walk::walk;
