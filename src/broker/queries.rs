//! The reads: one request, the lists, the state of the system.

pub mod active_responses;
pub mod audit;
pub mod inbox;
pub mod request;
pub mod system;
