//! What a change did beside its rows: told once it is stored.

use std::fmt;

use chrono::TimeDelta;

use super::versions::Subject;
use crate::{domain::audit::high_water_mark::ChainHead, store::audit::LogLine};

/// What follows a change.
#[derive(Debug, Default)]
pub(in crate::store) struct Effects {
    /// What was appended to the audit. It goes to the log.
    pub(in crate::store) recorded: Vec<LogLine>,
    /// The newest entry of that.
    pub(in crate::store) head: Option<ChainHead>,
    /// Whether a request became one that the worker may send.
    pub(in crate::store) approves: bool,
    /// What it touched of what policy is told.
    pub(in crate::store) touched: Vec<Subject>,
    /// How long a request waited for the people that it needed, where they have approved.
    pub(in crate::store) waited: Vec<TimeDelta>,
    /// What else follows.
    pub(in crate::store) then: Vec<Then>,
}

/// What follows once a change is stored.
pub(in crate::store) struct Then(pub(in crate::store) Box<dyn FnOnce() + Send + Sync>);

impl fmt::Debug for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Then")
    }
}
