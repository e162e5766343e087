//! The link to an alert in Wazuh's dashboard: *Discover*, with the alert's id as its query.
//!
//! `/app/discover` is the address of `OpenSearch` Dashboards 1; later versions turn it into their
//! own (`src/plugins/discover/public/migrate_state.ts`).

use std::fmt::Write as _;

use chrono::{SecondsFormat, TimeDelta};
use reqwest::Url;

use crate::{
    connector::http::error::ConnectorError,
    domain::{Time, facts::AlertShown},
};

/// How far around the alert's time is looked.
const AROUND: TimeDelta = TimeDelta::hours(1);

/// Reads `{section}.dashboard_url`.
pub(super) fn read(url: &str, section: &str) -> Result<String, ConnectorError> {
    let wrong = |value: &str, allowed: &str| {
        Err(ConnectorError::settings(format!("{section}.dashboard_url"), value, allowed))
    };
    let example = "it is the address of Wazuh's dashboard, such as https://wazuh-dashboard.example";
    let Ok(parsed) = Url::parse(url) else { return wrong(url, example) };
    // Not shown: a URL may carry a password by mistake.
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return wrong("a URL with a user name", "people sign in to the dashboard themselves");
    }
    if !["https", "http"].contains(&parsed.scheme()) || !parsed.has_host() {
        return wrong(url, example);
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return wrong(url, "it ends with the path: what follows is added");
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// The address that shows an alert in the dashboard at `url`, of these indices.
pub(super) fn link(url: &str, indices: &str, alert: &AlertShown) -> String {
    let (field, id) =
        if alert.id.is_empty() { ("_id", &alert.document) } else { ("id", &alert.id) };
    let id = id.replace('\\', "\\\\").replace('"', "\\\"");
    let moment = |at: Time| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let (from, to) = match alert.at {
        Some(at) => (moment(at - AROUND), moment(at + AROUND)),
        None => ("now-90d".to_owned(), "now".to_owned()),
    };
    let query = quoted(&format!("{field}:\"{id}\""));
    let span = format!("(time:(from:{},to:{}))", quoted(&from), quoted(&to));
    let state = format!("(index:{},query:(language:kuery,query:{query}))", quoted(indices));
    format!("{url}/app/discover#/?_g={}&_a={}", encoded(&span), encoded(&state))
}

/// A text in Rison, the notation of the dashboard's addresses.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('!', "!!").replace('\'', "!'"))
}

/// Every byte by its number, unless it means itself in an address.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~(),:!".contains(&byte) {
            all.push(char::from(byte));
        } else {
            let _infallible = write!(all, "%{byte:02X}");
        }
        all
    })
}
