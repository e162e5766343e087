//! The inbox: what waits for people, oldest deadline first.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use super::{
    Site,
    failure::Failure,
    frame::{Frame, page},
    glass::{Due, reviews},
    session::Session,
    words,
};
use crate::{
    broker::look::{Access, PAGE_ROWS, Waiting},
    domain::{Time, action::counted, id::PersonId},
};

#[derive(Debug, Template)]
#[template(path = "pages/inbox.html")]
pub(super) struct InboxPage {
    pub(super) frame: Frame,
    pub(super) mine: Vec<Item>,
    pub(super) others: Vec<Item>,
    pub(super) more: bool,
    /// Broken glasses that this person may look back at.
    pub(super) reviews: Vec<Due>,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) effect: String,
    pub(super) agent: String,
    pub(super) skipped: String,
    pub(super) criticality: u8,
    pub(super) needed: String,
    pub(super) asked_at: Time,
    pub(super) deadline: Time,
    pub(super) left: String,
    /// Why it does not wait for this person.
    pub(super) why_not: String,
}

/// The page.
pub(super) async fn show(State(site): State<Site>, session: Session) -> Result<Response, Failure> {
    let waiting = site.broker.inbox(&session.who).await?;
    let (several, now) = (site.broker.several_managers(), site.broker.clock().now());
    let frame = Frame::new(&site, &session, "Inbox").await?.at("/");
    let reviews = reviews(&site, &session).await?;
    let inbox = InboxPage::new(frame, &waiting, (session.who.person.id, several), now);
    page(StatusCode::OK, &InboxPage { reviews, ..inbox })
}

impl InboxPage {
    /// `several`: there is more than one manager, so each is named.
    pub(super) fn new(
        frame: Frame,
        waiting: &[Waiting],
        (me, several): (PersonId, bool),
        now: Time,
    ) -> Self {
        let more = u32::try_from(waiting.len()).is_ok_and(|rows| rows >= PAGE_ROWS);
        let items = waiting.iter().map(|waiting| Item::new(waiting, (me, several), now));
        let (mine, others): (Vec<_>, Vec<_>) = items.partition(|item| item.why_not.is_empty());
        let title = match mine.len() {
            0 => "Inbox".to_owned(),
            number => format!("({number}) Inbox"),
        };
        Self { frame: Frame { title, ..frame }, mine, others, more, reviews: Vec::new() }
    }
}

impl Item {
    fn new(waiting: &Waiting, (me, several): (PersonId, bool), now: Time) -> Self {
        let Waiting { request, agent, approve } = waiting;
        let names: Vec<_> = request
            .votes
            .iter()
            .filter(|vote| request.counts(vote, agent))
            .map(|vote| vote.person.name.as_str())
            .collect();
        let voted = request.votes.iter().any(|vote| vote.person.id == me);
        let why_not = match approve {
            _ if voted => "You have approved it; it waits for others.".to_owned(),
            Access::Now | Access::WithPassword => String::new(),
            Access::No(why) => format!("You may not approve it: {why}."),
        };
        Self {
            id: request.id.to_string(),
            effect: request.effect_among(several),
            agent: request.agent_name.clone(),
            skipped: match request.skipped.len() {
                0 => String::new(),
                n => format!("{} left out", counted(u64::try_from(n).unwrap_or(0), "endpoint")),
            },
            criticality: request.targets.iter().map(|t| t.criticality).max().unwrap_or(5),
            needed: words::needed(&request.decision, &names),
            asked_at: request.asked_at,
            deadline: request.deadline,
            left: words::left(request.deadline, now),
            why_not,
        }
    }
}
