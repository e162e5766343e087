//! What waits for people: for whom, in which order, and what belongs together.
//!
//! Everything that waits is looked at every time, and only then filtered and cut into pages. So the
//! number in the title is right on every page, what belongs together is never torn apart, and a
//! filter that finds nothing can say what each of its parts keeps out.

use std::collections::BTreeSet;

use super::view::Permission;
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        Time,
        active_response::AlreadyActive,
        actor::Agent,
        facts::{RequestFacts, Verb},
        id::{PlanId, RequestId},
        kill_switch::Freeze,
        len_u64,
        request::Request,
    },
    store::{
        Read,
        requests::{self, Pending, PendingKind},
        system,
    },
};

pub(super) mod filter;
mod order;
mod rejectable;
pub(super) mod rights;
mod risk;

pub use self::{
    filter::{Assigned, InboxFilter, InboxPart},
    order::{Cursor, InboxGrouping, InboxSort, MEMBERS_MAX},
    rejectable::{RejectChoice, Rejectable},
    risk::{RiskLevel, risk},
};
use self::{
    order::{group_rows, take_page},
    rights::Rights,
};

/// How many requests a page shows of those that wait for the person, and for others: a page weighs
/// less than 100 kilobytes. What is stopped is read as that of others is.
const ROWS_MINE: usize = 40;
const ROWS_OTHERS: usize = 15;
/// How many agents are named, of those whose requests wait.
const AGENTS_MAX: usize = 50;

/// What of the inbox to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InboxView {
    /// Which requests.
    pub filter: InboxFilter,
    /// What comes first.
    pub sort: InboxSort,
    /// What stands together.
    pub grouping: InboxGrouping,
    /// The place after which each section begins: the person's own, that of others, what is stopped.
    pub after: [Option<Cursor>; 3],
}

/// What waits for people, as one person sees it.
#[derive(Debug, Clone, Default)]
pub struct InboxPage {
    /// What waits for this person.
    pub mine: InboxSection,
    /// What waits for others.
    pub others: InboxSection,
    /// What the kill switch stops: no page offers its approval before it is released.
    pub stopped: InboxSection,
    /// How many there are without the filter: for this person, for others, and stopped.
    pub all: [u64; 3],
    /// How many wait for this person, what is snoozed apart.
    pub waiting: u64,
    /// How many of this person's own are snoozed.
    pub snoozed: u64,
    /// How many more each part of the filter keeps out by itself.
    pub without: Vec<(InboxPart, u64)>,
    /// Who asked for what waits, by name, at most fifty.
    pub agents: Vec<String>,
}

/// One page of groups, in the order that was asked for.
#[derive(Debug, Clone, Default)]
pub struct InboxSection {
    /// How many requests there are, on this page and all others.
    pub number: u64,
    /// The groups of this page.
    pub groups: Vec<InboxGroup>,
    /// Where the next page begins.
    pub next: Option<Cursor>,
}

/// Requests that stand together.
#[derive(Debug, Clone)]
pub struct InboxGroup {
    /// The plan of which these are steps, and its heading.
    pub plan: Option<(PlanId, String)>,
    /// The first of them.
    pub members: Vec<PendingItem>,
    /// How many there are beside these.
    pub more: usize,
}

/// A request that waits for people, and whether this person may approve it.
#[derive(Debug, Clone)]
pub struct PendingItem {
    /// The request.
    pub request: Request,
    /// The agent as it is now.
    pub agent: Agent,
    /// Whether the person may approve it, earlier votes aside.
    pub approve: Permission,
    /// Whether the person has approved it.
    pub voted: bool,
    /// What is active already on its endpoints.
    pub active: Vec<AlreadyActive>,
    /// The name of the person to whom it is assigned.
    pub assignee: Option<String>,
    /// Until when the person who looks snoozed it.
    pub snoozed_until: Option<Time>,
}

/// What waits, and whether the person who looks may approve it.
type PendingRow = (Pending, Permission);

impl Broker {
    /// What waits for people: of each section the page after a place.
    pub async fn inbox(&self, who: &SignedIn, view: &InboxView) -> Result<InboxPage, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let mut reader = self.reader_for(who).await?;
        let (snoozed, awake) = self.pending_rows(&mut reader, who, view).await?;
        drop(reader);
        // What they meet on their endpoints is shown, whoever asked for it.
        let mut reader = self.store().reader().await?;
        let number_snoozed = len_u64(snoozed.len());
        let waiting = len_u64(awake.iter().filter(|row| is_mine(row)).count());
        let rows = if view.filter.snoozed { snoozed } else { awake };
        let me = who.profile();
        let agents: BTreeSet<_> = rows.iter().map(|(one, _)| one.asked_by.clone()).collect();
        let of_me = len_u64(rows.iter().filter(|row| is_mine(row)).count());
        let of_nobody = len_u64(rows.iter().filter(|row| row.0.stopped).count());
        let all = [of_me, len_u64(rows.len()) - of_me - of_nobody, of_nobody];
        let without = view.filter.without(&rows, me);
        let found = rows.into_iter().filter(|row| view.filter.finds(row, me));
        let (stopped, going): (Vec<_>, Vec<_>) = found.partition(|row| row.0.stopped);
        let (mine, others): (Vec<_>, Vec<_>) = going.into_iter().partition(is_mine);
        let [after_mine, after_others, after_stopped] = view.after;
        Ok(InboxPage {
            mine: self.section(&mut reader, (mine, view), after_mine, ROWS_MINE).await?,
            others: self.section(&mut reader, (others, view), after_others, ROWS_OTHERS).await?,
            stopped: self.section(&mut reader, (stopped, view), after_stopped, ROWS_OTHERS).await?,
            all,
            waiting,
            snoozed: number_snoozed,
            without,
            agents: agents.into_iter().take(AGENTS_MAX).collect(),
        })
    }

    /// How many requests wait for this person.
    pub async fn pending_count(&self, who: &SignedIn) -> Result<u64, BrokerError> {
        let mut reader = self.reader_for(who).await?;
        let mut rights = Rights::new(self, who, Verb::Approve);
        let approvable =
            |approve: Option<Permission>| approve.is_some_and(|one| one.why_not().is_none());
        let kinds = requests::pending_kinds(&mut reader, (who.id(), self.clock().now())).await?;
        let freezes = system::frozen(&mut reader).await?;
        let told_apart = kinds.iter().any(|one| self.engine().look(&one.facts).is_none());
        if told_apart {
            let (_, rows) = self.pending_rows(&mut reader, who, &InboxView::default()).await?;
            return Ok(len_u64(rows.iter().filter(|row| is_mine(row)).count()));
        }
        let goes = |one: &&PendingKind| !stops(&freezes, &one.manager, &one.facts);
        let mine = kinds.iter().filter(goes).filter(|one| approvable(rights.of(&one.facts)));
        Ok(mine.map(|one| one.number).sum())
    }

    /// The request that waits for this person after another one, in the order of the inbox; the first
    /// where that one waits no more, or none is named.
    pub async fn next_pending(
        &self,
        who: &SignedIn,
        after: Option<RequestId>,
    ) -> Result<Option<RequestId>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let view = InboxView::default();
        let mut reader = self.reader_for(who).await?;
        let (_, awake) = self.pending_rows(&mut reader, who, &view).await?;
        let mine = awake.into_iter().filter(is_mine).collect();
        let groups = group_rows(mine, view.sort, view.grouping).into_iter();
        let members = groups.flat_map(|group| group.members);
        let ids: Vec<_> = members.map(|(pending, _)| pending.facts.id).collect();
        let place = ids.iter().position(|id| Some(*id) == after);
        let later = place.and_then(|place| ids.get(place + 1));
        Ok(later.or_else(|| ids.iter().find(|id| Some(**id) != after)).copied())
    }

    /// The ids of what waits and the view finds, in its order, at most so many, and how many there are.
    async fn inbox_ids(
        &self,
        who: &SignedIn,
        view: &InboxView,
        most: usize,
    ) -> Result<(Vec<RequestId>, u64), BrokerError> {
        let mut reader = self.reader_for(who).await?;
        let (snoozed, awake) = self.pending_rows(&mut reader, who, view).await?;
        let rows = if view.filter.snoozed { snoozed } else { awake };
        let found = rows.into_iter().filter(|row| view.filter.finds(row, who.profile()));
        let found: Vec<_> = found.collect();
        let number = len_u64(found.len());
        let groups = group_rows(found, view.sort, view.grouping).into_iter();
        let ids = groups.flat_map(|group| group.members).map(|(one, _)| one.facts.id);
        Ok((ids.take(most).collect(), number))
    }

    /// All that waits and that the person may see: what waits for the person but is to be shown
    /// later, and the rest.
    async fn pending_rows(
        &self,
        reader: &mut impl Read,
        who: &SignedIn,
        view: &InboxView,
    ) -> Result<(Vec<PendingRow>, Vec<PendingRow>), BrokerError> {
        let places = view.filter.places(view.grouping == InboxGrouping::Host);
        let freezes = system::frozen(reader).await?;
        let pending = requests::pending(reader, (who.id(), self.clock().now()), &places).await?;
        let pending = pending.into_iter().map(|mut one| {
            one.stopped = stops(&freezes, &one.manager, &one.facts);
            one
        });
        let mut rights = Rights::new(self, who, Verb::Approve);
        let seen = pending.filter_map(|one| rights.of(&one.facts).map(|approve| (one, approve)));
        Ok(seen.partition(|row| is_mine(row) && row.0.snoozed_until.is_some()))
    }

    /// Cuts a page and fills it.
    async fn section(
        &self,
        reader: &mut impl Read,
        (asked, view): (Vec<PendingRow>, &InboxView),
        after: Option<Cursor>,
        rows_max: usize,
    ) -> Result<InboxSection, BrokerError> {
        let now = self.clock().now();
        let number = len_u64(asked.len());
        let heaps = group_rows(asked, view.sort, view.grouping);
        let (heaps, next) = take_page(heaps, after, rows_max);
        let mut groups = Vec::with_capacity(heaps.len());
        for group in heaps {
            let more = group.members.len().saturating_sub(MEMBERS_MAX);
            let mut members = Vec::new();
            for (pending, approve) in group.members.into_iter().take(MEMBERS_MAX) {
                let Pending { facts, voted, assignee, snoozed_until, .. } = pending;
                if let Some(request) = requests::load(reader, facts.id).await? {
                    let active = self.already_active(reader, &request, now).await?;
                    let agent = facts.agent;
                    members.push(PendingItem {
                        request,
                        agent,
                        approve,
                        voted,
                        active,
                        assignee,
                        snoozed_until,
                    });
                }
            }
            groups.push(InboxGroup { plan: group.plan, members, more });
        }
        Ok(InboxSection { number, groups, next })
    }
}

/// Whether it waits for the person who looks.
fn is_mine((pending, approve): &PendingRow) -> bool {
    !pending.stopped && !pending.voted && approve.why_not().is_none()
}

/// Whether the kill switch stops what waits.
pub(super) fn stops(freezes: &[Freeze], manager: &str, facts: &RequestFacts) -> bool {
    let agent = facts.asker.is_none().then_some(facts.agent.name.as_str());
    let kind = facts.action.kind();
    freezes.iter().any(|freeze| freeze.extent.covers(manager, kind, agent))
}
