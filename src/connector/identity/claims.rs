//! What an ID token says, by the names that the configuration gives its claims.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use openidconnect::core::CoreIdToken;
use serde_json::Value;

/// The claims of a token that was verified.
pub(super) fn payload(token: &CoreIdToken) -> Option<Value> {
    let text = token.to_string();
    let payload = text.split('.').nth(1)?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The claim of that name, a dot leading into an object. A name with dots of its own comes first.
fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |inside, part| inside.get(part)))
}

/// A claim that is a text; empty where it is not.
pub(super) fn text_claim(claims: &Value, name: &str) -> String {
    claim(claims, name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A claim that is a text, or a list of texts.
pub(super) fn list_claim(claims: &Value, name: &str) -> Vec<String> {
    let texts = |values: &[Value]| {
        values.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    match claim(claims, name) {
        Some(Value::Array(values)) => texts(values),
        Some(one @ Value::String(_)) => texts(std::slice::from_ref(one)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_read_from_objects_and_lists() {
        let claims = json!({
            "groups": ["soc", 7, "leads"], "role": "lead", "realm_access": { "roles": ["a"] },
            "https://soc.example/groups": ["b"], "name": 3,
        });
        assert_eq!(list_claim(&claims, "groups"), ["soc", "leads"]);
        assert_eq!(list_claim(&claims, "role"), ["lead"]);
        assert_eq!(list_claim(&claims, "realm_access.roles"), ["a"]);
        assert_eq!(list_claim(&claims, "https://soc.example/groups"), ["b"]);
        assert_eq!(list_claim(&claims, "realm_access.none"), [""; 0]);
        assert_eq!(text_claim(&claims, "name"), "");
    }
}
