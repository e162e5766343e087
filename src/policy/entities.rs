//! What Cedar is told: entities and contexts, built to fit the schema and checked against it.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors, Request,
    RestrictedExpression as Value, Schema,
};

use super::{EvalError, schema::SchemaVersion};
use crate::domain::{
    action::Action,
    actor::{Agent, Person, Role},
    address::{RangeUse, forms, special_range},
    decision::Tally,
    endpoint::EndpointId,
    facts::{
        EndpointFacts, IndexerState, PolicyQuestion, Principal, RequestFacts, Resource,
        TargetFacts, Verb,
    },
    id::PersonId,
};

/// The schema, and what is there whatever is asked: the actions and the roles.
#[derive(Debug)]
pub(super) struct PolicyEntities {
    version: SchemaVersion,
    schema: Schema,
    standing: Entities,
    types: Types,
}

#[derive(Debug)]
struct Types {
    role: EntityTypeName,
    person: EntityTypeName,
    agent: EntityTypeName,
    group: EntityTypeName,
    endpoint: EntityTypeName,
    request: EntityTypeName,
    system: EntityTypeName,
    action: EntityTypeName,
}

impl PolicyEntities {
    pub(super) fn new(version: SchemaVersion) -> Result<Self, EvalError> {
        let (schema, _) = Schema::from_cedarschema_str(&version.text())?;
        let named = |name: &str| -> Result<EntityTypeName, EvalError> {
            format!("Countersign::{name}").parse().map_err(|e: ParseErrors| EvalError::from(e))
        };
        let types = Types {
            role: named("Role")?,
            person: named("Person")?,
            agent: named("Agent")?,
            group: named("Group")?,
            endpoint: named("Endpoint")?,
            request: named("Request")?,
            system: named("System")?,
            action: named("Action")?,
        };
        let roles = Role::ALL.map(|role| {
            let above = below(role).map(|role| uid(&types.role, role.name()));
            Entity::new_no_attrs(uid(&types.role, role.name()), above.into_iter().collect())
        });
        let standing = Entities::from_entities(roles, Some(&schema))?;
        Ok(Self { version, schema, standing, types })
    }

    pub(super) fn version(&self) -> SchemaVersion {
        self.version
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Somebody wants to do something with a stored request, or with the system.
    pub(super) fn person_request(
        &self,
        who: &Principal,
        verb: Verb,
        on: &Resource,
    ) -> Result<(Request, Entities), EvalError> {
        let (who, auth_age_seconds) = match who {
            Principal::Person(person, seconds) => (self.person(person)?, long(*seconds)),
            Principal::Agent(agent) => (self.agent(agent)?, long(u64::MAX)),
        };
        let on = match on {
            Resource::Request(facts) => self.request(facts)?,
            Resource::System => {
                Entity::new_no_attrs(uid(&self.types.system, "countersign"), HashSet::new())
            }
        };
        let context = Context::from_pairs([("auth_age_seconds".to_owned(), auth_age_seconds)])?;
        let request = self.cedar_request(who.uid(), verb.name(), on.uid(), context)?;
        Ok((request, self.with([who, on])?))
    }

    /// One request to Cedar, held against the schema.
    pub(super) fn cedar_request(
        &self,
        principal: EntityUid,
        action: &str,
        resource: EntityUid,
        context: Context,
    ) -> Result<Request, EvalError> {
        let action = uid(&self.types.action, action);
        Ok(Request::new(principal, action, resource, context, Some(&self.schema))?)
    }

    /// What stands, and these.
    pub(super) fn with(&self, entities: [Entity; 2]) -> Result<Entities, EvalError> {
        Ok(self.standing.clone().add_entities(entities, Some(&self.schema))?)
    }

    pub(super) fn agent(&self, agent: &Agent) -> Result<Entity, EvalError> {
        let attributes = [
            ("name", text(&agent.name)),
            ("owner", self.person_value(agent.owner)),
            ("revoked", Value::new_bool(agent.revoked)),
            ("scopes", Value::new_set(agent.scopes.iter().map(|scope| text(scope.name())))),
        ];
        entity(uid(&self.types.agent, &agent.id), attributes, HashSet::new())
    }

    pub(super) fn endpoint(&self, facts: &EndpointFacts) -> Result<Entity, EvalError> {
        let attributes = [
            ("criticality", long(facts.criticality)),
            ("platform", text(facts.platform.name())),
            ("unknown_outcome", Value::new_bool(facts.unknown_outcome)),
        ];
        let groups = facts.groups.iter().map(|group| self.group_uid(group)).collect();
        entity(self.endpoint_uid(&facts.id), attributes, groups)
    }

    pub(super) fn endpoint_uid(&self, id: &EndpointId) -> EntityUid {
        uid(&self.types.endpoint, id)
    }

    pub(super) fn group_uid(&self, name: &str) -> EntityUid {
        uid(&self.types.group, name)
    }

    fn person(&self, person: &Person) -> Result<Entity, EvalError> {
        let attributes = [
            ("name", text(&person.name)),
            ("disabled", Value::new_bool(person.disabled)),
            ("must_change_password", Value::new_bool(person.must_change_password)),
            ("on_call", Value::new_bool(person.on_call)),
        ];
        let role = uid(&self.types.role, person.role.name());
        entity(uid(&self.types.person, &person.id), attributes, HashSet::from([role]))
    }

    fn request(&self, facts: &RequestFacts) -> Result<Entity, EvalError> {
        let owners = [facts.owner_then, facts.agent.owner];
        let issuers = [facts.issuer_then, facts.agent.issuer];
        let barred = owners.into_iter().chain(issuers.into_iter().flatten()).chain(facts.asker);
        let attributes = [
            ("agent", Value::new_entity_uid(uid(&self.types.agent, &facts.agent.id))),
            ("owners", Value::new_set(owners.map(|person| self.person_value(person)))),
            ("barred", Value::new_set(barred.map(|person| self.person_value(person)))),
            ("action", text(facts.action.kind().name())),
            ("criticality", long(facts.criticality)),
        ];
        entity(uid(&self.types.request, &facts.id), attributes, HashSet::new())
    }

    fn person_value(&self, person: PersonId) -> Value {
        Value::new_entity_uid(uid(&self.types.person, &person))
    }
}

/// The contexts of `ask`: the agent's claim, the broker's facts, and what is acted on. One for each
/// form of an address, so that a policy about addresses holds whatever the address is hidden in.
pub(super) fn contexts(
    version: SchemaVersion,
    question: &PolicyQuestion,
) -> Result<Vec<Context>, EvalError> {
    let inputs = inputs(question)?;
    inputs.into_iter().map(|input| context(version, question, input)).collect()
}

fn context(
    version: SchemaVersion,
    question: &PolicyQuestion,
    input: Value,
) -> Result<Context, EvalError> {
    let stated = question.claim.confidence.or(version.unstated_confidence());
    let claim = [
        ("reason", text(&question.claim.reason)),
        ("alert_id", text(question.claim.alert_id.as_deref().unwrap_or_default())),
    ];
    let claim = record(claim.into_iter().chain(stated.map(|sure| ("confidence", long(sure)))))?;
    let context = [("claim", claim), ("facts", facts(question)?), ("input", input)];
    Ok(Context::from_pairs(context.map(|(name, value)| (name.to_owned(), value)))?)
}

/// The context of `run`: that of `ask`, and who approved.
pub(super) fn with_votes(context: &Context, tally: Tally) -> Result<Context, EvalError> {
    let votes = record([
        ("people", long(tally.people)),
        ("analyst", long(tally.analyst)),
        ("senior", long(tally.senior)),
        ("lead", long(tally.lead)),
    ])?;
    Ok(context.clone().merge([("votes".to_owned(), votes)])?)
}

/// A term without end is longer than any other, so a policy that forgets `permanent` stays strict.
fn facts(question: &PolicyQuestion) -> Result<Value, EvalError> {
    let (alert, history) = (&question.alert, &question.history);
    let term = question.term.seconds();
    record([
        ("undo", Value::new_bool(question.action.kind().is_undo())),
        ("asked_by", text(question.asked_by.map_or("agent", Role::name))),
        ("scope", long(question.scope)),
        ("fleet_wide", Value::new_bool(question.fleet_wide)),
        ("permanent", Value::new_bool(term.is_none())),
        ("term_seconds", long(term.map_or(u64::MAX, u64::from))),
        ("alert_found", Value::new_bool(alert.found)),
        ("alert_names_target", Value::new_bool(alert.names_target)),
        ("alert_level", long(alert.level)),
        ("alert_age_seconds", long(alert.age_seconds.unwrap_or(u64::MAX))),
        ("alert_rule_groups", Value::new_set(alert.rule_groups().iter().map(|group| text(group)))),
        ("alert_field", text(alert.field())),
        ("alert_field_is_peer", Value::new_bool(alert.names_target && alert.from_peer)),
        ("alert_on_target_endpoint", Value::new_bool(alert.is_on(&question.endpoints))),
        ("alert_in_target_group", Value::new_bool(alert.is_in_group_of(&question.endpoints))),
        ("indexer_behind", Value::new_bool(alert.indexer != IndexerState::Current)),
        ("ran_last_hour", long(history.ran_last_hour)),
        ("refused_last_day", long(history.refused_last_day)),
        ("open_requests", long(history.open_requests)),
        ("asks_last_minute", long(history.asks_last_minute)),
        ("rejected_seconds_ago", long(history.rejected_seconds_ago.unwrap_or(u64::MAX))),
        ("lifted_seconds_ago", long(question.lifted_seconds_ago.unwrap_or(u64::MAX))),
        ("reach", long(question.reach)),
        ("automatic_last_day", long(question.automatic_last_day)),
        ("already_active", Value::new_bool(question.already_active)),
        ("would_shorten", Value::new_bool(question.would_shorten)),
        ("manager_changed", Value::new_bool(question.manager_changed)),
        ("now", Value::new_datetime(question.now.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())),
        ("business_hours", Value::new_bool(question.business_hours)),
    ])
}

fn inputs(question: &PolicyQuestion) -> Result<Vec<Value>, EvalError> {
    let target = question.target;
    match &question.action {
        Action::BlockIp(address) | Action::UnblockIp(address) => {
            forms(*address).into_iter().map(|form| address_input(form, target)).collect()
        }
        Action::DisableAccount(account) | Action::EnableAccount(account) => Ok(vec![record([
            ("account", text(account.as_str())),
            ("protected", Value::new_bool(target.protected)),
            ("privileged", Value::new_bool(target.privileged)),
        ])?]),
    }
}

fn address_input(form: IpAddr, target: TargetFacts) -> Result<Value, EvalError> {
    let range_use = special_range(form).map(|range| range.range_use);
    record([
        ("address", Value::new_ip(form.to_string())),
        ("private", Value::new_bool(range_use == Some(RangeUse::Private))),
        ("special", Value::new_bool(range_use == Some(RangeUse::Special))),
        ("own_network", Value::new_bool(target.own_network)),
        ("protected", Value::new_bool(target.protected)),
        ("of_endpoint", Value::new_bool(target.of_endpoint)),
    ])
}

/// The role that a role counts as, too.
const fn below(role: Role) -> Option<Role> {
    match role {
        Role::Lead => Some(Role::Senior),
        Role::Senior => Some(Role::Analyst),
        Role::Analyst | Role::Auditor | Role::Admin => None,
    }
}

fn uid(of: &EntityTypeName, id: &(impl ToString + ?Sized)) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id.to_string()))
}

fn entity<const N: usize>(
    uid: EntityUid,
    attributes: [(&str, Value); N],
    parents: HashSet<EntityUid>,
) -> Result<Entity, EvalError> {
    let attributes: HashMap<_, _> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Entity::new(uid, attributes, parents)?)
}

fn record<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Result<Value, EvalError> {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(Value::new_record(fields)?)
}

fn text(value: &str) -> Value {
    Value::new_string(value.to_owned())
}

/// Numbers beyond Cedar's count as its greatest.
fn long(number: impl Into<u64>) -> Value {
    Value::new_long(i64::try_from(number.into()).unwrap_or(i64::MAX))
}
