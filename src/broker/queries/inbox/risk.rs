//! How much could go wrong if a request were approved by mistake, in one word, and why.

use strum::{EnumString, IntoStaticStr};

use crate::{
    domain::{action::Term, decision::Tier, request::Request},
    store::requests::Pending,
};

use super::filter::tier_of;

/// How much could go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum RiskLevel {
    /// Little: it ends by itself, and an alert speaks for it.
    Low,
    /// More people are asked, the endpoint matters, or no alert speaks for it.
    Medium,
    /// It does not end by itself, reaches all endpoints or one of the most critical, needs a lead, or its
    /// alert is of another machine.
    High,
}

impl RiskLevel {
    /// `low`, `medium`, `high`.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// What risk is told of a request.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct RiskFacts {
    undo: bool,
    term: Term,
    fleet_wide: bool,
    criticality: u8,
    tier: Tier,
    alert_found: bool,
    alert_elsewhere: bool,
}

impl RiskFacts {
    /// Each thing that makes it risky, and how risky.
    fn signs(&self) -> Vec<(RiskLevel, &'static str)> {
        let all = [
            (!self.undo && self.term == Term::Permanent, RiskLevel::High, "permanent"),
            (self.fleet_wide, RiskLevel::High, "fleet-wide"),
            (self.criticality == 5, RiskLevel::High, "criticality 5"),
            (self.tier == Tier::High, RiskLevel::High, "tier high"),
            (self.alert_elsewhere, RiskLevel::High, "alert of another machine"),
            (self.criticality == 4, RiskLevel::Medium, "criticality 4"),
            (self.tier == Tier::Medium, RiskLevel::Medium, "tier medium"),
            (!self.undo && !self.alert_found, RiskLevel::Medium, "no alert found"),
        ];
        all.into_iter().filter(|(is, ..)| *is).map(|(_, level, why)| (level, why)).collect()
    }

    fn level(&self) -> RiskLevel {
        self.signs().into_iter().map(|(level, _)| level).max().unwrap_or(RiskLevel::Low)
    }
}

/// The risk of a request, and why.
pub fn risk(request: &Request) -> (RiskLevel, Vec<&'static str>) {
    let facts = RiskFacts {
        undo: request.action.kind().is_undo(),
        term: request.term,
        fleet_wide: request.fleet_wide,
        criticality: request.criticality(),
        tier: request.tier(),
        alert_found: request.alert.found,
        alert_elsewhere: request.alert_elsewhere(),
    };
    (facts.level(), facts.signs().into_iter().map(|(_, why)| why).collect())
}

/// The same of what waits, before it is read.
pub(super) fn risk_of(pending: &Pending) -> RiskLevel {
    let facts = RiskFacts {
        undo: pending.facts.action.kind().is_undo(),
        term: pending.term,
        fleet_wide: pending.fleet_wide,
        criticality: pending.facts.criticality,
        tier: tier_of(pending),
        alert_found: pending.alert_found,
        alert_elsewhere: pending.alert_elsewhere,
    };
    facts.level()
}
