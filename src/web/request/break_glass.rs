//! Breaking the glass, the look back at it, and what is offered of both.

use super::{
    decide::{Desk, Vote},
    page::{Offer, RequestPage, id_of},
};
use crate::{
    domain::{
        Time,
        decision::Verdict,
        facts::Verb,
        id::RequestId,
        request::{Request, Review, StateName},
    },
    text::request,
    web::{
        Site,
        admin::reauthenticate::Given,
        error::Failure,
        http::session::{Fields, Session},
    },
};
use axum::{
    extract::{Path, State},
    response::Response,
};

/// A review that is due.
#[derive(Debug)]
pub(in crate::web) struct Due {
    pub(in crate::web) id: RequestId,
    pub(in crate::web) effect: String,
    pub(in crate::web) until: Time,
    pub(in crate::web) overdue: bool,
    pub(in crate::web) left: String,
}

/// The reviews that are due and that this person may make, the longest due first.
pub(in crate::web) async fn reviews(site: &Site, session: &Session) -> Result<Vec<Due>, Failure> {
    let (several, now) = (site.broker.several_managers(), site.broker.clock().now());
    let due = site.broker.reviews_due(&session.who).await?;
    let item = |request: &Request| {
        let until = request.review_due()?.due_at;
        Some(Due {
            id: request.id,
            effect: request.effect_among(several),
            until,
            overdue: now > until,
            left: request::left(until, now),
        })
    };
    Ok(due.iter().filter_map(item).collect())
}

/// Lets the request run without the people who are missing.
pub(in crate::web) async fn break_glass(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
    Fields(vote): Fields<Vote>,
) -> Result<Response, Failure> {
    let desk = Desk { site, session, id: id_of(&id)?, verb: Verb::BreakGlass };
    let shown = vote.shown()?;
    let who = match desk.enter(&vote.comment, &vote.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return desk.again(problem, vote.comment).await,
    };
    let said = (vote.typed.trim(), vote.comment.trim());
    let done = desk.site.broker.break_glass(&who, desk.id, shown, said).await;
    desk.close(done, vote.comment).await
}

/// Writes down what was found when looking back at a broken glass.
pub(in crate::web) async fn review(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
    Fields(form): Fields<Vote>,
) -> Result<Response, Failure> {
    let desk = Desk { site, session, id: id_of(&id)?, verb: Verb::Review };
    if let Some(refusal) = desk.behind(form.shown()?).await? {
        return desk.close(Err(refusal.into()), form.comment).await;
    }
    let who = match desk.enter(&form.comment, &form.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return desk.again(problem, form.comment).await,
    };
    let done = desk.site.broker.review(&who, desk.id, form.comment.trim()).await;
    desk.close(done, form.comment).await
}

/// Says something without voting.
pub(in crate::web) async fn comment(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
    Fields(form): Fields<Vote>,
) -> Result<Response, Failure> {
    let desk = Desk { site, session, id: id_of(&id)?, verb: Verb::Comment };
    let who = match desk.enter(&form.comment, &form.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return desk.again(problem, form.comment).await,
    };
    let done = desk.site.broker.comment(&who, desk.id, form.comment.trim()).await;
    desk.close(done, form.comment).await
}

impl RequestPage {
    /// Only to those who may, and only where their own approval would not be enough.
    pub(in crate::web) fn break_glass(&self) -> Offer {
        let request = &self.seen.request;
        let Verdict::Approval(least) = request.decision.verdict else { return Offer::Nothing };
        let tally = request.tally(&self.seen.agent);
        let with_mine = if self.mine().is_some() { tally } else { tally.and(self.role) };
        let missing = !with_mine.covers(least);
        match self.offer(Verb::BreakGlass, "break the glass") {
            form @ Offer::Form(_) if missing && request.state.name() == StateName::Pending => form,
            Offer::Form(_) | Offer::Refused(_) | Offer::Nothing => Offer::Nothing,
        }
    }

    pub(in crate::web) fn review(&self) -> Offer {
        let request = &self.seen.request;
        if request.review_due().is_none() {
            Offer::Nothing
        } else if request.votes.iter().any(|vote| vote.break_glass && vote.person.id == self.me) {
            Offer::Refused("You broke the glass; somebody else must review it.".to_owned())
        } else {
            self.offer(Verb::Review, "review it")
        }
    }

    pub(in crate::web) fn overdue(&self, review: &Review) -> bool {
        review.done.is_none() && self.now > review.due_at
    }

    pub(in crate::web) fn comment(&self) -> Offer {
        match self.offer(Verb::Comment, "comment") {
            form @ Offer::Form(_) => form,
            Offer::Refused(_) | Offer::Nothing => Offer::Nothing,
        }
    }
}
