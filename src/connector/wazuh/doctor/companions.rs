//! Whether what companion scripts report can be seen: their decoder and rules on the manager, and the
//! reports that the indexer holds.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        Wazuh,
        api::fields::Fields,
        indexer::evidence::report::{KNOWN_VERSIONS, RULES},
    },
    failed,
};
use crate::{
    connector::{
        Diagnosis,
        http::{client::first_chars, error::ConnectorError},
    },
    domain::Time,
};

const CHECK: &str = "companions";
/// What the API user may have beside what is needed: it shows whether the rules are there.
pub(super) const USEFUL: [&str; 2] = ["rules:read", "decoders:read"];
/// The three commands of `deploy/active-response/README.md`.
const INSTALL: [(&str, &str); 3] = [
    (
        "on the manager, in deploy/active-response, for a group linux",
        "cp -L countersign* /var/ossec/etc/shared/linux/",
    ),
    (
        "on each endpoint, as root",
        "install -o root -g wazuh -m 750 -t /var/ossec/active-response/bin \
         /var/ossec/etc/shared/countersign*",
    ),
    (
        "on the manager, in deploy/wazuh",
        "cp countersign_decoders.xml /var/ossec/etc/decoders/ && cp countersign_rules.xml \
         /var/ossec/etc/rules/ && /var/ossec/bin/wazuh-control restart",
    ),
];

fn install() -> String {
    INSTALL.map(|(place, command)| format!("{place}: {command}")).join("; ")
}

impl Wazuh {
    /// Where the scripts are said to be, and whether their reports become alerts.
    pub(super) async fn companion_findings(&self, now: Time) -> Vec<Diagnosis> {
        let groups = self.settings.companion_groups.join(", ");
        if groups.is_empty() {
            let found = "companion_groups names no group, so nothing is verified";
            return vec![Diagnosis::note(CHECK, found, install())];
        }
        let mut findings = vec![self.ruleset(&groups, now).await];
        if let Some(indexer) = &self.indexer {
            findings.push(match indexer.reporters().await {
                Ok(seen) => reporters(&seen),
                Err(error) => failed(CHECK, &error),
            });
        }
        findings
    }

    async fn ruleset(&self, groups: &str, now: Time) -> Diagnosis {
        let rules = format!("/rules?rule_ids={}&limit={}", RULES.join(","), RULES.len());
        let rules = self.listed_there(&rules, USEFUL[0], now).await;
        let decoders =
            self.listed_there("/decoders?decoder_names=countersign", USEFUL[1], now).await;
        let (rules, decoders) = match (rules, decoders) {
            (Ok(rules), Ok(decoders)) => (rules, decoders),
            (Err(ConnectorError::Forbidden { right, .. }), _)
            | (_, Err(ConnectorError::Forbidden { right, .. })) => {
                let found = format!(
                    "groups {groups}; whether the manager has the decoder and the rules may not be \
                     read"
                );
                let advice = format!("give the user the right {right}, or look by hand");
                return Diagnosis::note(CHECK, found, advice);
            }
            (Err(error), _) | (_, Err(error)) => return failed(CHECK, &error),
        };
        let missing = match (decoders, rules) {
            (0, _) => "the decoder",
            (_, rules) if rules < RULES.len() => "some of the rules",
            _ => {
                return Diagnosis::good(
                    CHECK,
                    format!("groups {groups}; decoder and rules are there"),
                );
            }
        };
        let found = format!("groups {groups}; the manager lacks {missing}, so nothing is verified");
        Diagnosis::bad(CHECK, found, install())
    }

    /// How many of those that are asked for the manager has.
    async fn listed_there(
        &self,
        path: &str,
        right: &str,
        now: Time,
    ) -> Result<usize, ConnectorError> {
        let answer = self.manager.read(path, right, now).await?;
        let mut fields = Fields::of(&answer);
        let items = fields.needed_list("affected_items").unwrap_or_default();
        let unique: BTreeSet<_> = items
            .iter()
            .map(|item| {
                let id = item.get("id").or_else(|| item.get("name"));
                id.map(ToString::to_string)
            })
            .collect();
        Ok(unique.len())
    }
}

/// The versions of the scripts that reported, each with its endpoints.
fn reporters(seen: &BTreeMap<String, BTreeSet<String>>) -> Diagnosis {
    let shown = seen.iter().map(|(version, endpoints)| {
        let endpoints: Vec<_> = endpoints.iter().map(String::as_str).collect();
        format!("version {} on {}", first_chars(&version.as_str()), endpoints.join(", "))
    });
    let shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        return Diagnosis::good(CHECK, "no script has reported so far");
    }
    let found = format!("reports of {}", shown.join("; "));
    if seen.keys().all(|version| KNOWN_VERSIONS.contains(&version.as_str())) {
        return Diagnosis::good(CHECK, found);
    }
    let advice =
        format!("install version {} there: others verify nothing", KNOWN_VERSIONS.join(", "));
    Diagnosis::bad(CHECK, found, advice)
}
