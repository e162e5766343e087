//! What a person may do with very many requests: policy is asked once for all that look alike to it.

use std::collections::HashMap;

use super::super::view::Permission;
use crate::{
    broker::{Broker, SignedIn},
    domain::facts::{Principal, RequestFacts, Resource, Verb},
    policy::RequestLook,
};

/// Which requests one person may see and do something to, as far as it was asked.
pub(in crate::broker::queries) struct Rights<'a> {
    broker: &'a Broker,
    who: &'a SignedIn,
    verb: Verb,
    principal: Principal,
    known: HashMap<RequestLook, Option<Permission>>,
}

impl<'a> Rights<'a> {
    pub(in crate::broker::queries) fn new(
        broker: &'a Broker,
        who: &'a SignedIn,
        verb: Verb,
    ) -> Self {
        let principal = who.principal(broker.clock().now());
        Self { broker, who, verb, principal, known: HashMap::new() }
    }

    /// Whether the person may do it; none where the person may not even see it.
    pub(in crate::broker::queries) fn of(&mut self, facts: &RequestFacts) -> Option<Permission> {
        let Some(look) = self.broker.engine().look(facts) else { return self.ask(facts) };
        if let Some(known) = self.known.get(&look) {
            return known.clone();
        }
        let answer = self.ask(facts);
        self.known.insert(look, answer.clone());
        answer
    }

    fn ask(&self, facts: &RequestFacts) -> Option<Permission> {
        let resource = Resource::Request(facts.clone());
        self.broker.authorize(&self.principal, Verb::View, &resource).ok()?;
        Some(self.broker.permission(self.who, self.verb, &resource))
    }
}
