//! What comes in, read with what is wrong named: the parts of an address, the fields of a body.

use std::fmt;

use axum::{
    body::to_bytes,
    extract::Request,
    http::{StatusCode, Uri, header::CONTENT_TYPE},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::Value;
use url::form_urlencoded;

use super::{BODY_BYTES_MAX, cursor, problem::Problem};
use crate::domain::digest::Digest;

/// The most rows of one page.
const LIMIT_MAX: u32 = 200;
/// The rows of a page that names no number.
const LIMIT_USUAL: u32 = 50;

/// The question in the address of a list.
pub(super) struct Asked {
    list: &'static str,
    parts: Vec<(String, String)>,
}

impl Asked {
    /// Reads it; `filters` are the names that this list has beside `limit` and `after`.
    pub(super) fn read(uri: &Uri, list: &'static str, filters: &[&str]) -> Result<Self, Problem> {
        let query = uri.query().unwrap_or_default();
        let parts: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let known = || ["limit", "after"].iter().chain(filters);
        for (place, (name, value)) in parts.iter().enumerate() {
            if !known().any(|known| known == name) {
                let names: Vec<_> = known().copied().collect();
                return Err(Problem::invalid(name, value, format!("one of {}", names.join(", "))));
            }
            if parts.iter().take(place).any(|(other, _)| other == name) {
                return Err(Problem::invalid(name, value, "each name once"));
            }
        }
        Ok(Self { list, parts })
    }

    /// A part; none where it is absent or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.parts.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// A part that `parse` reads.
    pub(super) fn part<T>(
        &self,
        name: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| Problem::invalid(name, text, allowed))
    }

    /// How many rows at most.
    pub(super) fn limit(&self) -> Result<u32, Problem> {
        let allowed = format!("a whole number from 1 to {LIMIT_MAX}");
        let read = |text: &str| text.parse().ok().filter(|rows| (1..=LIMIT_MAX).contains(rows));
        Ok(self.part("limit", &allowed, read)?.unwrap_or(LIMIT_USUAL))
    }

    /// Where to go on; none from the beginning.
    pub(super) fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        let Some(text) = self.text("after") else { return Ok(None) };
        cursor::read(text, self.list, &self.filter()).map(Some)
    }

    /// The text that goes on after a row.
    pub(super) fn next(&self, key: impl serde::Serialize) -> Option<String> {
        cursor::write(self.list, &self.filter(), key)
    }

    /// What stands for the filter in a cursor: whoever asks something else begins anew.
    fn filter(&self) -> String {
        let paging = |name: &str| ["limit", "after"].contains(&name);
        let parts = self.parts.iter().filter(|(name, value)| !paging(name) && !value.is_empty());
        let mut parts: Vec<_> = parts.map(|(name, value)| format!("{name}={value}")).collect();
        parts.sort();
        Digest::of(parts.join("\n").as_bytes()).prefix()
    }
}

/// The fields of a JSON object, as they came.
pub(super) struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Fields {
    /// Reads a body: a JSON object that has no other fields than these, each once.
    pub(super) async fn read(request: Request, known: &[&str]) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let why = "bodies are JSON: send `Content-Type: application/json`";
            return Err(Problem::unreadable(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_too_large| {
            let why = format!("the body did not come, or has more than {BODY_BYTES_MAX} bytes");
            Problem::unreadable(StatusCode::PAYLOAD_TOO_LARGE, why)
        })?;
        let fields = serde_json::from_slice::<Self>(&bytes).map_err(|why| {
            let why = format!("the body is not a JSON object: {why}. Nothing was changed.");
            Problem::unreadable(StatusCode::BAD_REQUEST, why)
        })?;
        for (place, (name, value)) in fields.0.iter().enumerate() {
            let shown = value.to_string();
            if !known.contains(&name.as_str()) {
                let allowed = format!("one of {}", known.join(", "));
                return Err(Problem::invalid(name, &shown, allowed));
            }
            if fields.0.iter().take(place).any(|(other, _)| other == name) {
                return Err(Problem::invalid(name, &shown, "each name once"));
            }
        }
        Ok(fields)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// A field that `parse` reads; null is absent.
    pub(super) fn maybe<'a, T>(
        &'a self,
        name: &str,
        allowed: &str,
        parse: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let wrong = || Problem::invalid(name, &value.to_string(), allowed);
                parse(value).map(Some).ok_or_else(wrong)
            }
        }
    }

    /// The same, where the field must be there.
    pub(super) fn must<'a, T>(
        &'a self,
        name: &str,
        allowed: &str,
        parse: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, Problem> {
        let missing = || Problem::invalid(name, "", format!("it must be there: {allowed}"));
        self.maybe(name, allowed, parse)?.ok_or_else(missing)
    }
}
