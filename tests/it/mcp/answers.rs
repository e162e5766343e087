//! What an agent is shown of a request, in every state.

use crate::harness::kind;
use countersign::{
    broker::{queries::RequestSummary, requests::undo::UndoOption},
    domain::{
        action::{Action, Term},
        decision::{NOTHING_LEFT, Reason, Tally, Verdict},
        endpoint::SkipReason,
        halt::HaltCause,
        id::RequestId,
        request::{Counts, Outcome, Request, State, StateName},
    },
    mcp::{
        answer::{AnswerContext, of_list, of_request},
        tools::ToolName,
    },
    text::agent_message::Obstacle,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    json_schema::faults,
    request_states::{
        EVIL, ONE, URL, all, around, at, cancelled, decision, denied, not_sent, output_schema,
        pending, ran, refused, rejected, request, says, settled, show, target, unknown,
    },
};

#[test]
fn every_state_conforms_to_declared_schema() {
    let schema = output_schema(ToolName::GetRequest);
    let states: Vec<_> = all().iter().map(|(request, _)| request.state.name()).collect();
    assert!(StateName::ALL.iter().all(|state| states.contains(state)));
    for (request, _) in all() {
        let shown = show(&request).structured;
        assert_eq!(faults(&schema, &shown), Vec::<String>::new(), "{shown:#}");
        assert_eq!(shown["terminal"], request.state.name().terminal());
    }
}

#[test]
fn only_requests_that_cannot_have_run_are_errors() {
    for (request, error) in all() {
        assert_eq!(show(&request).is_error, error, "{:?} {:?}", request.state, request.targets);
    }
}

#[test]
fn answer_text_equals_structured_content() {
    for (request, _) in all() {
        let answer = show(&request);
        let text: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(text, answer.structured);
    }
}

#[test]
fn messages_never_repeat_external_text() {
    for (mut request, _) in all() {
        for target in &mut request.targets {
            target.outcome = target.outcome.take().map(|outcome| match outcome {
                Outcome::Sent => Outcome::Sent,
                Outcome::Refused { code, .. } => {
                    Outcome::Refused { code, message: EVIL.to_owned() }
                }
                Outcome::NotSent { .. } => Outcome::NotSent { why: EVIL.to_owned() },
                Outcome::Unconfirmed { .. } => Outcome::Unconfirmed { why: EVIL.to_owned() },
                other @ (Outcome::Confirmed(_)
                | Outcome::Verified(_)
                | Outcome::Ended { .. }
                | Outcome::Reverted { .. }) => other,
                Outcome::Unknown { .. } => Outcome::Unknown { why: EVIL.to_owned() },
            });
        }
        for skipped in &mut request.skipped {
            skipped.reason = SkipReason::NotActive(EVIL.to_owned());
        }
        for target in &mut request.targets {
            target.doubt = Some(EVIL.to_owned());
        }
        request.held_because = request.held_because.map(|_| EVIL.to_owned());
        request.decision.errors = vec![EVIL.to_owned()];
        let outages = vec![EVIL.to_owned()];
        let undo = UndoOption::Possible { note: EVIL.to_owned() };
        let shown = of_request(&request, &AnswerContext { outages, undo, ..around() }).structured;
        let message = shown["message"].as_str().unwrap();
        assert!(!message.contains("ignore"), "{message}");
        assert!(!shown["effect"].as_str().unwrap().contains("ignore"));
    }
}

#[test]
fn open_request_describes_its_next_step() {
    says(
        &pending(),
        "Waiting for an analyst. Do not ask again; call wait_for_decision. Needed: 2 people, \
         one of them a senior or lead; approved so far: 1 person. Nothing was sent so far. \
         Left out: 004, 005 not active.",
    );
    let approved = request(State::Approved { use_by: at(15) }, decision(Verdict::Run, Tally::NONE));
    says(
        &approved,
        "Policy lets it run without people; it is about to be sent. Do not ask again; call \
         wait_for_decision. Left out: 004, 005 not active.",
    );
}

#[test]
fn approved_request_names_what_keeps_it_back() {
    let request = request(State::Approved { use_by: at(15) }, ran());
    let held = Request { held_because: Some("the login failed".to_owned()), ..request.clone() };
    says(
        &held,
        "People approved it. It cannot be sent at the moment; held_because says why. It is tried \
         again by itself. Do not ask again; call wait_for_decision. Left out: 004, 005 not active.",
    );
    for (stopped, said) in [
        (Obstacle::KillSwitch, "The kill switch keeps it from being sent"),
        (Obstacle::Halt(HaltCause::CommitFailed), "The broker's database fails"),
    ] {
        let context = AnswerContext { stopped: Some(stopped), ..around() };
        let message = of_request(&request, &context).structured["message"].to_string();
        assert!(message.contains(said) && !message.contains("about to be sent"), "{message}");
    }
}

#[test]
fn settled_request_names_every_endpoint_by_outcome() {
    says(
        &settled([Outcome::Sent, Outcome::Sent]),
        "Block 203.0.113.9 on 2 endpoints for 10 minutes: 006, 009 sent; 004, 005 not active. \
         Sent means that the manager queued it, not that it ran. The endpoint's own alert is \
         still looked for: call get_request later.",
    );
    says(
        &settled([refused(), unknown()]),
        "Block 203.0.113.9 on 2 endpoints for 10 minutes: 006 refused by the manager (code \
         1750); 009 unknown; 004, 005 not active. Unknown means that it may or may not have \
         run: do not repeat it there; tell the user that a person has to check.",
    );
    says(
        &settled([refused(), not_sent()]),
        "Block 203.0.113.9 on 2 endpoints for 10 minutes: 006 refused by the manager (code \
         1750); 009 not sent; 004, 005 not active. Nothing was sent. Tell the user before you \
         ask for anything else.",
    );
}

#[test]
fn refusal_gives_reason_and_advises_against_retry() {
    says(
        &denied(),
        "Policy refuses it: because the policy says so. Nothing was sent. Do not ask again, \
         in these or other words; tell the user. Left out: 004, 005 not active.",
    );
    let mut failed = denied();
    failed.decision.errors = vec!["attribute not found".to_owned()];
    says(
        &failed,
        "Policy refuses it: policy could not be evaluated, and that means no. Nothing was \
         sent. Do not ask again, in these or other words; tell the user. Left out: 004, 005 \
         not active.",
    );
}

#[test]
fn request_without_endpoints_explains_itself() {
    let mut nowhere = denied();
    nowhere.targets.clear();
    nowhere.decision.reasons =
        vec![Reason { policy: NOTHING_LEFT.to_owned(), why: EVIL.to_owned() }];
    says(
        &nowhere,
        "There is no endpoint that it could run on; decision.policies says why. Nothing was sent. \
         Do not ask again before that has changed; tell the user. Left out: 004, 005 not active.",
    );
}

#[test]
fn decision_is_auto_only_without_required_approval() {
    let outcome =
        |decision| show(&request(State::Pending, decision)).structured["decision"].clone();
    let policies = json!([{ "id": "run.some", "why": "because the policy says so" }]);
    assert_eq!(
        outcome(decision(Verdict::Run, Tally::NONE)),
        json!({ "outcome": "auto", "policies": policies })
    );
    assert_eq!(outcome(ran()), json!({ "outcome": "approval", "policies": policies }));
    assert_eq!(
        outcome(decision(Verdict::Approval(ONE), Tally::NONE)),
        json!({ "outcome": "approval", "needs": "1 person", "policies": policies })
    );
    assert_eq!(
        outcome(decision(Verdict::Deny, Tally::NONE)),
        json!({ "outcome": "deny", "policies": policies })
    );
}

#[test]
fn ended_request_tells_who_when_and_why() {
    let end = |request: &Request| show(request).structured["ended"].clone();
    let when = "2026-11-23T10:04:00Z";
    assert_eq!(end(&rejected()), json!({ "at": when, "by": "bob", "reason": EVIL }));
    assert_eq!(end(&cancelled()), json!({ "at": when, "by": "triage-bot" }));
    assert_eq!(end(&pending()), Value::Null);
    let shown = show(&pending()).structured;
    assert_eq!(shown["expires_at"], "2026-11-23T10:30:00Z");
    assert_eq!(shown["approval_url"], format!("{URL}/requests/{}", pending().id));
}

#[test]
fn endpoint_without_outcome_has_name_only() {
    let shown = show(&pending()).structured;
    assert_eq!(shown["endpoints"]["outcomes"][0], json!({ "id": "006", "name": EVIL }));
    assert_eq!(shown["endpoints"]["counts"], json!({ "skipped": 2 }));
    let mut all_take_part = pending();
    all_take_part.skipped.clear();
    let endpoints = show(&all_take_part).structured["endpoints"].clone();
    assert_eq!((&endpoints["counts"], &endpoints["selected"]), (&Value::Null, &json!(2)));
}

#[test]
fn many_endpoints_are_counted_and_exceptions_named() {
    let mut many = settled([Outcome::Sent, refused()]);
    many.targets = (100..160).map(|id| target(&id.to_string(), Some(Outcome::Sent))).collect();
    many.targets.push(target("200", Some(unknown())));
    let shown = show(&many).structured;
    assert_eq!(faults(&output_schema(ToolName::GetRequest), &shown), Vec::<String>::new());
    let endpoints = &shown["endpoints"];
    assert_eq!(endpoints["outcomes"], Value::Null);
    assert_eq!(endpoints["skipped"].as_array().unwrap().len(), 2);
    assert_eq!(endpoints["selected"], 61);
    assert_eq!(endpoints["counts"], json!({ "skipped": 2, "sent": 60, "unknown": 1 }));
    let message = shown["message"].as_str().unwrap();
    assert!(message.contains("60 endpoints sent; 200 unknown; 004, 005 not active"), "{message}");
}

#[test]
fn list_offers_cursor_only_when_more_remains() {
    let summary = |number| RequestSummary {
        plan: None,
        id: RequestId::from(Uuid::from_u128(number)),
        agent_name: "triage-bot".to_owned(),
        undoes: None,
        action: Action::parse(kind("disable_account"), "alice").unwrap(),
        term: Term::Permanent,
        state: StateName::Pending,
        asked_at: at(0),
        deadline: at(30),
        approvals: 0,
        approvers: String::new(),
        counts: Counts { targets: 3, skipped: 1, ..Counts::default() },
        held_because: None,
    };
    let found = [summary(3), summary(2), summary(1)];
    let schema = output_schema(ToolName::ListRequests);
    for (limit, next) in [(2, json!(summary(2).id.to_string())), (3, Value::Null)] {
        let shown = of_list(&found, limit).structured;
        assert_eq!(faults(&schema, &shown), Vec::<String>::new(), "{shown:#}");
        let number = u32::try_from(shown["requests"].as_array().unwrap().len()).unwrap();
        assert_eq!(number, limit);
        assert_eq!(shown["next"], next);
        let effect = "Disable account alice on 3 endpoints until somebody undoes it";
        assert_eq!(shown["requests"][0]["effect"], effect);
    }
}
