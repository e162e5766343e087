//! The `OpenAPI` document, made of the code that answers.

use axum::response::Response;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{active, answer::as_it_is, audit_chain, endpoints, metrics, requests};

/// The document of `/api/v1`.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Countersign",
        description = "Reads requests, active responses, the audit and endpoints; comments; rejects. \
                       Nothing here approves, undoes, releases the kill switch, breaks the glass or \
                       changes who may: a token must not be an approver.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        show,
        requests::list,
        requests::show,
        requests::add_comment,
        requests::reject_as_read,
        active::list,
        audit_chain::list,
        endpoints::list,
        metrics::show
    ),
    modifiers(&Bearer)
)]
struct ApiDocument;

/// Every call takes a token.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("csapi_ and 64 hexadecimal digits")
            .description(Some("A token of a person or a service, made under Account."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        document.security = Some(vec![SecurityRequirement::new("token", [""; 0])]);
    }
}

/// The document as text.
pub fn openapi_json() -> String {
    ApiDocument::openapi().to_pretty_json().unwrap_or_default()
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "show_document",
    tag = "read",
    responses((status = 200, description = "The document.", body = Object))
)]
pub(super) async fn show() -> Response {
    as_it_is(&serde_json::to_value(ApiDocument::openapi()).unwrap_or_default())
}
