//! What a case says of a person or an agent who does something. Whatever it leaves out is as in a plain
//! situation: an analyst of no team who gave the password half a minute ago and has nothing to do with the
//! agent.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::form::{ISSUER, OWNER, action, agent, id, usual_action};
use crate::domain::{
    action::Catalogue,
    actor::{Agent, Person, Role},
    decision::Tier,
    facts::{ActProof, Authentication, Principal, RequestFacts, Resource, Verb},
    id::PersonId,
    site::Site,
};

/// What a person or an agent does, and what policy should answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonActionForm {
    verb: String,
    #[serde(default)]
    by: AgentCaseForm,
    /// What the request is about, where the verb is about a request.
    #[serde(default)]
    action: Option<String>,
    #[serde(default = "lowest")]
    criticality: u8,
    /// How much it asks of people: low, medium, high.
    #[serde(default = "low")]
    tier: String,
    /// Where its endpoints are; at the manager `main`, in the group `default`, where it is left out.
    #[serde(default)]
    sites: Option<Vec<SiteForm>>,
}

/// Where some endpoints are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteForm {
    manager: String,
    #[serde(default)]
    groups: Vec<String>,
}

fn low() -> String {
    Tier::Low.name().to_owned()
}

const fn lowest() -> u8 {
    1
}

/// Who does it.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AgentCaseForm {
    who: Who,
    role: String,
    auth_age_seconds: u64,
    /// As old as the password where the case does not say.
    proof_age_seconds: Option<u64>,
    proof: String,
    must_change_password: bool,
    disabled: bool,
    on_call: bool,
    teams: BTreeSet<String>,
}

impl Default for AgentCaseForm {
    fn default() -> Self {
        Self {
            who: Who::Anybody,
            role: Role::Analyst.name().to_owned(),
            auth_age_seconds: 30,
            proof_age_seconds: None,
            proof: ActProof::None.name().to_owned(),
            must_change_password: false,
            disabled: false,
            on_call: false,
            teams: BTreeSet::new(),
        }
    }
}

/// How the one who acts is related to the request.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Who {
    Anybody,
    Owner,
    FormerOwner,
    Issuer,
    FormerIssuer,
    Asker,
    Agent,
    OtherAgent,
}

impl Who {
    pub(super) fn person(self) -> Result<PersonId, String> {
        match self {
            Self::Anybody => id("per", 1),
            Self::Owner => id("per", OWNER),
            Self::FormerOwner => id("per", 3),
            Self::Issuer => id("per", ISSUER),
            Self::FormerIssuer => id("per", 5),
            Self::Asker => id("per", 6),
            Self::Agent | Self::OtherAgent => Err("an agent is not a person".to_owned()),
        }
    }
}

impl PersonActionForm {
    pub(super) fn parts(
        &self,
        catalogue: &Catalogue,
    ) -> Result<(Principal, Verb, Resource), String> {
        let verb = Verb::parse(&self.verb).ok_or_else(|| {
            let known = Verb::ALL.map(Verb::name).join(", ");
            format!("`{}` is not a verb; allowed: {known}", self.verb)
        })?;
        let on = match verb {
            Verb::Approve
            | Verb::Reject
            | Verb::Retract
            | Verb::Cancel
            | Verb::Undo
            | Verb::Resolve
            | Verb::Comment
            | Verb::BreakGlass
            | Verb::Review
            | Verb::View => Resource::Request(self.request(catalogue)?),
            Verb::ViewAudit
            | Verb::ActivatePolicy
            | Verb::Freeze
            | Verb::Unfreeze
            | Verb::ManagePeople
            | Verb::ManageAgents => Resource::System,
        };
        Ok((self.by.principal()?, verb, on))
    }

    fn request(&self, catalogue: &Catalogue) -> Result<RequestFacts, String> {
        let kind = match &self.action {
            Some(name) => name,
            None => usual_action(),
        };
        Ok(RequestFacts {
            id: id("req", 1)?,
            agent: agent(false)?,
            owner_then: Who::FormerOwner.person()?,
            issuer_then: Some(Who::FormerIssuer.person()?),
            asker: Some(Who::Asker.person()?),
            action: action(catalogue, kind, None)?,
            criticality: self.criticality,
            tier: Tier::parse(&self.tier)
                .ok_or_else(|| format!("tier {:?}: allowed are low, medium, high", self.tier))?,
            sites: self.sites()?,
        })
    }

    fn sites(&self) -> Result<BTreeSet<Site>, String> {
        match self.sites.as_deref() {
            Some([]) => Err("`sites` is empty; allowed: one or more".to_owned()),
            Some(all) => Ok(all.iter().map(|one| Site::new(&one.manager, &one.groups)).collect()),
            None => Ok(BTreeSet::from([Site::new("main", &["default".to_owned()])])),
        }
    }
}

impl AgentCaseForm {
    fn principal(&self) -> Result<Principal, String> {
        let person = match self.who {
            Who::Agent => return Ok(Principal::Agent(agent(false)?)),
            Who::OtherAgent => {
                return Ok(Principal::Agent(Agent { id: id("agt", 2)?, ..agent(false)? }));
            }
            Who::Anybody
            | Who::Owner
            | Who::FormerOwner
            | Who::Issuer
            | Who::FormerIssuer
            | Who::Asker => Person {
                must_change_password: self.must_change_password,
                disabled: self.disabled,
                on_call: self.on_call,
                teams: self.teams.clone(),
                ..Person::new(self.who.person()?, "somebody".to_owned(), self.role.parse()?)
            },
        };
        let proof = self.proof.parse().map_err(|_unknown| {
            format!("proof {:?}: allowed are none, password, passkey, provider", self.proof)
        })?;
        let proof_age_seconds = self.proof_age_seconds.unwrap_or(self.auth_age_seconds);
        let given = Authentication { age_seconds: self.auth_age_seconds, proof_age_seconds, proof };
        Ok(Principal::Person(person, given))
    }
}
