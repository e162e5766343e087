//! What a transition leaves behind: its audit event, the outcomes, the frozen facts.

use countersign::domain::{
    audit::EventKind,
    decision::Verdict,
    lifecycle::{Change, Next},
    request::{Attempt, Outcome, Request, StateName, Target},
};

use super::{
    fixtures::{
        USE_BY, all_sent, asked, attempt_id, by_others, claimed, decision, fresh, minute, order,
        stored,
    },
    input::{Input, Moved, Said, Which},
    walk::walk,
};

#[test]
fn every_transition_has_an_audit_event_naming_its_state() {
    for transition in walk().transitions() {
        let (request, event) = (transition.request(), transition.event());
        assert_eq!(event.request, Some(request.id));
        assert_eq!(event.action.as_deref(), Some("block_ip"));
        assert_eq!(event.target.as_deref(), Some("203.0.113.7"));
        assert_eq!(stored(event)["state"], request.state.name().name(), "{event:?}");
    }
}

#[test]
fn audit_event_kind_matches_the_transition() {
    for (step, moved) in walk().moves() {
        let withdrawn = moved.transition.request().state.name() == StateName::Withdrawn;
        let expected = match step.input {
            Input::Approve { .. } => EventKind::VoteApproved,
            Input::BreakGlass { .. } => EventKind::GlassBroken,
            Input::Reject { .. } => EventKind::RequestRejected,
            Input::Retract { .. } => EventKind::VoteRetracted,
            Input::Cancel { .. } => EventKind::RequestCancelled,
            Input::Expire { .. } => EventKind::RequestExpired,
            Input::Redecide { .. } | Input::LapseVotes { .. } if withdrawn => {
                EventKind::RequestWithdrawn
            }
            Input::Redecide { .. } | Input::LapseVotes { .. } => EventKind::RequestRedecided,
            Input::Withdraw { .. } => EventKind::RequestWithdrawn,
            Input::BeginTurn { .. } => EventKind::TurnCame,
            Input::Hold => EventKind::DispatchHeld,
            Input::Claim { .. } => EventKind::DispatchClaimed,
            Input::LoseAll { .. } | Input::Answer { .. } => EventKind::DispatchAnswered,
            Input::Resume { .. } => EventKind::DispatchResumed,
            Input::Recover { .. } => EventKind::DispatchRecovered,
            Input::Find { .. } => EventKind::CallsFound,
            Input::Return { .. } => EventKind::EndpointReturned,
            Input::EndWait { .. } => EventKind::WaitOver,
        };
        assert_eq!(moved.transition.event().kind(), expected, "{step:?}");
    }
    for beginning in &walk().beginnings {
        let child = beginning.request().parent().is_some();
        let expected = if child { EventKind::WaitBegan } else { EventKind::RequestAsked };
        assert_eq!(beginning.event().kind(), expected);
    }
}

#[test]
fn audit_event_names_the_actor() {
    for (step, moved) in walk().moves() {
        let expected = match step.input {
            Input::Approve { who, .. }
            | Input::BreakGlass { who, .. }
            | Input::Reject { who, .. }
            | Input::Retract { who, .. } => who.person().name,
            Input::Cancel { by_owner: true, .. } => "olga".to_owned(),
            Input::Cancel { by_owner: false, .. } => "triage".to_owned(),
            Input::Expire { .. }
            | Input::Redecide { .. }
            | Input::LapseVotes { .. }
            | Input::Withdraw { .. }
            | Input::BeginTurn { .. }
            | Input::Hold
            | Input::Claim { .. }
            | Input::LoseAll { .. }
            | Input::Answer { .. }
            | Input::Resume { .. }
            | Input::Recover { .. }
            | Input::Return { .. }
            | Input::EndWait { .. }
            | Input::Find { .. } => "countersign".to_owned(),
        };
        assert_eq!(moved.transition.event().actor.name(), expected, "{step:?}");
    }
    for beginning in &walk().beginnings {
        let child = beginning.request().parent().is_some();
        let expected = if child { "countersign" } else { "triage" };
        assert_eq!(beginning.event().actor.name(), expected);
    }
}

#[test]
fn decision_is_stored_and_audited_with_its_policies() {
    for (step, moved) in walk().moves() {
        let Some(verdict) = step.input.verdict() else { continue };
        if matches!(step.input, Input::Answer { .. } | Input::Resume { .. }) {
            continue;
        }
        let written = &stored(moved.transition.event())["decision"];
        assert_eq!(moved.transition.request().decision.verdict, verdict, "{step:?}");
        assert_eq!(written["verdict"], verdict.name(), "{step:?}");
        let by_others = matches!(step.input, Input::Redecide { other_policies: true, .. });
        let policy = if by_others { "q" } else { "p" };
        assert_eq!(written["policies"][0], policy, "{step:?}");
    }
}

#[test]
fn settled_request_has_outcome_for_every_endpoint() {
    for transition in walk().transitions() {
        let request = transition.request();
        if request.state.name() == StateName::Settled {
            for target in &request.targets {
                assert!(target.outcome.is_some() && target.outcome_at.is_some(), "{target:?}");
            }
        }
    }
}

#[test]
fn settled_event_names_outcome_of_every_endpoint() {
    for transition in walk().transitions() {
        let request = transition.request();
        // The end of a wait says nothing of endpoints: they are those of the children.
        let waited = transition.event().kind() == EventKind::WaitOver;
        if request.state.name() != StateName::Settled || waited {
            continue;
        }
        let detail = stored(transition.event());
        let written = detail["settled"].as_array().or(detail["outcomes"].as_array()).unwrap();
        let written = written.iter().map(|row| (row["endpoint"].as_str(), row["outcome"].as_str()));
        let known = request.targets.iter().map(|target| {
            (Some(target.endpoint.id.as_str()), target.outcome.as_ref().map(Outcome::name))
        });
        assert!(written.eq(known), "{transition:?}");
    }
}

#[test]
fn dispatch_outcome_never_changes_once_known() {
    for (step, moved) in walk().moves() {
        let pairs = step.before.request.targets.iter().zip(&moved.transition.request().targets);
        // What certainly was not sent to a child is forgotten when it waits again.
        let again = moved.transition.request().state.name() == StateName::Waiting
            && step.before.request.parent().is_some();
        for (before, after) in pairs.filter(|(before, _)| before.outcome.is_some() && !again) {
            assert_eq!(before, after, "{step:?}");
        }
    }
}

#[test]
fn outcome_equals_the_report() {
    for (step, moved) in walk().moves() {
        let Input::Answer { report, .. } = step.input else { continue };
        let called = open_attempt(&step.before.request).unwrap().id;
        let targets = moved.transition.request().targets.iter().zip(&step.before.request.targets);
        let called = targets.filter(|(_, before)| before.attempt == Some(called));
        for (place, (after, _)) in called.enumerate() {
            let name = after.outcome.as_ref().map(Outcome::name);
            match (report, place) {
                (Said::Mixed, 1) => assert_eq!(name, Some("refused"), "{step:?}"),
                (Said::AllSent | Said::Mixed, _) | (Said::Partly, 0) => {
                    assert_eq!(name, Some("sent"), "{step:?}");
                }
                (Said::AllAway, _) => {
                    let again = step.before.request.parent().is_some() && name.is_none();
                    assert!(again || name == Some("refused"), "{step:?}");
                }
                (Said::AllUnknown | Said::Partly, _) => {
                    assert_eq!(name, Some("unknown"), "{step:?}");
                }
                (Said::Nothing, _) => assert!(matches!(name, None | Some("not_sent")), "{step:?}"),
                (Said::Stranger, _) => panic!("{step:?}"),
            }
        }
    }
}

#[test]
fn uncalled_endpoint_is_never_sent_or_unknown() {
    // Calls that are found are those of a newer copy.
    let own = walk().moves().filter(|(step, _)| !matches!(step.input, Input::Find { .. }));
    for (step, moved) in own {
        for target in &moved.transition.request().targets {
            if target.attempt.is_none() {
                let name = target.outcome.as_ref().map_or("not_sent", Outcome::name);
                assert_eq!(name, "not_sent", "{step:?}");
            }
        }
    }
}

#[test]
fn transitions_never_change_frozen_fields() {
    for (step, moved) in walk().moves() {
        let after = moved.transition.request();
        let targets = step.before.request.targets.iter().zip(&after.targets);
        let still = |(before, after): (&Target, &Target)| Target {
            attempt: after.attempt,
            outcome: after.outcome.clone(),
            outcome_at: after.outcome_at,
            since: after.since,
            ends: after.ends,
            started: after.started,
            watch_until: after.watch_until,
            ..before.clone()
        };
        let expected = Request {
            targets: targets.map(still).collect(),
            state: after.state.clone(),
            votes: after.votes.clone(),
            review: after.review.clone(),
            decision: after.decision.clone(),
            attempts: after.attempts.clone(),
            held_because: after.held_because.clone(),
            ..step.before.request.clone()
        };
        assert_eq!(*after, expected, "{step:?}");
    }
}

#[test]
fn recovery_marks_open_attempt_unknown_and_rest_not_sent() {
    let recoveries = walk().moves().filter(|(step, _)| matches!(step.input, Input::Recover { .. }));
    for (step, Moved { transition, permit }) in recoveries {
        assert!(permit.is_none(), "{step:?}");
        let open = open_attempt(&step.before.request).map(|attempt| attempt.id);
        let targets = step.before.request.targets.iter().zip(&transition.request().targets);
        for (before, after) in targets.filter(|(before, _)| before.outcome.is_none()) {
            let called = open.is_some() && before.attempt == open;
            let expected = if called { "unknown" } else { "not_sent" };
            assert_eq!(after.outcome.as_ref().map(Outcome::name), Some(expected), "{step:?}");
        }
        let change = open.map_or(Change::State, |open| Change::Answered(open, None));
        assert_eq!(*transition.change(), change, "{step:?}");
    }
}

#[test]
fn found_calls_leave_every_endpoint_unknown() {
    let mut found = 0;
    for (step, moved) in walk().moves() {
        let Input::Find { on, now } = step.input else { continue };
        found += 1;
        let request = moved.transition.request();
        assert_eq!(step.before.request.state.name(), StateName::Approved, "{step:?}");
        assert_eq!(request.state.name(), StateName::Settled, "{step:?}");
        assert!(moved.permit.is_none() && request.attempts.is_empty(), "{step:?}");
        for target in &request.targets {
            let Some(Outcome::Unknown { why }) = &target.outcome else { panic!("{target:?}") };
            let own = on.contains(&target.endpoint.id.as_str());
            assert_eq!(why.starts_with("its alert shows"), own, "{target:?}");
            assert_eq!(target.since, Some(minute(now - 1)), "{target:?}");
        }
    }
    assert!(found > 0);
}

#[test]
fn transition_names_attempts_to_store() {
    for (step, moved) in walk().moves() {
        let opened = || moved.transition.request().attempts.last().cloned();
        let next = opened().filter(|_| moved.permit.is_some());
        let expected = match step.input {
            Input::Claim { .. } => Change::Attempt(opened().unwrap()),
            Input::Answer { attempt: Which::Open, .. } => {
                Change::Answered(open_attempt(&step.before.request).unwrap().id, next)
            }
            Input::Answer { attempt: Which::Other, .. } => panic!("{step:?}"),
            Input::Resume { .. } => next.map_or(Change::State, Change::Attempt),
            Input::Approve { .. }
            | Input::BreakGlass { .. }
            | Input::Reject { .. }
            | Input::Retract { .. }
            | Input::Cancel { .. }
            | Input::Expire { .. }
            | Input::Redecide { .. }
            | Input::LapseVotes { .. }
            | Input::Withdraw { .. }
            | Input::BeginTurn { .. }
            | Input::Hold
            | Input::LoseAll { .. }
            | Input::Recover { .. }
            | Input::Return { .. }
            | Input::EndWait { .. }
            | Input::Find { .. } => continue,
        };
        assert_eq!(*moved.transition.change(), expected, "{step:?}");
    }
}

#[test]
fn answer_closes_its_attempt_with_its_summary() {
    let next = Next::Stop { why: "nothing more to do".to_owned() };
    let request = claimed().0.into_request();
    let sent = all_sent(&["001", "002"]);
    let (moved, _) = request.answered(attempt_id(0), &sent, next, minute(2)).unwrap();
    let attempt = moved.request().attempts.first().unwrap();
    assert_eq!(attempt.answered_at, Some(minute(2)));
    assert_eq!(attempt.answer.as_deref(), Some("200"));
    let rest = Outcome::NotSent { why: "nothing more to do".to_owned() };
    assert_eq!(moved.request().targets[2].outcome, Some(rest));
}

#[test]
fn next_call_is_recorded_with_previous_answer() {
    let request = claimed().0.into_request();
    let order = order(&request, &["003"]);
    let next = Next::Order { order, run: decision(Verdict::Run), frozen: false };
    let sent = all_sent(&["001", "002"]);
    let (moved, permit) = request.answered(attempt_id(0), &sent, next, minute(2)).unwrap();
    assert_eq!(permit.unwrap().order().attempt, attempt_id(1));
    assert_eq!(stored(moved.event())["next"]["id"], attempt_id(1).to_string());
    assert_eq!(stored(moved.event())["next"]["endpoints"][0], "003");
}

#[test]
fn hold_is_audited_once_and_explains_expiry() {
    let why = "the manager is away";
    let held = asked(Verdict::Run).hold(why.to_owned()).unwrap().into_request();
    assert_eq!(held.held_because.as_deref(), Some(why));
    assert_eq!(held.clone().hold(why.to_owned()), None);
    assert!(held.clone().hold("the kill switch is on".to_owned()).is_some());
    let expired = held.expire(minute(USE_BY)).unwrap();
    let expired = stored(expired.event());
    let reason = expired["reason"].as_str().unwrap();
    assert!(reason.ends_with(why), "{reason}");
    for (step, moved) in walk().moves() {
        let request = moved.transition.request();
        if matches!(
            request.state.name(),
            StateName::Pending | StateName::Dispatching | StateName::Settled
        ) {
            assert_eq!(request.held_because, None, "{step:?}");
        }
    }
}

#[test]
fn unchanged_redecision_is_not_audited() {
    for step in &walk().steps {
        if let (Input::Redecide { verdict, other_policies, .. }, Ok(moved)) =
            (step.input, &step.result)
        {
            let old = &step.before.request.decision;
            // A child hears only of what ends its wait.
            if step.state() == StateName::Waiting && verdict == Verdict::Run {
                assert!(moved.is_none(), "{step:?}");
                continue;
            }
            let other = old.verdict != verdict
                || (old.reasons == decision(verdict).reasons) == other_policies;
            assert_eq!(moved.is_some(), other, "{step:?}");
        }
    }
}

#[test]
fn same_answer_of_another_set_is_not_audited() {
    let mut fresh = fresh(Verdict::Run, 1);
    fresh.run.policy_hash = by_others(decision(Verdict::Run)).policy_hash;
    assert_eq!(asked(Verdict::Run).redecide(fresh, "policy changed").unwrap(), None);
}

fn open_attempt(request: &Request) -> Option<&Attempt> {
    request.attempts.iter().find(|attempt| attempt.answered_at.is_none())
}
