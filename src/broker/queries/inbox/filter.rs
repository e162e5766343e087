//! Which of what waits to show.

use super::PendingRow;
use crate::{
    domain::{
        action::{ActionKind, Term},
        actor::{Person, Role},
        address::pattern::TargetPattern,
        decision::{Tier, Verdict},
        len_u64, request,
    },
    store::requests::{Pending, PendingFilter},
};

/// Which of what waits to show. An absent part does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InboxFilter {
    /// Only what this agent asked for, or this person.
    pub agent: Option<String>,
    /// Only of this action.
    pub action: Option<ActionKind>,
    /// Only what asks this much of people.
    pub tier: Option<Tier>,
    /// Only on endpoints of this group.
    pub group: Option<String>,
    /// Only on the endpoint with this id, `001` or `paris/001`, or with this in its name.
    pub endpoint: Option<String>,
    /// Only on these targets.
    pub target: Option<TargetPattern>,
    /// Only what runs once this person approves.
    pub only_me: bool,
    /// Only what does not end by itself.
    pub permanent: bool,
    /// Only where the alert was found, or was not.
    pub alert: Option<bool>,
    /// Only what is assigned to this person.
    pub assigned: Option<Assigned>,
    /// What the person wants to see later, in place of the rest.
    pub snoozed: bool,
}

/// To whom a request is assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assigned {
    /// The person who looks.
    Me,
    /// Nobody.
    Nobody,
    /// The person with this name.
    To(String),
}

/// A part of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxPart {
    /// [`InboxFilter::agent`].
    Agent,
    /// [`InboxFilter::action`].
    Action,
    /// [`InboxFilter::tier`].
    Tier,
    /// [`InboxFilter::group`].
    Group,
    /// [`InboxFilter::endpoint`].
    Endpoint,
    /// [`InboxFilter::target`].
    Target,
    /// [`InboxFilter::only_me`].
    OnlyMe,
    /// [`InboxFilter::permanent`].
    Permanent,
    /// [`InboxFilter::alert`].
    Alert,
    /// [`InboxFilter::assigned`].
    Assigned,
}

impl InboxPart {
    const ALL: [Self; 10] = [
        Self::Agent,
        Self::Action,
        Self::Tier,
        Self::Group,
        Self::Endpoint,
        Self::Target,
        Self::OnlyMe,
        Self::Permanent,
        Self::Alert,
        Self::Assigned,
    ];
}

impl InboxFilter {
    /// What is looked for among endpoints, which the store knows.
    pub(super) fn places(&self, host: bool) -> PendingFilter {
        let endpoint = self.endpoint.as_ref().map(|text| text.to_lowercase());
        PendingFilter { endpoint, group: self.group.clone(), host, action: None }
    }

    /// Whether a part of it keeps a request out.
    fn keeps_out(&self, part: InboxPart, (pending, approve): &PendingRow, me: &Person) -> bool {
        let Pending { facts, term, .. } = pending;
        match part {
            InboxPart::Agent => self.agent.as_ref().is_some_and(|name| *name != pending.asked_by),
            InboxPart::Action => self.action.is_some_and(|kind| kind != facts.action.kind()),
            InboxPart::Tier => self.tier.is_some_and(|tier| tier != tier_of(pending)),
            InboxPart::Group => !pending.in_group,
            InboxPart::Endpoint => !pending.on_endpoint,
            InboxPart::Target => self.target.as_ref().is_some_and(|one| !one.finds(&facts.action)),
            InboxPart::OnlyMe => {
                let mine = !pending.voted && approve.why_not().is_none();
                self.only_me && !(mine && needs_only(pending, me.role))
            }
            InboxPart::Permanent => self.permanent && *term != Term::Permanent,
            InboxPart::Alert => self.alert.is_some_and(|found| found != pending.alert_found),
            InboxPart::Assigned => self.assigned.as_ref().is_some_and(|to| match to {
                Assigned::Me => pending.assignee.as_ref() != Some(&me.name),
                Assigned::Nobody => pending.assignee.is_some(),
                Assigned::To(name) => pending.assignee.as_ref() != Some(name),
            }),
        }
    }

    /// Whether a request is to be shown.
    pub(super) fn finds(&self, row: &PendingRow, me: &Person) -> bool {
        InboxPart::ALL.into_iter().all(|part| !self.keeps_out(part, row, me))
    }

    /// How many more each part of the filter keeps out by itself, where it keeps out any.
    pub(super) fn without(&self, rows: &[PendingRow], me: &Person) -> Vec<(InboxPart, u64)> {
        let alone = |row: &PendingRow| {
            let mut parts = InboxPart::ALL.into_iter();
            let first = parts.find(|part| self.keeps_out(*part, row, me));
            first.filter(|_| parts.all(|part| !self.keeps_out(part, row, me)))
        };
        let all: Vec<_> = rows.iter().filter_map(alone).collect();
        let number = |part: InboxPart| len_u64(all.iter().filter(|one| **one == part).count());
        let counted = InboxPart::ALL.map(|part| (part, number(part)));
        counted.into_iter().filter(|(_, number)| *number > 0).collect()
    }
}

/// [`request::tier`] of what waits.
pub(in crate::broker::queries) fn tier_of(pending: &Pending) -> Tier {
    let Pending { facts, term, fleet_wide, verdict, tally, .. } = pending;
    request::tier(facts.action.kind(), (*verdict, *tally), (*term, *fleet_wide, facts.criticality))
}

/// Whether one more approval, of this role, would do.
fn needs_only(pending: &Pending, role: Role) -> bool {
    match pending.verdict {
        Verdict::Approval(least) => pending.tally.and(role).covers(least),
        Verdict::Run => true,
        Verdict::Deny => false,
    }
}
