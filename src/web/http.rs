//! What every HTTP request passes: origin, session and form token; and what is not a page.

pub(super) mod assets;
pub(super) mod client;
pub(super) mod compression;
pub(super) mod events;
pub(super) mod form_token;
mod forwarded;
pub(super) mod origin_check;
pub(super) mod probes;
pub(super) mod session;
