//! Whether an alert names what an action acts on, and in which field.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;

use super::{
    fields::{AlertFields, AlertForm},
    log_line::goes_on,
    search::{text, value_at},
};
use crate::{
    connector::http::client::first_chars,
    domain::{action::Action, facts::NamedIn},
};

/// The first field that names the target; one whose name goes on in the log only where no other
/// does. None where none of them names it.
pub(super) fn named_in(alert: &Value, action: &Action, fields: &AlertFields) -> Option<NamedIn> {
    let fields = match action {
        Action::BlockIp(_) | Action::UnblockIp(_) => &fields.addresses,
        Action::DisableAccount(_) | Action::EnableAccount(_) => &fields.accounts,
    };
    let log = alert.get("full_log").and_then(Value::as_str).unwrap_or_default();
    let mut doubtful = None;
    for (field, form) in fields {
        let Some(value) = only_text(value_at(alert, field)) else { continue };
        if !form.names(value, action) {
            continue;
        }
        let goes_on = goes_on(log, value, action, *form);
        let named = NamedIn { field: field.clone(), value: first_chars(&value), goes_on };
        if named.goes_on.is_none() {
            return Some(named);
        }
        doubtful.get_or_insert(named);
    }
    doubtful
}

/// The decoder that takes the names of fields from the log.
const JSON_DECODER: &str = "json";

/// Whether the field that names an address holds what a stock decoder took from the peer. A log in
/// JSON names its own fields. In a line with two addresses the decoder may have found one that
/// somebody wrote there, as in the name of a user. Who adds a field answers for it.
pub(super) fn is_from_peer(
    alert: &Value,
    named: &NamedIn,
    action: &Action,
    fields: &AlertFields,
) -> bool {
    if !fields.peer.contains(&named.field) {
        return false;
    }
    let decoder = |field| text(alert, field);
    let stock = decoder("decoder.name").is_some_and(|name| name != JSON_DECODER)
        && decoder("decoder.parent") != Some(JSON_DECODER);
    let log = alert.get("full_log").and_then(Value::as_str).unwrap_or_default();
    !AlertFields::ships_as_peer(&named.field) || stock && !has_other_address(log, action)
}

/// Whether a log line has an address beside the target. `Chrome/120.0.0.0` is a version.
fn has_other_address(log: &str, action: &Action) -> bool {
    let target = action.argument();
    let part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    let mut before = None;
    log.split_inclusive(|c| !part(c)).any(|word| {
        let follows = before.replace(word.chars().next_back());
        let word = word.trim_end_matches(|c| !part(c)).trim_end_matches('.');
        let found = address(word).or_else(|| address(word.strip_suffix(':')?));
        follows != Some(Some('/')) && found.is_some_and(|other| other.to_string() != target)
    })
}

/// A text, or the one text of a list. Of several nobody knows which one is meant.
fn only_text(value: Option<&Value>) -> Option<&str> {
    let value = value?;
    let only = match value.as_array().map(Vec::as_slice) {
        None => Some(value),
        Some([only]) => Some(only),
        Some(_) => None,
    };
    only?.as_str().map(str::trim)
}

impl AlertForm {
    /// Whether a value names exactly what the action acts on.
    fn names(self, value: &str, action: &Action) -> bool {
        match action {
            Action::BlockIp(target) | Action::UnblockIp(target) => {
                self == Self::Address && address(value) == Some(*target)
            }
            Action::DisableAccount(target) | Action::EnableAccount(target) => {
                self.names_account(value, target.as_str())
            }
        }
    }

    fn names_account(self, value: &str, target: &str) -> bool {
        let name = without_uid(value);
        match self {
            Self::Address => false,
            Self::Name => name == target,
            Self::Windows => {
                let account = after_domain(name).or_else(|| before_realm(name));
                account.unwrap_or(name).eq_ignore_ascii_case(target)
            }
            Self::Cloud => before_realm(name).unwrap_or(name).eq_ignore_ascii_case(target),
        }
    }
}

/// An address in any of the forms that logs have, in its canonical form: daemons on dual-stack
/// sockets log IPv4 addresses mapped into IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, after)) if after.is_empty() || is_port(after.strip_prefix(':')) => inside,
        Some(_) => return None,
        None => match text.rsplit_once(':') {
            Some((v4, port)) if v4.contains('.') && !v4.contains(':') && is_port(Some(port)) => v4,
            Some(_) | None => text,
        },
    };
    let parsed = match bare.split_once('%') {
        Some((v6, zone)) if !zone.is_empty() => v6.parse::<Ipv6Addr>().map(IpAddr::V6),
        Some(_) | None => bare.parse(),
    };
    parsed.ok().map(|address| address.to_canonical())
}

fn is_port(text: Option<&str>) -> bool {
    text.is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

/// `root(uid=0)`, as PAM and systemd write it, without the number.
fn without_uid(name: &str) -> &str {
    let number = |rest: &str| rest.strip_suffix(')').is_some_and(is_number);
    match name.split_once("(uid=") {
        Some((account, rest)) if number(rest) => account,
        Some(_) | None => name,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The account in `CORP\alice`. Wazuh doubles the backslash in events of Windows.
fn after_domain(name: &str) -> Option<&str> {
    let (domain, account) = name.split_once('\\')?;
    let account = account.strip_prefix('\\').unwrap_or(account);
    (!domain.is_empty() && !account.contains('\\')).then_some(account)
}

/// The account in `alice@corp.example`.
fn before_realm(name: &str) -> Option<&str> {
    let (account, realm) = name.split_once('@')?;
    (!realm.is_empty() && !realm.contains('@')).then_some(account)
}
