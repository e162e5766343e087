//! What an agent is told of what was learnt after the call: evidence, ends, undos, and the lack of
//! them.

use countersign::{
    broker::{queries::RequestSummary, requests::undo::UndoOption},
    domain::{
        decision::{NOTHING_LEFT, Reason},
        evidence::Evidence,
        id::RequestId,
        request::{Counts, Outcome, Proof, Request, State},
    },
    mcp::{
        answer::{AnswerContext, of_list, of_request},
        tools::ToolName,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    json_schema::faults,
    request_states::{
        EVIL, around, at, denied, not_sent, output_schema, pending, ran, refused, request, settled,
        show, unknown,
    },
};

fn alert() -> Evidence {
    Evidence {
        index: "wazuh-alerts-4.x-2026.11.23".to_owned(),
        alert: "AV_x1".to_owned(),
        rule: "651".to_owned(),
        at: at(6),
        of_request: None,
        version: None,
    }
}

fn other() -> RequestId {
    RequestId::from(Uuid::from_u128(8))
}

fn confirmed() -> Outcome {
    Outcome::Confirmed(Proof::Alert(alert()))
}

fn by_hand() -> Outcome {
    Outcome::Confirmed(Proof::Person(EVIL.to_owned()))
}

fn not_done() -> Outcome {
    Outcome::Refused { code: None, message: EVIL.to_owned() }
}

fn unconfirmed() -> Outcome {
    Outcome::Unconfirmed { why: EVIL.to_owned() }
}

/// Every outcome of the time after the call, with the words for it and whether it is an error
/// where it is the only one.
fn learnt() -> Vec<(Outcome, &'static str, bool)> {
    let seen = || Some(alert());
    vec![
        (confirmed(), "Confirmed means that the endpoint's own alert shows that the script", false),
        (by_hand(), "Confirmed by a person means", false),
        (unconfirmed(), "WARNING: unconfirmed means that it was sent and nobody saw it", false),
        (Outcome::Ended { seen: seen() }, "Ended (seen) means", false),
        (Outcome::Ended { seen: None }, "Ended (not seen) means", false),
        (Outcome::Reverted { by: other(), seen: seen() }, "Reverted (seen) means", false),
        (Outcome::Reverted { by: other(), seen: None }, "Reverted (not seen) means", false),
        (not_done(), "A person found that it was not done", true),
    ]
}

fn message(request: &Request) -> String {
    show(request).structured["message"].as_str().unwrap().to_owned()
}

/// The shown part of endpoint 006, after a look at the schema.
fn first(request: &Request) -> Value {
    let shown = show(request).structured;
    let schema = output_schema(ToolName::GetRequest);
    assert_eq!(faults(&schema, &shown), Vec::<String>::new(), "{shown:#}");
    shown["endpoints"]["outcomes"][0].clone()
}

#[test]
fn every_outcome_is_explained_in_own_words() {
    for (outcome, words, error) in learnt() {
        let settled = settled([outcome.clone(), outcome]);
        first(&settled);
        let message = message(&settled);
        assert_eq!(message.matches(words).count(), 1, "{message}");
        assert!(!message.contains("ignore") && !message.contains("Nothing was sent"), "{message}");
        assert_eq!(show(&settled).is_error, error, "{message}");
    }
}

#[test]
fn evidence_names_alert_and_its_proof() {
    let shown = |outcome| first(&settled([outcome, not_sent()]))["evidence"].clone();
    let mut expected = json!({
        "index": "wazuh-alerts-4.x-2026.11.23", "alert": "AV_x1", "rule": "651",
        "at": "2026-11-23T10:06:00Z", "proves": "the script started on this endpoint",
    });
    assert_eq!(shown(confirmed()), expected);
    expected["proves"] = json!("the endpoint took the response back");
    assert_eq!(shown(Outcome::Ended { seen: Some(alert()) }), expected);
    assert_eq!(shown(Outcome::Reverted { by: other(), seen: Some(alert()) }), expected);
    for unseen in [Outcome::Ended { seen: None }, by_hand(), unconfirmed(), Outcome::Sent] {
        assert_eq!(shown(unseen), Value::Null);
    }
}

#[test]
fn unconfirmed_outcome_is_a_warning_against_repeating() {
    let message = message(&settled([unconfirmed(), confirmed()]));
    for words in ["009 confirmed", "006 UNCONFIRMED", "Tell the user now", "do not repeat it"] {
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn sent_outcome_says_whether_evidence_is_collected() {
    let sent = settled([Outcome::Sent, Outcome::Sent]);
    for (has_evidence, words) in [(true, "still looked for"), (false, "Nothing checked")] {
        let shown = of_request(&sent, &AnswerContext { has_evidence, ..around() }).structured;
        let message = shown["message"].as_str().unwrap();
        assert!(message.contains("not that it ran") && message.contains(words), "{message}");
    }
}

#[test]
fn end_time_appears_only_while_response_may_be_active() {
    let until = |outcome| {
        let mut settled = settled([outcome, refused()]);
        for target in &mut settled.targets {
            (target.since, target.ends) = (Some(at(5)), Some(at(15)));
        }
        first(&settled)["until"].clone()
    };
    for stands in [Outcome::Sent, unknown(), confirmed(), unconfirmed()] {
        assert_eq!(until(stands), "2026-11-23T10:15:00Z");
    }
    let reverted = Outcome::Reverted { by: other(), seen: None };
    for over in [Outcome::Ended { seen: None }, reverted, refused(), not_sent()] {
        assert_eq!(until(over), Value::Null);
    }
}

#[test]
fn doubt_is_reported_with_its_text_kept_apart() {
    let mut doubtful = settled([confirmed(), confirmed()]);
    doubtful.targets[0].doubt = Some(EVIL.to_owned());
    assert_eq!(first(&doubtful)["doubt"], EVIL);
    let told = message(&doubtful);
    assert!(told.contains("Something speaks against its effect"), "{told}");
    assert!(!message(&settled([confirmed(), confirmed()])).contains("speaks against"));
}

#[test]
fn undo_and_undone_request_refer_to_each_other() {
    let reverted = settled([Outcome::Reverted { by: other(), seen: None }, refused()]);
    assert_eq!(first(&reverted).get("reverted_by"), None, "it may not be seen");
    let context = AnswerContext { undos: vec![other()], ..around() };
    let seen = of_request(&reverted, &context).structured;
    assert_eq!(seen["endpoints"]["outcomes"][0]["reverted_by"], other().to_string());
    assert_eq!(show(&reverted).structured["undoes"], Value::Null);
    let undo = undo_of_another(settled([Outcome::Sent, Outcome::Sent]));
    first(&undo);
    let shown = show(&undo).structured;
    assert_eq!(shown["undoes"], other().to_string());
    assert_eq!(shown["effect"], "Unblock 203.0.113.9 on 2 endpoints");
}

fn undo_of_another(mut request: Request) -> Request {
    request.action = request.action.undo().unwrap();
    request.undoes = Some(other());
    request
}

#[test]
fn impossible_undo_points_to_manual_steps() {
    let mut nowhere = undo_of_another(denied());
    nowhere.targets.clear();
    nowhere.decision.reasons =
        vec![Reason { policy: NOTHING_LEFT.to_owned(), why: EVIL.to_owned() }];
    let shown = show(&nowhere);
    let message = shown.structured["message"].as_str().unwrap();
    assert!(shown.is_error && message.contains("cannot be undone through Wazuh"), "{message}");
    assert!(message.contains("by hand") && !message.contains("ignore"), "{message}");
}

#[test]
fn answer_says_beforehand_whether_undo_is_possible() {
    let shown = |undo| {
        let sent = settled([Outcome::Sent, Outcome::Sent]);
        let shown = of_request(&sent, &AnswerContext { undo, ..around() }).structured;
        assert_eq!(faults(&output_schema(ToolName::UndoRequest), &shown), Vec::<String>::new());
        shown["undo"].clone()
    };
    let note = || "in words".to_owned();
    assert_eq!(
        shown(UndoOption::Possible { note: note() }),
        json!({ "possible": true, "note": note() })
    );
    assert_eq!(
        shown(UndoOption::Impossible { why: note() }),
        json!({ "possible": false, "note": note() })
    );
    assert_eq!(shown(UndoOption::Nothing), Value::Null);
}

#[test]
fn troubles_are_shown_only_on_requests_they_delay() {
    let use_by = at(15);
    let outages = vec!["the manager main does not answer".to_owned()];
    let shown = |request: &Request| {
        let outages = outages.clone();
        let shown = of_request(request, &AnswerContext { outages, ..around() }).structured;
        assert_eq!(faults(&output_schema(ToolName::GetRequest), &shown), Vec::<String>::new());
        shown
    };
    for state in [State::Approved { use_by }, State::Dispatching { use_by }] {
        let shown = shown(&request(state, ran()));
        assert_eq!(shown["troubles"], json!(outages));
        let message = shown["message"].as_str().unwrap();
        assert!(message.contains("nothing needs to be asked again"), "{message}");
    }
    for request in [pending(), denied(), settled([Outcome::Sent, Outcome::Sent])] {
        let shown = shown(&request);
        assert_eq!(shown["troubles"], Value::Null);
        assert!(!shown["message"].as_str().unwrap().contains("troubles"), "{shown}");
    }
}

#[test]
fn endpoints_name_their_manager_only_with_several_managers() {
    let sent = settled([Outcome::Sent, Outcome::Sent]);
    for (several_managers, named) in [(false, Value::Null), (true, json!("main/006"))] {
        let shown = of_request(&sent, &AnswerContext { several_managers, ..around() }).structured;
        assert_eq!(faults(&output_schema(ToolName::GetRequest), &shown), Vec::<String>::new());
        assert_eq!(shown["manager"], "main");
        assert_eq!(shown["endpoints"]["outcomes"][0]["id"], "006");
        assert_eq!(shown["endpoints"]["outcomes"][0]["endpoint"], named);
        let skipped = &shown["endpoints"]["skipped"][0]["endpoint"];
        assert_eq!(skipped.is_null(), named.is_null(), "{skipped}");
    }
}

#[test]
fn list_shows_undone_request_and_counts_every_outcome() {
    let undo = undo_of_another(pending());
    let summary = RequestSummary {
        plan: None,
        id: undo.id,
        agent_name: undo.agent_name,
        undoes: undo.undoes,
        action: undo.action,
        term: undo.term,
        state: undo.state.name(),
        asked_at: undo.asked_at,
        deadline: undo.deadline,
        approvals: 0,
        approvers: String::new(),
        counts: Counts { targets: 36, skipped: 0, outcomes: [1, 2, 3, 4, 5, 9, 6, 7, 8] },
        held_because: None,
    };
    let shown = of_list(&[summary], 5).structured;
    let schema = output_schema(ToolName::ListRequests);
    assert_eq!(faults(&schema, &shown), Vec::<String>::new(), "{shown:#}");
    let shown = &shown["requests"][0];
    assert_eq!(shown["undoes"], other().to_string());
    assert_eq!(shown["effect"], "Unblock 203.0.113.9 on 36 endpoints");
    let counts = json!({
        "sent": 1, "refused": 2, "not_sent": 3, "unknown": 4,
        "confirmed": 5, "verified": 9, "unconfirmed": 6, "ended": 7, "reverted": 8,
    });
    assert_eq!((&shown["counts"], &shown["selected"]), (&counts, &json!(36)));
}
