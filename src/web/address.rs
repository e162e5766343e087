//! Where the page of a thing is. Names and targets may hold anything: each is written so that it stays
//! one part of the address.

use std::fmt::Write as _;

use url::form_urlencoded;

use crate::domain::public_url::PublicUrl;

/// The page of an agent, by name.
pub(in crate::web) fn agent(name: &str) -> String {
    format!("/agents/{}", part(name))
}

/// The page of a person, by name.
pub(in crate::web) fn person(name: &str) -> String {
    format!("/people/{}", part(name))
}

/// Where a person signs in for the first time, from anywhere.
pub(in crate::web) fn first_sign_in(public_url: &PublicUrl, name: &str) -> String {
    format!("{public_url}/sign-in/first?name={}", part(name))
}

/// The page of an endpoint, by its manager and its id there.
pub(in crate::web) fn endpoint(manager: &str, id: &str) -> String {
    format!("/endpoints/{}/{}", part(manager), part(id))
}

/// The page of an address, an account or whatever else is acted on, as the store writes it.
pub(in crate::web) fn target(argument: &str) -> String {
    format!("/targets?is={}", part(argument))
}

/// The address of a page that says why one of its forms was not carried out.
pub(in crate::web) fn with_form(page: &str, form: &str) -> String {
    format!("{page}{}form={form}#problem", if page.contains('?') { '&' } else { '?' })
}

/// A path with these fields; the empty ones are left out.
pub(in crate::web) fn with_fields<V: AsRef<str>>(path: &str, fields: &[(&str, V)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.iter().filter(|(_, value)| !value.as_ref().is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// An address within this app; anything else leads to the inbox.
pub(in crate::web) fn local(next: &str) -> &str {
    let within = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if within { next } else { "/" }
}

/// Letters and digits of ASCII and three signs as they are, every other byte by its number (RFC 3986,
/// 2.1). A part that is only dots would be taken away from a path: it gets numbers as well.
pub(in crate::web) fn part(text: &str) -> String {
    let only_dots = text.bytes().all(|byte| byte == b'.');
    let mut written = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || (byte == b'.' && !only_dots);
        if plain {
            written.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _done: std::fmt::Result = write!(written, "%{byte:02X}");
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stays_one_part_of_address() {
        for (name, written) in [
            ("triage-bot", "/agents/triage-bot"),
            ("a.b_c", "/agents/a.b_c"),
            ("../system?x=1#y", "/agents/..%2Fsystem%3Fx%3D1%23y"),
            ("..", "/agents/%2E%2E"),
            ("\u{202E}\"<", "/agents/%E2%80%AE%22%3C"),
        ] {
            assert_eq!(agent(name), written);
        }
        assert_eq!(endpoint("paris/1", "001"), "/endpoints/paris%2F1/001");
        assert_eq!(target("/tmp/a b&is=c"), "/targets?is=%2Ftmp%2Fa%20b%26is%3Dc");
        assert_eq!(person("anna"), "/people/anna");
    }

    #[test]
    fn sign_in_redirects_only_to_local_paths() {
        assert_eq!(local("/requests/req_1"), "/requests/req_1");
        for elsewhere in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"]
        {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }
}
