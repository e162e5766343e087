//! What Wazuh says when it refuses a whole request (`application/problem+json`).

use serde_json::Value;

use super::fields::Fields;
use crate::connector::http::{
    client::{HttpClient, Reply, first_chars},
    error::ConnectorError,
};

/// Daemons are not ready, the queue of responses is gone, wazuh-db is gone: one node could not
/// begin. Source: `framework/wazuh/core/exception.py`.
const CANNOT_BEGIN: [u32; 3] = [1017, 1010, 2005];
/// Too many wrong passwords.
const LOCKED_OUT: u32 = 6000;
/// How long the limit of a minute may last.
const MINUTE_SECS: u32 = 60;

#[derive(Debug)]
pub(in crate::connector::wazuh) struct ManagerError {
    /// Wazuh's own code, such as 1652.
    pub(in crate::connector::wazuh) code: Option<u32>,
    /// Wazuh's explanation: text from outside.
    pub(in crate::connector::wazuh) detail: String,
}

impl ManagerError {
    /// The refusal; without code and with a stand-in text where the body holds none.
    pub(in crate::connector::wazuh) fn of(reply: &Reply) -> Self {
        let body: Value = reply.json_or_default();
        let mut fields = Fields::of(&body);
        let code = fields.number("error").and_then(|code| u32::try_from(code).ok());
        let detail = fields.needed_text_of("detail", usize::MAX).unwrap_or("without a reason");
        Self { code, detail: first_chars(&detail) }
    }
}

/// Whether the manager's own API refused the call, which it does before any work. What stands in
/// between refuses in another form, perhaps after it passed the call on. Captures 5, 6, 76-84 and 96
/// (401), 44-59 (400, 405, 406, 415), 93 (429).
pub(in crate::connector::wazuh) fn refused_by_manager(reply: &Reply) -> bool {
    let form = reply.content_type.as_deref().unwrap_or_default();
    let body: Value = reply.json_or_default();
    let said =
        |field: &str| body.get(field).and_then(Value::as_str).filter(|said| !said.is_empty());
    let words = match (reply.status, said("detail")) {
        (401, detail) => {
            matches!(detail, Some("Invalid token" | "No authorization token provided"))
        }
        (_, detail) => detail.is_some(),
    };
    form.starts_with("application/problem+json") && said("title").is_some() && words
}

/// The error for an answer that is not 200. `right` is what the call needs.
pub(in crate::connector::wazuh) fn refusal(
    http: &HttpClient,
    reply: &Reply,
    right: &str,
) -> ConnectorError {
    let system = http.system.clone();
    let ManagerError { code, detail } = ManagerError::of(reply);
    match (reply.status, code) {
        (403, Some(LOCKED_OUT)) => ConnectorError::Blocked { system },
        (403, _) => ConnectorError::Forbidden { system, right: right.to_owned(), detail },
        (429, _) => ConnectorError::RateLimited { system, seconds: MINUTE_SECS },
        (500, Some(code)) if CANNOT_BEGIN.contains(&code) => {
            ConnectorError::Busy { system, detail }
        }
        (status, _) => ConnectorError::Answer { system, status, detail },
    }
}
