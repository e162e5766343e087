//! The lists: what is pending, what was asked, what is active, what was recorded.

pub(super) mod active_responses;
pub(super) mod audit;
pub(super) mod inbox;
pub(super) mod missed;
pub(super) mod requests;
