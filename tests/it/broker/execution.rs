//! From the claim to the last outcome: what the worker and the collector do.

mod at_once;
mod batch_faults;
mod disk_full;
mod dispatch;
mod held;
mod identity;
mod in_flight;
mod indexer_behind;
mod look;
mod look_turns;
mod multiple_managers;
mod observe;
mod races;
mod sets;
mod store_failures;
mod waiting;
