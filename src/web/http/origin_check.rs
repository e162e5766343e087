//! What every request must pass and every answer carries, whatever page it is for.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::client;
use crate::{
    domain::{actor::sign_in::ClientAddress, public_url::PublicUrl},
    web::{AppState, WebSettings, error::PageError},
};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// On every answer. The policy names no inline script or style, so none runs. `no-referrer` would
/// make browsers hide the origin of our own forms, which is checked: hence `same-origin`.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, SAME_ORIGIN),
    (HeaderName::from_static("cross-origin-opener-policy"), SAME_ORIGIN),
    (HeaderName::from_static("cross-origin-resource-policy"), SAME_ORIGIN),
];

/// Lets a request through that was meant for this app and, where it may change something, came
/// from it.
pub(in crate::web) async fn check(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    match admit(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// [`check`] for a door that programs come in by: they need not say where they come from, but a
/// page of somebody else does. What is passed on names host and origin as `public_url` does, and says
/// where it comes from.
pub(in crate::web) async fn check_program(
    State(settings): State<Arc<WebSettings>>,
    mut request: Request,
    next: Next,
) -> Response {
    let public_url = &settings.public_url;
    // A proxy may have gone by the other one.
    if request.headers().get_all(header::HOST).iter().nth(1).is_some() {
        let why = "more than one `Host`: send each header once";
        return (StatusCode::BAD_REQUEST, why).into_response();
    }
    let is_ours = is_own_host(request.uri(), request.headers(), &settings)
        && says_nothing_foreign(request.headers(), public_url);
    if !is_ours {
        return StatusCode::FORBIDDEN.into_response();
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let from = peer.and_then(|peer| client::address(peer, request.headers(), &settings.proxies));
    request.extensions_mut().insert(ClientAddress(from));
    let named = [(header::HOST, public_url.host()), (header::ORIGIN, public_url.origin())];
    for (name, ours) in named {
        let needed = name == header::HOST || request.headers().contains_key(&name);
        if let (true, Ok(ours)) = (needed, HeaderValue::try_from(ours)) {
            request.headers_mut().insert(name, ours);
        }
    }
    next.run(request).await
}

/// Gives every answer the headers that it must carry.
pub(in crate::web) async fn add_headers(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.extend(HEADERS);
    headers.entry(header::CACHE_CONTROL).or_insert(const { HeaderValue::from_static("no-store") });
    if app.settings.public_url.is_https() {
        let year = const { HeaderValue::from_static("max-age=31536000") };
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

fn admit(app: &AppState, request: &Request) -> Result<(), PageError> {
    if !is_own_host(request.uri(), request.headers(), &app.settings) {
        return Err(PageError::wrong_host());
    }
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ if is_own_origin(request.headers(), &app.settings.public_url) => Ok(()),
        _ => Err(PageError::foreign_origin(&app.settings.public_url)),
    }
}

/// Whether the host that was asked for is the public one or on the list. A name that another
/// domain's owner points at this machine is neither. HTTP/2 names it in the address and need not
/// send `Host`; where both do, both must be right.
fn is_own_host(uri: &Uri, headers: &HeaderMap, settings: &WebSettings) -> bool {
    let WebSettings { public_url, hosts, .. } = settings;
    let own = |host: &str| {
        let read = public_url.read_host(host);
        read.is_some_and(|host| host == *public_url.authority() || hosts.contains(&host))
    };
    let header = headers.contains_key(header::HOST);
    let header_is_ours = one(headers, &header::HOST).is_some_and(own);
    let address = uri.authority().map(|authority| own(authority.as_str()));
    (header || address.is_some()) && (!header || header_is_ours) && address.unwrap_or(true)
}

/// Whether a browser says that one of our own pages sent this. One that says nothing at all is not
/// believed.
fn is_own_origin(headers: &HeaderMap, public_url: &PublicUrl) -> bool {
    let says = headers.contains_key(header::ORIGIN) || headers.contains_key(FETCH_SITE);
    says && says_nothing_foreign(headers, public_url)
}

/// Whether nothing says that a page of somebody else sent this.
fn says_nothing_foreign(headers: &HeaderMap, public_url: &PublicUrl) -> bool {
    let origin = headers.contains_key(header::ORIGIN);
    let site = headers.contains_key(FETCH_SITE);
    let origin_is_ours = one(headers, &header::ORIGIN).is_some_and(|o| o == public_url.origin());
    let site_is_ours =
        one(headers, &FETCH_SITE).is_some_and(|site| site == "same-origin" || site == "none");
    (!origin || origin_is_ours) && (!site || site_is_ours)
}

/// A header that is there exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::public_url::Authority;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers = HeaderMap::new();
        pairs.iter().map(pair).for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    fn url(text: &str) -> PublicUrl {
        PublicUrl::parse(text).unwrap()
    }

    fn is_host_of(public_url: &str, hosts: &[&'static str]) -> bool {
        is_host_at("/", public_url, hosts)
    }

    fn is_host_at(address: &str, public_url: &str, hosts: &[&'static str]) -> bool {
        let listener: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let settings = WebSettings {
            public_url: url(public_url),
            hosts: vec![listener.into(), Authority::localhost(8080)],
            policies: std::path::PathBuf::new(),
            certificate: None,
            proxies: crate::web::Proxies::default(),
            metrics_token: None,
        };
        let pairs: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
        is_own_host(&address.parse().unwrap(), &headers(&pairs), &settings)
    }

    #[test]
    fn only_listed_hosts_are_accepted() {
        let is_ours = |hosts: &[&'static str]| is_host_of("https://soc.example.net", hosts);
        for host in ["SOC.example.net", "soc.example.net:443", "127.0.0.1:8080", "localhost:8080"] {
            assert!(is_ours(&[host]), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1",
            "localhost",
            "soc.example.net:80",
            "soc.example.net:8443",
            "soc.example.net.evil.example",
            "soc.example.net@evil.example",
            "evil.example/soc.example.net",
            "soc%2Eexample.net",
            "soc.example.net:",
            "",
        ] {
            assert!(!is_ours(&[host]), "{host}");
        }
        assert!(!is_ours(&["soc.example.net", "evil.example"]));
        assert!(!is_ours(&[]));
    }

    #[test]
    fn host_in_the_address_counts_too() {
        let at = |address: &str, hosts: &[&'static str]| {
            is_host_at(address, "https://soc.example.net", hosts)
        };
        assert!(at("https://soc.example.net/", &[]));
        assert!(at("https://SOC.example.net:443/", &["soc.example.net"]));
        for address in ["https://evil.example/", "https://u@soc.example.net/"] {
            assert!(!at(address, &[]) && !at(address, &["soc.example.net"]), "{address}");
        }
        assert!(!at("https://soc.example.net/", &["evil.example"]));
        assert!(!at("https://soc.example.net/", &["soc.example.net", "soc.example.net"]));
    }

    #[test]
    fn host_matches_public_url_however_both_are_written() {
        for (public_url, host) in [
            ("https://SOC.example.net:443", "soc.example.net"),
            ("http://127.0.0.1:80", "127.0.0.1"),
            ("https://[2001:DB8::1]", "[2001:db8::1]"),
            ("https://[2001:db8::1]", "[2001:db8:0:0::1]:443"),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ] {
            assert!(is_host_of(public_url, &[host]), "{public_url}: {host}");
        }
        for (public_url, host) in [
            ("https://[2001:db8::1]:8443", "[2001:db8::1]"),
            ("https://[2001:db8::1]", "[2001:db8::2]"),
            ("https://[2001:db8::1]", "2001:db8::1"),
            ("http://127.0.0.1:443", "127.0.0.1"),
        ] {
            assert!(!is_host_of(public_url, &[host]), "{public_url}: {host}");
        }
    }

    #[test]
    fn origin_matches_public_url_however_it_is_written() {
        for (public_url, origin) in [
            ("https://SOC.example.net:443", "https://soc.example.net"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("https://[2001:DB8:0::1]:8443", "https://[2001:db8::1]:8443"),
        ] {
            let from = |origin| is_own_origin(&headers(&[("origin", origin)]), &url(public_url));
            assert!(from(origin), "{public_url}: {origin}");
            assert!(!from("https://evil.example") && !from("https://[2001:db8::1]"));
        }
    }

    #[test]
    fn change_must_come_from_own_page() {
        let from = |pairs: &[_]| is_own_origin(&headers(pairs), &url("https://soc.example.net"));
        assert!(from(&[("origin", "https://soc.example.net")]));
        assert!(from(&[("sec-fetch-site", "same-origin")]));
        assert!(from(&[("sec-fetch-site", "none")]));
        assert!(from(&[("origin", "https://soc.example.net"), ("sec-fetch-site", "same-origin")]));
        assert!(!from(&[]));
        for origin in ["null", "http://soc.example.net", "https://soc.example.net.evil.example"] {
            assert!(!from(&[("origin", origin)]), "{origin}");
            assert!(!from(&[("origin", origin), ("sec-fetch-site", "same-origin")]), "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            assert!(!from(&[("sec-fetch-site", site)]), "{site}");
            let ours = ("origin", "https://soc.example.net");
            assert!(!from(&[ours, ("sec-fetch-site", site)]), "{site}");
        }
        let twice = ("origin", "https://soc.example.net");
        assert!(!from(&[twice, twice]));
    }
}
