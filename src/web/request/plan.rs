//! One plan: what its steps are, where each stands, and one form for all that need one person.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;

use super::{
    approve_identical::{field, pick, picked},
    decide::ReasonFields,
    form::check_comment,
};
use crate::{
    broker::queries::{
        request::plan::{PlanView, StepView},
        view::Permission,
    },
    domain::{
        Time,
        digest::Digest,
        id::{PlanId, RequestId},
        lifecycle::Displayed,
        request::{FailureRule, StateName},
    },
    text::{active_response::cuts_short, endpoint, request},
    web::{
        AppState,
        admin::reauthenticate::{
            FormProblem, FormResult, PasswordFields, SessionForm, require_recent_password, typed_in,
        },
        error::PageError,
        http::session::{PageSession, QueryParams},
        layout::{
            escape::Fenced as _,
            page::{Layout, page},
        },
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/plan.html")]
pub(in crate::web) struct PlanPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) view: PlanView,
    pub(in crate::web) several: bool,
    pub(in crate::web) now: Time,
    pub(in crate::web) problem: Option<String>,
    pub(in crate::web) typed: PlanInput,
}

/// What a person typed into forms that were not carried out.
#[derive(Debug, Default)]
pub(in crate::web) struct PlanInput {
    /// The comment of an approval.
    comment: String,
    /// The reason of a cancellation.
    cancel: String,
}

impl PlanPage {
    fn rule(&self) -> &'static str {
        match self.view.plan.on_failure {
            FailureRule::Stop => "After a step that fails, the steps after it are withdrawn.",
            FailureRule::Continue => "After a step that fails, the steps after it go on.",
        }
    }

    fn effect(&self, step: &StepView) -> String {
        endpoint::effect(&step.request, self.several)
    }

    fn status(step: &StepView) -> String {
        request::status(&step.request)
    }

    fn ending(step: &StepView) -> &str {
        request::ending(&step.request.state)
    }

    /// Why an approved step is not being sent.
    fn held(&self, step: &StepView) -> Option<&str> {
        let held = self.view.plan.steps.iter().find(|one| one.id == step.request.id)?;
        held.held_because.as_deref()
    }

    /// Who is missing, while it waits for people.
    fn needed(step: &StepView) -> Option<String> {
        let StepView { request, agent, .. } = step;
        let counted = request.votes.iter().filter(|vote| request.counts(vote, agent));
        let names: Vec<_> = counted.map(|vote| vote.person.name.as_str()).collect();
        let pending = request.state.name() == StateName::Pending;
        pending.then(|| request::needed(&request.decision, &names))
    }

    fn left(&self, step: &StepView) -> Option<(String, Time)> {
        let deadline = step.request.deadline;
        let pending = step.request.state.name() == StateName::Pending;
        pending.then(|| (request::time_left(deadline, self.now), deadline))
    }

    fn cuts_short(step: &StepView) -> bool {
        step.active.iter().any(cuts_short)
    }

    /// What the form approves: the steps that need one person, that this person may approve, and that
    /// the kill switch does not stop.
    fn low(&self) -> Vec<&StepView> {
        self.view.steps.iter().filter(|step| self.is_approvable(step)).collect()
    }

    fn is_approvable(&self, step: &StepView) -> bool {
        step.is_approvable_together() && self.layout.stop_of(&step.request).is_none()
    }

    fn pick(step: &StepView) -> String {
        pick(&step.request)
    }

    /// "Steps 1, 2 need": what the form can approve.
    fn low_words(&self) -> String {
        let low = self.low();
        let (word, verb) = if low.len() == 1 { ("Step", "needs") } else { ("Steps", "need") };
        format!("{word} {} {verb}", numbers(&low))
    }

    /// "steps 1, 2": what a cancellation ends.
    fn cancelled(&self) -> Option<String> {
        let steps = self.view.cancellable();
        (!steps.is_empty()).then(|| numbered(&steps))
    }

    /// Whether the cancellation asks for the password.
    fn cancel_password(&self) -> bool {
        cancel_permission(&self.view) == Permission::WithPassword
    }

    /// Why nothing can be approved together now that could be otherwise.
    fn halted(&self) -> Option<String> {
        let low = self.view.steps.iter().filter(|step| step.is_approvable_together());
        let stopped = low.map(|step| &step.request).filter(|_| self.low().is_empty());
        self.layout.no_approval(stopped)
    }

    /// Whether the form asks for the password.
    fn password(&self) -> bool {
        self.low().iter().any(|step| step.approve == Permission::WithPassword)
    }
}

/// "step 2", "steps 1, 2".
fn numbered(steps: &[&StepView]) -> String {
    let word = if steps.len() == 1 { "step" } else { "steps" };
    format!("{word} {}", numbers(steps))
}

fn numbers(steps: &[&StepView]) -> String {
    steps.iter().map(|step| step.number().to_string()).collect::<Vec<_>>().join(", ")
}

fn cancel_permission(view: &PlanView) -> Permission {
    strictest(view.cancellable().into_iter().map(|step| step.cancel.clone()))
}

/// With a proof where one step wants it.
fn strictest(steps: impl Iterator<Item = Permission>) -> Permission {
    let strictest = steps.max_by_key(Permission::takes_proof);
    strictest.unwrap_or(Permission::Now)
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    QueryParams(PlanQuery { form }): QueryParams<PlanQuery>,
) -> Result<Response, PageError> {
    let id = plan_id(&id)?;
    let typed = |name| typed_in(&app, &session, (&url(id), name), &form);
    let ((not_approved, comment), (not_cancelled, cancel)) = (typed("approve"), typed("cancel"));
    let view = app.broker.plan_of_person(&session.who, id).await?;
    let layout = Layout::new(&app, &session, "Plan").await?.section("/");
    let (several, now) = (app.broker.several_managers(), app.broker.clock().now());
    let (status, problem) = FormProblem::split(not_approved.or(not_cancelled));
    let typed = PlanInput { comment, cancel };
    page(status, &PlanPage { layout, view, several, now, problem, typed })
}

/// The form that was just sent and not carried out.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct PlanQuery {
    form: String,
}

fn url(id: PlanId) -> String {
    format!("/plans/{id}")
}

fn plan_id(text: &str) -> Result<PlanId, PageError> {
    text.parse().map_err(|_no_id| PageError::not_found())
}

/// The plan and the steps that were displayed.
#[derive(Deserialize)]
#[serde(try_from = "Vec<(String, String)>")]
pub(in crate::web) struct PlanFields {
    digest: Digest,
    picked: Vec<(RequestId, Displayed)>,
    comment: String,
    password: String,
}

impl TryFrom<Vec<(String, String)>> for PlanFields {
    type Error = &'static str;

    /// One field for each step has the same name, so the fields come as a list.
    fn try_from(fields: Vec<(String, String)>) -> Result<Self, Self::Error> {
        let digest = Digest::parse(&field(&fields, "digest"));
        Ok(Self {
            digest: digest.ok_or("the digest cannot be read")?,
            picked: picked(&fields).ok_or("a step cannot be read")?,
            comment: field(&fields, "comment"),
            password: field(&fields, "password"),
        })
    }
}

impl PasswordFields for PlanFields {
    fn password(&self) -> &str {
        &self.password
    }
}

/// Approves the steps that the form names: all of them or none.
pub(in crate::web) async fn approve(
    Path(id): Path<String>,
    form: SessionForm<PlanFields>,
) -> Result<Response, PageError> {
    let id = plan_id(&id)?;
    let done = approve_low(&form, id).await.map(|()| url(id));
    form.redirect((&url(id), "approve"), &form.fields.comment, done)
}

/// Takes the plan back, as the owner of the agent that asked: every step that is not being sent yet.
pub(in crate::web) async fn cancel(
    Path(id): Path<String>,
    form: SessionForm<ReasonFields>,
) -> Result<Response, PageError> {
    let id = plan_id(&id)?;
    let done = cancel_open(&form, id).await.map(|()| url(id));
    form.redirect((&url(id), "cancel"), &form.fields.comment, done)
}

async fn cancel_open(form: &SessionForm<ReasonFields>, id: PlanId) -> FormResult<()> {
    let SessionForm { app, session, fields } = form;
    check_comment(&fields.comment)?;
    let view = app.broker.plan_of_person(&session.who, id).await?;
    let permission = cancel_permission(&view);
    let who = require_recent_password(app, session, &permission, fields.password()).await?;
    app.broker.cancel_plan_as_person(&who, id, fields.comment.trim()).await?;
    Ok(())
}

async fn approve_low(form: &SessionForm<PlanFields>, id: PlanId) -> FormResult<()> {
    let SessionForm { app, session, fields } = form;
    check_comment(&fields.comment)?;
    let view = app.broker.plan_of_person(&session.who, id).await?;
    let low = view.steps.iter().filter(|step| step.is_approvable_together());
    let permission = strictest(low.map(|step| step.approve.clone()));
    let who = require_recent_password(app, session, &permission, fields.password()).await?;
    let (shown, comment) = ((id, fields.digest), fields.comment.trim());
    Ok(app.broker.approve_plan(&who, shown, &fields.picked, comment).await?)
}
