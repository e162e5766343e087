//! What a request does, in words.

use super::Request;
use crate::domain::{action::with_count, len_u64};

impl Request {
    /// What it does and how far it reaches: "Block 203.0.113.9 on 12 endpoints for 10 minutes".
    pub fn effect(&self) -> String {
        self.effect_among(false)
    }

    /// [`Request::effect`]; where there are several managers, it says which: "on paris/001".
    pub fn effect_among(&self, several_managers: bool) -> String {
        let reach = match (self.targets.as_slice(), several_managers) {
            ([only], false) => format!("on {}", only.endpoint.id),
            ([only], true) => format!("on {}/{}", self.manager, only.endpoint.id),
            (targets, several) => {
                let count = len_u64(targets.len());
                let of = if several { format!(" of {}", self.manager) } else { String::new() };
                format!("on {}{of}", with_count(count, "endpoint"))
            }
        };
        let phrase = self.action.phrase();
        if self.action.kind().is_undo() {
            return format!("{phrase} {reach}");
        }
        format!("{phrase} {reach} {}", self.term)
    }
}
