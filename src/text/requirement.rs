//! What policy required of people, and who they were, from a request's audit entries alone: once it
//! may run, its decision says only that it may.

use crate::domain::{
    actor::Role,
    audit::{AuditDetail, AuditEntry, detail::request::DecisionFacts},
};

/// What a request had to have before it could run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Who had to approve: "2 people, one of them a senior or lead".
    pub needs: String,
    /// Why, in the policies' words.
    pub why: String,
    /// The policies that required it.
    pub policies: Vec<String>,
    /// The approvals that were not taken back, oldest first.
    pub approvals: Vec<GivenApproval>,
}

/// An approval as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenApproval {
    /// Who: the name then.
    pub name: String,
    /// The role then.
    pub role: Role,
    /// Whether the person broke the glass instead.
    pub break_glass: bool,
}

/// What policy last required of people; none where it never did. `entries` are the request's audit
/// entries, oldest first; one that cannot be read says nothing.
pub fn requirement(entries: &[AuditEntry]) -> Option<Requirement> {
    let mut required = None;
    let mut approvals: Vec<(&str, GivenApproval)> = Vec::new();
    for entry in entries {
        let Ok(detail) = entry.typed_detail() else { continue };
        let who = entry.actor_id.as_deref().unwrap_or_default();
        let given = |role, break_glass| {
            (who, GivenApproval { name: entry.actor_name.clone(), role, break_glass })
        };
        // Whoever approved before and then breaks the glass has one vote.
        if matches!(detail, AuditDetail::GlassBroken(_) | AuditDetail::VoteRetracted(_)) {
            approvals.retain(|(other, _)| *other != who);
        }
        if let AuditDetail::VoteApproved(facts) = &detail {
            approvals.push(given(facts.role, false));
        } else if let AuditDetail::GlassBroken(facts) = &detail {
            approvals.push(given(facts.role, true));
        }
        if let Some(decision) = decision(&detail)
            && let Some(needs) = &decision.needs
        {
            required = Some((needs.clone(), decision.why.clone(), decision.policies.clone()));
        }
    }
    let (needs, why, policies) = required?;
    let approvals = approvals.into_iter().map(|(_, given)| given).collect();
    Some(Requirement { needs, why, policies, approvals })
}

/// Policy's answer in an event that may say what it requires of people.
fn decision(detail: &AuditDetail) -> Option<&DecisionFacts> {
    if let AuditDetail::RequestAsked(facts) = detail {
        Some(&facts.decision)
    } else if let AuditDetail::VoteApproved(facts) = detail {
        Some(&facts.decision)
    } else if let AuditDetail::VoteRetracted(facts) = detail {
        Some(&facts.decision)
    } else if let AuditDetail::RequestRedecided(facts) = detail {
        Some(&facts.decision)
    } else {
        None
    }
}

impl Requirement {
    /// "bob (senior), carol (lead, broke the glass)"; empty where nobody approved.
    pub fn approvers(&self) -> String {
        let words = |one: &GivenApproval| {
            let GivenApproval { name, role, break_glass } = one;
            let how = if *break_glass { ", broke the glass" } else { "" };
            format!("{name} ({role}{how})")
        };
        self.approvals.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}
