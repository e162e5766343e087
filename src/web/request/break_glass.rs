//! Break-glass, its review, comments, and when the page offers each.

use axum::response::Response;

use super::{
    decide::{ReasonFields, VoteFields},
    form::{Checked, DisplayedFields as _, RequestForm},
    page::{FormState, RequestPage},
};
use crate::{
    domain::{
        Time,
        decision::Verdict,
        facts::Verb,
        id::RequestId,
        request::{PostReview, Request, StateName},
    },
    text::{endpoint, request},
    web::{AppState, error::PageError, http::session::PageSession},
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
            effect: endpoint::effect(request, several),
            until,
            overdue: now > until,
            left: request::time_left(until, now),
        })
    };
    Ok(due.iter().filter_map(item).collect())
}

/// Lets the request run without the people who are missing.
pub(in crate::web) async fn break_glass(
    form: RequestForm<VoteFields>,
) -> Result<Response, PageError> {
    form.run(Verb::BreakGlass, async |Checked { broker, who, id, fields }| {
        let typed_and_reason = (fields.typed.trim(), fields.comment.trim());
        broker.break_glass(&who, id, fields.displayed(), typed_and_reason).await
    })
    .await
}

/// Records what the review of a broken glass found.
pub(in crate::web) async fn review(form: RequestForm<VoteFields>) -> Result<Response, PageError> {
    form.run_if_current(Verb::Review, async |Checked { broker, who, id, fields }| {
        broker.review(&who, id, fields.comment.trim()).await
    })
    .await
}

/// Adds a comment without a vote.
pub(in crate::web) async fn comment(
    form: RequestForm<ReasonFields>,
) -> Result<Response, PageError> {
    form.run(Verb::Comment, async |Checked { broker, who, id, fields }| {
        broker.comment(&who, id, fields.comment.trim()).await
    })
    .await
}

impl RequestPage {
    /// Only to those who may, and only where their own approval would not be enough.
    pub(in crate::web) fn break_glass(&self) -> FormState {
        let request = &self.view.request;
        let Verdict::Approval(least) = request.decision.verdict else { return FormState::Nothing };
        let tally = request.tally(&self.view.agent);
        let with_mine = if self.mine().is_some() { tally } else { tally.and(self.viewer.role) };
        let missing = !with_mine.covers(least);
        match self.offer(Verb::BreakGlass, "break the glass") {
            form @ FormState::Form(_) if missing && request.state.name() == StateName::Pending => {
                form
            }
            FormState::Form(_) | FormState::Refused(_) | FormState::Nothing => FormState::Nothing,
        }
    }

    pub(in crate::web) fn review(&self) -> FormState {
        let request = &self.view.request;
        if request.review_due().is_none() {
            FormState::Nothing
        } else if request
            .votes
            .iter()
            .any(|vote| vote.break_glass && vote.person.id == self.viewer.id)
        {
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
