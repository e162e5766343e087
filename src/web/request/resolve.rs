//! What a person found out about endpoints where nobody knew: one form for several of them.

use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{decide::Desk, page::id_of};
use crate::{
    domain::{
        digest::Digest,
        endpoint::EndpointId,
        facts::Verb,
        lifecycle::{Ruling, Shown},
    },
    web::{
        Site,
        admin::reauthenticate::Given,
        error::Failure,
        http::session::{Fields, Session},
    },
};

/// What was filled in. One box for each endpoint has the same name, so the fields come as they are.
struct Finding {
    shown: Shown,
    endpoints: Vec<EndpointId>,
    ruling: Ruling,
    reason: String,
    password: String,
}

impl Finding {
    fn read(fields: &[(String, String)]) -> Option<Self> {
        let one = |name: &str| {
            let field = fields.iter().find(|(other, _)| other == name);
            field.map(|(_, value)| value.as_str())
        };
        let ruling = match one("ruling")? {
            "done" => Ruling::Done,
            "not_done" => Ruling::NotDone,
            _ => return None,
        };
        let endpoints = fields.iter().filter(|(name, _)| name == "endpoint");
        let endpoints = endpoints.map(|(_, id)| EndpointId::parse(id));
        Some(Self {
            shown: Shown {
                version: one("version")?.parse().ok()?,
                digest: Digest::parse(one("digest")?)?,
            },
            endpoints: endpoints.collect::<Option<_>>()?,
            ruling,
            reason: one("comment").unwrap_or_default().to_owned(),
            password: one("password").unwrap_or_default().to_owned(),
        })
    }
}

/// Writes down what a person found out.
pub(in crate::web) async fn resolve(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
    Fields(fields): Fields<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let desk = Desk { site, session, id: id_of(&id)?, verb: Verb::Resolve };
    let form = Finding::read(&fields).ok_or_else(Failure::unreadable)?;
    if let Some(refusal) = desk.behind(form.shown).await? {
        return desk.close(Err(refusal.into()), form.reason).await;
    }
    let who = match desk.enter(&form.reason, &form.password).await? {
        Given::Recent(who) => who,
        Given::Problem(problem) => return desk.again(problem, form.reason).await,
    };
    let found = (form.ruling, form.reason.trim());
    let done = desk.site.broker.resolve(&who, desk.id, &form.endpoints, found).await;
    desk.close(done, form.reason).await
}
