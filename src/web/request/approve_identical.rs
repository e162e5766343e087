//! Identical requests of the lowest tier, looked at and approved with one form.

use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;

use super::{form::check_comment, page::id_of};
use crate::{
    broker::queries::{inbox::PendingItem, view::Permission},
    domain::{Time, digest::Digest, id::RequestId, lifecycle::Displayed, request::Request},
    text::{active_response::cuts_short, endpoint, request},
    web::{
        AppState,
        address::with_fields,
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

/// The request to which the others are identical.
#[derive(Deserialize)]
pub(in crate::web) struct IdenticalQuery {
    of: String,
    /// The form that was just sent and not carried out.
    #[serde(default)]
    form: String,
}

#[derive(Debug, Template)]
#[template(path = "pages/approve_identical.html")]
pub(in crate::web) struct ApproveIdenticalPage {
    layout: Layout,
    of: RequestId,
    several: bool,
    alike: Vec<PendingItem>,
    now: Time,
    problem: Option<String>,
    comment: String,
}

impl ApproveIdenticalPage {
    fn effect(&self, request: &Request) -> String {
        endpoint::effect(request, self.several)
    }

    fn cuts_short(waiting: &PendingItem) -> bool {
        waiting.active.iter().any(cuts_short)
    }

    fn left(&self, request: &Request) -> String {
        request::time_left(request.deadline, self.now)
    }

    fn pick(request: &Request) -> String {
        pick(request)
    }

    /// Why nobody may approve anything now.
    fn halted(&self) -> Option<String> {
        self.layout.no_approval(self.alike.iter().map(|waiting| &waiting.request))
    }

    /// Whether the form asks for the password.
    fn password(&self) -> bool {
        self.alike.iter().any(|waiting| waiting.approve == Permission::WithPassword)
    }
}

/// Which request, in which version, with which digest: what a box stands for.
pub(in crate::web) fn pick(request: &Request) -> String {
    format!("{}:{}:{}", request.id, request.version, request.digest)
}

/// A field that stands once in a form; empty where it does not.
pub(in crate::web) fn field(fields: &[(String, String)], name: &str) -> String {
    let field = fields.iter().find(|(other, _)| other == name);
    field.map(|(_, value)| value.clone()).unwrap_or_default()
}

/// What was ticked, with what was displayed of each; none where a box cannot be read.
pub(in crate::web) fn picked(fields: &[(String, String)]) -> Option<Vec<(RequestId, Displayed)>> {
    let boxes = fields.iter().filter(|(name, _)| name == "pick");
    boxes.map(|(_, value)| read_pick(value)).collect()
}

fn read_pick(text: &str) -> Option<(RequestId, Displayed)> {
    let mut parts = text.split(':');
    let (id, version, digest) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let displayed = Displayed { version: version.parse().ok()?, digest: Digest::parse(digest)? };
    Some((id.parse().ok()?, displayed))
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(like): QueryParams<IdenticalQuery>,
) -> Result<Response, PageError> {
    let of = id_of(&like.of)?;
    let (problem, comment) = typed_in(&app, &session, (&url(of), "together"), &like.form);
    let alike = app.broker.identical_requests(&session.who, of).await?;
    let layout = Layout::new(&app, &session, "Identical requests").await?.section("/");
    let (several, now) = (app.broker.several_managers(), app.broker.clock().now());
    let (status, problem) = FormProblem::split(problem);
    page(status, &ApproveIdenticalPage { layout, of, several, alike, now, problem, comment })
}

/// Where the form is, as the form itself says it.
fn url(of: RequestId) -> String {
    with_fields("/together", &[("of", of.to_string())])
}

/// Which requests were ticked.
#[derive(Deserialize)]
#[serde(try_from = "Vec<(String, String)>")]
pub(in crate::web) struct IdenticalFields {
    of: String,
    picked: Vec<(RequestId, Displayed)>,
    comment: String,
    password: String,
}

impl TryFrom<Vec<(String, String)>> for IdenticalFields {
    type Error = &'static str;

    /// One box for each request has the same name, so the fields come as a list.
    fn try_from(fields: Vec<(String, String)>) -> Result<Self, Self::Error> {
        Ok(Self {
            of: field(&fields, "of"),
            picked: picked(&fields).ok_or("a box cannot be read")?,
            comment: field(&fields, "comment"),
            password: field(&fields, "password"),
        })
    }
}

impl PasswordFields for IdenticalFields {
    fn password(&self) -> &str {
        &self.password
    }
}

/// Approves what was ticked: all of it or nothing.
pub(in crate::web) async fn approve(
    form: SessionForm<IdenticalFields>,
) -> Result<Response, PageError> {
    let of = id_of(&form.fields.of)?;
    let done = approve_picked(&form, of).await.map(|()| "/".to_owned());
    form.redirect((&url(of), "together"), &form.fields.comment, done)
}

async fn approve_picked(form: &SessionForm<IdenticalFields>, of: RequestId) -> FormResult<()> {
    let SessionForm { app, session, fields } = form;
    check_comment(&fields.comment)?;
    let identical = app.broker.identical_requests(&session.who, of).await?;
    let permission = identical.first().map_or(Permission::Now, |item| item.approve.clone());
    let who = require_recent_password(app, session, &permission, fields.password()).await?;
    Ok(app.broker.approve_identical(&who, &fields.picked, fields.comment.trim()).await?)
}
