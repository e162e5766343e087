//! Whether the feeds of the audit would arrive.

use super::CORRECT;
use crate::{app::feeds::feed, config::Config, connector::Diagnosis};

const CHECK: &str = "feeds";

/// A finding for each feed; none where none is configured.
pub(super) async fn feeds(config: &Config) -> Vec<Diagnosis> {
    let mut findings = Vec::new();
    for configured in &config.feeds {
        let name = &configured.name;
        let finding = match feed(config, configured) {
            Err(error) => Diagnosis::bad(CHECK, error.to_string(), CORRECT),
            Ok(feed) => match feed.examine().await {
                Err(why) => Diagnosis::bad(CHECK, format!("{name}: {why}"), "do what it says"),
                Ok(found) if is_open(configured.transport.as_deref()) => {
                    let advice = "whoever is on the way reads the audit: use transport = \"tls\", \
                                  or a network of your own";
                    Diagnosis::note(CHECK, format!("{name}: {found}"), advice)
                }
                Ok(found) => Diagnosis::good(CHECK, format!("{name}: {found}")),
            },
        };
        findings.push(finding);
    }
    findings
}

/// Whether others can read what is sent.
fn is_open(transport: Option<&str>) -> bool {
    matches!(transport, Some("udp" | "tcp"))
}
