//! The address of the inbox: filter, order, groups and page.

use serde::Deserialize;

use crate::{
    broker::queries::inbox::{
        Assigned, InboxFilter, InboxGrouping, InboxPart, InboxSort, InboxView,
    },
    domain::{action::ActionKind, address::pattern::TargetPattern, decision::Tier, id::RequestId},
    web::{
        address::with_fields,
        lists::fields::{Fields, bounded, changed, choice, read, ticked},
    },
};

/// What was asked for, as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct InboxQuery {
    pub(in crate::web) agent: String,
    pub(in crate::web) action: String,
    pub(in crate::web) tier: String,
    pub(in crate::web) group: String,
    pub(in crate::web) endpoint: String,
    pub(in crate::web) target: String,
    /// `yes`: only what runs once this person approves.
    pub(in crate::web) me: String,
    /// `yes`: only what does not end by itself.
    pub(in crate::web) permanent: String,
    /// `found`, `none`.
    pub(in crate::web) alert: String,
    /// `me`, `nobody`, or a person's name.
    pub(in crate::web) assigned: String,
    /// `yes`: what is snoozed, in place of the rest.
    pub(in crate::web) snoozed: String,
    pub(in crate::web) sort: String,
    /// [`InboxGrouping`]'s name.
    pub(in crate::web) by: String,
    /// Where each section begins.
    pub(in crate::web) after: String,
    pub(in crate::web) others_after: String,
    pub(in crate::web) stopped_after: String,
    /// The request that stands beside the list.
    pub(in crate::web) open: String,
}

/// Why an address cannot be read.
#[derive(Debug)]
pub(in crate::web) enum QueryProblem {
    /// There is no such page.
    NoPage,
    /// A field has a value that it cannot have.
    Field(String),
}

impl From<String> for QueryProblem {
    fn from(problem: String) -> Self {
        Self::Field(problem)
    }
}

impl InboxQuery {
    pub(in crate::web) fn read(&self) -> Result<InboxView, QueryProblem> {
        let place = |text: &str| {
            read(text, "page", |key| key.parse().ok()).map_err(|_no_page| QueryProblem::NoPage)
        };
        let (sorts, groupings) = (InboxSort::ALL.map(InboxSort::name), Self::groupings());
        let sort = choice(&self.sort, "order", |name| name.parse().ok(), &sorts)?;
        let grouping = choice(&self.by, "grouping", |name| name.parse().ok(), &groupings)?;
        Ok(InboxView {
            filter: self.filter()?,
            sort: sort.unwrap_or_default(),
            grouping: grouping.unwrap_or_default(),
            after: [place(&self.after)?, place(&self.others_after)?, place(&self.stopped_after)?],
        })
    }

    pub(in crate::web) fn filter(&self) -> Result<InboxFilter, String> {
        let tiers = [Tier::Low, Tier::Medium, Tier::High].map(Tier::name);
        let alert = |text: &str| match text {
            "found" => Some(true),
            "none" => Some(false),
            _ => None,
        };
        bounded(&self.target, "target")?;
        Ok(InboxFilter {
            agent: bounded(&self.agent, "agent")?,
            action: read(&self.action, "action", ActionKind::parse)?,
            tier: choice(&self.tier, "tier", Tier::parse, &tiers)?,
            group: bounded(&self.group, "group")?,
            endpoint: bounded(&self.endpoint, "endpoint")?,
            target: read(&self.target, "target", TargetPattern::parse)?,
            only_me: ticked(&self.me, "choice of “needs only me”")?,
            permanent: ticked(&self.permanent, "choice of “permanent”")?,
            alert: choice(&self.alert, "alert", alert, &["found", "none"])?,
            assigned: bounded(&self.assigned, "person")?.map(|name| match name.as_str() {
                "me" => Assigned::Me,
                "nobody" => Assigned::Nobody,
                _ => Assigned::To(name),
            }),
            snoozed: ticked(&self.snoozed, "choice of “snoozed”")?,
        })
    }

    fn groupings() -> [&'static str; InboxGrouping::ALL.len()] {
        InboxGrouping::ALL.map(InboxGrouping::name)
    }

    /// The parts of the filter alone.
    pub(in crate::web) fn filter_fields(&self) -> Fields {
        vec![
            ("agent", self.agent.clone()),
            ("action", self.action.clone()),
            ("tier", self.tier.clone()),
            ("group", self.group.clone()),
            ("endpoint", self.endpoint.clone()),
            ("target", self.target.clone()),
            ("me", self.me.clone()),
            ("permanent", self.permanent.clone()),
            ("alert", self.alert.clone()),
            ("assigned", self.assigned.clone()),
            ("snoozed", self.snoozed.clone()),
        ]
    }

    /// All fields but the page.
    pub(in crate::web) fn fields(&self) -> Fields {
        let order = [("sort", self.sort.clone()), ("by", self.by.clone())];
        self.filter_fields().into_iter().chain(order).collect()
    }

    /// The address of this view, its first page.
    pub(in crate::web) fn url(&self) -> String {
        with_fields("/", &self.fields())
    }

    /// The address of this view with other values in some fields.
    pub(in crate::web) fn url_with(&self, changes: &[(&'static str, &str)]) -> String {
        with_fields("/", &changed(&self.fields(), changes))
    }

    /// The request beside the list.
    pub(in crate::web) fn opened(&self) -> Result<Option<RequestId>, QueryProblem> {
        Ok(read(&self.open, "request", |id| id.parse().ok())?)
    }

    /// Whether something is filtered.
    pub(in crate::web) fn is_filtered(&self) -> bool {
        self.filter_fields().iter().any(|(_, value)| !value.trim().is_empty())
    }

    /// A part of the filter in words, and the address of the view without it.
    pub(in crate::web) fn without(&self, part: InboxPart) -> (&'static str, String) {
        let (words, name) = match part {
            InboxPart::Agent => ("the agent", "agent"),
            InboxPart::Action => ("the action", "action"),
            InboxPart::Tier => ("the tier", "tier"),
            InboxPart::Group => ("the group", "group"),
            InboxPart::Endpoint => ("the endpoint", "endpoint"),
            InboxPart::Target => ("the target", "target"),
            InboxPart::OnlyMe => ("“needs only me”", "me"),
            InboxPart::Permanent => ("“permanent”", "permanent"),
            InboxPart::Alert => ("the alert", "alert"),
            InboxPart::Assigned => ("“assigned to”", "assigned"),
        };
        (words, self.url_with(&[(name, "")]))
    }
}
