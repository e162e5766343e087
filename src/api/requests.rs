//! Requests: found, shown, commented on, rejected.

use axum::{
    Extension,
    extract::{Path, Request, State},
    http::Uri,
    response::Response,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    ApiState,
    answer::{
        detail::RequestDetail,
        request::{RequestItem, RequestPage},
        shown,
    },
    input::{Asked, Fields},
    problem::Problem,
};
use crate::{
    broker::{
        TokenHolder,
        queries::{
            FoundRequests,
            request::search::RequestQuery,
            view::{RANGES, VALUE_CHARS_MAX},
        },
        requests::comment::KeyedComment,
    },
    domain::{
        Time, action::ActionKind, address::pattern::TargetPattern, digest::Digest, id::RequestId,
        lifecycle::Displayed, request::StateName,
    },
};

/// The filters, by the names that the page gives them.
const FILTERS: [&str; 8] =
    ["state", "agent", "action", "target", "endpoint", "range", "permanent", "alert"];

/// The requests that match, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/requests",
    operation_id = "list_requests",
    tag = "read",
    params(
        ("state" = Option<String>, Query, description = "Only in this state."),
        ("agent" = Option<String>, Query, description = "Only of the agent of this name."),
        ("action" = Option<String>, Query, description = "Only of this action."),
        ("target" = Option<String>, Query, description = "Only on this target, a part of it, or a network."),
        ("endpoint" = Option<String>, Query, description = "Only on the endpoint with this id, as `001` or `paris/001`, or with this in its name."),
        ("range" = Option<String>, Query, description = "Only of the last `24h`, `7d` or `30d`."),
        ("permanent" = Option<String>, Query, description = "`yes`: only what does not end by itself."),
        ("alert" = Option<String>, Query, description = "Only where the alert was `found`, or `none` was."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "How many at most; 50 without it."),
        ("after" = Option<String>, Query, description = "The `next` of the page before.")
    ),
    responses(
        (status = 200, description = "A page.", body = RequestPage),
        (status = "4XX", description = "Nothing was read.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(who): Extension<TokenHolder>,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked = Asked::read(&uri, "requests", &FILTERS)?;
    let (query, limit) = (query(&asked, state.broker.clock().now())?, asked.limit()?);
    let found = state.broker.find_requests_with_token(&who, &query, limit).await;
    let FoundRequests { rows, looked_until } =
        found.map_err(|error| Problem::of(&error, &state.broker))?;
    let full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
    let last = rows.last().filter(|_| full).map(|last| last.id).or(looked_until);
    let items = rows.into_iter().map(RequestItem::from).collect();
    Ok(shown(&RequestPage { items, next: last.and_then(|last| asked.next(last)) }))
}

fn query(asked: &Asked, now: Time) -> Result<RequestQuery, Problem> {
    let bounded = format!("at most {VALUE_CHARS_MAX} characters");
    let text = |name: &str| {
        let fits = |text: &str| (text.chars().count() <= VALUE_CHARS_MAX).then(|| text.to_owned());
        asked.part(name, &bounded, fits)
    };
    let states = StateName::ALL.map(StateName::name).join(", ");
    let ranges = RANGES.map(|(name, ..)| name).join(", ");
    let range = |text: &str| RANGES.iter().find(|(name, ..)| *name == text).map(|(.., time)| *time);
    let since = asked.part("range", &ranges, range)?.and_then(|time| now.checked_sub_signed(time));
    let yes = |text: &str| (text == "yes").then_some(true);
    let alert = |text: &str| match text {
        "found" => Some(true),
        "none" => Some(false),
        _ => None,
    };
    let pattern = |text: &str| TargetPattern::parse(text).map(|_sound| text.to_owned());
    Ok(RequestQuery {
        agent: text("agent")?,
        state: asked.part("state", &states, StateName::parse)?,
        action: asked.part(
            "action",
            "the name of an action of the catalogue",
            ActionKind::parse,
        )?,
        target: asked.part("target", &bounded, pattern)?,
        endpoint: text("endpoint")?,
        since,
        permanent: asked.part("permanent", "yes", yes)?.unwrap_or(false),
        alert: asked.part("alert", "found, none", alert)?,
        before: asked.after::<RequestId>()?,
    })
}

/// One request: what was asked, what policy and people said, what was sent, what became of it.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{id}",
    operation_id = "show_request",
    tag = "read",
    params(("id" = String, Path, description = "The request.")),
    responses(
        (status = 200, description = "The request.", body = RequestDetail),
        (status = "4XX", description = "Nothing was read.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn show(
    State(state): State<ApiState>,
    Extension(who): Extension<TokenHolder>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    nothing_asked(&uri)?;
    let found = state.broker.request_with_token(&who, id_of(&id)?).await;
    let view = found.map_err(|error| Problem::of(&error, &state.broker))?;
    Ok(shown(&RequestDetail::from(view)))
}

/// A comment.
#[derive(Debug, Clone, ToSchema)]
#[expect(dead_code, reason = "it describes a body, which is read field by field")]
pub(super) struct CommentBody {
    /// What is said: 1 to 2000 characters.
    comment: String,
    /// Your own name for it, of 1 to 64 printable characters: sent again with it, the comment is kept
    /// once.
    idempotency_key: Option<String>,
}

/// Whether a comment was kept now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CommentKept {
    /// False where it was kept before, under the same `idempotency_key`.
    created: bool,
}

/// Writes a comment down beside the request, which stays as it is. Agents never see it.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/comments",
    operation_id = "comment_on_request",
    tag = "comment",
    params(("id" = String, Path, description = "The request.")),
    request_body = CommentBody,
    responses(
        (status = 200, description = "It is kept.", body = CommentKept),
        (status = "4XX", description = "Nothing was changed.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn add_comment(
    State(state): State<ApiState>,
    Extension(who): Extension<TokenHolder>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    nothing_asked(request.uri())?;
    let id = id_of(&id)?;
    let fields = Fields::read(request, &["comment", "idempotency_key"]).await?;
    let text = fields.must("comment", "text", Value::as_str)?;
    let idempotency_key = fields.maybe("idempotency_key", "text", Value::as_str)?;
    let comment = KeyedComment { text, idempotency_key };
    match state.broker.comment_with_token(&who, id, comment).await {
        Ok(created) => Ok(shown(&CommentKept { created })),
        Err(error) => Err(Problem::of(&error, &state.broker)
            .with_value("comment", Some(text))
            .with_value("idempotency_key", idempotency_key)),
    }
}

/// A rejection of what was read.
#[derive(Debug, Clone, ToSchema)]
#[expect(dead_code, reason = "it describes a body, which is read field by field")]
pub(super) struct RejectBody {
    /// The `version` that was read: one that changed meanwhile is not rejected.
    version: u64,
    /// The `digest` that was read.
    digest: String,
    /// Why: not blank.
    reason: String,
}

/// What became of a rejection.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rejected {
    /// The request.
    id: String,
    /// Where it stands now: `rejected`, or `waiting` while its last children end.
    state: &'static str,
    /// Its version now.
    version: u64,
}

/// Rejects a request, as it was read: the end of it.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/reject",
    operation_id = "reject_request",
    tag = "reject",
    params(("id" = String, Path, description = "The request.")),
    request_body = RejectBody,
    responses(
        (status = 200, description = "It is rejected.", body = Rejected),
        (status = 409, description = "It is no longer as it was read, or was decided already.", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Nothing was changed.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn reject_as_read(
    State(state): State<ApiState>,
    Extension(who): Extension<TokenHolder>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    nothing_asked(request.uri())?;
    let id = id_of(&id)?;
    let fields = Fields::read(request, &["version", "digest", "reason"]).await?;
    let digest = "64 lower-case hexadecimal digits, as the request has them";
    let shown_then = Displayed {
        version: fields.must("version", "a whole number", Value::as_u64)?,
        digest: fields.must("digest", digest, |value| Digest::parse(value.as_str()?))?,
    };
    let reason = fields.must("reason", "text", Value::as_str)?.trim();
    match state.broker.reject_with_token(&who, id, shown_then, reason).await {
        Ok(request) => Ok(shown(&Rejected {
            id: request.id.to_string(),
            state: request.state.name().name(),
            version: request.version,
        })),
        Err(error) => Err(Problem::of(&error, &state.broker).with_value("reason", Some(reason))),
    }
}

/// An id that cannot be one is that of nothing.
fn id_of(text: &str) -> Result<RequestId, Problem> {
    text.parse().map_err(|_no_id| Problem::not_found())
}

/// These addresses have no question.
fn nothing_asked(uri: &Uri) -> Result<(), Problem> {
    match uri.query() {
        None | Some("") => Ok(()),
        Some(query) => Err(Problem::invalid("the address", query, "no `?` and nothing after it")),
    }
}
