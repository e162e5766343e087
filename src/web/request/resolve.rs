//! What a person found out about endpoints whose outcome nothing else can tell: one form for
//! several of them.

use axum::response::Response;
use serde::Deserialize;

use super::{
    form::{Checked, DisplayedFields, RequestFields, RequestForm},
    shown::ShownQuery,
};
use crate::{
    domain::{
        digest::Digest,
        endpoint::EndpointId,
        facts::Verb,
        lifecycle::{Displayed, Finding},
    },
    web::{admin::reauthenticate::PasswordFields, error::PageError},
};

/// What was filled in.
#[derive(Deserialize)]
#[serde(try_from = "Vec<(String, String)>")]
pub(in crate::web) struct ResolveFields {
    displayed: Displayed,
    endpoints: Vec<EndpointId>,
    finding: Finding,
    reason: String,
    password: String,
    /// The page of endpoints that the boxes stood on.
    page: String,
}

impl TryFrom<Vec<(String, String)>> for ResolveFields {
    type Error = &'static str;

    /// One box for each endpoint has the same name, so the fields come as a list.
    fn try_from(fields: Vec<(String, String)>) -> Result<Self, Self::Error> {
        Self::read(&fields).ok_or("a field is missing or cannot be read")
    }
}

impl ResolveFields {
    fn read(fields: &[(String, String)]) -> Option<Self> {
        let one = |name: &str| {
            let field = fields.iter().find(|(other, _)| other == name);
            field.map(|(_, value)| value.as_str())
        };
        let finding = match one("ruling")? {
            "done" => Finding::Done,
            "not_done" => Finding::NotDone,
            _ => return None,
        };
        let endpoints = fields.iter().filter(|(name, _)| name == "endpoint");
        let endpoints = endpoints.map(|(_, id)| EndpointId::parse(id));
        Some(Self {
            displayed: Displayed {
                version: one("version")?.parse().ok()?,
                digest: Digest::parse(one("digest")?)?,
            },
            endpoints: endpoints.collect::<Option<_>>()?,
            finding,
            reason: one("comment").unwrap_or_default().to_owned(),
            password: one("password").unwrap_or_default().to_owned(),
            page: one("endpoints").unwrap_or_default().to_owned(),
        })
    }
}

impl PasswordFields for ResolveFields {
    fn password(&self) -> &str {
        &self.password
    }
}

impl RequestFields for ResolveFields {
    fn comment(&self) -> &str {
        &self.reason
    }

    fn version(&self) -> Option<u64> {
        Some(self.displayed.version)
    }

    fn shown(&self) -> ShownQuery {
        ShownQuery { endpoints: self.page.clone(), ..ShownQuery::default() }
    }
}

impl DisplayedFields for ResolveFields {
    fn displayed(&self) -> Displayed {
        self.displayed
    }
}

/// Records what a person found out.
pub(in crate::web) async fn resolve(
    form: RequestForm<ResolveFields>,
) -> Result<Response, PageError> {
    form.run_if_current(Verb::Resolve, async |Checked { broker, who, id, fields }| {
        let finding = (fields.finding, fields.reason.trim());
        broker.resolve(&who, id, &fields.endpoints, finding).await
    })
    .await
}
