//! The broker's verbs, driven through a running product.

pub(crate) mod admin;
mod ahead;
mod catalogue;
mod companions;
mod costs;
mod execution;
mod feeds;
mod limits;
pub(crate) mod notifications;
pub(crate) mod plans;
pub(crate) mod requests;
