//! The broker's verbs, driven through a running product.

pub(crate) mod admin;
mod execution;
pub(crate) mod notifications;
mod requests;
