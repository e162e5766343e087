//! What is counted and measured, for Prometheus.

use axum::{
    Extension,
    extract::State,
    http::{Uri, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};

use super::{ApiState, input::Asked, problem::Problem};
use crate::broker::{TokenHolder, queries::system::METRICS_TYPE};

/// All that `/metrics` says, in the text format of `OpenMetrics`.
#[utoipa::path(
    get,
    path = "/api/v1/metrics",
    operation_id = "show_metrics",
    tag = "read",
    responses(
        (status = 200, description = "The metrics.", body = String, content_type = "application/openmetrics-text"),
        (status = "4XX", description = "Nothing was read.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn show(
    State(state): State<ApiState>,
    Extension(who): Extension<TokenHolder>,
    uri: Uri,
) -> Result<Response, Problem> {
    Asked::read(&uri, "metrics", &[])?;
    let text = state.broker.metrics_with_token(&who).await;
    let text = text.map_err(|error| Problem::of(&error, &state.broker))?;
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], text).into_response())
}
