//! Many requests are rejected with one reason: those that were ticked, those that a filter finds, or
//! all open ones of an agent. The page shows what will be rejected, and afterwards what became of it.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, de::value::MapDeserializer};

use super::{
    fields::{Fields, bounded, ticked},
    inbox::{
        query::{InboxQuery, QueryProblem},
        row::{asker, first_line},
    },
};
use crate::{
    broker::{
        BrokerError,
        queries::{
            inbox::{RejectChoice, Rejectable},
            view::Permission,
        },
        requests::vote::reject_many::{REJECT_MAX, RejectOutcome},
    },
    domain::{
        action::with_count,
        id::RequestId,
        len_u64,
        lifecycle::{Displayed, Refusal},
        request::{Request, State as RequestState, StateName},
    },
    text::{endpoint, request},
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
        request::{
            approve_identical::{field, pick, picked},
            form::check_comment,
        },
    },
};

#[derive(Debug, Template)]
#[template(path = "pages/reject.html")]
pub(in crate::web) struct RejectPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) problem: Option<String>,
    /// The view that it came from, as the form's fields.
    pub(in crate::web) fields: Fields,
    pub(in crate::web) rows: Vec<RejectRow>,
    /// How many more there are.
    pub(in crate::web) more: u64,
    /// Whether the form asks for the password.
    pub(in crate::web) password: bool,
    /// How many of those that were just sent this person rejected.
    pub(in crate::web) rejected: Option<String>,
    /// What was left alone, and how each stands now.
    pub(in crate::web) left: Vec<(String, String, String)>,
    pub(in crate::web) comment: String,
}

/// One request that can be rejected.
#[derive(Debug)]
pub(in crate::web) struct RejectRow {
    id: String,
    pick: String,
    effect: String,
    version: u64,
    digest: String,
    asker: (&'static str, String),
    reason: (String, bool),
    state: &'static str,
    /// Why this person may not reject it.
    why_not: String,
}

/// The address: the fields of the inbox, what was ticked, and what a form was just sent for.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(try_from = "Vec<(String, String)>")]
pub(in crate::web) struct RejectQuery {
    inbox: InboxQuery,
    open_of: String,
    /// `yes`: all that the inbox finds, where nothing narrows it.
    all: String,
    ticked: Vec<String>,
    /// What was ticked in the inbox: all that this form is about, whatever is ticked in it by now.
    of: Vec<String>,
    was: Vec<String>,
    /// The form that was just sent and not carried out.
    form: String,
}

impl TryFrom<Vec<(String, String)>> for RejectQuery {
    type Error = serde::de::value::Error;

    /// One box for each request has the same name, so the fields come as a list.
    fn try_from(fields: Vec<(String, String)>) -> Result<Self, Self::Error> {
        let all = |name: &str| {
            let named = fields.iter().filter(|(other, _)| other == name);
            named.map(|(_, value)| value.clone()).collect()
        };
        let one = fields.iter().filter(|(name, _)| !["pick", "of", "was"].contains(&name.as_str()));
        let one = one.map(|(name, value)| (name.as_str(), value.as_str()));
        Ok(Self {
            inbox: InboxQuery::deserialize(MapDeserializer::new(one))?,
            open_of: field(&fields, "open_of"),
            all: field(&fields, "all"),
            ticked: all("pick"),
            of: all("of"),
            was: all("was"),
            form: field(&fields, "form"),
        })
    }
}

impl RejectQuery {
    /// A few that were ticked never become all that there are.
    fn choice(&self) -> Result<RejectChoice, QueryProblem> {
        let few = if self.of.is_empty() { &self.ticked } else { &self.of };
        if !few.is_empty() {
            return Ok(RejectChoice::Ticked(ids(few)?));
        }
        if let Some(name) = bounded(&self.open_of, "agent")? {
            return Ok(RejectChoice::OpenOf(name));
        }
        let all = ticked(&self.all, "choice of all")? || self.inbox.is_filtered();
        let view = self.inbox.read()?;
        Ok(if all { RejectChoice::Inbox(Box::new(view)) } else { RejectChoice::Nothing })
    }

    fn fields(&self) -> Fields {
        let own = [("open_of", self.open_of.clone()), ("all", self.all.clone())];
        self.inbox.fields().into_iter().chain(own).collect()
    }

    /// The same, and the few that were ticked.
    fn hidden_fields(&self) -> Fields {
        let few = if self.of.is_empty() { &self.ticked } else { &self.of };
        let id = |text: &String| text.split(':').next().unwrap_or_default().to_owned();
        self.fields()
            .into_iter()
            .chain(few.iter().take(REJECT_MAX + 1).map(|one| ("of", id(one))))
            .collect()
    }

    /// Where the form is, as the form itself says it.
    fn url(&self) -> String {
        with_fields("/reject", &self.hidden_fields())
    }
}

/// The ids of boxes, which stand alone or before what was shown.
fn ids(boxes: &[String]) -> Result<Vec<RequestId>, QueryProblem> {
    let id = |text: &String| text.split(':').next().and_then(|id| id.parse().ok());
    let read: Option<Vec<RequestId>> = boxes.iter().map(id).collect();
    let ids = read.ok_or(QueryProblem::NoPage)?;
    if ids.len() > REJECT_MAX {
        let problem = format!(
            "{} requests are ticked. Allowed: at most {REJECT_MAX} in one form.",
            boxes.len()
        );
        return Err(problem.into());
    }
    Ok(ids)
}

pub(in crate::web) async fn show(
    State(app): State<AppState>,
    session: PageSession,
    QueryParams(asked): QueryParams<RejectQuery>,
) -> Result<Response, PageError> {
    let several = app.broker.several_managers();
    let again = asked.url();
    let (problem, comment) = typed_in(&app, &session, (&again, "reject"), &asked.form);
    let layout = Layout::new(&app, &session, "Reject several").await?;
    let layout = layout.section("/").refresh_url(again).without_refresh();
    let choice = asked.choice();
    let (found, wrong) = match choice {
        Ok(choice) => (app.broker.rejectable(&session.who, &choice).await?, None),
        Err(QueryProblem::NoPage) => return Err(PageError::not_found()),
        Err(QueryProblem::Field(problem)) => (Rejectable::default(), Some(problem)),
    };
    let (mut status, mut said) = FormProblem::split(problem);
    if let Some(wrong) = wrong {
        (status, said) = (StatusCode::BAD_REQUEST, Some(wrong));
    }
    let (rejected, left) = outcome(&app, &session, &asked, several).await?;
    let shown = RejectPage::new(layout, asked.hidden_fields(), &found, several);
    page(status, &RejectPage { problem: said, rejected, left, comment, ..shown })
}

/// What became of those that a form was sent for: read from the requests, not from the address.
async fn outcome(
    app: &AppState,
    session: &PageSession,
    asked: &RejectQuery,
    several: bool,
) -> Result<(Option<String>, Vec<(String, String, String)>), PageError> {
    let Ok(was) = ids(&asked.was) else { return Err(PageError::not_found()) };
    if was.is_empty() {
        return Ok((None, Vec::new()));
    }
    let found = app.broker.rejectable(&session.who, &RejectChoice::Ticked(was)).await?;
    let name = &session.who.profile().name;
    let by_me =
        |one: &Request| matches!(&one.state, RequestState::Rejected { by, .. } if by == name);
    let (done, left): (Vec<_>, Vec<_>) = found.shown.iter().partition(|(one, _)| by_me(one));
    let left = left.into_iter().map(|(one, may)| {
        let now = match may.why_not() {
            Some(why) => format!("You may not reject it: {why}."),
            None if one.state.name() == StateName::Pending => {
                "It changed since you looked: look at it again.".to_owned()
            }
            None => request::status(one),
        };
        (one.id.to_string(), endpoint::effect(one, several), now)
    });
    Ok((Some(with_count(len_u64(done.len()), "request")), left.collect()))
}

impl RejectRow {
    fn new(one: &Request, may: &Permission, several: bool) -> Self {
        Self {
            id: one.id.to_string(),
            pick: pick(one),
            effect: endpoint::effect(one, several),
            version: one.version,
            digest: one.digest.prefix(),
            asker: asker(one),
            reason: first_line(&one.claim.reason),
            state: one.state.name().name(),
            why_not: may.why_not().unwrap_or_default().to_owned(),
        }
    }
}

impl RejectPage {
    /// `several`: there is more than one manager, so each is named.
    pub(in crate::web) fn new(
        layout: Layout,
        fields: Fields,
        found: &Rejectable,
        several: bool,
    ) -> Self {
        Self {
            layout,
            problem: None,
            fields,
            password: found.shown.iter().any(|(_, may)| *may == Permission::WithPassword),
            rows: found.shown.iter().map(|(one, may)| RejectRow::new(one, may, several)).collect(),
            more: found.more,
            rejected: None,
            left: Vec::new(),
            comment: String::new(),
        }
    }

    /// How many can be rejected with this form.
    fn number(&self) -> String {
        let may = self.rows.iter().filter(|row| row.why_not.is_empty()).count();
        with_count(len_u64(may), "request")
    }

    fn most() -> usize {
        REJECT_MAX
    }
}

/// What was ticked, and the reason.
#[derive(Deserialize)]
#[serde(try_from = "Vec<(String, String)>")]
pub(in crate::web) struct RejectFields {
    asked: RejectQuery,
    picked: Vec<(RequestId, Displayed)>,
    comment: String,
    password: String,
}

impl TryFrom<Vec<(String, String)>> for RejectFields {
    type Error = &'static str;

    fn try_from(fields: Vec<(String, String)>) -> Result<Self, Self::Error> {
        Ok(Self {
            picked: picked(&fields).ok_or("a box cannot be read")?,
            comment: field(&fields, "comment"),
            password: field(&fields, "password"),
            asked: RejectQuery::try_from(fields).map_err(|_twice| "a field is there twice")?,
        })
    }
}

impl PasswordFields for RejectFields {
    fn password(&self) -> &str {
        &self.password
    }
}

/// Rejects what was ticked, each by itself.
pub(in crate::web) async fn reject(form: SessionForm<RejectFields>) -> Result<Response, PageError> {
    let RejectFields { asked, comment, .. } = &form.fields;
    let done = reject_picked(&form).await.map(|was| {
        let was = was.into_iter().map(|id| ("was", id.to_string()));
        with_fields("/reject", &asked.fields().into_iter().chain(was).collect::<Vec<_>>())
    });
    form.redirect((&asked.url(), "reject"), comment, done)
}

/// The ids of what was sent.
async fn reject_picked(form: &SessionForm<RejectFields>) -> FormResult<Vec<RequestId>> {
    let SessionForm { app, session, fields } = form;
    check_comment(&fields.comment)?;
    let ids: Vec<_> = fields.picked.iter().map(|(id, _)| *id).collect();
    let choice = RejectChoice::Ticked(ids.clone());
    let found = app.broker.rejectable(&session.who, &choice).await?;
    let again = found.shown.iter().map(|(_, may)| may).find(|may| may.takes_proof());
    let permission = again.cloned().unwrap_or(Permission::Now);
    let who = require_recent_password(app, session, &permission, fields.password()).await?;
    let reason = fields.comment.trim();
    let outcomes = app.broker.reject_many(&who, &fields.picked, reason).await?;
    let mut all = outcomes.into_values().peekable();
    let first = all.peek().cloned();
    let denied = |one| matches!(one, RejectOutcome::LeftAlone(Refusal::NotAllowed { .. }));
    match first {
        Some(RejectOutcome::LeftAlone(refusal)) if all.all(denied) => {
            Err(BrokerError::from(refusal).into())
        }
        Some(_) | None => Ok(ids),
    }
}
