//! Whether an alert names what an action acts on, and in which field.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;

use super::{
    fields::{AlertFields, AlertForm},
    log_line::goes_on,
    search::value_at,
};
use crate::{
    connector::http::client::first_chars,
    domain::{action::Action, facts::NamedIn},
};

/// The first field that names the target; one whose name goes on in the log only where no other
/// does. None where none of them names it.
pub(super) fn named_in(alert: &Value, action: &Action, fields: &AlertFields) -> Option<NamedIn> {
    // No field of an alert is known to say what was done with anything else.
    let fields = if action.address().is_some() {
        &fields.addresses
    } else if action.account().is_some() {
        &fields.accounts
    } else {
        return None;
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
        if let Some(target) = action.address() {
            return self == Self::Address && address(value) == Some(target);
        }
        action.account().is_some_and(|target| self.names_account(value, target.as_str()))
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
pub(super) fn address(text: &str) -> Option<IpAddr> {
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
