//! The broker's verbs, driven through a running product.

pub(crate) mod admin;
mod ahead;
mod catalogue;
mod costs;
mod execution;
mod limits;
pub(crate) mod notifications;
mod requests;
