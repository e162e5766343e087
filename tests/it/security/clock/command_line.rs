//! What the command line writes goes by the machine's clock, and moves no other.

use countersign::{broker::admin::people::PersonChange, clock::Clock, domain::actor::Actor};

use super::{hours, watch};
use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn entry_of_command_line_moves_no_servers_clock() {
    let mut world = World::start().await;
    let last = world.clock.now();
    world.clock = Clock::manual(last + hours(3));
    let on_call = PersonChange::OnCall(true);
    world.operator().change_person(&Actor::CommandLine, "carol", &on_call).await.unwrap();
    world.clock = Clock::manual(last + hours(1));
    let world = world.restart().await;
    assert_eq!(watch(&world).await, None);
    assert_eq!(world.clock.now(), last + hours(1));
}
