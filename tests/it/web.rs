//! The page, over real HTTP with cookies and forms: a broker with its shipped policies, a simulated
//! manager, a clock that is moved by hand.

pub(crate) mod browser;
mod error_pages;
mod filters_and_audit;
pub(crate) mod fixtures;
mod kill_switch_and_policy;
mod layout;
mod lists;
pub(crate) mod metrics;
mod page_readers;
mod profiles;
pub(crate) mod request;
pub(crate) mod sign_in;
