//! The inbox: what waits for people, the greatest risk first.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};

use self::{
    beside::RequestBeside,
    query::{InboxQuery, QueryProblem},
    row::InboxCard,
};
use crate::{
    broker::queries::inbox::{InboxGrouping, InboxPage, InboxSection, InboxSort, InboxView},
    domain::{
        Time,
        action::{ActionKind, with_count},
        actor::Role,
    },
    web::{
        AppState,
        address::with_fields,
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::{
            escape::Fenced as _,
            page::{Layout, page},
        },
        lists::views::ViewsBar,
        request::break_glass::{DueReview, reviews},
    },
};

pub(in crate::web) mod beside;
pub(in crate::web) mod bulk;
pub(in crate::web) mod query;
pub(in crate::web) mod row;

#[derive(Debug, Template)]
#[template(path = "pages/inbox.html")]
pub(in crate::web) struct InboxTemplate {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) asked: InboxQuery,
    pub(in crate::web) problem: Option<String>,
    /// What can be asked for now.
    pub(in crate::web) actions: Vec<ActionKind>,
    /// How many of this person's own are snoozed.
    pub(in crate::web) snoozed: u64,
    /// The request beside the list.
    pub(in crate::web) beside: Option<RequestBeside>,
    /// The views that this person keeps.
    pub(in crate::web) views: ViewsBar,
    /// Who asked for what waits.
    pub(in crate::web) agents: Vec<String>,
    pub(in crate::web) mine: InboxSectionView,
    pub(in crate::web) others: InboxSectionView,
    /// What the kill switch stops.
    pub(in crate::web) stopped: InboxSectionView,
    /// What each part of the filter keeps out by itself: its words, how many, and the address without it.
    pub(in crate::web) without: Vec<(&'static str, String, String)>,
    /// The break-glass reviews that this person may make.
    pub(in crate::web) reviews: Vec<DueReview>,
}

/// What waits for this person, or for others: one page of it.
#[derive(Debug, Default)]
pub(in crate::web) struct InboxSectionView {
    /// How many requests match, on this page and all others.
    number: u64,
    /// How many there are without the filter.
    all: u64,
    cards: Vec<InboxCard>,
    /// The key of the next page.
    next: Option<String>,
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(asked): QueryParams<InboxQuery>,
) -> Result<Response, PageError> {
    // Nothing ever waits for an auditor.
    if session.who.profile().role == Role::Auditor {
        return Ok(Redirect::to("/audit").into_response());
    }
    let read = asked.opened().and_then(|open| Ok((asked.read()?, open)));
    let (view, open) = match read {
        Ok(read) => read,
        Err(QueryProblem::NoPage) => return Err(PageError::not_found()),
        Err(QueryProblem::Field(problem)) => {
            let layout = Layout::new(&app, &session, "Inbox").await?.section("/");
            let (asked, actions) = (asked, app.broker.engine().catalogue().all().to_vec());
            let empty = InboxTemplate::empty(layout, asked, actions);
            return page(
                StatusCode::BAD_REQUEST,
                &InboxTemplate { problem: Some(problem), ..empty },
            );
        }
    };
    let inbox = app.broker.inbox(&session.who, &view).await?;
    let (several, now) = (app.broker.several_managers(), app.broker.clock().now());
    let layout = Layout::counted(&app, &session, "Inbox", inbox.waiting).await?.section("/");
    let reviews = reviews(&app, &session).await?;
    let actions = app.broker.engine().catalogue().all().to_vec();
    let beside = match open {
        None => None,
        Some(id) => {
            let view = app.broker.request_of_person(&session.who, id).await?;
            Some(RequestBeside::new(&view, several, now))
        }
    };
    let views = ViewsBar::new(&app, &session, asked.url()).await?;
    let empty = InboxTemplate::empty(layout, asked, actions);
    page(
        StatusCode::OK,
        &InboxTemplate { beside, views, reviews, ..empty.filled(&inbox, &view, (several, now)) },
    )
}

impl InboxTemplate {
    pub(in crate::web) fn empty(
        layout: Layout,
        asked: InboxQuery,
        actions: Vec<ActionKind>,
    ) -> Self {
        Self {
            layout,
            asked,
            problem: None,
            actions,
            snoozed: 0,
            beside: None,
            views: ViewsBar::default(),
            agents: Vec::new(),
            mine: InboxSectionView::default(),
            others: InboxSectionView::default(),
            stopped: InboxSectionView::default(),
            without: Vec::new(),
            reviews: Vec::new(),
        }
    }

    /// `several`: there is more than one manager, so each is named.
    pub(in crate::web) fn filled(
        self,
        inbox: &InboxPage,
        view: &InboxView,
        (several, now): (bool, Time),
    ) -> Self {
        let asked = (&self.asked, view.grouping);
        let section = |pile: &InboxSection, all| InboxSectionView {
            number: pile.number,
            all,
            cards: pile
                .groups
                .iter()
                .filter_map(|group| InboxCard::new(group, asked, (several, now)))
                .collect(),
            next: pile.next.map(|place| place.to_string()),
        };
        let [all_mine, all_others, all_stopped] = inbox.all;
        let without = inbox.without.iter().map(|(part, number)| {
            let (words, url) = self.asked.without(*part);
            (words, with_count(*number, "request"), url)
        });
        Self {
            mine: section(&inbox.mine, all_mine),
            others: section(&inbox.others, all_others),
            stopped: section(&inbox.stopped, all_stopped),
            snoozed: inbox.snoozed,
            agents: inbox.agents.clone(),
            without: without.collect(),
            ..self
        }
    }

    /// Whether nothing was found because of the filter.
    fn filtered_away(&self) -> bool {
        self.problem.is_none()
            && self.mine.number + self.others.number + self.stopped.number == 0
            && self.mine.all + self.others.all + self.stopped.all > 0
    }

    fn sorts() -> [(&'static str, &'static str); 4] {
        InboxSort::ALL.map(|sort| {
            let words = match sort {
                InboxSort::Risk => "greatest risk first",
                InboxSort::Deadline => "earliest deadline first",
                InboxSort::Newest => "newest first",
                InboxSort::Oldest => "oldest first",
            };
            (sort.name(), words)
        })
    }

    fn groupings() -> [(&'static str, &'static str); 4] {
        InboxGrouping::ALL.map(|grouping| {
            let words = match grouping {
                InboxGrouping::Target => "by action and target",
                InboxGrouping::Agent => "by agent",
                InboxGrouping::Host => "by host",
                InboxGrouping::None => "each by itself",
            };
            (grouping.name(), words)
        })
    }

    /// Where all that match can be rejected.
    fn reject_all(&self) -> String {
        let all = ("all", "yes".to_owned());
        with_fields("/reject", &self.asked.fields().into_iter().chain([all]).collect::<Vec<_>>())
    }

    /// "greatest risk first".
    fn order(&self) -> &'static str {
        let sorts = Self::sorts();
        let named = sorts.iter().find(|(name, _)| *name == self.asked.sort);
        named.or(sorts.first()).map_or("", |(_, words)| words)
    }
}

impl InboxSectionView {
    fn requests(&self) -> String {
        with_count(self.number, "request")
    }
}
