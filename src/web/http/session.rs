//! Who is asking, and that a form was made for this very session.

use axum::{
    Form,
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, Query, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Uri, header, request::Parts, uri::PathAndQuery,
    },
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::de::DeserializeOwned;

use crate::{
    broker::SignedIn,
    web::{
        AppState, BODY_BYTES_MAX, WebSettings,
        address::{with_fields, with_form},
        drafts::{Draft, DraftKey, confirmations::SentForm},
        error::PageError,
        http::form_token::{self, Salt},
    },
};

/// A person who is signed in, on one HTTP request.
#[derive(Clone)]
pub(in crate::web) struct PageSession {
    /// The person, and when they last entered their password.
    pub(in crate::web) who: SignedIn,
    /// The state of the store before anything was read for the answer. A page that read first and
    /// read the state afterwards could miss a change in between, and never reload.
    pub(in crate::web) seen: u64,
    token: String,
}

impl PageSession {
    /// What every form of this session carries: follows from the session's token, and does not
    /// tell it. `salt` is another for each page, so that nothing of it repeats: pages are compressed.
    pub(in crate::web) fn form_token(&self, salt: Salt) -> String {
        form_token::make(&self.token, salt)
    }

    /// The same session, with what its person proved for this form.
    pub(in crate::web) fn with(&self, who: SignedIn) -> Self {
        Self { who, ..self.clone() }
    }

    fn owns_token(&self, form_token: &str) -> bool {
        form_token::is_of(&self.token, form_token)
    }
}

/// Lets a request through that has a session and, where it may change something, the form's token.
pub(in crate::web) async fn require_session(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let session = match find(&app, request.headers()).await {
        Ok(Some(session)) => session,
        Ok(None) if change => return after_session(&app, request).await,
        Ok(None) => return to_sign_in(request.uri()).into_response(),
        Err(failure) => return failure.into_response(),
    };
    tracing::Span::current().record("person", &session.who.profile().name);
    let admitted = admit(&session, request.uri().path(), change);
    if let Err(answer) = admitted {
        return with_session(answer, session);
    }
    if !change {
        request.extensions_mut().insert(session.clone());
        return with_session(next.run(request).await, session);
    }
    let (mut request, form) = match with_form_token(request, &session).await {
        Ok(checked) => checked,
        Err(failure) => return with_session(failure.into_response(), session),
    };
    request.extensions_mut().insert(session.clone());
    request.extensions_mut().insert(form);
    with_session(next.run(request).await, session)
}

/// What somebody typed while the session expired is kept for that person, who signs in and goes on.
/// Only a form of that very session counts, and none where somebody ended it: it may have been stolen.
async fn after_session(app: &AppState, request: Request) -> Response {
    let signed_out = || PageError::signed_out().into_response();
    let path = request.uri().path().to_owned();
    let Some(token) = token(request.headers(), &app.settings) else { return signed_out() };
    let person = app.broker.expired_session(&token).await.ok().flatten();
    let fields = Form::<Vec<(String, String)>>::from_request(request, &()).await;
    let (Some(person), Ok(Form(fields))) = (person, fields) else { return signed_out() };
    let field = |name: &str| fields.iter().find(|(other, _)| other == name);
    if !field("form_token").is_some_and(|(_, given)| form_token::is_of(&token, given)) {
        return signed_out();
    }
    let Some((page, form)) = page_of(&path, &fields) else { return signed_out() };
    let next = with_form(&page, form);
    let problem = "Your session had ended. Nothing was changed; what you typed is kept.".to_owned();
    let draft = Draft {
        text: TYPED.into_iter().find_map(field).map(|(_, text)| text.clone()).unwrap_or_default(),
        displayed: None,
        problem: Some((StatusCode::CONFLICT, problem)),
        at: app.broker.clock().now(),
    };
    if !app.drafts.keep(DraftKey::new(person, &page, form), draft) {
        return signed_out();
    }
    Redirect::to(&with_fields("/sign-in", &[("after", "ended"), ("next", &next)])).into_response()
}

/// The names of the fields that people write texts into.
const TYPED: [&str; 2] = ["comment", "reason"];

/// The address of the page that a form is on, as its handler writes it, and the last part of the form's
/// own; none where nothing that was typed is kept.
fn page_of<'a>(path: &'a str, fields: &[(String, String)]) -> Option<(String, &'a str)> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
    let parts: Vec<_> = path.strip_prefix('/')?.split('/').collect();
    match *parts.as_slice() {
        _ if !path.bytes().all(plain) => None,
        [kind @ ("requests" | "plans"), id, form] => Some((format!("/{kind}/{id}"), form)),
        [form @ ("reject" | "together" | "freeze" | "unfreeze")] => {
            let page = if form.ends_with("freeze") { "/system" } else { path };
            let not = ["form_token", "password", "pick"];
            let kept = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let kept = kept.filter(|(name, _)| !not.contains(name) && !TYPED.contains(name));
            Some((with_fields(page, &kept.collect::<Vec<_>>()), form))
        }
        _ => None,
    }
}

/// People who must change their password can do that and nothing else.
#[expect(clippy::result_large_err, reason = "the error is the answer")]
fn admit(session: &PageSession, path: &str, change: bool) -> Result<(), Response> {
    if !session.who.profile().must_change_password || ["/password", "/sign-out"].contains(&path) {
        Ok(())
    } else if change {
        Err(PageError::password_first().into_response())
    } else {
        Err(Redirect::to("/password").into_response())
    }
}

/// For a page of failure, which says who is signed in.
fn with_session(mut response: Response, session: PageSession) -> Response {
    response.extensions_mut().insert(session);
    response
}

/// For a page outside of what needs a session: it says who is signed in, too.
pub(in crate::web) async fn attach_session(
    app: &AppState,
    headers: &HeaderMap,
    response: Response,
) -> Response {
    match find(app, headers).await {
        Ok(Some(session)) => with_session(response, session),
        Ok(None) | Err(_) => response,
    }
}

/// Who is signed in.
pub(in crate::web) async fn find(
    app: &AppState,
    headers: &HeaderMap,
) -> Result<Option<PageSession>, PageError> {
    let Some(token) = token(headers, &app.settings) else { return Ok(None) };
    let seen = *app.broker.changes().borrow();
    let who = app.broker.session(&token).await?;
    Ok(who.map(|who| PageSession { who, seen, token }))
}

fn to_sign_in(uri: &Uri) -> Redirect {
    let next = uri.path_and_query().map_or("", PathAndQuery::as_str);
    Redirect::to(&with_fields("/sign-in", &[("next", if next == "/" { "" } else { next })]))
}

/// The request, and the form in it, where it was made for this very session.
async fn with_form_token(
    request: Request,
    session: &PageSession,
) -> Result<(Request, SentForm), PageError> {
    let (parts, body) = request.into_parts();
    let bytes =
        to_bytes(body, BODY_BYTES_MAX).await.map_err(|_too_large| PageError::too_large())?;
    let copy = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    let fields = Form::<Vec<(String, String)>>::from_request(copy, &()).await;
    let Form(fields) = fields.map_err(|_unreadable| PageError::form_expired())?;
    // Twice is no way of ours.
    let mut tokens = fields.iter().filter(|(name, _)| name == "form_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) if session.owns_token(token) => {}
        _ => return Err(PageError::form_expired()),
    }
    let form = SentForm::new(parts.uri.path(), fields);
    Ok((Request::from_parts(parts, Body::from(bytes)), form))
}

/// The prefix makes browsers insist on TLS, on this very host and on the whole of it.
fn cookie_name(settings: &WebSettings) -> &'static str {
    if settings.public_url.is_https() { "__Host-countersign" } else { "countersign" }
}

/// The session's token, where exactly one cookie has it.
pub(in crate::web) fn token(headers: &HeaderMap, settings: &WebSettings) -> Option<String> {
    read_cookie(headers, cookie_name(settings))
}

/// The value of a cookie that is there exactly once.
pub(in crate::web) fn read_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(other, _)| *other == name)
        .map(|(_, token)| token.to_owned());
    let token = found.next()?;
    if found.next().is_some() { None } else { Some(token) }
}

/// The header that gives a browser its session, or with an empty token takes it away.
pub(in crate::web) fn cookie(token: &str, settings: &WebSettings) -> Option<HeaderValue> {
    let name = cookie_name(settings);
    let secure = if settings.public_url.is_https() { "; Secure" } else { "" };
    let ends = if token.is_empty() { "; Max-Age=0" } else { "" };
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax{secure}{ends}");
    HeaderValue::try_from(cookie).ok()
}

impl<S: Sync> FromRequestParts<S> for PageSession {
    type Rejection = PageError;

    /// Fails where [`require_session`] was left out, so that a forgotten layer opens nothing.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(PageError::signed_out)
    }
}

/// The fields of a form.
pub(in crate::web) struct FormBody<T>(pub(in crate::web) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for FormBody<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        match Form::<T>::from_request(request, state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(PageError::too_large())
            }
            Err(_) => Err(PageError::unreadable()),
        }
    }
}

/// The fields of an address.
pub(in crate::web) struct QueryParams<T>(pub(in crate::web) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        let fields = Query::<T>::try_from_uri(&parts.uri);
        fields.map(|Query(fields)| Self(fields)).map_err(|_wrong| PageError::unreadable())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        actor::{Person, Role},
        id::PersonId,
        public_url::PublicUrl,
    };

    fn settings(public_url: &str) -> WebSettings {
        WebSettings {
            public_url: PublicUrl::parse(public_url).unwrap(),
            hosts: Vec::new(),
            policies: std::path::PathBuf::new(),
            certificate: None,
            proxies: crate::web::Proxies::default(),
            metrics_token: None,
        }
    }

    #[test]
    fn cookie_is_bound_to_host_when_tls_is_on() {
        let cookie = |url| cookie("abc", &settings(url)).unwrap();
        let tls = "__Host-countersign=abc; Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(cookie("https://soc.example.net"), tls);
        let plain = "countersign=abc; Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(cookie("http://127.0.0.1:8080"), plain);
    }

    #[test]
    fn two_session_cookies_count_as_none() {
        let read = |cookies: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
            token(&headers, &settings("http://127.0.0.1:8080"))
        };
        assert_eq!(read("a=b; countersign=abc"), Some("abc".to_owned()));
        assert_eq!(read("countersign=abc; countersign=def"), None);
        assert_eq!(read("__Host-countersign=abc; xcountersign=abc"), None);
    }

    #[test]
    fn person_with_reset_password_can_do_nothing_else() {
        let id = PersonId::from(Uuid::from_u128(1));
        let person = Person {
            must_change_password: true,
            ..Person::new(id, "alice".to_owned(), Role::Analyst)
        };
        let session =
            PageSession { who: SignedIn::made_up(person), seen: 0, token: "one".to_owned() };
        assert!(admit(&session, "/password", true).is_ok());
        assert!(admit(&session, "/sign-out", true).is_ok());
        let get = admit(&session, "/", false).unwrap_err();
        assert_eq!(get.headers()[header::LOCATION], "/password");
        assert_eq!(admit(&session, "/freeze", true).unwrap_err().status(), StatusCode::FORBIDDEN);
    }
}
