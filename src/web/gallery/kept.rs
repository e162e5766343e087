//! Made-up pages about people and agents.

use askama::Template as _;

use super::{
    Layout, layout,
    made_up::{HOSTILE, agent, at, id, person},
    profiles::record,
};
use crate::{
    broker::queries::{Diagnosis, RecordOf, view::Permission},
    domain::{
        action::{ActionKind, Catalogue},
        actor::{Person, Role},
        public_url::PublicUrl,
    },
    text::agent_setup::client_setups,
    web::admin::{
        agents::{AgentPage, AgentsPage, named},
        people::{PeoplePage, PersonPage, SecretPage},
        security_review::SecurityReviewPage,
        setup::SetupPage,
    },
};

fn people() -> Vec<Person> {
    let mut carol = person(3, "carol", Role::Lead);
    (carol.on_call, carol.mail) = (true, Some("carol@example.net".to_owned()));
    carol.teams = ["apac", "emea"].map(str::to_owned).into();
    let mut gone = person(5, "gone", Role::Senior);
    gone.disabled = true;
    vec![person(1, "alice", Role::Analyst), carol, gone]
}

fn list(manage: Permission, problem: Option<String>) -> PeoplePage {
    PeoplePage {
        layout: layout("People", "/people"),
        people: people().into_iter().map(|person| (person, 2, Some(HOSTILE.to_owned()))).collect(),
        manage,
        problem,
        name: HOSTILE.to_owned(),
        role: "senior".to_owned(),
        mail: HOSTILE.to_owned(),
        teams: HOSTILE.to_owned(),
    }
}

fn one(person: Person, manage: Permission) -> PersonPage {
    PersonPage {
        layout: layout(&person.name, "/people"),
        sessions: 1,
        me: id(1),
        provided: None,
        manage,
        problem: None,
        role: person.role.name().to_owned(),
        mail: HOSTILE.to_owned(),
        teams: HOSTILE.to_owned(),
        record: record(&RecordOf::Person(person.id, person.name.clone()), "/people/carol", HOSTILE),
        person,
    }
}

fn agents(manage: Permission) -> AgentsPage {
    AgentsPage {
        layout: layout("Agents", "/agents"),
        agents: vec![named(agent(), &people())],
        manage,
        owners: vec!["alice".to_owned(), "carol".to_owned()],
        problem: None,
        name: HOSTILE.to_owned(),
        owner: "carol".to_owned(),
        responses: Catalogue::built_in().responses().to_vec(),
        scopes: vec![ActionKind::parse("block_ip").unwrap()],
    }
}

fn no() -> Permission {
    Permission::Denied("admins keep people and agents".to_owned())
}

pub(super) fn pages() -> Vec<(&'static str, askama::Result<String>)> {
    let [alice, carol, gone] = <[Person; 3]>::try_from(people()).unwrap();
    let agent = AgentPage {
        layout: layout("triage-bot", "/agents"),
        shown: named(agent(), &[]),
        manage: Permission::Now,
        problem: Some(HOSTILE.to_owned()),
        responses: Catalogue::built_in().responses().to_vec(),
        scopes: vec![ActionKind::parse("block_ip").unwrap()],
        refusals: Some(("11 refusals".to_owned(), at(30))),
        record: record(&RecordOf::Agent(id(50)), "/agents/triage-bot", HOSTILE),
    };
    let once = SecretPage {
        layout: layout("New token", "/agents"),
        what: "The token of triage-bot".to_owned(),
        secret: format!("cs_{}", "0123456789abcdef".repeat(4)),
        then: "Put it in the configuration of the agent's client.".to_owned(),
        setups: client_setups(&PublicUrl::parse("https://c.example").unwrap(), HOSTILE).into(),
        onward: ("/agents/triage-bot".to_owned(), "I have saved it".to_owned()),
    };
    let set_up = SetupPage {
        layout: Layout::anonymous("Set up Countersign"),
        problem: Some("The code is wrong. Nothing was changed.".to_owned()),
        code: HOSTILE.to_owned(),
        name: HOSTILE.to_owned(),
        chars_min: 12,
        chars_max: 128,
    };
    let review = SecurityReviewPage {
        layout: layout("Security review", "/system"),
        findings: vec![
            Diagnosis::good("admins", HOSTILE),
            Diagnosis::note("passwords", HOSTILE, HOSTILE),
            Diagnosis::bad("admins", HOSTILE, HOSTILE),
        ],
    };
    let provided =
        PersonPage { provided: Some(HOSTILE.to_owned()), ..one(carol.clone(), Permission::Now) };
    vec![
        ("people", list(no(), None).render()),
        ("people-admin", list(Permission::WithPassword, Some(HOSTILE.to_owned())).render()),
        ("person", one(carol, Permission::WithPassword).render()),
        ("person-me", one(alice, Permission::Now).render()),
        ("person-provided", provided.render()),
        ("person-disabled", one(gone, Permission::Now).render()),
        ("agents", agents(no()).render()),
        ("agents-admin", agents(Permission::WithPassword).render()),
        ("agent", agent.render()),
        ("once", once.render()),
        ("set-up", set_up.render()),
        ("security-review", review.render()),
    ]
}

#[test]
fn no_form_takes_focus_automatically() {
    for (name, html) in pages().into_iter().filter(|(name, _)| *name != "set-up") {
        assert!(!html.unwrap().contains("autofocus"), "{name}");
    }
}
