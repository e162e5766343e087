//! What every request must pass and every answer carries, whatever page it is for.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::web::{
    AppState, WebSettings,
    error::{self, PageError},
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
    if app.settings.https() {
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

/// Whether the one `Host` is the public one or on the list. A name that somebody else points at
/// this machine is neither.
fn is_own_host(headers: &HeaderMap, settings: &WebSettings) -> bool {
    let origin = origin_of(&settings.public_url);
    let public = origin.split_once("://").map_or("", |(_, host)| host);
    let ours = |host: &str| {
        let mut hosts = settings.hosts.iter().map(String::as_str).chain([public]);
        hosts.any(|ours| ours.eq_ignore_ascii_case(host))
    };
    one(headers, &header::HOST).is_some_and(ours)
}

/// Whether a browser says that one of our own pages sent this. One that says nothing at all is not
/// believed.
fn is_own_origin(headers: &HeaderMap, public_url: &str) -> bool {
    let origin = headers.contains_key(header::ORIGIN);
    let app = headers.contains_key(FETCH_SITE);
    let origin_is_ours = one(headers, &header::ORIGIN).is_some_and(|o| o == origin_of(public_url));
    let site_is_ours =
        one(headers, &FETCH_SITE).is_some_and(|app| app == "same-origin" || app == "none");
    (origin || app) && (!origin || origin_is_ours) && (!app || site_is_ours)
}

/// A header that is there exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Scheme, host and port of an address, as browsers write an origin.
fn origin_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split('/').next().unwrap_or(rest).to_lowercase();
    let usual = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}", authority.strip_suffix(usual).unwrap_or(&authority))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn only_a_host_on_the_list_is_ours() {
        let settings = WebSettings {
            public_url: "https://soc.example.net".to_owned(),
            hosts: vec!["127.0.0.1:8080".to_owned()],
            policies: std::path::PathBuf::new(),
        };
        let is_ours = |pairs: &[_]| is_own_host(&headers(pairs), &settings);
        assert!(is_ours(&[("host", "SOC.example.net")]));
        assert!(is_ours(&[("host", "127.0.0.1:8080")]));
        assert!(!is_ours(&[("host", "evil.example")]));
        assert!(!is_ours(&[("host", "127.0.0.1")]));
        assert!(!is_ours(&[("host", "soc.example.net"), ("host", "evil.example")]));
        assert!(!is_ours(&[]));
    }

    #[test]
    fn a_change_must_come_from_our_own_page() {
        let from = |pairs: &[_]| is_own_origin(&headers(pairs), "https://soc.example.net:443/x");
        assert!(from(&[("origin", "https://soc.example.net")]));
        assert!(from(&[("sec-fetch-site", "same-origin")]));
        assert!(from(&[("sec-fetch-site", "none")]));
        assert!(from(&[("origin", "https://soc.example.net"), ("sec-fetch-site", "same-origin")]));
        assert!(!from(&[]));
        for origin in ["null", "http://soc.example.net", "https://soc.example.net.evil.example"] {
            assert!(!from(&[("origin", origin)]), "{origin}");
            assert!(!from(&[("origin", origin), ("sec-fetch-site", "same-origin")]), "{origin}");
        }
        for app in ["cross-site", "same-site", ""] {
            assert!(!from(&[("sec-fetch-site", app)]), "{app}");
            let ours = ("origin", "https://soc.example.net");
            assert!(!from(&[ours, ("sec-fetch-site", app)]), "{app}");
        }
        let twice = ("origin", "https://soc.example.net");
        assert!(!from(&[twice, twice]));
    }
}
