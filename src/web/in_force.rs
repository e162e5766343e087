//! What is blocked or disabled now, where, and until when.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use super::{
    Site,
    failure::Failure,
    frame::{Frame, page},
    session::Session,
    words,
};
use crate::{
    broker::look::InForce,
    domain::{Time, action::counted},
};

#[derive(Debug, Template)]
#[template(path = "pages/in_force.html")]
pub(super) struct InForcePage {
    pub(super) frame: Frame,
    pub(super) effects: Vec<Effect>,
}

/// What one request brought into force.
#[derive(Debug)]
pub(super) struct Effect {
    request: String,
    /// The manager, where there is more than one.
    manager: Option<String>,
    what: String,
    reach: String,
    /// Whether it ends by itself.
    ends: bool,
    /// On how many of its endpoints nobody knows whether it was sent.
    unknown: usize,
    /// On how many nothing shows that it started.
    unconfirmed: usize,
    endpoints: Vec<Place>,
}

/// Where.
#[derive(Debug)]
pub(super) struct Place {
    id: String,
    name: String,
    outcome: &'static str,
    since: Time,
    until: Option<Time>,
    left: String,
}

/// The page.
pub(super) async fn show(State(site): State<Site>, session: Session) -> Result<Response, Failure> {
    let found = site.broker.in_force(&session.who).await?;
    let frame = Frame::new(&site, &session, "In force").await?.at("/in-force");
    let (several, now) = (site.broker.several_managers(), site.broker.clock().now());
    page(StatusCode::OK, &InForcePage::new(frame, &found, several, now))
}

impl InForcePage {
    /// `several`: there is more than one manager, so each is named.
    pub(super) fn new(frame: Frame, found: &[InForce], several: bool, now: Time) -> Self {
        let parts = found.chunk_by(|one, other| one.request == other.request);
        let effects = parts.filter_map(|part| Effect::new(part, several, now)).collect();
        Self { frame, effects }
    }
}

impl Effect {
    fn new(part: &[InForce], several: bool, now: Time) -> Option<Self> {
        let first = part.first()?;
        let count = |outcome| part.iter().filter(|one| one.outcome == outcome).count();
        let reach = counted(u64::try_from(part.len()).unwrap_or(0), "endpoint");
        Some(Self {
            request: first.request.to_string(),
            manager: several.then(|| first.manager.clone()),
            what: first.action.phrase(),
            reach: format!("on {reach} {}", first.term),
            ends: first.term.seconds().is_some(),
            unknown: count("unknown"),
            unconfirmed: count("unconfirmed"),
            endpoints: part.iter().map(|one| Place::new(one, now)).collect(),
        })
    }
}

impl Place {
    fn new(one: &InForce, now: Time) -> Self {
        Self {
            id: one.endpoint.to_string(),
            name: one.name.clone(),
            outcome: one.outcome,
            since: one.since,
            until: one.ends,
            left: one.ends.map(|until| words::left(until, now)).unwrap_or_default(),
        }
    }
}
