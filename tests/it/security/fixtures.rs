//! What several attacks need.

use std::path::Path;

use countersign::{
    broker::{SignedIn, admin::people::PersonChange},
    domain::actor::Actor,
};

use crate::harness::{PASSWORD, World};

/// Adds a policy to a folder that forbids every response to a group.
pub(super) fn hands_off(folder: &Path, group: &str) {
    let text = format!(
        "@id(\"never.{group}\")\n@why(\"hands off {group}\")\nforbid (\n  principal is \
         Countersign::Agent,\n  action in Countersign::Action::\"ask\",\n  resource in \
         Countersign::Group::\"{group}\"\n);\n"
    );
    std::fs::write(folder.join("60_hands_off.cedar"), text).unwrap();
}

/// Somebody as the page knows them after it has looked at the session, and before it acts.
pub(super) async fn looked_at(world: &World, name: &str) -> SignedIn {
    let token = world.broker().sign_in(name, PASSWORD).await.unwrap();
    world.broker().session(&token).await.unwrap().unwrap()
}

pub(super) async fn change(world: &World, name: &str, change: PersonChange) {
    let operator = world.operator();
    operator.change_person(&Actor::CommandLine, name, &change).await.unwrap();
}
