//! In which order what waits is shown, what stands together, and where a page ends.

use std::{collections::HashMap, fmt, str::FromStr};

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::{
    PendingRow,
    risk::{RiskLevel, risk_of},
};
use crate::{
    domain::{
        action::Action,
        all_variants,
        id::{PlanId, RequestId},
    },
    store::requests::Pending,
};

/// How many requests of one group are shown.
pub const MEMBERS_MAX: usize = 10;

/// What comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum InboxSort {
    /// The greatest risk, and of those the earliest deadline.
    #[default]
    Risk,
    /// The earliest deadline.
    Deadline,
    /// What was asked last.
    Newest,
    /// What was asked first.
    Oldest,
}

/// What stands together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[derive(EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum InboxGrouping {
    /// The same action on the same target, and the steps of a plan.
    #[default]
    Target,
    /// What one agent, or one person, asked for.
    Agent,
    /// What has the same most critical endpoint.
    Host,
    /// Nothing.
    None,
}

impl InboxSort {
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in an address.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

impl InboxGrouping {
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = all_variants(Self::VARIANTS);

    /// The word in an address.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// A place in the order of the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(i64, i64, RequestId);

impl Cursor {
    fn of(pending: &Pending, sort: InboxSort) -> Self {
        let deadline = pending.deadline.timestamp_micros();
        let asked = pending.asked_at.timestamp_micros();
        let risk = match risk_of(pending) {
            RiskLevel::Low => 0,
            RiskLevel::Medium => 1,
            RiskLevel::High => 2,
        };
        let (first, second) = match sort {
            InboxSort::Risk => (-risk, deadline),
            InboxSort::Deadline => (0, deadline),
            InboxSort::Newest => (0, -asked),
            InboxSort::Oldest => (0, asked),
        };
        Self(first, second, pending.facts.id)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, rest) = text.split_once('.').ok_or(())?;
        let (second, id) = rest.split_once('.').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_no_number| ());
        Ok(Self(number(first)?, number(second)?, id.parse().map_err(|_no_id| ())?))
    }
}

/// A group before it is filled.
pub(super) struct RowGroup {
    pub(super) place: Cursor,
    pub(super) plan: Option<(PlanId, String)>,
    pub(super) members: Vec<PendingRow>,
}

/// What stands together has the same key.
#[derive(PartialEq, Eq, Hash)]
enum GroupKey {
    Plan(PlanId),
    Action(Action),
    /// Whether a person asked, and the name.
    Asker(bool, String),
    Host(String),
    Alone(RequestId),
}

impl GroupKey {
    fn of(pending: &Pending, grouping: InboxGrouping) -> Self {
        match (grouping, &pending.plan) {
            (InboxGrouping::Target, Some((plan, _))) => Self::Plan(*plan),
            (InboxGrouping::Target, None) => Self::Action(pending.facts.action.clone()),
            (InboxGrouping::Agent, _) => {
                Self::Asker(pending.facts.asker.is_some(), pending.asked_by.clone())
            }
            (InboxGrouping::Host, _) => Self::Host(pending.host.clone().unwrap_or_default()),
            (InboxGrouping::None, _) => Self::Alone(pending.facts.id),
        }
    }
}

/// Sorts, and puts together what belongs together, at the place of its first.
pub(super) fn group_rows(
    asked: Vec<PendingRow>,
    sort: InboxSort,
    grouping: InboxGrouping,
) -> Vec<RowGroup> {
    let mut placed: Vec<_> = asked.into_iter().map(|row| (Cursor::of(&row.0, sort), row)).collect();
    placed.sort_by_key(|(place, _)| *place);
    let mut index: HashMap<GroupKey, usize> = HashMap::new();
    let mut heaps: Vec<RowGroup> = Vec::new();
    for (place, row) in placed {
        let next = heaps.len();
        let at = *index.entry(GroupKey::of(&row.0, grouping)).or_insert(next);
        if let Some(heap) = heaps.get_mut(at) {
            heap.members.push(row);
        } else {
            let plan = row.0.plan.clone().filter(|_| grouping == InboxGrouping::Target);
            heaps.push(RowGroup { place, plan, members: vec![row] });
        }
    }
    heaps
}

/// The page after a place, and where the next one begins: whole groups, until they show this many
/// rows, and one at least.
pub(super) fn take_page(
    heaps: Vec<RowGroup>,
    after: Option<Cursor>,
    rows_max: usize,
) -> (Vec<RowGroup>, Option<Cursor>) {
    let later = |heap: &RowGroup| after.is_none_or(|after| heap.place > after);
    let mut page: Vec<_> = heaps.into_iter().filter(later).collect();
    let mut rows = 0;
    let fits = page.iter().take_while(|heap| {
        rows += heap.members.len().min(MEMBERS_MAX);
        rows <= rows_max
    });
    let fits = fits.count().max(1);
    let more = page.len() > fits;
    page.truncate(fits);
    let next = page.last().filter(|_| more).map(|heap| heap.place);
    (page, next)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::{
        broker::queries::view::Permission,
        domain::{
            Time,
            action::{ActionKind, Catalogue, Term},
            actor::Agent,
            decision::{Tally, Tier, Verdict},
            facts::RequestFacts,
            id::{AgentId, PersonId},
        },
    };

    fn asked(number: u128, target: u32) -> PendingRow {
        let owner = PersonId::from(Uuid::from_u128(1));
        let agent = Agent {
            id: AgentId::from(Uuid::from_u128(2)),
            name: "triage-bot".to_owned(),
            owner,
            issuer: None,
            revoked: false,
            scopes: Catalogue::built_in().responses().to_vec(),
            issued_at: Time::UNIX_EPOCH,
        };
        let address = format!("198.51.{}.{}", target / 200, target % 200);
        let facts = RequestFacts {
            id: RequestId::from(Uuid::from_u128(number)),
            agent,
            owner_then: owner,
            issuer_then: None,
            asker: None,
            action: Action::parse(ActionKind::parse("block_ip").unwrap(), &address).unwrap(),
            criticality: 2,
            tier: Tier::Low,
            sites: BTreeSet::new(),
        };
        // Three share each deadline, so that the id must tell them apart.
        let deadline =
            Time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(number / 3).unwrap());
        let pending = Pending {
            manager: "main".to_owned(),
            stopped: false,
            deadline,
            asked_at: deadline,
            asked_by: "triage-bot".to_owned(),
            term: if number % 7 == 6 { Term::Permanent } else { Term::Seconds(600) },
            fleet_wide: false,
            verdict: Verdict::Approval(Tally { people: 1, ..Tally::NONE }),
            tally: Tally::NONE,
            alert_found: true,
            alert_elsewhere: false,
            on_endpoint: true,
            in_group: true,
            host: None,
            facts,
            voted: false,
            snoozed_until: None,
            assignee: None,
            plan: None,
        };
        (pending, Permission::Now)
    }

    fn grouped(all: Vec<PendingRow>, sort: InboxSort) -> Vec<RowGroup> {
        group_rows(all, sort, InboxGrouping::Target)
    }

    #[test]
    fn inbox_pages_show_every_group_once_despite_decisions() {
        for sort in InboxSort::ALL {
            let all = || (0..130).map(|number| asked(number, u32::try_from(number).unwrap()));
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                // What was shown is decided before the next page is asked for.
                let left = all().filter(|(one, _)| !seen.contains(&one.facts.id));
                let (page, next) = take_page(grouped(left.collect(), sort), after, 50);
                assert!(page.len() <= 50);
                seen.extend(page.iter().map(|heap| heap.place.2));
                let Some(next) = next else { break };
                assert_eq!(next.to_string().parse(), Ok(next));
                after = Some(next);
            }
            let order = grouped(all().collect(), sort);
            let ids: Vec<_> = order.iter().map(|heap| heap.place.2).collect();
            assert_eq!((seen.len(), seen), (130, ids));
        }
    }

    #[test]
    fn inbox_page_never_splits_a_group() {
        // The first and the last hundred ask for the same.
        let all = (0..200).map(|number| asked(number, u32::try_from(number % 100).unwrap()));
        let (page, next) = take_page(grouped(all.collect(), InboxSort::Risk), None, 100);
        assert!(page.iter().all(|heap| heap.members.len() == 2));
        let (rest, end) = take_page(page, next, 100);
        assert_eq!((rest.len(), end), (0, None));
    }

    #[test]
    fn greatest_risk_comes_first() {
        let all = (0..20).map(|number| asked(number, u32::try_from(number).unwrap()));
        let order = grouped(all.collect(), InboxSort::Risk);
        let ids: Vec<_> = order.iter().take(3).map(|heap| heap.place.2).collect();
        assert_eq!(ids, [6, 13, 0].map(|number| RequestId::from(Uuid::from_u128(number))));
    }
}
