//! What a person found out about endpoints where nobody knew: one form for several of them.

use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{decide::RequestForm, page::id_of};
use crate::{
    domain::{
        digest::Digest,
        endpoint::EndpointId,
        facts::Verb,
        lifecycle::{Displayed, Finding},
    },
    web::{
        AppState,
        admin::reauthenticate::Reauth,
        error::PageError,
        http::session::{CsrfForm, PageSession},
    },
};

/// What was filled in. One box for each endpoint has the same name, so the fields come as they are.
struct ResolveForm {
    shown: Displayed,
    endpoints: Vec<EndpointId>,
    ruling: Finding,
    reason: String,
    password: String,
}

impl ResolveForm {
    fn read(fields: &[(String, String)]) -> Option<Self> {
        let one = |name: &str| {
            let field = fields.iter().find(|(other, _)| other == name);
            field.map(|(_, value)| value.as_str())
        };
        let ruling = match one("ruling")? {
            "done" => Finding::Done,
            "not_done" => Finding::NotDone,
            _ => return None,
        };
        let endpoints = fields.iter().filter(|(name, _)| name == "endpoint");
        let endpoints = endpoints.map(|(_, id)| EndpointId::parse(id));
        Some(Self {
            shown: Displayed {
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
    State(app): State<AppState>,
    session: PageSession,
    Path(id): Path<String>,
    CsrfForm(fields): CsrfForm<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let desk = RequestForm { app, session, id: id_of(&id)?, verb: Verb::Resolve };
    let form = ResolveForm::read(&fields).ok_or_else(PageError::unreadable)?;
    if let Some(refusal) = desk.behind(form.shown).await? {
        return desk.finish(Err(refusal.into()), form.reason).await;
    }
    let who = match desk.reauthenticate(&form.reason, &form.password).await? {
        Reauth::Recent(who) => who,
        Reauth::Problem(problem) => return desk.show_error(problem, form.reason).await,
    };
    let found = (form.ruling, form.reason.trim());
    let done = desk.app.broker.resolve(&who, desk.id, &form.endpoints, found).await;
    desk.finish(done, form.reason).await
}
