//! The reads: one request, the lists, the state of the system.

pub mod active_responses;
pub mod already_active;
pub mod audit;
pub mod audit_walk;
pub mod for_agents;
pub mod identical;
pub mod inbox;
pub mod request;
pub mod reviews;
pub mod system;
pub mod undos;
pub mod view;

// What the doors need to name of what they may not import: rows of the store, a policy's text, what
// a connector knows of its manager.
pub use crate::{
    broker::in_memory::AlertCount,
    connector::{Diagnosis, Health},
    policy::{ChangeKind, PolicyChange, PolicyText},
    store::{
        StoreError,
        audit::{AuditFilter, Verified},
        notices::ChannelActivity,
        record::{Record, RecordEntry, RecordOf, SUMMED_MAX as RECORD_SUMMED_MAX, TimeToDecide},
        requests::{
            ActiveFilter, ActiveKey, ActiveRow, ActiveSort, ChildSummary, FoundRequests,
            MissedEndpoint, RequestFilter, RequestOrigin, RequestSummary, RowOutcome,
        },
    },
};
