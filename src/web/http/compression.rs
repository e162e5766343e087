//! Pages and files, compressed on their way.
//!
//! What is compressed tells by its length what repeats in it. So nothing secret may stand beside text
//! that somebody else chose, twice the same: the form's token differs on each page
//! ([`PageSession::form_token`](super::session::PageSession::form_token)), and what answers a form,
//! a new token among it, is not compressed (ADR 36).

use axum::{
    extract::Request,
    http::{Extensions, HeaderMap, Method, StatusCode, Version, header},
    middleware::Next,
    response::Response,
};
use tower_http::compression::{
    CompressionLayer,
    predicate::{And, Predicate as _, SizeAbove},
};

/// What is smaller fits into one packet anyway, in bytes.
const BYTES_MIN: u16 = 1024;

/// Whether an answer is of a kind that compresses.
type IsText = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// Compresses texts.
pub(in crate::web) fn layer() -> CompressionLayer<And<SizeAbove, IsText>> {
    let is_text: IsText = is_text;
    CompressionLayer::new().compress_when(SizeAbove::new(BYTES_MIN).and(is_text))
}

fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    ["text/html", "text/css", "text/javascript", "image/svg+xml"].contains(&kind)
}

/// Answers to forms stay as they are.
pub(in crate::web) async fn only_what_is_read(mut request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    }
    next.run(request).await
}
