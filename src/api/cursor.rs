//! Where a list goes on: a text that only this server reads. It opens nothing: who asks is looked at with
//! every call.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::problem::Problem;

/// A place in one list, under one filter.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor<K> {
    list: String,
    filter: String,
    key: K,
}

/// The text for a place in a list.
pub(super) fn write<K: Serialize>(list: &str, filter: &str, key: K) -> Option<String> {
    let cursor = Cursor { list: list.to_owned(), filter: filter.to_owned(), key };
    Some(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).ok()?))
}

/// Reads the text for a place in this list under this filter.
pub(super) fn read<K: DeserializeOwned>(
    text: &str,
    list: &str,
    filter: &str,
) -> Result<K, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let cursor = bytes.and_then(|bytes| serde_json::from_slice::<Cursor<K>>(&bytes).ok());
    let own = cursor.filter(|cursor| cursor.list == list && cursor.filter == filter);
    let allowed = "the `next` of an earlier answer to the same question, as it came";
    own.map(|cursor| cursor.key).ok_or_else(|| Problem::invalid("after", text, allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_is_read_for_its_own_question_alone() {
        let text = write("audit", "f", 7_u64).unwrap();
        assert_eq!(read::<u64>(&text, "audit", "f").ok(), Some(7));
        assert!(read::<u64>(&text, "requests", "f").is_err());
        assert!(read::<u64>(&text, "audit", "g").is_err());
        assert!(read::<String>(&text, "audit", "f").is_err());
        let beyond = write("audit", "f", u64::MAX).unwrap();
        assert!(read::<i64>(&beyond, "audit", "f").is_err(), "no place of the audit");
        let cut = text.trim_start_matches("ey");
        for other in ["", "7", "' OR 1=1 --", cut, &format!("{text}=")] {
            assert!(read::<u64>(other, "audit", "f").is_err(), "{other}");
        }
    }
}
