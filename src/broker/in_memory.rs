//! What the broker knows until it stops.

mod in_flight;
mod looks;
mod setup_code;

pub(super) use in_flight::{AT_ONCE_MAX, InFlight, Slot};
pub(super) use looks::{LookProblems, REQUESTS_MAX, crowd};
pub(super) use setup_code::SetupCode;
