//! What is recorded of who is in which team.

use countersign::{
    broker::admin::people::{NewPerson, PersonChange},
    domain::actor::{Actor, Role},
};

use super::Fixed;
use crate::harness::PASSWORD;

/// A person is added in a team, gets others, and none.
pub(super) async fn happen(fixed: &mut Fixed, root: &Actor) {
    let operator = fixed.operator();
    fixed.now("a person is added in a team").await;
    let (name, role, teams) = ("frida", Role::Analyst, &["emea".to_owned()]);
    let new = NewPerson { name, role, password: PASSWORD, must_change: false, mail: None, teams };
    operator.add_person(root, new).await.unwrap();
    for (what, teams) in [("other teams", &["apac", "emea"][..]), ("no team", &[])] {
        fixed.now(what).await;
        let teams = teams.iter().map(|team| (*team).to_owned()).collect();
        operator.change_person(root, "frida", &PersonChange::Teams(teams)).await.unwrap();
    }
}
