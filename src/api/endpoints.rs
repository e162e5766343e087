//! The endpoints that the managers know.

use axum::{Extension, extract::State, http::Uri, response::Response};

use super::{
    ApiState,
    answer::{
        endpoint::{EndpointItem, EndpointPage},
        shown,
    },
    input::Asked,
    problem::Problem,
};
use crate::{broker::TokenHolder, domain::endpoint::EndpointId};

/// The endpoints of all managers, as those know them.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints",
    operation_id = "list_endpoints",
    tag = "read",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "How many at most; 50 without it."),
        ("after" = Option<String>, Query, description = "The `next` of the page before.")
    ),
    responses(
        (status = 200, description = "A page.", body = EndpointPage),
        (status = 503, description = "A manager cannot be asked at the moment.", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Nothing was read.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(who): Extension<TokenHolder>,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = Asked::read(&uri, "endpoints", &[])?;
    let (after, limit) = (asked.after::<(String, EndpointId)>()?, asked.limit()?);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = state.broker.endpoints_with_token(&who, after.as_ref(), limit).await;
    let found = found.map_err(|error| Problem::of(&error, &state.broker))?;
    let last = found.last().filter(|_| found.len() >= limit);
    let last = last.map(|last| (last.manager.clone(), last.endpoint.id.clone()));
    let items = found.into_iter().map(EndpointItem::from).collect();
    Ok(shown(&EndpointPage { items, next: last.and_then(|last| asked.next(last)) }))
}
