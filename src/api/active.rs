//! What is active now, or may be.

use axum::{Extension, extract::State, http::Uri, response::Response};

use super::{
    ApiState,
    answer::{
        active::{ActiveItem, ActivePage},
        shown,
    },
    input::Asked,
    problem::Problem,
};
use crate::broker::{TokenHolder, queries::ActiveKey};

/// What is blocked, disabled or isolated now, or may be: the oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/active-responses",
    operation_id = "list_active_responses",
    tag = "read",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "How many at most; 50 without it."),
        ("after" = Option<String>, Query, description = "The `next` of the page before.")
    ),
    responses(
        (status = 200, description = "A page.", body = ActivePage),
        (status = "4XX", description = "Nothing was read.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(who): Extension<TokenHolder>,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = Asked::read(&uri, "active-responses", &[])?;
    let (after, limit) = (asked.after::<ActiveKey>()?, asked.limit()?);
    let found = state.broker.active_responses_with_token(&who, after.as_ref(), limit).await;
    let found = found.map_err(|error| Problem::of(&error, &state.broker))?;
    let full = u32::try_from(found.len()).is_ok_and(|rows| rows >= limit);
    let last = found.last().filter(|_| full).map(|last| ActiveKey::from(&last.row));
    let items = found.into_iter().map(ActiveItem::from).collect();
    Ok(shown(&ActivePage { items, next: last.and_then(|last| asked.next(last)) }))
}
