//! When the audit was told last that a token for the API came from outside of its networks.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use chrono::TimeDelta;

use crate::domain::{Time, id::ApiTokenId};

/// The audit gets one entry for each token within this time.
const TOLD_EVERY: TimeDelta = TimeDelta::hours(1);

/// By token: there are no more of them than tokens.
#[derive(Debug, Default)]
pub(in crate::broker) struct RefusedTokens(Mutex<BTreeMap<ApiTokenId, Time>>);

impl RefusedTokens {
    /// Whether it is time to tell the audit of this token. It then counts as told.
    pub(in crate::broker) fn is_due(&self, token: ApiTokenId, now: Time) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.get(&token).is_none_or(|at| *at > now || now - *at >= TOLD_EVERY);
        if due {
            told.insert(token, now);
        }
        due
    }
}
