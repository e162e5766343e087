//! The audit, for whoever keeps a copy of it.

use axum::{Extension, extract::State, http::Uri, response::Response};

use super::{
    ApiState,
    answer::{
        as_it_is,
        audit::{AuditItem, AuditPage},
    },
    input::Asked,
    problem::Problem,
};
use crate::broker::TokenHolder;

/// The audit by its places, with what it takes to verify the chain. Reading it is itself recorded.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "read_audit",
    tag = "read",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "How many at most; 50 without it."),
        ("after" = Option<String>, Query, description = "The `next` of the page before.")
    ),
    responses(
        (status = 200, description = "A page.", body = AuditPage),
        (status = "4XX", description = "Nothing was read.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(who): Extension<TokenHolder>,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = Asked::read(&uri, "audit", &[])?;
    let (after, limit) = (asked.after::<i64>()?.unwrap_or(0), asked.limit()?);
    let after = u64::try_from(after).unwrap_or(0);
    let found = state.broker.audit_with_token(&who, after, limit).await;
    let found = found.map_err(|error| Problem::of(&error, &state.broker))?;
    let last = found.last().map_or(after, |(entry, _)| entry.seq);
    let items = found.into_iter().map(AuditItem::from).collect();
    let page = AuditPage { items, next: asked.next(last).unwrap_or_default() };
    Ok(as_it_is(&serde_json::to_value(&page).unwrap_or_default()))
}
