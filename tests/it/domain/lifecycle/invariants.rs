//! What is promised about running: asserted over every step of the walk.

use std::collections::{BTreeSet, HashSet};

use countersign::domain::{
    decision::Verdict,
    digest::Digest,
    endpoint::EndpointId,
    lifecycle::{Next, Refusal},
    permit::ExecutionPermit,
    request::{Outcome, Request, State, StateName},
};

use super::{
    fixtures::{
        DEADLINE, TWO_PEOPLE, USE_BY, Who, all_sent, answer, asked, attempt_id, ballot, by_others,
        claimed, decision, endpoint_id, fresh, minute, order,
    },
    input::{Input, Moved, Said},
    walk::{Step, walk},
};

/// The steps that gave a permit out.
fn permits() -> impl Iterator<Item = (&'static Step, &'static Moved, &'static ExecutionPermit)> {
    walk().moves().filter_map(|(step, moved)| Some((step, moved, moved.permit.as_ref()?)))
}

#[test]
fn walk_reaches_every_state_and_every_function() {
    let edges = walk().edges();
    let reached: BTreeSet<_> = edges.iter().map(|(_, _, to)| *to).collect();
    assert_eq!(reached, BTreeSet::from(StateName::ALL));
    let moving: BTreeSet<_> = edges.iter().map(|(_, function, _)| *function).collect();
    for step in &walk().steps {
        assert!(moving.contains(step.input.function()), "{step:?}");
    }
}

#[test]
fn ended_request_never_moves() {
    for (step, _) in walk().moves() {
        assert!(!step.state().terminal(), "{step:?}");
    }
}

#[test]
fn dispatching_request_never_returns_to_approved() {
    for (step, moved) in walk().moves() {
        let to = moved.transition.request().state.name();
        if step.state() == StateName::Dispatching {
            let waits = to == StateName::Waiting && step.before.request.wait.is_some();
            assert!(waits || matches!(to, StateName::Dispatching | StateName::Settled), "{step:?}");
        }
    }
}

#[test]
fn dispatching_requires_claim_of_approved_request() {
    for (step, moved) in walk().moves() {
        if moved.transition.request().state.name() == StateName::Dispatching {
            let claimed = matches!(step.input, Input::Claim { .. });
            assert_eq!(step.state() == StateName::Approved, claimed, "{step:?}");
            assert!(claimed || step.state() == StateName::Dispatching, "{step:?}");
        }
    }
}

#[test]
fn approval_requires_run_verdict() {
    for (step, moved) in walk().moves() {
        let to = moved.transition.request().state.name();
        if to == StateName::Approved && step.state() != StateName::Approved {
            assert_eq!(step.input.verdict(), Some(Verdict::Run), "{step:?}");
        }
    }
}

#[test]
fn state_follows_latest_policy_verdict() {
    for (step, moved) in walk().moves() {
        let to = moved.transition.request().state.name();
        let asked_again = !matches!(
            step.input,
            Input::Claim { .. } | Input::Answer { .. } | Input::Resume { .. }
        );
        match step.input.verdict().filter(|_| asked_again) {
            Some(Verdict::Run) => assert_eq!(to, StateName::Approved, "{step:?}"),
            // Nobody can approve a child.
            Some(Verdict::Approval(_)) if step.before.request.parent().is_some() => {
                assert_eq!(to, StateName::Withdrawn, "{step:?}");
            }
            Some(Verdict::Approval(_)) => assert_eq!(to, StateName::Pending, "{step:?}"),
            Some(Verdict::Deny) => assert_eq!(to, StateName::Withdrawn, "{step:?}"),
            None => {}
        }
    }
}

#[test]
fn waiting_never_approves() {
    for (step, moved) in walk().moves() {
        let request = moved.transition.request();
        let late = step.input.now().is_some_and(|now| now >= DEADLINE);
        if step.state() == StateName::Pending && late {
            assert_ne!(request.state.name(), StateName::Approved, "{step:?}");
        }
        if matches!(step.input, Input::Expire { .. } | Input::Hold | Input::Withdraw { .. }) {
            assert!(
                request.state.name().terminal() || request.state == step.before.request.state,
                "{step:?}"
            );
        }
    }
}

#[test]
fn permit_requires_claim_or_answer() {
    for (step, moved, _) in permits() {
        let calls =
            matches!(step.input, Input::Claim { .. } | Input::Answer { .. } | Input::Resume { .. });
        assert!(calls, "{step:?}");
        assert_eq!(moved.transition.request().state.name(), StateName::Dispatching, "{step:?}");
    }
}

#[test]
fn permit_requires_fresh_run_verdict() {
    for (step, _, _) in permits() {
        assert_eq!(step.input.verdict(), Some(Verdict::Run), "{step:?}");
    }
}

#[test]
fn permit_is_refused_while_kill_switch_is_on() {
    for (step, _, _) in permits() {
        assert!(!step.input.frozen(), "{step:?}");
    }
}

#[test]
fn permit_is_refused_after_use_by() {
    for (step, _, permit) in permits() {
        assert_eq!(permit.use_by(), minute(USE_BY), "{step:?}");
        assert!(step.input.now().is_some_and(|now| now < USE_BY), "{step:?}");
    }
}

#[test]
fn permit_covers_exactly_the_approved_bytes() {
    for (step, _, permit) in permits() {
        assert!(!step.before.tampered, "{step:?}");
        assert_eq!(permit.digest(), step.before.request.computed_digest(), "{step:?}");
    }
}

#[test]
fn permit_names_at_least_one_endpoint() {
    // To a manager, a call that names no endpoint is a call to all of them.
    for (step, _, permit) in permits() {
        assert!(!permit.order().endpoints.is_empty(), "{step:?}");
    }
}

#[test]
fn permit_belongs_to_the_attempt_recorded_beside() {
    for (step, moved, permit) in permits() {
        let request = moved.transition.request();
        let attempt = request.attempts.last().unwrap();
        assert_eq!(permit.request(), request.id, "{step:?}");
        assert_eq!(permit.order().attempt, attempt.id, "{step:?}");
        assert_eq!(Digest::of(&permit.order().body), attempt.body_hash, "{step:?}");
        assert_eq!(attempt.answered_at, None, "{step:?}");
        for target in &request.targets {
            let named = permit.order().endpoints.contains(&target.endpoint.id);
            assert_eq!(named, target.attempt == Some(attempt.id), "{step:?}");
        }
    }
}

#[test]
fn at_most_one_attempt_is_open_while_dispatching() {
    for transition in walk().transitions() {
        let request = transition.request();
        let waiting = request.attempts.iter().filter(|attempt| attempt.answered_at.is_none());
        let most = usize::from(request.state.name() == StateName::Dispatching);
        assert!(waiting.count() <= most, "{request:?}");
    }
}

#[test]
fn permit_requires_that_no_other_attempt_is_open() {
    for (step, moved, permit) in permits() {
        let attempts = &moved.transition.request().attempts;
        let waiting: Vec<_> = attempts.iter().filter(|a| a.answered_at.is_none()).collect();
        assert_eq!(waiting.len(), 1, "{step:?}");
        assert_eq!(waiting[0].id, permit.order().attempt, "{step:?}");
    }
}

#[test]
fn attempts_are_numbered_from_one() {
    for transition in walk().transitions() {
        for (attempt, number) in transition.request().attempts.iter().zip(1..) {
            assert_eq!(attempt.number, number, "{transition:?}");
        }
    }
}

#[test]
fn each_endpoint_has_at_most_one_possibly_sent_attempt() {
    for (step, _, permit) in permits() {
        let maybe_sent = step.before.maybe_sent_knowing(step.input);
        for endpoint in &permit.order().endpoints {
            assert!(!maybe_sent.contains(endpoint), "{endpoint} in {step:?}");
        }
    }
}

#[test]
fn unsent_call_may_be_retried_within_claim() {
    let again = walk().moves().any(|(step, moved)| {
        matches!(step.input, Input::Answer { report: Said::Nothing, .. })
            && moved.permit.as_ref().is_some_and(|permit| {
                permit.order().endpoints.iter().all(|id| step.before.maybe_sent.contains(id))
            })
    });
    assert!(again);
}

#[test]
fn lost_endpoint_is_never_sent_to() {
    for (step, moved, permit) in permits() {
        if let Input::Claim { lost, .. } = step.input {
            for id in lost.iter().map(|id| endpoint_id(id)) {
                assert!(!permit.order().endpoints.contains(&id), "{step:?}");
                let target =
                    moved.transition.request().targets.iter().find(|t| t.endpoint.id == id);
                let outcome = target.and_then(|target| target.outcome.as_ref()).unwrap();
                assert_eq!(outcome.name(), "not_sent", "{step:?}");
            }
        }
    }
}

#[test]
fn refused_next_call_leaves_rest_not_sent_with_reason() {
    let dispatching = || claimed().0.into_request();
    let next = |verdict, frozen| {
        let order = order(&dispatching(), &["003"]);
        Next::Order { order, run: decision(verdict), frozen }
    };
    let after = |next, now| {
        let sent = all_sent(&["001", "002"]);
        let (moved, permit) =
            dispatching().answered(attempt_id(0), &sent, next, minute(now)).unwrap();
        assert!(permit.is_none());
        let request = moved.into_request();
        assert_eq!(request.state.name(), StateName::Settled);
        request.targets[2].outcome.clone()
    };
    let not_sent = |refusal: Refusal| Some(Outcome::NotSent { why: refusal.to_string() });
    let withdrawn = || Refusal::PolicyWithdrawn { why: "because of p".to_owned() };
    let deadline = minute(USE_BY);
    assert_eq!(after(next(Verdict::Run, true), 2), not_sent(Refusal::Frozen));
    assert_eq!(after(next(Verdict::Deny, false), 2), not_sent(withdrawn()));
    assert_eq!(after(next(TWO_PEOPLE, false), 2), not_sent(withdrawn()));
    assert_eq!(after(next(Verdict::Run, false), USE_BY), not_sent(Refusal::TooLate { deadline }));
}

#[test]
fn changed_bytes_between_calls_stop_the_rest() {
    let mut request = claimed().0.into_request();
    let next = Next::Order {
        order: order(&request, &["003"]),
        run: decision(Verdict::Run),
        frozen: false,
    };
    "elsewhere".clone_into(&mut request.manager);
    let sent = all_sent(&["001", "002"]);
    let (moved, permit) = request.answered(attempt_id(0), &sent, next, minute(2)).unwrap();
    assert!(permit.is_none());
    let why = Refusal::DigestChanged.to_string();
    assert_eq!(moved.request().targets[2].outcome, Some(Outcome::NotSent { why }));
}

#[test]
fn use_by_stays_fixed_while_approved() {
    let request = asked(Verdict::Run);
    let mut later = fresh(Verdict::Run, 30);
    later.use_by = minute(USE_BY + 30);
    later.run = by_others(later.run);
    let moved = request.clone().redecide(later, "policy changed").unwrap().unwrap();
    assert_eq!(moved.request().state, request.state);
}

#[test]
fn approval_by_people_sets_its_own_use_by() {
    let request = asked(TWO_PEOPLE);
    let mut now = fresh(Verdict::Run, 30);
    now.use_by = minute(45);
    let ballot = ballot(Who::Lead, &request, "");
    let moved = request.approve(ballot, &answer(true), now).unwrap();
    assert_eq!(moved.request().state, State::Approved { use_by: minute(45) });
}

#[test]
fn next_batch_shares_one_command_and_skips_known_outcomes() {
    let mut request: Request = asked(Verdict::Run);
    "route-null600".clone_into(&mut request.targets[1].command);
    let batch = |request: &Request, most| {
        let (command, ids) = request.next_batch(most, &HashSet::new(), &HashSet::new())?;
        Some(format!(
            "{command} {}",
            ids.iter().map(EndpointId::as_str).collect::<Vec<_>>().join(",")
        ))
    };
    assert_eq!(batch(&request, 9).as_deref(), Some("firewall-drop600 001,003"));
    assert_eq!(batch(&request, 1).as_deref(), Some("firewall-drop600 001"));
    request.targets[0].outcome = Some(Outcome::Sent);
    assert_eq!(batch(&request, 9).as_deref(), Some("route-null600 002"));
    request.targets[1].outcome = Some(Outcome::Sent);
    request.targets[2].outcome = Some(Outcome::Sent);
    assert_eq!(batch(&request, 9), None);
}

#[test]
fn only_child_leaves_wait_for_approved() {
    for (step, moved) in walk().moves() {
        let to = moved.transition.request().state.name();
        let child = step.before.request.parent().is_some();
        if step.state() == StateName::Waiting && to == StateName::Approved {
            assert!(child && matches!(step.input, Input::Return { .. }), "{step:?}");
        }
        if step.state() == StateName::Waiting && !child {
            assert!(matches!(to, StateName::Waiting | StateName::Settled), "{step:?}");
        }
    }
}

#[test]
fn child_waits_again_only_where_nothing_was_sent() {
    let mut again = 0;
    for (step, moved) in walk().moves() {
        let request = moved.transition.request();
        let child = request.parent().is_some() && request.state.name() == StateName::Waiting;
        if child && step.state() == StateName::Dispatching {
            again += 1;
            assert!(step.before.maybe_sent_knowing(step.input).is_empty(), "{step:?}");
        }
    }
    assert!(again > 0);
}
