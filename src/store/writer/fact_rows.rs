//! In builds with debug assertions: whatever writes a row of which policy is told says what it touched.

use std::sync::{Arc, Mutex, PoisonError};

use super::versions::Subject;
use crate::store::sqlite::{Connection, Error};

/// The tables whose rows policy is told of.
const FACTS: [&str; 9] = [
    "agent",
    "attempt",
    "kill_switch",
    "manager_identity",
    "person",
    "request",
    "request_endpoint",
    "rule_response",
    "vote",
];

/// The last of these tables that a change wrote to.
#[derive(Debug, Default)]
pub(super) struct FactRows(Arc<Mutex<Option<String>>>);

impl FactRows {
    /// Notes what is written on a connection from now on.
    pub(super) fn watch(&self, connection: &mut Connection) -> Result<(), Error> {
        if !cfg!(debug_assertions) {
            return Ok(());
        }
        let written = Arc::clone(&self.0);
        let note = move |_, _: &str, table: &str, _| {
            if FACTS.contains(&table) {
                *written.lock().unwrap_or_else(PoisonError::into_inner) = Some(table.to_owned());
            }
        };
        Ok(connection.raw()?.update_hook(Some(note))?)
    }

    /// Forgets what was written so far.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Fails where such a row was written since, and nothing is said to be touched.
    pub(super) fn check(&self, touched: &[Subject]) {
        let unsaid = self.take().filter(|_| touched.is_empty());
        debug_assert_eq!(unsaid, None, "written, and nothing is said to be touched");
    }
}
