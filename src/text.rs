//! Every sentence that a person or a model reads about a request, an audit entry or an outcome.
//!
//! Deliberately absent: rules. What is allowed and what follows stands in `domain`.

pub(crate) mod active_response;
pub mod agent_message;
pub mod agent_setup;
pub mod audit;
pub mod endpoint;
pub mod halt;
pub mod notification;
pub(crate) mod plan;
pub mod request;
pub mod requirement;
pub mod timeline;
pub mod visible;
