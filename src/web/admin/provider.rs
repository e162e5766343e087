//! Signing in at the identity provider, moving there, and confirming one form there.

use askama::Template;
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use url::form_urlencoded;

use super::{
    account::{PasswordField, account_page, with_password},
    reauthenticate::{FormError, SessionForm},
    sign_in::{NextQuery, signed_in, with_problem},
};
use crate::{
    broker::{
        BrokerError,
        admin::{ProviderAnswer, ProviderTrip},
    },
    domain::digest::Digest,
    web::{
        AppState, WebSettings,
        address::part,
        drafts::confirmations::SentForm,
        error::PageError,
        http::{
            client::Origin,
            session::{PageSession, QueryParams, find, read_cookie},
        },
        layout::page::{Layout, page},
    },
};

/// The longest address to go on to, in bytes.
const NEXT_BYTES_MAX: usize = 1024;
/// So long a browser may take at the provider, in seconds.
const TRIP_SECONDS: u32 = 600;

/// Sends the browser of somebody who wants to sign in to the provider.
pub(in crate::web) async fn begin(
    State(app): State<AppState>,
    QueryParams(around): QueryParams<NextQuery>,
) -> Result<Response, PageError> {
    let ProviderTrip { url, secret } = match app.broker.begin_provider_sign_in().await {
        Ok(trip) => trip,
        Err(BrokerError::NotFound) => return Err(PageError::not_found()),
        Err(error) => return signed_in(&app, Err(error), around.next),
    };
    // A browser forgets a longer cookie.
    let next = if around.next.len() <= NEXT_BYTES_MAX { part(&around.next) } else { String::new() };
    let mut response = Redirect::to(&url).into_response();
    set_trip(&mut response, &format!("sign-in.{secret}.{next}"), &app.settings);
    Ok(response)
}

/// What the provider sends the browser back with (RFC 6749, section 4.1.2).
#[derive(Debug, Deserialize)]
pub(in crate::web) struct BackQuery {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
}

/// The browser is back: begins the session, or offers the form that was confirmed.
pub(in crate::web) async fn back(
    State(app): State<AppState>,
    headers: HeaderMap,
    Origin(origin): Origin,
    QueryParams(query): QueryParams<BackQuery>,
) -> Result<Response, PageError> {
    let trip = read_cookie(&headers, trip_cookie(&app.settings)).unwrap_or_default();
    if trip.is_empty() {
        // It was here before, or never left.
        return Ok(Redirect::to("/sign-in").into_response());
    }
    let mut parts = trip.splitn(3, '.');
    let (kind, secret, next) = (parts.next(), parts.next().unwrap_or_default(), parts.next());
    let answer = ProviderAnswer { secret, code: &query.code, state: &query.state };
    if !answer.is_of_its_trip() {
        // The trip goes on: anybody can lead a browser here.
        let problem = "That answer belongs to no sign-in of this browser. Begin again.".to_owned();
        return with_problem(&app, StatusCode::UNAUTHORIZED, problem, String::new());
    }
    let mut response = if kind == Some("confirm") {
        confirmed(&app, &headers, answer, &query).await.unwrap_or_else(PageError::into_response)
    } else if kind == Some("link") {
        linked(&app, &headers, answer, &query).await.unwrap_or_else(PageError::into_response)
    } else {
        let next = form_urlencoded::parse(next.unwrap_or_default().as_bytes())
            .next()
            .map_or_else(String::new, |(next, _)| next.into_owned());
        if query.error.is_empty() {
            signed_in(&app, app.broker.sign_in_with_provider(answer, &origin).await, next)?
        } else {
            with_problem(&app, StatusCode::UNAUTHORIZED, refusal(&app, &query), next)?
        }
    };
    set_trip(&mut response, "", &app.settings);
    Ok(response)
}

/// Why the provider sent nobody, in a sentence. Its own words are an error code of a fixed list.
fn refusal(app: &AppState, query: &BackQuery) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let code: String = query.error.chars().filter(plain).take(40).collect();
    let name = app.broker.provider_name().unwrap_or("The identity provider");
    format!("{name} did not sign you in: {code}. Nothing was changed.")
}

#[derive(Debug, Template)]
#[template(path = "pages/confirm.html")]
pub(in crate::web) struct ConfirmPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) provider: String,
    pub(in crate::web) url: String,
}

/// Every form of a session passes here. What takes the provider's word is kept until it was given; what
/// says that it was given is replaced by the form that was kept.
pub(in crate::web) async fn confirm_forms(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let extensions = request.extensions_mut();
    let (Some(session), Some(form)) =
        (extensions.get::<PageSession>().cloned(), extensions.remove::<SentForm>())
    else {
        return next.run(request).await;
    };
    let (request, form) = match with_kept_form(&app, &session, request, form) {
        Ok(checked) => checked,
        Err(failure) => return failure.into_response(),
    };
    let response = next.run(request).await;
    if response.extensions().get::<PageError>().is_some_and(|error| error.needs_confirmation) {
        return ask(&app, &session, form).await.unwrap_or_else(PageError::into_response);
    }
    response
}

/// The request and its form; where it says that it was confirmed, the form that was, and nothing else of
/// what came.
fn with_kept_form(
    app: &AppState,
    session: &PageSession,
    mut request: Request,
    form: SentForm,
) -> Result<(Request, SentForm), PageError> {
    let Some(id) = form.confirmation else { return Ok((request, form)) };
    let kept = app.confirmations.take(id).filter(|kept| kept.path == form.path);
    let kept = kept.ok_or_else(PageError::not_confirmed)?;
    let who = app.broker.take_confirmation(&session.who, id, kept.digest());
    let who = who.ok_or_else(PageError::not_confirmed)?;
    request.extensions_mut().insert(session.with(who));
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(&kept.fields);
    *request.body_mut() = Body::from(body.finish());
    request.headers_mut().remove(header::CONTENT_LENGTH);
    Ok((request, kept))
}

/// Keeps a form and sends the browser to the provider, which asks again who it is.
async fn ask(app: &AppState, session: &PageSession, form: SentForm) -> Result<Response, PageError> {
    let trip = app.broker.ask_confirmation(&session.who, form.digest()).await?;
    let (id, now) = (Digest::of(trip.secret.as_bytes()), app.broker.clock().now());
    app.confirmations.keep(id, session.who.id(), form, now);
    leave(app, session, ("confirm", trip)).await
}

/// A page that leads to the provider.
async fn leave(
    app: &AppState,
    session: &PageSession,
    (kind, ProviderTrip { url, secret }): (&str, ProviderTrip),
) -> Result<Response, PageError> {
    let shown = ConfirmPage {
        layout: Layout::new(app, session, "Confirm that it is you").await?.without_refresh(),
        provider: app.broker.provider_name().unwrap_or_default().to_owned(),
        url: url.clone(),
    };
    // Not a redirect: a form of ours leads nowhere else, by its content security policy.
    let mut response = page(StatusCode::UNAUTHORIZED, &shown)?;
    if let Ok(refresh) = HeaderValue::try_from(format!("0; url={url}")) {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    set_trip(&mut response, &format!("{kind}.{secret}"), &app.settings);
    Ok(response)
}

#[derive(Debug, Template)]
#[template(path = "pages/confirmed.html")]
pub(in crate::web) struct ConfirmedPage {
    pub(in crate::web) layout: Layout,
    pub(in crate::web) provider: String,
    pub(in crate::web) form: SentForm,
    pub(in crate::web) confirmation: Digest,
}

impl ConfirmedPage {
    /// What the form says that a person can read: the answer of a passkey is not.
    fn shown(&self) -> impl Iterator<Item = &(String, String)> {
        let readable = |(name, value): &&(String, String)| name != "passkey" && !value.is_empty();
        self.form.fields.iter().filter(readable)
    }

    /// The page that the form was on.
    fn from(&self) -> &str {
        self.form
            .path
            .rsplit_once('/')
            .map_or("/", |(page, _)| if page.is_empty() { "/" } else { page })
    }
}

/// Offers the form that the provider confirmed.
async fn confirmed(
    app: &AppState,
    headers: &HeaderMap,
    answer: ProviderAnswer<'_>,
    query: &BackQuery,
) -> Result<Response, PageError> {
    let session = find(app, headers).await?.ok_or_else(PageError::signed_out)?;
    let form = app.confirmations.take(Digest::of(answer.secret.as_bytes()));
    if !query.error.is_empty() {
        let refused = refusal(app, query);
        return Err(PageError::new(StatusCode::UNAUTHORIZED, "Not confirmed", refused));
    }
    let form = form.ok_or_else(PageError::not_confirmed)?;
    let confirmation = app.broker.confirm(&session.who, answer).await?;
    let now = app.broker.clock().now();
    app.confirmations.keep(confirmation, session.who.id(), form.clone(), now);
    let shown = ConfirmedPage {
        layout: Layout::new(app, &session, "Confirmed").await?.without_refresh(),
        provider: app.broker.provider_name().unwrap_or_default().to_owned(),
        form,
        confirmation,
    };
    page(StatusCode::OK, &shown)
}

/// Sends somebody with a password here to the provider, to sign in there from now on.
pub(in crate::web) async fn link(form: SessionForm<PasswordField>) -> Result<Response, PageError> {
    let done = async {
        let who = with_password(&form).await?;
        Ok(form.app.broker.ask_link(&who).await?)
    };
    match done.await {
        Ok(trip) => leave(&form.app, &form.session, ("link", trip)).await,
        Err(error) => {
            let error: FormError = error;
            account_page(&form.app, &form.session, Some(error.for_page()?), None).await
        }
    }
}

/// The browser is back from there: signs in anew.
async fn linked(
    app: &AppState,
    headers: &HeaderMap,
    answer: ProviderAnswer<'_>,
    query: &BackQuery,
) -> Result<Response, PageError> {
    let session = find(app, headers).await?.ok_or_else(PageError::signed_out)?;
    if !query.error.is_empty() {
        let refused = refusal(app, query);
        return Err(PageError::new(StatusCode::UNAUTHORIZED, "Not moved", refused));
    }
    app.broker.link(&session.who, answer).await?;
    Ok(Redirect::to("/sign-in?after=link").into_response())
}

/// The prefix makes browsers insist on TLS, on this very host and on the whole of it.
fn trip_cookie(settings: &WebSettings) -> &'static str {
    if settings.public_url.is_https() {
        "__Host-countersign-provider"
    } else {
        "countersign-provider"
    }
}

/// Gives the browser what it alone knows until it is back, or takes it away.
fn set_trip(response: &mut Response, trip: &str, settings: &WebSettings) {
    let (name, secure) = (trip_cookie(settings), settings.public_url.is_https());
    let secure = if secure { "; Secure" } else { "" };
    let seconds = if trip.is_empty() { 0 } else { TRIP_SECONDS };
    // The provider's page leads here: a stricter cookie would not come along.
    let rest = format!("Path=/; HttpOnly; SameSite=Lax{secure}; Max-Age={seconds}");
    if let Ok(cookie) = HeaderValue::try_from(format!("{name}={trip}; {rest}")) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
