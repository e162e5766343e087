//! The worker's verbs: send what is approved, once; look for its evidence; end what is late.

pub mod clock;
pub mod dispatch;
pub mod expire;
pub mod identify;
pub mod known_addresses;
mod look;
pub mod observe;
mod order;
pub mod progress;
mod queue;
mod recheck;
pub mod recover;
