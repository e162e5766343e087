//! What a request is in a plan.

use serde::{Deserialize, Serialize};
use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::domain::{all_variants, id::PlanId};

/// Which step of which plan a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanStep {
    /// The plan.
    pub plan: PlanId,
    /// 1 for the first.
    pub number: u8,
}

/// What happens to the steps after one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[serde(rename_all = "snake_case")]
pub enum FailureRule {
    /// They are withdrawn.
    Stop,
    /// They go on.
    Continue,
}

impl FailureRule {
    /// All rules.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}
