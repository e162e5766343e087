//! What an undo is for.

use std::collections::BTreeSet;

use super::{Request, Target};
use crate::domain::{endpoint::EndpointId, id::RequestId};

/// A request that an undo is for, and what its commands are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The request.
    pub request: RequestId,
    /// Where a companion script did it, which takes back what one request did.
    pub by_companion: BTreeSet<EndpointId>,
}

impl Request {
    /// What an undo is for: this request, where it is none itself.
    pub fn undone(&self) -> Undone {
        let entry = self.action.kind().entry();
        let companion = |target: &&Target| entry.companion_in(&target.command).is_some();
        let by_companion = self.targets.iter().filter(companion);
        Undone {
            request: self.undoes.unwrap_or(self.id),
            by_companion: by_companion.map(|target| target.endpoint.id.clone()).collect(),
        }
    }
}
