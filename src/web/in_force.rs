//! What is blocked or disabled now, where, and until when.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::TimeDelta;

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
    what: String,
    reach: String,
    /// Whether it ends by itself.
    ends: bool,
    /// How many of its endpoints have an unknown outcome.
    unknown: usize,
    endpoints: Vec<Place>,
}

/// Where.
#[derive(Debug)]
pub(super) struct Place {
    id: String,
    name: String,
    unknown: bool,
    since: Time,
    until: Option<Time>,
    left: String,
}

/// The page.
pub(super) async fn show(State(site): State<Site>, session: Session) -> Result<Response, Failure> {
    let found = site.broker.in_force(&session.who).await?;
    let frame = Frame::new(&site, &session, "In force").await?.at("/in-force");
    page(StatusCode::OK, &InForcePage::new(frame, &found, site.broker.clock().now()))
}

impl InForcePage {
    pub(super) fn new(frame: Frame, found: &[InForce], now: Time) -> Self {
        let parts = found.chunk_by(|one, other| one.request == other.request);
        Self { frame, effects: parts.filter_map(|part| Effect::new(part, now)).collect() }
    }
}

impl Effect {
    fn new(part: &[InForce], now: Time) -> Option<Self> {
        let first = part.first()?;
        let reach = counted(u64::try_from(part.len()).unwrap_or(0), "endpoint");
        Some(Self {
            request: first.request.to_string(),
            what: first.action.phrase(),
            reach: format!("on {reach} {}", first.term),
            ends: first.term.seconds().is_some(),
            unknown: part.iter().filter(|one| one.outcome == "unknown").count(),
            endpoints: part.iter().map(|one| Place::new(one, now)).collect(),
        })
    }
}

impl Place {
    fn new(one: &InForce, now: Time) -> Self {
        let term = one.term.seconds().map(|seconds| TimeDelta::seconds(i64::from(seconds)));
        let until = term.map(|term| one.since + term);
        Self {
            id: one.endpoint.to_string(),
            name: one.name.clone(),
            unknown: one.outcome == "unknown",
            since: one.since,
            until,
            left: until.map(|until| words::left(until, now)).unwrap_or_default(),
        }
    }
}
