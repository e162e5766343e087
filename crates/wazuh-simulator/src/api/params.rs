//! Query parameters, checked as strictly as the API's specification does.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::Simulator;
use crate::api::answer::Problem;

/// The parameters that every call accepts.
const COMMON: [&str; 2] = ["pretty", "wait_for_complete"];
/// The largest page of a list.
const LIMIT_MAX: usize = 100_000;
/// The default page of a list.
const LIMIT: usize = 500;

/// The query of a call.
pub(crate) struct Params(Vec<(String, String)>);

impl FromRequestParts<Simulator> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Simulator) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|error| Problem::bad_request(error.body_text()))
    }
}

impl Params {
    /// Refuses unknown parameters.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let is_known = |name: &str| known.contains(&name) || COMMON.contains(&name);
        let extra: Vec<&str> =
            self.0.iter().map(|(name, _)| name.as_str()).filter(|name| !is_known(name)).collect();
        if extra.is_empty() {
            return Ok(());
        }
        let detail = format!("Extra query parameter(s) {} not in spec", extra.join(", "));
        Err(Problem::bad_request(detail))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A comma-separated list.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        self.get(name).map(|value| value.split(',').map(str::to_owned).collect())
    }

    pub(crate) fn waits_for_completion(&self) -> bool {
        self.get("wait_for_complete") == Some("true")
    }

    /// `agents_list`: ids have at least three digits.
    pub(crate) fn ids(&self) -> Result<Option<Vec<String>>, Problem> {
        let Some(ids) = self.list("agents_list") else { return Ok(None) };
        for (place, id) in ids.iter().enumerate() {
            let (fault, rule) = if id.chars().count() < 3 {
                ("is too short", "minLength")
            } else if !id.bytes().all(|byte| byte.is_ascii_digit()) {
                ("is not a 'numbers'", "format")
            } else {
                continue;
            };
            return Err(Problem::bad_request(format!(
                "'{id}' {fault}. Failed validating '{rule}' in schema['items']: {{'description': \
                 'Agent ID', 'format': 'numbers', 'minLength': 3, 'type': 'string'}}. \
                 On instance[{place}]: '{id}'"
            )));
        }
        Ok(Some(ids))
    }

    /// Cuts a list to `offset` and `limit`.
    pub(crate) fn page<T>(&self, items: Vec<T>) -> Result<Vec<T>, Problem> {
        let limit = self.number("limit", LIMIT)?;
        if limit == 0 || limit > LIMIT_MAX {
            // The wording is not from a capture.
            let detail = format!("{limit} is not a limit between 1 and {LIMIT_MAX}");
            return Err(Problem::bad_request(detail));
        }
        Ok(items.into_iter().skip(self.number("offset", 0)?).take(limit).collect())
    }

    fn number(&self, name: &str, otherwise: usize) -> Result<usize, Problem> {
        let Some(text) = self.get(name) else { return Ok(otherwise) };
        text.parse().map_err(|error| {
            tracing::debug!(%error, "no number");
            Problem::bad_request(format!(
                "Wrong type, expected 'integer' for query parameter '{name}'"
            ))
        })
    }
}
