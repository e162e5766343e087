//! What agents and people do with a request.

mod already_active;
mod odd_rows;
mod offers;
mod own_addresses;
mod rule_responses;
mod submit;
mod uncertain;
pub(super) mod undo;
mod undo_pages;
mod vote;
