//! The lists where nothing is found, and what is to be rejected.

use askama::Template as _;

use super::{
    layout,
    made_up::{HOSTILE, agent, at, id, request},
    met, own_agent,
};
use crate::{
    broker::queries::{
        RequestSummary,
        inbox::{
            InboxGroup, InboxPage, InboxPart, InboxSection, InboxView, PendingItem, Rejectable,
        },
        request::search::RequestsFound,
        view::Permission,
    },
    domain::{
        action::{Action, ActionKind, Catalogue, Term},
        id::RequestId,
        request::{Counts, State},
    },
    web::lists::{
        inbox::{InboxTemplate, query::InboxQuery},
        reject::RejectPage,
        requests::{self, RequestsPage},
        views::ViewsBar,
    },
};

pub(super) fn inbox() -> InboxTemplate {
    let waiting = |number, approve| PendingItem {
        request: request(number),
        agent: agent(),
        approve,
        voted: false,
        active: if number == 1 { vec![met()] } else { Vec::new() },
        assignee: (number == 2).then(|| HOSTILE.to_owned()),
        snoozed_until: None,
    };
    let pile = |members: Vec<_>, more| InboxSection {
        number: u64::try_from(members.len() + more).unwrap(),
        groups: vec![InboxGroup { plan: None, members, more }],
        next: None,
    };
    let mine = pile(vec![waiting(1, Permission::WithPassword), waiting(2, Permission::Now)], 3);
    let (others, agents) = (pile(vec![waiting(3, own_agent())], 0), vec![HOSTILE.to_owned()]);
    let inbox = InboxPage {
        mine,
        stopped: others.clone(),
        others,
        all: [5, 1, 1],
        agents,
        ..InboxPage::default()
    };
    let asked = InboxQuery { agent: HOSTILE.to_owned(), ..InboxQuery::default() };
    let actions = Catalogue::built_in().all().to_vec();
    let empty = InboxTemplate::empty(layout("Inbox", "/"), asked, actions);
    empty.filled(&inbox, &InboxView::default(), (false, at(8)))
}

pub(super) fn requests() -> RequestsPage {
    let summary = |number, state: State| RequestSummary {
        id: id::<RequestId>(number),
        agent_name: "triage-bot".to_owned(),
        plan: None,
        undoes: None,
        action: Action::parse(ActionKind::parse("disable_account").unwrap(), "d.miller").unwrap(),
        term: Term::Permanent,
        state: state.name(),
        asked_at: at(0),
        deadline: at(30),
        approvals: 1,
        approvers: "bob".to_owned(),
        counts: Counts { targets: 3, skipped: 1, outcomes: [2, 0, 0, 1, 0, 0, 0, 0, 0] },
        held_because: (number == 1).then(|| "the manager paris does not answer".to_owned()),
    };
    let found = (1..=50).map(|number| match number % 3 {
        _ if number == 1 => summary(number, State::Approved { use_by: at(40) }),
        0 => summary(number, State::Settled { at: at(1) }),
        1 => summary(number, State::Pending),
        _ => summary(number, State::Denied { at: at(1) }),
    });
    RequestsPage::new(
        layout("Requests", "/requests"),
        (requests::RequestFilters::default(), Catalogue::built_in().all().to_vec()),
        RequestsFound { rows: found.collect(), ..RequestsFound::default() },
    )
}

/// A filter that finds nothing.
fn nothing() -> InboxTemplate {
    let target = HOSTILE.to_owned();
    let asked = InboxQuery { target, tier: "low".to_owned(), ..InboxQuery::default() };
    let without = vec![(InboxPart::Target, 3), (InboxPart::Tier, 1)];
    let inbox = InboxPage { all: [7, 2, 1], snoozed: 1, without, ..InboxPage::default() };
    let empty =
        InboxTemplate::empty(layout("Inbox", "/"), asked, Catalogue::built_in().all().to_vec());
    let views = ViewsBar {
        saved: vec![(HOSTILE.to_owned(), "/?sort=newest".to_owned())],
        here: "/?sort=newest".to_owned(),
        can_save: true,
    };
    InboxTemplate { views, ..empty.filled(&inbox, &InboxView::default(), (false, at(8))) }
}

fn reject() -> RejectPage {
    let may_not = Permission::Denied(HOSTILE.to_owned());
    let shown = vec![(request(1), Permission::WithPassword), (request(2), may_not)];
    let left = vec![("req_1".to_owned(), HOSTILE.to_owned(), "It is being sent.".to_owned())];
    RejectPage {
        problem: Some(HOSTILE.to_owned()),
        rejected: Some("2 requests".to_owned()),
        left,
        comment: HOSTILE.to_owned(),
        ..RejectPage::new(
            layout("Reject several", "/"),
            vec![("agent", HOSTILE.to_owned())],
            &Rejectable { shown, more: 231 },
            true,
        )
    }
}

pub(super) fn pages() -> Vec<(&'static str, askama::Result<String>)> {
    vec![("inbox-none", nothing().render()), ("reject", reject().render())]
}
