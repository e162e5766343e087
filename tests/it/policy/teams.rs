//! What policies show to people in teams, and to those in none.

use std::collections::BTreeSet;

use countersign::{
    domain::{
        actor::{Person, Role},
        site::Site,
    },
    policy::{Engine, PolicyFiles},
};

use super::{OWNER, STARTER, folder, person};
use crate::security::teams::TEAMS;

fn engine(change: impl Fn(&str) -> String) -> Engine {
    let files: Vec<_> = STARTER.iter().map(|(path, text)| (*path, change(text))).collect();
    let mut files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    files.push(("60_teams.cedar", TEAMS));
    let folder = folder(&files);
    Engine::new(PolicyFiles::read(folder.path()).unwrap()).unwrap()
}

fn in_teams(teams: &[&str]) -> Person {
    let teams: BTreeSet<_> = teams.iter().map(|team| (*team).to_owned()).collect();
    Person { teams, ..person(OWNER, Role::Lead) }
}

fn site(manager: &str, groups: &[&str]) -> Site {
    let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
    Site::new(manager, &groups)
}

#[test]
fn team_sees_what_a_policy_shows_to_it() {
    let engine = engine(str::to_owned);
    for (teams, site, seen) in [
        (&[][..], site("main", &["linux"]), true),
        (&["office"], site("main", &["default", "office"]), true),
        (&["office"], site("main", &["default"]), false),
        (&["office"], site("second", &[]), false),
        (&["second"], site("second", &[]), true),
        (&["office", "second"], site("second", &["x"]), true),
        (&["unheard-of"], site("main", &["office"]), false),
    ] {
        assert_eq!(engine.may_view(&in_teams(teams), &site), seen, "{teams:?} {site:?}");
    }
    let closed = Person { disabled: true, ..in_teams(&[]) };
    assert!(!engine.may_view(&closed, &site("main", &[])));
}

#[test]
fn policy_naming_an_impossible_team_is_refused() {
    for wrong in ["EMEA", "", "a b", "-x"] {
        let text = TEAMS.replace("Team::\"office\"", &format!("Team::\"{wrong}\""));
        let mut files = STARTER.to_vec();
        files.push(("60_teams.cedar", text.as_str()));
        let error = super::load(&files).unwrap_err().to_string();
        assert!(error.contains(&format!("no team is called `{wrong}`")), "{error}");
    }
}

#[test]
fn cedar_is_asked_once_about_a_site() {
    let engine = engine(str::to_owned);
    let (bob, site) = (in_teams(&["office"]), site("main", &["office"]));
    assert!(engine.may_view(&bob, &site));
    let before = engine.evaluations();
    assert!(engine.may_view(&bob, &site));
    assert_eq!(engine.evaluations(), before);
    let other = Person { teams: BTreeSet::new(), ..bob };
    assert!(engine.may_view(&other, &site));
    assert_eq!(engine.evaluations(), before + 1, "another look is another question");
}

#[test]
fn set_that_shows_nobody_any_site_is_named() {
    let note = "nobody sees any request";
    assert!(!engine(str::to_owned).notes().concat().contains(note));
    let blind = engine(|text| {
        text.replace(
            "unless { resource is Countersign::Site && principal.in_team }",
            "unless { resource is Countersign::Site }",
        )
    });
    assert!(blind.notes().concat().contains(note), "{:?}", blind.notes());
    assert!(!blind.may_view(&in_teams(&[]), &site("main", &[])));
}
