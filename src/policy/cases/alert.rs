//! What a case may say about the alert.

use serde::Deserialize;

use crate::domain::{
    endpoint::EndpointId,
    facts::{AlertEndpoint, AlertFacts, AlertShown, IndexerState, NamedIn},
};

/// The alert that the agent named. What is left out is as in an alert about the endpoint 001 that
/// names the target as a stock decoder does.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "one flat list of facts reads best in a case")]
pub(super) struct AlertForm {
    found: bool,
    names_target: bool,
    level: u8,
    age_seconds: Option<u64>,
    indexer_behind: bool,
    rule_groups: Vec<String>,
    field: String,
    field_is_peer: bool,
    /// The endpoint that it is about, and the groups of that one.
    endpoint: Option<String>,
    endpoint_groups: Vec<String>,
}

impl Default for AlertForm {
    fn default() -> Self {
        Self {
            found: true,
            names_target: true,
            level: 10,
            age_seconds: Some(60),
            indexer_behind: false,
            rule_groups: vec!["sshd".to_owned()],
            field: "data.srcip".to_owned(),
            field_is_peer: true,
            endpoint: Some("001".to_owned()),
            endpoint_groups: vec!["default".to_owned()],
        }
    }
}

impl AlertForm {
    pub(super) fn facts(&self) -> Result<AlertFacts, String> {
        let indexer = if self.indexer_behind {
            IndexerState::Behind("the newest document is 71 h old".to_owned())
        } else {
            IndexerState::Current
        };
        let named = NamedIn { field: self.field.clone(), value: String::new(), goes_on: None };
        Ok(AlertFacts {
            found: self.found,
            names_target: self.names_target,
            level: self.level,
            age_seconds: self.age_seconds,
            indexer,
            from_peer: self.field_is_peer,
            endpoint: self.endpoint()?.map(Box::new),
            shown: Some(Box::new(AlertShown {
                named_in: Some(named),
                groups: self.rule_groups.clone(),
                ..AlertShown::default()
            })),
            ..AlertFacts::default()
        })
    }

    fn endpoint(&self) -> Result<Option<AlertEndpoint>, String> {
        let Some(id) = &self.endpoint else { return Ok(None) };
        let (id, groups) = (endpoint_id(id)?, self.endpoint_groups.clone());
        Ok(Some(AlertEndpoint { id, name: String::new(), groups }))
    }
}

pub(super) fn endpoint_id(id: &str) -> Result<EndpointId, String> {
    EndpointId::parse(id)
        .ok_or_else(|| format!("endpoint `{id}`: an id is {}", EndpointId::GRAMMAR))
}
