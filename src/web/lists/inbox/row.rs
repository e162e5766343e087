//! One request of the inbox in two lines, and what stands together.

use std::cmp::Reverse;

use super::query::InboxQuery;
use crate::{
    broker::queries::{
        inbox::{InboxGroup, InboxGrouping, PendingItem, RiskLevel, risk},
        view::Permission,
    },
    domain::{
        Time,
        action::{Icon, with_count},
        request::{Request, Target},
    },
    text::{active_response::cuts_short, endpoint, request},
};

/// Longer first lines of a reason are cut.
const REASON_CHARS_MAX: usize = 120;

/// One request, or several that stand together.
#[derive(Debug)]
pub(in crate::web) struct InboxCard {
    /// What they have in common; none of one request that stands alone.
    pub(in crate::web) head: Option<CardHead>,
    pub(in crate::web) items: Vec<InboxItem>,
    /// How many there are beside these, and where they all are.
    pub(in crate::web) more: Option<(usize, String)>,
    /// One of several that can be approved together.
    pub(in crate::web) together: Option<String>,
}

/// What several requests have in common.
#[derive(Debug)]
pub(in crate::web) struct CardHead {
    /// "A plan", "agent", "host"; empty where the words say it.
    pub(in crate::web) what: &'static str,
    pub(in crate::web) words: String,
    /// Where it leads; empty where nowhere.
    pub(in crate::web) url: String,
    /// "3 requests".
    pub(in crate::web) number: String,
}

/// A request that waits.
#[derive(Debug)]
pub(in crate::web) struct InboxItem {
    pub(in crate::web) id: String,
    /// The sign of its action.
    pub(in crate::web) icon: Icon,
    /// The address of the view with it beside the list.
    pub(in crate::web) beside: String,
    pub(in crate::web) effect: String,
    /// What is shown of it below a head: on what, for how long.
    pub(in crate::web) title: String,
    /// How much could go wrong, in one word, and why.
    pub(in crate::web) risk: (RiskLevel, String),
    /// The first line of the reason, and whether it goes on.
    pub(in crate::web) reason: (String, bool),
    /// "alert level 10", "no alert found".
    pub(in crate::web) alert: (bool, String),
    /// Who asked: "agent triage-bot", or a person.
    pub(in crate::web) asker: (&'static str, String),
    pub(in crate::web) skipped: String,
    pub(in crate::web) needed: String,
    pub(in crate::web) deadline: Time,
    pub(in crate::web) left: String,
    /// Whether approving it ends earlier what others decided.
    pub(in crate::web) cuts_short: bool,
    /// Why it does not wait for this person.
    pub(in crate::web) why_not: String,
    /// To whom it is assigned.
    pub(in crate::web) assignee: Option<String>,
    /// Until when this person snoozed it.
    pub(in crate::web) snoozed_until: Option<Time>,
}

impl InboxCard {
    /// `several`: there is more than one manager, so each is named.
    pub(super) fn new(
        group: &InboxGroup,
        (asked, grouping): (&InboxQuery, InboxGrouping),
        (several, now): (bool, Time),
    ) -> Option<Self> {
        let first = &group.members.first()?.request;
        let number = group.members.len() + group.more;
        let head = head(group, first, (asked, grouping), number);
        let below = head.as_ref().is_some_and(|head| head.what.is_empty());
        let item = |one| InboxItem::new(one, (asked, below), (several, now));
        let items = group.members.iter().map(item).collect();
        let more = (group.more > 0).then(|| (group.more, all_of(first, (asked, grouping))));
        let together = group.approvable_with().filter(|_| group.plan.is_none());
        let together = together.map(|id| id.to_string());
        Some(Self { head, items, more, together })
    }
}

fn head(
    group: &InboxGroup,
    first: &Request,
    (asked, grouping): (&InboxQuery, InboxGrouping),
    number: usize,
) -> Option<CardHead> {
    let number_words = with_count(u64::try_from(number).unwrap_or(0), "request");
    let new = |what, words: String, url: String| {
        Some(CardHead { what, words, url, number: number_words.clone() })
    };
    match (&group.plan, grouping) {
        (Some((id, heading)), _) => new("A plan:", heading.clone(), format!("/plans/{id}")),
        (None, InboxGrouping::Agent) => {
            let (what, name) = asker(first);
            new(what, name.clone(), asked.url_with(&[("agent", &name), ("by", "")]))
        }
        (None, InboxGrouping::Host) => {
            let words = most_critical(first);
            new("host", words, all_of(first, (asked, grouping)))
        }
        (None, InboxGrouping::Target | InboxGrouping::None) if number > 1 => {
            new("", first.action.phrase(), String::new())
        }
        (None, InboxGrouping::Target | InboxGrouping::None) => None,
    }
}

/// "db-01 (003)", of the endpoint that matters most.
fn most_critical(request: &Request) -> String {
    let first = first_target(request);
    first.map_or_else(|| "no endpoint".to_owned(), |one| endpoint::named(&one.endpoint))
}

fn first_target(request: &Request) -> Option<&Target> {
    let key = |target: &&Target| (Reverse(target.criticality), target.endpoint.id.clone());
    request.targets.iter().min_by_key(key)
}

/// Where all of a group are.
fn all_of(first: &Request, (asked, grouping): (&InboxQuery, InboxGrouping)) -> String {
    match grouping {
        InboxGrouping::Agent => asked.url_with(&[("agent", &asker(first).1), ("by", "none")]),
        InboxGrouping::Host => {
            let id =
                first_target(first).map(|one| format!("{}/{}", first.manager, one.endpoint.id));
            asked.url_with(&[("endpoint", &id.unwrap_or_default()), ("by", "none")])
        }
        InboxGrouping::Target | InboxGrouping::None => asked.url_with(&[
            ("action", first.action.kind().name()),
            ("target", &first.action.target().map(ToString::to_string).unwrap_or_default()),
            ("by", "none"),
        ]),
    }
}

impl InboxItem {
    /// `below`: it stands below a head that says what it does.
    fn new(
        waiting: &PendingItem,
        (asked, below): (&InboxQuery, bool),
        (several, now): (bool, Time),
    ) -> Self {
        let PendingItem { request, agent, approve, voted, active, assignee, snoozed_until } =
            waiting;
        let names: Vec<_> = request
            .votes
            .iter()
            .filter(|vote| request.counts(vote, agent))
            .map(|vote| vote.person.name.as_str())
            .collect();
        let why_not = match approve {
            _ if *voted => "You have approved it; it is waiting for others.".to_owned(),
            Permission::Now
            | Permission::WithPassword
            | Permission::WithProvider
            | Permission::WithPasskey => String::new(),
            Permission::Denied(why) => format!("You may not approve it: {why}."),
        };
        let effect = endpoint::effect(request, several);
        let reach = effect.strip_prefix(&request.action.phrase()).unwrap_or(&effect).trim_start();
        let (level, why) = risk(request);
        Self {
            beside: asked.url_with(&[("open", &request.id.to_string())]),
            id: request.id.to_string(),
            icon: request.action.kind().icon(),
            title: if below { reach.to_owned() } else { effect.clone() },
            risk: (level, why.join(", ")),
            reason: first_line(&request.claim.reason),
            alert: alert(request),
            asker: asker(request),
            skipped: match request.skipped.len() {
                0 => String::new(),
                n => format!("{} left out", with_count(u64::try_from(n).unwrap_or(0), "endpoint")),
            },
            needed: request::needed(&request.decision, &names),
            deadline: request.deadline,
            left: request::time_left(request.deadline, now),
            cuts_short: active.iter().any(cuts_short),
            effect,
            why_not,
            assignee: assignee.clone(),
            snoozed_until: *snoozed_until,
        }
    }
}

fn alert(request: &Request) -> (bool, String) {
    match (request.alert.found, request.claim.alert_id.is_some()) {
        (true, _) => (true, format!("alert level {}", request.alert.level)),
        (false, true) => (false, "alert not found".to_owned()),
        (false, false) => (false, "no alert named".to_owned()),
    }
}

/// The first line with something on it, bounded, and whether the reason goes on.
pub(in crate::web) fn first_line(reason: &str) -> (String, bool) {
    let reason = reason.trim();
    let line = reason.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let (shown, cut) = request::start(line, REASON_CHARS_MAX);
    (shown.trim_end().to_owned(), cut || line.len() < reason.len())
}

pub(in crate::web) fn asker(request: &Request) -> (&'static str, String) {
    match &request.asked_by {
        None => ("agent", request.agent_name.clone()),
        Some(asker) => (asker.role.name(), asker.name.clone()),
    }
}
