//! What waits for people: for whom, in which order, and what belongs together.
//!
//! Everything that waits is looked at every time, and only then cut into pages. So the number in
//! the title is right on every page, and what belongs together is never torn apart.

use std::{collections::HashMap, fmt, str::FromStr};

use super::view::Permission;
use crate::{
    broker::{Broker, BrokerError, SignedIn},
    domain::{
        Time,
        action::Action,
        active_response::AlreadyActive,
        actor::Agent,
        facts::{Resource, Verb},
        id::{PlanId, RequestId},
        len_u64,
        request::Request,
    },
    store::{
        Read,
        requests::{self, Pending},
    },
};

/// How many groups a section of a page shows.
const PAGE_GROUPS: usize = 50;
/// How many requests of one card are shown.
pub const MEMBERS_MAX: usize = 10;

/// What waits for people, as one person sees it.
#[derive(Debug, Clone, Default)]
pub struct InboxPage {
    /// What waits for this person.
    pub mine: InboxSection,
    /// What waits for others.
    pub others: InboxSection,
}

/// One page of groups, the one with the earliest deadline first.
#[derive(Debug, Clone, Default)]
pub struct InboxSection {
    /// How many requests there are, on this page and all others.
    pub number: u64,
    /// The groups of this page.
    pub groups: Vec<InboxGroup>,
    /// Where the next page begins.
    pub next: Option<Cursor>,
}

/// The steps of a plan, or requests for the same action on the same target, whoever asked and on
/// whatever endpoints.
#[derive(Debug, Clone)]
pub struct InboxGroup {
    /// The plan of which these are steps, and its heading.
    pub plan: Option<(PlanId, String)>,
    /// The first of them, earliest deadline first.
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
}

/// A place in the order of the inbox: after this deadline and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(Time, RequestId);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.timestamp_micros(), self.1)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (deadline, id) = text.split_once('.').ok_or(())?;
        let micros = deadline.parse().map_err(|_no_number| ())?;
        let deadline = Time::from_timestamp_micros(micros).ok_or(())?;
        Ok(Self(deadline, id.parse().map_err(|_no_id| ())?))
    }
}

/// What waits, and whether the person who looks may approve it.
type PendingRow = (Pending, Permission);

impl Broker {
    /// What waits for people, earliest deadline first: of each pile the page after a place.
    pub async fn inbox(
        &self,
        who: &SignedIn,
        mine: Option<Cursor>,
        others: Option<Cursor>,
    ) -> Result<InboxPage, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let mut reader = self.store().reader().await?;
        let (of_mine, of_others) = self.pending_by_deadline(&mut reader, who).await?;
        Ok(InboxPage {
            mine: self.section(&mut reader, of_mine, mine).await?,
            others: self.section(&mut reader, of_others, others).await?,
        })
    }

    /// How many requests wait for this person.
    pub async fn pending_count(&self, who: &SignedIn) -> Result<u64, BrokerError> {
        let (mine, _) = self.pending_by_deadline(&mut self.store().reader().await?, who).await?;
        Ok(len_u64(mine.len()))
    }

    /// The request that waits for this person after another one, by deadline; the first where that
    /// one waits no more, or none is named.
    pub async fn next_pending(
        &self,
        who: &SignedIn,
        after: Option<RequestId>,
    ) -> Result<Option<RequestId>, BrokerError> {
        self.authorize_read(who, Verb::View)?;
        let (mine, _) = self.pending_by_deadline(&mut self.store().reader().await?, who).await?;
        let ids: Vec<_> = mine.into_iter().map(|(pending, _)| pending.facts.id).collect();
        let place = ids.iter().position(|id| Some(*id) == after);
        let later = place.and_then(|place| ids.get(place + 1));
        Ok(later.or_else(|| ids.iter().find(|id| Some(**id) != after)).copied())
    }

    /// All that waits and that the person may see: what waits for the person, and the rest.
    async fn pending_by_deadline(
        &self,
        reader: &mut impl Read,
        who: &SignedIn,
    ) -> Result<(Vec<PendingRow>, Vec<PendingRow>), BrokerError> {
        let principal = who.principal(self.clock().now());
        let pending = requests::pending(reader, who.id()).await?.into_iter();
        let seen = pending.filter_map(|pending| {
            let resource = Resource::Request(pending.facts.clone());
            self.authorize(&principal, Verb::View, &resource).ok()?;
            Some((pending, self.permission(who, Verb::Approve, &resource)))
        });
        Ok(seen.partition(|(pending, approve)| !pending.voted && approve.why_not().is_none()))
    }

    /// Cuts a page and fills it.
    async fn section(
        &self,
        reader: &mut impl Read,
        asked: Vec<PendingRow>,
        after: Option<Cursor>,
    ) -> Result<InboxSection, BrokerError> {
        let now = self.clock().now();
        let number = len_u64(asked.len());
        let (heaps, next) = take_page(group_rows(asked), after);
        let mut groups = Vec::with_capacity(heaps.len());
        for RowGroup { members, plan, .. } in heaps {
            let more = members.len().saturating_sub(MEMBERS_MAX);
            let mut filled = Vec::new();
            for (Pending { facts, voted, .. }, approve) in members.into_iter().take(MEMBERS_MAX) {
                if let Some(request) = requests::load(reader, facts.id).await? {
                    let active = self.already_active(reader, &request, now).await?;
                    filled.push(PendingItem {
                        request,
                        agent: facts.agent,
                        approve,
                        voted,
                        active,
                    });
                }
            }
            groups.push(InboxGroup { plan, members: filled, more });
        }
        Ok(InboxSection { number, groups, next })
    }
}

/// The page after a place, and where the next one begins.
fn take_page(heaps: Vec<RowGroup>, after: Option<Cursor>) -> (Vec<RowGroup>, Option<Cursor>) {
    let later = |heap: &RowGroup| after.is_none_or(|after| heap.place > after);
    let mut page: Vec<_> = heaps.into_iter().filter(later).collect();
    let more = page.len() > PAGE_GROUPS;
    page.truncate(PAGE_GROUPS);
    let next = page.last().filter(|_| more).map(|heap| heap.place);
    (page, next)
}

/// A group before it is filled.
struct RowGroup {
    place: Cursor,
    plan: Option<(PlanId, String)>,
    members: Vec<PendingRow>,
}

/// Puts together what belongs together, at the place of the earliest deadline.
fn group_rows(asked: Vec<PendingRow>) -> Vec<RowGroup> {
    let mut index: HashMap<Result<PlanId, Action>, usize> = HashMap::new();
    let mut heaps: Vec<RowGroup> = Vec::new();
    for (pending, approve) in asked {
        let next = heaps.len();
        let plan = pending.plan.clone();
        let of = plan.as_ref().map(|(id, _)| *id).ok_or_else(|| pending.facts.action.clone());
        let at = *index.entry(of).or_insert(next);
        let place = Cursor(pending.deadline, pending.facts.id);
        match heaps.get_mut(at) {
            Some(heap) => heap.members.push((pending, approve)),
            None => heaps.push(RowGroup { place, plan, members: vec![(pending, approve)] }),
        }
    }
    heaps
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        action::{ActionKind, Catalogue},
        facts::RequestFacts,
        id::{AgentId, PersonId},
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
        };
        // Three share each deadline, so that the id must tell them apart.
        let deadline =
            Time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(number / 3).unwrap());
        (Pending { deadline, facts, voted: false, plan: None }, Permission::Now)
    }

    #[test]
    fn inbox_pages_show_every_group_once_despite_decisions() {
        let all = || (0..130).map(|number| asked(number, u32::try_from(number).unwrap()));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            // What was shown is decided before the next page is asked for.
            let left = all().filter(|(one, _)| !seen.contains(&one.facts.id));
            let (page, next) = take_page(group_rows(left.collect()), after);
            assert!(page.len() <= 50);
            seen.extend(page.iter().map(|heap| heap.place.1));
            let Some(next) = next else { break };
            assert_eq!(next.to_string().parse(), Ok(next));
            after = Some(next);
        }
        let ids: Vec<_> = all().map(|(one, _)| one.facts.id).collect();
        assert_eq!(seen, ids);
    }

    #[test]
    fn inbox_page_never_splits_a_group() {
        // The first and the last hundred ask for the same.
        let all = (0..200).map(|number| asked(number, u32::try_from(number % 100).unwrap()));
        let (page, next) = take_page(group_rows(all.collect()), None);
        assert!(page.iter().all(|heap| heap.members.len() == 2));
        let (rest, end) = take_page(page, next);
        assert_eq!((rest.len(), end), (0, None));
    }
}
