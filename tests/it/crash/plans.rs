//! A plan whose program is killed between two steps.

use serde_json::json;

use super::Story;
use crate::{
    broker::plans::{Asked, block, propose, states},
    harness::AgentClient,
};

/// The states of two steps after a kill at a failpoint and a restart.
async fn killed(failpoint: &str) -> (Story, Vec<String>) {
    let story = Story::begin().await;
    story.run_at_once();
    let mut server = story.program.serve_until(failpoint);
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let plan = Asked::of(&propose(&agent, "stop", &[block("001"), block("005")]).await);
    server.halted().await;
    server.kill();
    let server = story.program.serve();
    let agent = AgentClient::connect(&server.url, &story.token).await;
    let wait = json!({ "plan_id": plan.id, "timeout_seconds": 50 });
    let told = agent.call("get_plan", wait).await;
    story.manager.settled().await;
    (story, states(&told))
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_between_steps_keeps_order_and_repeats_nothing() {
    for failpoint in ["after the end", "in the claim of a step"] {
        let (story, states) = killed(failpoint).await;
        assert_eq!(states, ["settled", "settled"], "{failpoint}");
        let calls = story.manager.received();
        let called: Vec<_> = calls.iter().flat_map(|call| call.asked.clone()).collect();
        assert_eq!(called, ["001", "005"], "{failpoint}");
        story.never_twice();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn crash_that_leaves_unknown_stops_the_plan() {
    for failpoint in ["after the claim", "in the answer"] {
        let (story, states) = killed(failpoint).await;
        assert_eq!(states, ["settled", "withdrawn"], "{failpoint}");
        assert!(story.manager.delivered_to("005").is_empty(), "{failpoint}");
        story.never_twice();
    }
}
