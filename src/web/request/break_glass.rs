//! Breaking the glass, the look back at it, and what is offered of both.

use super::{
    decide::{RequestForm, VoteForm},
    page::{FormState, RequestPage, id_of},
};
use crate::{
    domain::{
        Time,
        decision::Verdict,
        facts::Verb,
        id::RequestId,
        request::{PostReview, Request, StateName},
    },
    text::request,
    web::{
        AppState,
        admin::reauthenticate::Reauth,
        error::PageError,
        http::session::{CsrfForm, PageSession},
    },
};
use axum::{
    extract::{Path, State},
    response::Response,
};

/// A review that is due.
#[derive(Debug)]
pub(in crate::web) struct DueReview {
    pub(in crate::web) id: RequestId,
    pub(in crate::web) effect: String,
    pub(in crate::web) until: Time,
    pub(in crate::web) overdue: bool,
    pub(in crate::web) left: String,
}

/// The reviews that are due and that this person may make, the longest due first.
pub(in crate::web) async fn reviews(
    app: &AppState,
    session: &PageSession,
) -> Result<Vec<DueReview>, PageError> {
    let (several, now) = (app.broker.several_managers(), app.broker.clock().now());
    let due = app.broker.reviews_due(&session.who).await?;
    let item = |request: &Request| {
        let until = request.review_due()?.due_at;
        Some(DueReview {
            id: request.id,
            effect: request.effect_among(several),
            until,
            overdue: now > until,
            left: request::time_left(until, now),
        })
    };
    Ok(due.iter().filter_map(item).collect())
}

/// Lets the request run without the people who are missing.
pub(in crate::web) async fn break_glass(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    CsrfForm(vote): CsrfForm<VoteForm>,
) -> Result<Response, PageError> {
    let desk = RequestForm { app, session, id: id_of(&id)?, verb: Verb::BreakGlass };
    let shown = vote.shown()?;
    let who = match desk.reauthenticate(&vote.comment, &vote.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return desk.show_error(problem, vote.comment).await,
    };
    let said = (vote.typed.trim(), vote.comment.trim());
    let done = desk.app.broker.break_glass(&who, desk.id, shown, said).await;
    desk.finish(done, vote.comment).await
}

/// Writes down what was found when looking back at a broken glass.
pub(in crate::web) async fn review(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    CsrfForm(form): CsrfForm<VoteForm>,
) -> Result<Response, PageError> {
    let desk = RequestForm { app, session, id: id_of(&id)?, verb: Verb::Review };
    if let Some(refusal) = desk.behind(form.shown()?).await? {
        return desk.finish(Err(refusal.into()), form.comment).await;
    }
    let who = match desk.reauthenticate(&form.comment, &form.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return desk.show_error(problem, form.comment).await,
    };
    let done = desk.app.broker.review(&who, desk.id, form.comment.trim()).await;
    desk.finish(done, form.comment).await
}

/// Says something without voting.
pub(in crate::web) async fn comment(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    CsrfForm(form): CsrfForm<VoteForm>,
) -> Result<Response, PageError> {
    let desk = RequestForm { app, session, id: id_of(&id)?, verb: Verb::Comment };
    let who = match desk.reauthenticate(&form.comment, &form.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return desk.show_error(problem, form.comment).await,
    };
    let done = desk.app.broker.comment(&who, desk.id, form.comment.trim()).await;
    desk.finish(done, form.comment).await
}

impl RequestPage {
    /// Only to those who may, and only where their own approval would not be enough.
    pub(in crate::web) fn break_glass(&self) -> FormState {
        let request = &self.seen.request;
        let Verdict::Approval(least) = request.decision.verdict else { return FormState::Nothing };
        let tally = request.tally(&self.seen.agent);
        let with_mine = if self.mine().is_some() { tally } else { tally.and(self.role) };
        let missing = !with_mine.covers(least);
        match self.offer(Verb::BreakGlass, "break the glass") {
            form @ FormState::Form(_) if missing && request.state.name() == StateName::Pending => {
                form
            }
            FormState::Form(_) | FormState::Refused(_) | FormState::Nothing => FormState::Nothing,
        }
    }

    pub(in crate::web) fn review(&self) -> FormState {
        let request = &self.seen.request;
        if request.review_due().is_none() {
            FormState::Nothing
        } else if request.votes.iter().any(|vote| vote.break_glass && vote.person.id == self.me) {
            FormState::Refused("You broke the glass; somebody else must review it.".to_owned())
        } else {
            self.offer(Verb::Review, "review it")
        }
    }

    pub(in crate::web) fn overdue(&self, review: &PostReview) -> bool {
        review.done.is_none() && self.now > review.due_at
    }

    pub(in crate::web) fn comment(&self) -> FormState {
        match self.offer(Verb::Comment, "comment") {
            form @ FormState::Form(_) => form,
            FormState::Refused(_) | FormState::Nothing => FormState::Nothing,
        }
    }
}
