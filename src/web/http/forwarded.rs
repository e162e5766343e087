//! `Forwarded` (RFC 7239) and `X-Forwarded-For`, read from the end: what a trusted proxy appended
//! stands there, and what stands before it anybody may have written.

use std::net::{IpAddr, SocketAddr};

/// The last address of an `X-Forwarded-For` that is no proxy of ours; none where one that is needed
/// cannot be read.
pub(super) fn first_listed(text: &str, trusted: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    last_foreign(text.split(',').rev().map(|item| listed(item.trim())), trusted)
}

/// An address, with or without the port that some proxies append.
fn listed(item: &str) -> Option<IpAddr> {
    let with_port = || item.parse::<SocketAddr>().ok().map(|address| address.ip());
    item.parse().ok().or_else(with_port)
}

/// The same of a `Forwarded`.
pub(super) fn first(text: &str, trusted: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    last_foreign(split(text, ',')?.into_iter().rev().map(node), trusted)
}

/// The first that is not trusted; where all are, the one farthest away.
fn last_foreign(
    addresses: impl Iterator<Item = Option<IpAddr>>,
    trusted: impl Fn(&IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut farthest = None;
    for address in addresses {
        let address = address?;
        farthest = Some(address);
        if !trusted(&address) {
            break;
        }
    }
    farthest
}

/// The address of one element: its only `for`.
fn node(element: &str) -> Option<IpAddr> {
    let mut nodes = Vec::new();
    for pair in split(element, ';')? {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") {
            nodes.push(value.trim());
        }
    }
    let [node] = nodes.as_slice() else { return None };
    let node = match node.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').filter(|inner| !inner.contains(['"', '\\']))?,
        None => node,
    };
    if let Ok(with_port) = node.parse::<SocketAddr>() {
        return Some(with_port.ip());
    }
    let v6 = node.strip_prefix('[').and_then(|node| node.strip_suffix(']'));
    match v6 {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => node.parse().ok().map(IpAddr::V4),
    }
}

/// Parts between separators that stand outside of quotes; none where a quote stays open.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut quoted = false;
    let parts = text.split(|c| {
        quoted ^= c == '"';
        c == separator && !quoted
    });
    let parts = parts.map(str::trim).collect();
    (!quoted).then_some(parts)
}
