//! What every request must pass and every answer carries, whatever page it is for.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::{
    domain::public_url::PublicUrl,
    web::{
        AppState, WebSettings,
        error::{self, PageError},
    },
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
/// from it. Dresses the answer.
pub(in crate::web) async fn check(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let response = match admit(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    let mut response = error::render(&app, response).await;
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
    if !is_own_host(request.headers(), &app.settings) {
        return Err(PageError::wrong_host());
    }
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ if is_own_origin(request.headers(), &app.settings.public_url) => Ok(()),
        _ => Err(PageError::foreign_origin(&app.settings.public_url)),
    }
}

/// Whether the one `Host` is the public one or on the list. A name that another domain's
/// owner points at this machine is neither.
fn is_own_host(headers: &HeaderMap, settings: &WebSettings) -> bool {
    let WebSettings { public_url, hosts, .. } = settings;
    one(headers, &header::HOST)
        .and_then(|host| public_url.read_host(host))
        .is_some_and(|host| host == *public_url.authority() || hosts.contains(&host))
}

/// Whether a browser says that one of our own pages sent this. One that says nothing at all is not
/// believed.
fn is_own_origin(headers: &HeaderMap, public_url: &PublicUrl) -> bool {
    let origin = headers.contains_key(header::ORIGIN);
    let site = headers.contains_key(FETCH_SITE);
    let origin_is_ours = one(headers, &header::ORIGIN).is_some_and(|o| o == public_url.origin());
    let site_is_ours =
        one(headers, &FETCH_SITE).is_some_and(|site| site == "same-origin" || site == "none");
    (origin || site) && (!origin || origin_is_ours) && (!site || site_is_ours)
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
        let listener: std::net::SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let settings = WebSettings {
            public_url: url(public_url),
            hosts: vec![listener.into(), Authority::localhost(8080)],
            policies: std::path::PathBuf::new(),
        };
        let pairs: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
        is_own_host(&headers(&pairs), &settings)
    }

    #[test]
    fn only_a_host_on_the_list_is_ours() {
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
    fn a_change_must_come_from_our_own_page() {
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
