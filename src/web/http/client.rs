//! Who is at the other end of a connection: for sign-ins, and never a right.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};

use super::{forwarded, session::read_cookie};
use crate::{
    broker::admin::BROWSER_DAYS,
    domain::actor::sign_in::{SignInOrigin, Source},
    web::{AppState, Proxies, WebSettings, error::PageError},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a sign-in comes from.
pub(in crate::web) struct Origin(pub(in crate::web) SignInOrigin);

impl FromRequestParts<AppState> for Origin {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let ConnectInfo(peer) = peer.ok_or_else(PageError::unreadable)?;
        let headers = &parts.headers;
        let device = headers.get(header::USER_AGENT);
        let device = device.and_then(|device| device.to_str().ok()).unwrap_or_default();
        let known_browser = read_cookie(headers, browser_cookie_name(&app.settings));
        let source = source(peer.ip(), headers, &app.settings.proxies);
        Ok(Self(SignInOrigin { known_browser, ..SignInOrigin::new(source, device) }))
    }
}

/// The source of a request: the proxy, where it names nobody who can be read.
fn source(peer: IpAddr, headers: &HeaderMap, proxies: &Proxies) -> Source {
    if !proxies.are_known() {
        return Source::Proxy;
    }
    Source::of(address(peer, headers, proxies).unwrap_or(peer))
}

/// The address that a request comes from; none where it cannot be known. What a peer says of another one
/// counts only where that peer is a proxy that the configuration trusts, and where it says it in one way.
/// A proxy that says nothing of anybody else asks for itself.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, proxies: &Proxies) -> Option<IpAddr> {
    if !proxies.are_known() {
        return None;
    }
    let trusted = |address: &IpAddr| {
        let address = address.to_canonical();
        proxies.trusted.iter().any(|network| network.contains(&address))
    };
    if !trusted(&peer) {
        return Some(peer);
    }
    // What is no text stands where a stranger wrote it, before what the proxy appended.
    let lines = |name: &HeaderName| {
        let lines = headers.get_all(name).iter();
        let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()));
        lines.collect::<Vec<_>>().join(",")
    };
    let (standard, usual) = (header::FORWARDED, X_FORWARDED_FOR);
    match (headers.contains_key(&standard), headers.contains_key(&usual)) {
        (true, false) => forwarded::first(&lines(&standard), trusted),
        (false, true) => forwarded::first_listed(&lines(&usual), trusted),
        // Which of the two the proxy wrote, and which a stranger did, nobody knows.
        (true, true) => None,
        (false, false) => Some(peer),
    }
}

/// The prefix makes browsers insist on TLS, on this very host and on the whole of it.
fn browser_cookie_name(settings: &WebSettings) -> &'static str {
    if settings.public_url.is_https() {
        "__Host-countersign-browser"
    } else {
        "countersign-browser"
    }
}

/// The header that makes a browser a known one.
pub(in crate::web) fn browser_cookie(browser: &str, settings: &WebSettings) -> Option<HeaderValue> {
    let name = browser_cookie_name(settings);
    let secure = if settings.public_url.is_https() { "; Secure" } else { "" };
    let seconds = BROWSER_DAYS * 24 * 60 * 60;
    // The way back from the identity provider begins elsewhere: a stricter cookie would not come along.
    let rest = format!("Path=/; HttpOnly; SameSite=Lax{secure}; Max-Age={seconds}");
    HeaderValue::try_from(format!("{name}={browser}; {rest}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let trusted = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/64".parse().unwrap()];
        let proxies = Proxies { in_front: true, trusted };
        source(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_trusted_proxy_names_another_source() {
        let line = ("x-forwarded-for", "198.51.100.7");
        assert_eq!(seen("203.0.113.9", &[line]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &[line]), "198.51.100.7");
        assert_eq!(seen("::ffff:10.0.0.1", &[line]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[line, ("forwarded", "for=192.0.2.1")]), "10.0.0.1");
    }

    #[test]
    fn stranger_cannot_choose_the_source() {
        for (name, value, source) in [
            // What the proxy appended stands last.
            ("x-forwarded-for", "192.0.2.1, 198.51.100.7", "198.51.100.7"),
            ("x-forwarded-for", "garbage, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("x-forwarded-for", "198.51.100.7, garbage", "10.0.0.1"),
            ("x-forwarded-for", "198.51.100.7,", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("x-forwarded-for", "2001:db8:1::7", "2001:db8:1::/64"),
            ("x-forwarded-for", "192.0.2.1, 198.51.100.7:4433", "198.51.100.7"),
            ("forwarded", "for=192.0.2.1, for=198.51.100.7;proto=https", "198.51.100.7"),
            ("forwarded", "For=\"198.51.100.7:4711\"", "198.51.100.7"),
            ("forwarded", "for=\"[2001:db8:1::7]:4711\"", "2001:db8:1::/64"),
            ("forwarded", "for=\"192.0.2.1, for=10.0.0.2\"", "10.0.0.1"),
            ("forwarded", "for=unknown", "10.0.0.1"),
            ("forwarded", "for=_hidden", "10.0.0.1"),
            ("forwarded", "for=192.0.2.1;for=198.51.100.7", "10.0.0.1"),
            ("forwarded", "proto=https", "10.0.0.1"),
        ] {
            assert_eq!(seen("10.0.0.1", &[(name, value)]), source, "{name}: {value}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_hide_no_source() {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(b"\xe9, 198.51.100.7").unwrap());
        let proxies = Proxies { in_front: true, trusted: vec!["10.0.0.0/8".parse().unwrap()] };
        let peer = [10, 0, 0, 1].into();
        assert_eq!(source(peer, &headers, &proxies).to_string(), "198.51.100.7");
        headers.append(header::FORWARDED, HeaderValue::from_static("for=192.0.2.1"));
        assert_eq!(address(peer, &headers, &proxies), None, "nobody knows which one counts");
    }

    #[test]
    fn nothing_is_counted_behind_an_unknown_proxy() {
        let proxies = Proxies { in_front: true, trusted: Vec::new() };
        let peer = [203, 0, 113, 9].into();
        assert_eq!(source(peer, &HeaderMap::new(), &proxies), Source::Proxy);
    }
}
