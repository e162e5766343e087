//! The lists where nothing is found, and what is to be rejected.

use askama::Template as _;

use super::{
    layout,
    made_up::{HOSTILE, request},
};
use crate::{
    broker::queries::{
        inbox::{InboxPage, InboxPart, InboxView, Rejectable},
        view::Permission,
    },
    domain::action::Catalogue,
    web::lists::{
        inbox::{InboxTemplate, query::InboxQuery},
        reject::RejectPage,
        views::ViewsBar,
    },
};

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
    InboxTemplate { views, ..empty.filled(&inbox, &InboxView::default(), (false, super::at(8))) }
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
