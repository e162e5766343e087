//! What people approve, to the byte.

use crate::harness::kind;
use std::collections::BTreeMap;

use countersign::domain::{
    action::{Action, Term},
    decision::Verdict,
    digest::Digest,
    endpoint::Platform,
    id::{AgentId, PersonId, RequestId},
    request::{Outcome, Request},
};
use uuid::Uuid;

use super::lifecycle::fixtures::{
    TWO_PEOPLE, asked, attempt_id, child, claimed, decision, drafted, drafted_to_wait, endpoint_id,
    minute,
};

/// A change of one thing in a request.
type Change = (&'static str, fn(&mut Request));

const APPROVED: &[Change] = &[
    ("request id", |r| r.id = RequestId::from(Uuid::from_u128(10))),
    ("agent", |r| r.agent = AgentId::from(Uuid::from_u128(10))),
    ("owner", |r| r.owner = PersonId::from(Uuid::from_u128(10))),
    ("action", |r| {
        // The same text may be the argument of both.
        r.action = Action::parse(kind("disable_account"), "203.0.113.7").unwrap();
    }),
    ("argument", |r| r.action = Action::parse(kind("block_ip"), "203.0.113.8").unwrap()),
    ("term", |r| r.term = Term::Seconds(601)),
    ("no end", |r| r.term = Term::Permanent),
    ("reason", |r| r.claim.reason.push('!')),
    ("manager", |r| r.manager.push('2')),
    ("endpoint id", |r| r.targets[0].endpoint.id = endpoint_id("009")),
    ("endpoint name", |r| r.targets[0].endpoint.name.push('2')),
    ("endpoint date added", |r| r.targets[0].endpoint.date_added.push('2')),
    ("endpoint platform", |r| r.targets[0].endpoint.platform = Platform::Windows),
    ("command", |r| "!firewall-drop".clone_into(&mut r.targets[0].command)),
    ("one endpoint less", |r| r.targets.truncate(2)),
    ("one endpoint twice", |r| r.targets[2] = r.targets[1].clone()),
    ("the order of endpoints", |r| r.targets.swap(0, 1)),
];

/// What happens to a request later is not what people approve.
const NOT_APPROVED: &[Change] = &[
    ("version", |r| r.version += 1),
    ("deadline", |r| r.deadline = minute(1000)),
    ("state", |r| r.state = claimed().0.into_request().state),
    ("decision", |r| r.decision = decision(Verdict::Deny)),
    ("attempt", |r| r.targets[0].attempt = Some(attempt_id(0))),
    ("outcome", |r| r.targets[0].outcome = Some(Outcome::Sent)),
    ("held", |r| r.held_because = Some("the manager is away".to_owned())),
];

#[test]
fn digest_covers_everything_people_approve() {
    let request = asked(TWO_PEOPLE);
    let mut seen = BTreeMap::from([(request.digest, "nothing")]);
    for (what, change) in APPROVED {
        let mut changed = request.clone();
        change(&mut changed);
        if let Some(other) = seen.insert(changed.computed_digest(), what) {
            panic!("changing {what} gives the same digest as changing {other}");
        }
    }
}

#[test]
fn digest_does_not_change_with_state() {
    for (what, change) in NOT_APPROVED {
        let mut request = asked(TWO_PEOPLE);
        change(&mut request);
        assert_eq!(request.computed_digest(), request.digest, "{what}");
    }
}

#[test]
fn digest_of_format_1_never_changes() {
    // Stored votes carry it. Another format needs another `DIGEST_VERSION`.
    let pinned = "8931c604368a6ac6f1e86e0c4badc837b77dd2430440fd220162f98229fa55a7";
    assert_eq!(Some(drafted(TWO_PEOPLE).digest), Digest::parse(pinned));
}

#[test]
fn digest_of_child_covers_parent_endpoint_command_and_time() {
    let child = child().into_request();
    assert_eq!(child.computed_digest(), child.digest);
    let changes: [Change; 9] = [
        ("parent", |r| {
            r.wait.as_mut().unwrap().parent.as_mut().unwrap().id =
                RequestId::from(Uuid::from_u128(1));
        }),
        ("parent's digest", |r| {
            r.wait.as_mut().unwrap().parent.as_mut().unwrap().digest = Digest::ZERO;
        }),
        ("time", |r| r.wait.as_mut().unwrap().seconds += 1),
        ("endpoint", |r| r.targets[0].endpoint.date_added.push('1')),
        ("name", |r| r.targets[0].endpoint.name.push('1')),
        ("command", |r| r.targets[0].command.push('1')),
        ("action", |r| r.action = Action::parse(kind("block_ip"), "203.0.113.8").unwrap()),
        ("manager", |r| r.manager.push('1')),
        ("no child", |r| r.wait.as_mut().unwrap().parent = None),
    ];
    let mut seen = BTreeMap::from([(child.digest, "nothing")]);
    for (what, change) in changes {
        let mut changed = child.clone();
        change(&mut changed);
        let other = seen.insert(changed.computed_digest(), what);
        assert_eq!(other, None, "{what}");
    }
    let (mut longer, plain) = (drafted_to_wait(TWO_PEOPLE), drafted(TWO_PEOPLE));
    assert_ne!(longer.digest, plain.digest);
    longer.wait.as_mut().unwrap().seconds += 1;
    assert_ne!(longer.computed_digest(), longer.digest);
}
