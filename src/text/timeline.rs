//! What happened to each endpoint of a request, from its audit entries alone.
//!
//! An endpoint's timeline has the facts about the request as a whole and those about this endpoint,
//! and never those about another. What was said about the whole, such as the comment of a vote,
//! is not repeated for each endpoint.

use crate::domain::{
    Time,
    audit::{AuditDetail, AuditEntry, UnreadableEntry},
    endpoint::{Endpoint, EndpointId},
    evidence::Evidence,
};

mod builder;
mod outcome;
mod severity;

use builder::TimelineBuilder;
pub use severity::Severity;

/// What happened to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointTimeline {
    /// Which.
    pub endpoint: EndpointId,
    /// Its name: text from outside.
    pub name: String,
    /// What happened, oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Whether evidence came after a person had found that it was not done.
    pub overruled: bool,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// When it was recorded; none where the row does not say it.
    pub at: Option<Time>,
    /// What happened, in our words.
    pub summary: String,
    /// What somebody else said, or a reason; may be empty.
    pub quote: String,
    /// What proves it.
    pub evidence: Option<Evidence>,
    /// What it means for the response.
    pub severity: Severity,
}

/// The timelines of these endpoints of a request: some that take part, then some that were left out.
/// `timeline` are the request's audit entries, oldest first. An entry that cannot be read is shown
/// as that, since it may concern any of them.
pub fn timelines<'a>(
    taking: impl Iterator<Item = &'a Endpoint>,
    skipped: impl Iterator<Item = &'a Endpoint>,
    timeline: &[AuditEntry],
) -> Vec<EndpointTimeline> {
    let taking = taking.map(|endpoint| TimelineBuilder::new(endpoint, false));
    let skipped = skipped.map(|endpoint| TimelineBuilder::new(endpoint, true));
    let mut builders: Vec<_> = taking.chain(skipped).collect();
    for entry in timeline {
        let event = Event::read(entry);
        for builder in &mut builders {
            match &event {
                Ok(event) => builder.apply(event),
                Err(problem) => builder.add_problem(entry.time().ok(), problem),
            }
        }
    }
    builders.into_iter().map(TimelineBuilder::finish).collect()
}

/// An audit entry, read once for all endpoints.
struct Event<'a> {
    at: Time,
    actor: &'a str,
    by_agent: bool,
    detail: AuditDetail,
}

impl<'a> Event<'a> {
    fn read(entry: &'a AuditEntry) -> Result<Self, UnreadableEntry> {
        Ok(Self {
            at: entry.time()?,
            actor: &entry.actor_name,
            by_agent: entry.actor_kind == "agent",
            detail: entry.typed_detail()?,
        })
    }
}
