//! What each user may do: Wazuh's RBAC in white mode, grants only.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::endpoint::Endpoint;

/// One user's grants, from action to resources, as in `GET /security/users/me/policies`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(BTreeMap<String, Vec<String>>);

impl Rights {
    /// A user without roles, who may log in and do nothing else.
    pub fn none() -> Self {
        Self::default()
    }

    /// The default role `administrator`, limited to the actions that the simulator knows.
    pub fn administrator() -> Self {
        Self::broker()
            .allow("group:read", &["group:id:*"])
            .allow("manager:read", &["*:*"])
            .allow("cluster:read", &["node:id:*"])
            .allow("cluster:status", &["*:*"])
            .allow("security:read_config", &["*:*"])
            .allow("rules:read", &["*:*"])
            .allow("decoders:read", &["*:*"])
    }

    /// The minimum for a broker: the default policies `agents_read` and `agents_commands`.
    pub fn broker() -> Self {
        Self::none()
            .allow("agent:read", &["agent:id:*", "agent:group:*"])
            .allow("active-response:command", &["agent:id:*", "agent:group:*"])
    }

    /// Adds a grant. Resources are written `agent:id:001`, `agent:group:windows`, `node:id:*`,
    /// `*:*:*` or `*:*`.
    #[must_use]
    pub fn allow(mut self, action: &str, resources: &[&str]) -> Self {
        let granted = self.0.entry(action.to_owned()).or_default();
        granted.extend(resources.iter().map(|&resource| resource.to_owned()));
        self
    }

    pub(crate) fn allows(&self, action: &str, resource: &str) -> bool {
        self.0.get(action).is_some_and(|granted| granted.iter().any(|one| one == resource))
    }

    /// Whether an action that concerns no endpoint and no node is allowed.
    pub(crate) fn allows_at_large(&self, action: &str) -> bool {
        ["*:*", "*:*:*"].iter().any(|resource| self.allows(action, resource))
    }

    /// Whether the action is allowed on this node.
    pub(crate) fn allows_on_node(&self, action: &str, node: &str) -> bool {
        self.allows(action, "node:id:*") || self.allows(action, &format!("node:id:{node}"))
    }

    /// Whether the action is allowed on this endpoint. `None` stands for an unknown id.
    pub(crate) fn allows_on(&self, action: &str, id: &str, endpoint: Option<&Endpoint>) -> bool {
        self.allows(action, "agent:id:*")
            || self.allows(action, &format!("agent:id:{id}"))
            || endpoint.is_some_and(|endpoint| {
                self.allows(action, "agent:group:*")
                    || endpoint
                        .groups
                        .iter()
                        .any(|group| self.allows(action, &format!("agent:group:{group}")))
            })
    }

    /// The `data` of `GET /security/users/me/policies`.
    pub(crate) fn shown(&self) -> Value {
        let mut shown: Map<String, Value> = self
            .0
            .iter()
            .map(|(action, resources)| {
                let effects = resources.iter().map(|one| (one.clone(), Value::from("allow")));
                (action.clone(), Value::Object(effects.collect()))
            })
            .collect();
        shown.insert("rbac_mode".to_owned(), Value::from("white"));
        Value::Object(shown)
    }
}
