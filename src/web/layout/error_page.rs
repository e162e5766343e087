//! The page that says why something cannot be done. Causes go to the log, once, under a reference
//! that the page shows.

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::web::{
    AppState,
    error::PageError,
    http::session::{self, PageSession},
    layout::page::{Layout, page},
};

#[derive(Debug, Template)]
#[template(path = "pages/error.html")]
struct ErrorPage {
    layout: Layout,
    error: PageError,
    reference: Option<String>,
}

/// Gives an error its page: the one place that does.
pub(in crate::web) async fn render(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<PageError>() else { return response };
    let reference = error.cause.as_ref().map(|cause| {
        let reference: [u8; 4] = app.broker.clock().random();
        let reference = format!("{:08x}", u32::from_be_bytes(reference));
        tracing::error!(%reference, cause, "a page could not be shown");
        reference
    });
    let layout = match response.extensions_mut().remove::<PageSession>() {
        None => None,
        // What it says stays true, and the address may be that of a form: nothing to reload.
        Some(session) => {
            let layout = Layout::new(&app, &session, error.title).await;
            layout.map(Layout::without_refresh).ok()
        }
    };
    let layout = layout.unwrap_or_else(|| Layout::anonymous(error.title));
    let (status, retry_after) = (error.status, error.retry_after);
    let cookies: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().cloned().collect();
    let mut answer = page(status, &ErrorPage { layout, error, reference }).unwrap_or(response);
    for cookie in cookies {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

/// For an address that does not exist.
pub(in crate::web) async fn not_found(State(app): State<AppState>, headers: HeaderMap) -> Response {
    session::attach_session(&app, &headers, PageError::not_found().into_response()).await
}

/// For an address that exists, but not for this method.
pub(in crate::web) async fn wrong_method(
    State(app): State<AppState>,
    headers: HeaderMap,
) -> Response {
    session::attach_session(&app, &headers, PageError::wrong_method().into_response()).await
}
