//! The command line, which shows the audit in a terminal.

use super::{hostile_texts::corpus, visible_checks::assert_clean};
use crate::harness::{AgentClient, PersonClient, installation::Installation};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_is_clean_in_terminal() {
    let installed = Installation::new().await;
    installed.configure("[agents]\nasks_per_minute_max = 1000\nopen_requests_max = 1000\n");
    let program = &installed.program;
    let serving = program.serve();
    let agent = AgentClient::connect(&serving.url, &installed.token).await;
    let mut stranger = PersonClient::stranger(&serving.url);
    for (number, (_, text)) in corpus().into_iter().enumerate() {
        stranger.try_sign_in(&text, "a wrong password").await;
        // What is refused is written down with what was sent.
        let refused = agent.disable(&text, json!({ "agent_ids": ["001"] })).await;
        assert!(refused.error);
        let srcip = format!("203.0.113.{}", 1 + number);
        let more = json!({ "agent_ids": ["001"], "reason": text });
        let id = agent.block(&srcip, more).await.id();
        let cancel = json!({ "request_id": id, "reason": text });
        assert!(!agent.call("cancel_request", cancel).await.error);
    }
    let out = program.done(&["audit", "query", "--limit", "1000"]);
    assert!(out.lines().count() > 3 * corpus().len(), "{out}");
    assert_clean(&out, "audit query");
    for (name, text) in corpus() {
        if let Some(words) = text.get(..12).filter(|words| words.is_ascii()) {
            let there = words.contains(char::is_control) || out.contains(words.trim());
            assert!(there, "{name} is not shown at all");
        }
        if !text.contains('\0') {
            let output = program.run(&["audit", "query", "--actor", &text]);
            assert_clean(&String::from_utf8(output.stdout).unwrap(), name);
        }
    }
}
