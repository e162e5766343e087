//! The page of one request and its forms.

mod alert;
mod approve_identical;
mod break_glass;
mod comment;
mod decide;
mod glance;
mod many_endpoints;
mod outcomes;
pub(crate) mod passkeys;
mod seen;
mod signs;
mod typed;
