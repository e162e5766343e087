//! Whether the address in an alert is that of the peer, or one that somebody wrote into the log.

use std::net::IpAddr;

use serde_json::Value;

use super::{fields::AlertFields, names::address, search::text};
use crate::domain::{action::Action, facts::NamedIn};

/// The decoder of Windows event channels: its fields are those of the event, not of a line of text.
const EVENT_DECODER: &str = "windows_eventchannel";

/// Whether the field that names an address holds what a stock decoder took from the peer. Who adds a
/// field answers for it. In doubt it does not:
///
/// * a log in JSON names its own fields, whatever its decoder is called;
/// * in a line with two addresses, or where the word before the address comes twice, the decoder may
///   have found what somebody wrote, as in `user=x rhost=203.0.113.7 rhost=host7.example`;
/// * a line that is not there says nothing.
pub(super) fn is_from_peer(
    alert: &Value,
    named: &NamedIn,
    action: &Action,
    fields: &AlertFields,
) -> bool {
    if !fields.peer.contains(&named.field) {
        return false;
    }
    if !AlertFields::ships_as_peer(&named.field) {
        return true;
    }
    let Some(decoder) = text(alert, "decoder.name") else { return false };
    if named.field.starts_with("data.win.") {
        return decoder == EVENT_DECODER;
    }
    let Some(target) = action.address() else { return false };
    text(alert, "full_log").is_some_and(|log| !holds_json(log) && shows_one_peer(log, target))
}

/// Whether a line holds an object of JSON, perhaps after the head of a syslog line.
fn holds_json(log: &str) -> bool {
    log.split_once('{').is_some_and(|(_, inside)| inside.contains("\":") || inside.contains("\" :"))
}

/// Whether the target is the only address in a line, and no word before it comes twice.
fn shows_one_peer(log: &str, target: IpAddr) -> bool {
    let found = addresses(log);
    let words = words(log);
    !found.is_empty()
        && found.iter().all(|(place, one)| {
            let label = label(log.get(..*place).unwrap_or_default());
            let twice = words.iter().filter(|word| **word == label).count() > 1;
            *one == target && (label.is_empty() || !twice)
        })
}

/// The addresses in a line and where they begin, however they are set off. `Chrome/120.0.0.0` is a
/// version: no peer has such an address.
fn addresses(log: &str) -> Vec<(usize, IpAddr)> {
    let part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    let mut found = Vec::new();
    for (at, run) in runs(log, part) {
        let trimmed = run.trim_end_matches([':', '.']);
        let begin = trimmed.len() - trimmed.trim_start_matches('.').len();
        let forms = [(begin, trimmed.get(begin..)), (begin + 1, trimmed.strip_prefix(':'))];
        let whole = forms.into_iter().find_map(|(begin, form)| Some((at + begin, address(form?)?)));
        if let Some(one) = whole {
            found.push(one);
            continue;
        }
        let number = |c: char| c.is_ascii_digit() || c == '.';
        for (inside, digits) in runs(run, number) {
            let quad = digits.trim_matches('.');
            let at = at + inside + (digits.len() - digits.trim_start_matches('.').len());
            found.extend(quad_of(quad).map(|v4| (at, v4)));
        }
    }
    found.retain(|(at, one)| !is_version(log.get(..*at).unwrap_or_default(), &one.to_string()));
    found
}

/// An IPv4 address whose numbers may begin with zeros.
fn quad_of(text: &str) -> Option<IpAddr> {
    let parts: Vec<_> = text.split('.').map(str::parse::<u8>).collect::<Result<_, _>>().ok()?;
    Some(IpAddr::from(<[u8; 4]>::try_from(parts).ok()?))
}

/// Whether four numbers after this text are a version: `Name/1.2.3.0`.
fn is_version(before: &str, quad: &str) -> bool {
    let name = before.strip_suffix('/').and_then(|name| name.chars().next_back());
    name.is_some_and(char::is_alphabetic) && quad.ends_with(".0")
}

/// The runs of such characters in a text, and where they begin.
fn runs(text: &str, part: impl Fn(char) -> bool + Copy) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    for run in text.split(|c| !part(c)) {
        if !run.is_empty() {
            found.push((at, run));
        }
        at += run.len();
        at += text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    found
}

/// The words of a line, in lower case.
fn words(log: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    log.split(|c| !word(c)).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// The word before an address, in lower case: `rhost` before `rhost=`, `from` before `from `.
fn label(before: &str) -> String {
    let before = before.trim_end_matches("::ffff:");
    words(before).pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_peer(log: &str) -> bool {
        shows_one_peer(log, "9.9.9.9".parse().unwrap())
    }

    #[test]
    fn line_with_one_address_shows_one_peer() {
        for log in [
            "sshd[1]: Failed password for root from 9.9.9.9 port 4711 ssh2",
            "sshd[1]: Failed password for root from ::ffff:9.9.9.9 port 4711 ssh2",
            "9.9.9.9 - - [28/Nov/2026:10:11:12 +0000] \"GET / HTTP/1.1\" 400 1 \"Chrome/120.0.0.0 a\"",
            "[error] [client 9.9.9.9:5555] AH01797: denied",
            "su: pam_unix: failure; uid=0 ruser=x rhost=9.9.9.9  user=root",
        ] {
            assert!(one_peer(log), "{log}");
        }
    }

    #[test]
    fn second_address_in_any_form_makes_doubt() {
        for other in [
            "1.2.3.4",
            "rhost:1.2.3.4",
            "IP:1.2.3.4",
            "client:1.2.3.4:5555",
            "/1.2.3.4:555",
            "IPV4/UDP/1.2.3.4/5060",
            "IPV6/TCP/2a00::1/5060",
            "[ipv4:1.2.3.4:50000]",
            "1.2.3.4:6000:DMZ",
            "ab1.2.3.4",
            "01.02.03.04",
            "::ffff:1.2.3.4",
            "[2001:db8::1]:22",
            "1.2.3.4.",
            "(2001:db8::1)",
            "2001:db8::1%eth0",
            "Name/1.2.3.4",
        ] {
            assert!(!one_peer(&format!("user from 9.9.9.9 port 22 {other} end")), "{other}");
            assert!(!one_peer(&format!("{other} said user from 9.9.9.9 port 22")), "{other}");
        }
    }

    #[test]
    fn word_before_address_that_comes_twice_makes_doubt() {
        for log in [
            "failure; ruser=x rhost=9.9.9.9  user=root rhost=host7.evil.example",
            "Failed password for invalid user root from 9.9.9.9 port 22 ssh2 from host7 port 1 ssh2",
            "RHOST = \"9.9.9.9\" rhost=host7",
        ] {
            assert!(!one_peer(log), "{log}");
        }
    }

    #[test]
    fn line_without_target_shows_no_peer() {
        assert!(!one_peer(""));
        assert!(!one_peer("Failed password for root from host7 port 22"));
    }

    #[test]
    fn json_in_any_place_is_seen() {
        for log in ["{\"srcip\":\"9.9.9.9\"}", "app[1]: { \"srcip\" : \"9.9.9.9\" }"] {
            assert!(holds_json(log), "{log}");
        }
        assert!(!holds_json("sshd[1]: from 9.9.9.9 port 22"));
    }
}
