//! What several attacks need.

use std::path::Path;

use countersign::{
    broker::{SignedIn, admin::people::PersonChange},
    domain::actor::Actor,
};

use crate::harness::{PASSWORD, World};

pub(super) const ALERT: &str = "1763800000.10001";

/// The policies that ship and one more that keeps everybody's hands off a group.
pub(super) fn copied_policies() -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    copy(&crate::harness::policies(), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

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
