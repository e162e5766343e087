//! What several attacks need.

use countersign::{broker::admin::people::PersonChange, domain::actor::Actor};

use crate::harness::World;

/// Adds a policy to the world's own copy that forbids every response to a group. It is not yet
/// active.
pub(super) fn hands_off(world: &World, group: &str) {
    let text = format!(
        "@id(\"never.{group}\")\n@why(\"hands off {group}\")\nforbid (\n  principal is \
         Countersign::Agent,\n  action in Countersign::Action::\"ask\",\n  resource in \
         Countersign::Group::\"{group}\"\n);\n"
    );
    std::fs::write(world.policies.join("60_hands_off.cedar"), text).unwrap();
}

pub(super) async fn change(world: &World, name: &str, change: PersonChange) {
    let operator = world.operator();
    operator.change_person(&Actor::CommandLine, name, &change).await.unwrap();
}
