//! What Cedar is told: entities and contexts, built to fit the schema and checked against it.

pub(super) mod input;
mod look;
pub(super) mod sites;

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors, Request,
    RestrictedExpression as Value, Schema,
};

use self::input::{inputs, record};
pub use self::look::RequestLook;
use super::{EvalError, schema::SchemaVersion};
use crate::domain::{
    action::Catalogue,
    actor::{Agent, Person, Role},
    decision::Tally,
    facts::{
        Authentication, EndpointFacts, IndexerState, PolicyQuestion, Principal, RequestFacts,
        Resource, Verb,
    },
    id::PersonId,
    site::Site,
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
    team: EntityTypeName,
    person: EntityTypeName,
    agent: EntityTypeName,
    group: EntityTypeName,
    manager: EntityTypeName,
    site: EntityTypeName,
    endpoint: EntityTypeName,
    request: EntityTypeName,
    system: EntityTypeName,
    action: EntityTypeName,
}

impl PolicyEntities {
    pub(super) fn new(version: SchemaVersion, catalogue: &Catalogue) -> Result<Self, EvalError> {
        let (schema, _) = Schema::from_cedarschema_str(&version.text(catalogue))?;
        let named = |name: &str| -> Result<EntityTypeName, EvalError> {
            format!("Countersign::{name}").parse().map_err(|e: ParseErrors| EvalError::from(e))
        };
        let types = Types {
            role: named("Role")?,
            team: named("Team")?,
            person: named("Person")?,
            agent: named("Agent")?,
            group: named("Group")?,
            manager: named("Manager")?,
            site: named("Site")?,
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
    ) -> Result<(Query, Context, Entities), EvalError> {
        let (who, given) = match who {
            Principal::Person(person, given) => (self.person(person)?, *given),
            Principal::Agent(agent) => (self.agent(agent)?, Authentication::NONE),
        };
        let on = match on {
            Resource::Request(facts) => self.request(facts)?,
            Resource::System => {
                Entity::new_no_attrs(uid(&self.types.system, "countersign"), HashSet::new())
            }
        };
        self.asked((who, given), verb, on)
    }

    /// Somebody looks at what is at a site.
    pub(super) fn site_request(
        &self,
        person: &Person,
        site: &Site,
    ) -> Result<(Query, Context, Entities), EvalError> {
        self.asked((self.person(person)?, Authentication::NONE), Verb::View, self.site(site))
    }

    fn asked(
        &self,
        (who, given): (Entity, Authentication),
        verb: Verb,
        on: Entity,
    ) -> Result<(Query, Context, Entities), EvalError> {
        let proof = Value::new_string(given.proof.name().to_owned());
        let context = Context::from_pairs([
            ("auth_age_seconds".to_owned(), long(given.age_seconds)),
            ("proof_age_seconds".to_owned(), long(given.proof_age_seconds)),
            ("proof".to_owned(), proof),
        ])?;
        let action = self.action_uid(verb.name());
        let query = Query { principal: who.uid(), action, resource: on.uid() };
        Ok((query, context, self.with([who, on])?))
    }

    pub(super) fn action_uid(&self, name: &str) -> EntityUid {
        uid(&self.types.action, name)
    }

    /// One request to Cedar.
    pub(super) fn cedar_request(
        &self,
        query: &Query,
        context: Context,
    ) -> Result<Request, EvalError> {
        let Query { principal, action, resource } = query.clone();
        Ok(Request::new(principal, action, resource, context, self.checked_against())?)
    }

    /// A request to Cedar about votes alone; of nobody, for nothing.
    pub(super) fn votes_request(&self, tally: Tally) -> Result<Request, EvalError> {
        let nobody = uid(&self.types.agent, "");
        let nowhere = uid(&self.types.endpoint, "");
        let context = Context::from_pairs([votes(tally)?])?;
        Ok(Request::new(nobody, self.action_uid("run"), nowhere, context, None)?)
    }

    /// What stands, and these.
    pub(super) fn with(&self, entities: [Entity; 2]) -> Result<Entities, EvalError> {
        Ok(self.standing.clone().add_entities(entities, self.checked_against())?)
    }

    /// Code builds entities and contexts from types of its own, so whether they fit the schema does
    /// not change at run time: only tests, and other builds with debug assertions, check it.
    fn checked_against(&self) -> Option<&Schema> {
        cfg!(debug_assertions).then_some(&self.schema)
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
        let groups = facts.groups.iter().map(|group| uid(&self.types.group, group)).collect();
        entity(uid(&self.types.endpoint, &facts.id), attributes, groups)
    }

    /// The ids of endpoints, and the names of groups and teams, among these.
    pub(super) fn named(&self, literals: impl Iterator<Item = EntityUid>) -> Named {
        let mut named = Named::default();
        for literal in literals {
            let id = literal.id().unescaped().to_owned();
            if *literal.type_name() == self.types.endpoint {
                named.endpoints.insert(id);
            } else if *literal.type_name() == self.types.group {
                named.groups.insert(id);
            } else if *literal.type_name() == self.types.team {
                named.teams.insert(id);
            }
        }
        named
    }

    fn person(&self, person: &Person) -> Result<Entity, EvalError> {
        let attributes = [
            ("name", text(&person.name)),
            ("disabled", Value::new_bool(!person.is_active())),
            ("must_change_password", Value::new_bool(person.must_change_password)),
            ("on_call", Value::new_bool(person.on_call)),
            ("in_team", Value::new_bool(!person.teams.is_empty())),
        ];
        let role = uid(&self.types.role, person.role.name());
        let teams = person.teams.iter().map(|team| uid(&self.types.team, team));
        entity(uid(&self.types.person, &person.id), attributes, teams.chain([role]).collect())
    }

    /// What it is called here says nothing: its manager and its groups do.
    fn site(&self, site: &Site) -> Entity {
        let groups = site.groups.iter().map(|group| uid(&self.types.group, group));
        let manager = uid(&self.types.manager, &site.manager);
        Entity::new_no_attrs(uid(&self.types.site, "site"), groups.chain([manager]).collect())
    }

    fn request(&self, facts: &RequestFacts) -> Result<Entity, EvalError> {
        let RequestLook { agent, owners, barred, action, criticality, tier, sites: _ } =
            RequestLook::of(facts);
        let attributes = [
            ("agent", Value::new_entity_uid(uid(&self.types.agent, &agent))),
            ("owners", Value::new_set(owners.into_iter().map(|person| self.person_value(person)))),
            ("barred", Value::new_set(barred.into_iter().map(|person| self.person_value(person)))),
            ("action", text(action)),
            ("criticality", long(criticality)),
            ("tier", text(tier.name())),
        ];
        entity(uid(&self.types.request, &facts.id), attributes, HashSet::new())
    }

    /// Whether one of these is a request: then two that look alike may be told apart.
    pub(super) fn has_request(&self, mut literals: impl Iterator<Item = EntityUid>) -> bool {
        literals.any(|literal| *literal.type_name() == self.types.request)
    }

    fn person_value(&self, person: PersonId) -> Value {
        Value::new_entity_uid(uid(&self.types.person, &person))
    }
}

/// The endpoints, groups and teams that some policy names: those that none does look alike.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) endpoints: HashSet<String>,
    pub(super) groups: HashSet<String>,
    pub(super) teams: HashSet<String>,
}

/// Who asks for what, on what.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) principal: EntityUid,
    pub(super) action: EntityUid,
    pub(super) resource: EntityUid,
}

/// What every context of a question holds: the agent's claim, the broker's facts, and what is acted
/// on. One for each form of an address, so that a policy about addresses holds whatever the address
/// is hidden in.
#[derive(Debug)]
pub(super) struct Contexts {
    claim: Value,
    facts: Value,
    inputs: Vec<Value>,
}

impl Contexts {
    pub(super) fn new(
        version: SchemaVersion,
        question: &PolicyQuestion,
    ) -> Result<Self, EvalError> {
        let stated = question.claim.confidence.or(version.unstated_confidence());
        let claim = [
            ("reason", text(&question.claim.reason)),
            ("alert_id", text(question.claim.alert_id.as_deref().unwrap_or_default())),
        ];
        let claim = claim.into_iter().chain(stated.map(|sure| ("confidence", long(sure))));
        Ok(Self { claim: record(claim)?, facts: facts(question)?, inputs: inputs(question)? })
    }

    /// The contexts of `ask`.
    pub(super) fn ask(&self) -> Result<Vec<Context>, EvalError> {
        self.each(None)
    }

    /// The contexts of `run`: those of `ask`, and who approved.
    pub(super) fn run(&self, tally: Tally) -> Result<Vec<Context>, EvalError> {
        self.each(Some(&votes(tally)?))
    }

    fn each(&self, votes: Option<&(String, Value)>) -> Result<Vec<Context>, EvalError> {
        let context = |input: &Value| {
            let pairs = [("claim", &self.claim), ("facts", &self.facts), ("input", input)];
            let pairs = pairs.map(|(name, value)| (name.to_owned(), value.clone()));
            Ok(Context::from_pairs(pairs.into_iter().chain(votes.cloned()))?)
        };
        self.inputs.iter().map(context).collect()
    }
}

fn votes(tally: Tally) -> Result<(String, Value), EvalError> {
    let votes = record([
        ("people", long(tally.people)),
        ("analyst", long(tally.analyst)),
        ("senior", long(tally.senior)),
        ("lead", long(tally.lead)),
    ])?;
    Ok(("votes".to_owned(), votes))
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
        ("when_back", Value::new_bool(question.when_back)),
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

fn text(value: &str) -> Value {
    Value::new_string(value.to_owned())
}

/// Numbers beyond Cedar's count as its greatest.
fn long(number: impl Into<u64>) -> Value {
    Value::new_long(i64::try_from(number.into()).unwrap_or(i64::MAX))
}
