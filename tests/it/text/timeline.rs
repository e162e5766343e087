//! What a person reads of one endpoint, told from the audit of real transitions.

use chrono::TimeDelta;
use countersign::{
    domain::{
        audit::AuditEntry,
        decision::Verdict,
        digest::Digest,
        endpoint::SkipReason,
        evidence::{Evidence, Sighting, Sign},
        id::RequestId,
        lifecycle::{DispatchReport, Finding, Next, Transition},
        request::{Outcome, Request, Requester, Skipped},
    },
    text::timeline::{EndpointTimeline, Severity, TimelineEntry, timelines},
};
use uuid::Uuid;

use crate::domain::lifecycle::fixtures::{
    TWO_PEOPLE, Who, all_sent, answer, attempt_id, ballot, decision, drafted, endpoint_id, fresh,
    minute, order,
};

/// So long an endpoint's own alert may take.
const WINDOW: TimeDelta = TimeDelta::seconds(60);

/// A request on its way, with everything that was written down.
struct Journey {
    request: Request,
    written: Vec<AuditEntry>,
    minute: i64,
}

impl Journey {
    fn begin(draft: Request) -> Self {
        let mut journey = Self { request: draft.clone(), written: Vec::new(), minute: 0 };
        journey.go(draft.submit(minute(75), minute(0)));
        journey
    }

    /// Policy let it run, and the worker claimed it for the first two of three endpoints.
    fn claimed() -> Self {
        let mut journey = Self::begin(drafted(Verdict::Run));
        let request = journey.request.clone();
        let order = order(&request, &["001", "002"]);
        journey.go(request.claim(order, &[], fresh(Verdict::Run, 1), false).unwrap().0);
        journey
    }

    /// The next call is for the third; the report says this of the first two.
    fn answered(report: &DispatchReport) -> Self {
        let mut journey = Self::claimed();
        let request = journey.request.clone();
        let order = order(&request, &["003"]);
        let next = Next::Order { order, run: decision(Verdict::Run), frozen: false };
        journey.go(request.answered(attempt_id(0), report, next, minute(2)).unwrap().0);
        journey
    }

    /// All three were sent, and the broker looks for evidence.
    fn sent() -> Self {
        let looked_for = |report| DispatchReport { confirm_within: Some(WINDOW), ..report };
        let mut journey = Self::answered(&looked_for(all_sent(&["001", "002"])));
        let (report, stop) = (looked_for(all_sent(&["003"])), Next::Stop { why: String::new() });
        let request = journey.request.clone();
        journey.go(request.answered(attempt_id(1), &report, stop, minute(2)).unwrap().0);
        journey
    }

    /// Each change of an endpoint's outcome gives exactly one line there, and no line where
    /// nothing was learnt; an answered call may be followed by the next one.
    fn go(&mut self, transition: Transition) {
        let before = (self.request.clone(), self.stories());
        let last = self.written.last();
        let last = last.map_or((0, Digest::ZERO), |last| (last.seq, last.hash()));
        self.minute += 1;
        let event = transition.event().clone();
        self.written.push(AuditEntry::after(last, &event, minute(self.minute)).unwrap());
        self.request = transition.into_request();
        self.request.version += 1;
        let after = self.stories();
        for (at, target) in self.request.targets.iter().enumerate() {
            let changed = before.0.targets[at].outcome != target.outcome;
            let more = after[at].entries.len() - before.1[at].entries.len();
            if changed {
                assert_eq!(more, 1, "{} {:?}: {:?}", event.kind().name(), event.detail, after[at]);
            }
        }
    }

    fn seen(&mut self, endpoint: &str, call: usize, seen: Sign, doubt: Option<&str>) {
        let evidence = Evidence {
            index: "wazuh-alerts-4.x-2027.01.15".to_owned(),
            alert: format!("alert-{endpoint}"),
            rule: "651".to_owned(),
            at: minute(3),
            of_request: None,
            version: None,
        };
        let sighting = Sighting {
            request: self.request.id,
            attempt: attempt_id(call),
            endpoint: endpoint_id(endpoint),
            seen,
            evidence,
            doubt: doubt.map(str::to_owned),
        };
        let request = self.request.clone();
        self.go(request.observed(&[sighting], Some(WINDOW), minute(4)).unwrap());
    }

    fn late(&mut self, at: i64) {
        let request = self.request.clone();
        self.go(request.evidence_missed(Some(WINDOW), None, minute(at)).unwrap());
    }

    fn stories(&self) -> Vec<EndpointTimeline> {
        let taking = self.request.targets.iter().map(|target| &target.endpoint);
        let skipped = self.request.skipped.iter().map(|skipped| &skipped.endpoint);
        timelines(taking, skipped, &self.written)
    }

    fn story(&self, endpoint: &str) -> EndpointTimeline {
        let of = |story: &EndpointTimeline| story.endpoint == endpoint_id(endpoint);
        self.stories().into_iter().find(of).unwrap()
    }

    fn last(&self, endpoint: &str) -> TimelineEntry {
        self.story(endpoint).entries.last().unwrap().clone()
    }

    #[track_caller]
    fn ends_with(&self, endpoint: &str, what: &str, words: &str, mark: Severity) {
        let line = self.last(endpoint);
        assert_eq!(
            (line.summary.as_str(), line.quote.as_str(), line.severity),
            (what, words, mark)
        );
    }
}

fn undo() -> RequestId {
    RequestId::from(Uuid::from_u128(77))
}

#[test]
fn timeline_runs_from_proposal_to_endpoints_own_alert() {
    let mut journey = Journey::begin(drafted(TWO_PEOPLE));
    let request = journey.request.clone();
    let vote = ballot(Who::Analyst, &request, "I saw it");
    journey.go(request.approve(vote, &answer(true), fresh(TWO_PEOPLE, 1)).unwrap());
    let request = journey.request.clone();
    let vote = ballot(Who::Senior, &request, "");
    journey.go(request.approve(vote, &answer(true), fresh(Verdict::Run, 1)).unwrap());
    let request = journey.request.clone();
    let order = order(&request, &["001", "002", "003"]);
    let body = Digest::of(&order.body).prefix();
    journey.go(request.claim(order, &[], fresh(Verdict::Run, 1), false).unwrap().0);
    let (report, stop) = (all_sent(&["001", "002", "003"]), Next::Stop { why: String::new() });
    let request = journey.request.clone();
    journey.go(request.answered(attempt_id(0), &report, stop, minute(2)).unwrap().0);
    journey.seen("001", 0, Sign::Started, None);
    let told: Vec<_> = journey.story("001").entries.into_iter().map(|line| line.summary).collect();
    assert_eq!(
        told,
        [
            "agent triage requested it",
            "policy requires 2 people",
            "ann (analyst) approved, now pending",
            "sam (senior) approved, now approved",
            &format!("call 1 recorded before it is made, body {body}…"),
            "the manager queued it for this endpoint",
            "its own alert shows that the script started on this endpoint",
        ]
    );
    let proof = journey.last("001").evidence.unwrap();
    assert_eq!((proof.alert.as_str(), proof.rule.as_str()), ("alert-001", "651"));
    assert_eq!((proof.index.as_str(), proof.at), ("wazuh-alerts-4.x-2027.01.15", minute(3)));
}

#[test]
fn timeline_contains_only_its_own_endpoint() {
    let mut journey = Journey::sent();
    let before = journey.story("002");
    journey.seen("001", 0, Sign::Started, Some("the firewall is off"));
    assert_eq!(journey.story("002"), before);
    let calls = |id: &str| {
        let lines = journey.story(id).entries;
        lines.into_iter().filter(|line| line.summary.starts_with("call ")).count()
    };
    assert_eq!((calls("001"), calls("003")), (1, 1));
    assert!(journey.story("003").entries.iter().all(|line| !line.summary.starts_with("call 1")));
}

#[test]
fn skipped_endpoint_shows_reason_and_nothing_more() {
    let mut draft = drafted(Verdict::Run);
    let endpoint = draft.targets.pop().unwrap().endpoint;
    draft.skipped = vec![Skipped { endpoint, reason: SkipReason::NotActive("gone".to_owned()) }];
    draft.digest = draft.computed_digest();
    let mut journey = Journey::begin(draft);
    let request = journey.request.clone();
    let order = order(&request, &["001"]);
    let lost = [(endpoint_id("002"), "switched off".to_owned())];
    journey.go(request.claim(order, &lost, fresh(Verdict::Run, 1), false).unwrap().0);
    journey.ends_with(
        "003",
        "left out; it will not be added later",
        "not active (gone)",
        Severity::Bad,
    );
    assert_eq!(journey.story("003").entries.len(), 2);
    journey.ends_with("002", "nothing was sent to it", "switched off", Severity::Bad);
}

#[test]
fn answer_is_described_for_each_endpoint() {
    let refused = Outcome::Refused { code: Some(1750), message: "is off".to_owned() };
    let report = DispatchReport { outcomes: vec![(endpoint_id("001"), refused)], ..all_sent(&[]) };
    let journey = Journey::answered(&report);
    journey.ends_with(
        "001",
        "the manager refused it for this endpoint, code 1750",
        "is off",
        Severity::Bad,
    );
    let why = "the report of the call does not mention it";
    journey.ends_with("002", "it may or may not have been sent", why, Severity::Doubt);
    assert!(journey.last("003").summary.starts_with("call 2 recorded"));
}

#[test]
fn unsent_call_is_shown_before_the_next_one() {
    let report = DispatchReport { summary: "429: busy".to_owned(), ..all_sent(&[]) };
    let mut journey = Journey::claimed();
    let request = journey.request.clone();
    let next = Next::Wait;
    journey.go(request.answered(attempt_id(0), &report, next, minute(2)).unwrap().0);
    journey.ends_with(
        "001",
        "the call ended without sending anything",
        "429: busy",
        Severity::Plain,
    );
    let request = journey.request.clone();
    let next = Next::Stop { why: "no answer for too long".to_owned() };
    journey.go(request.resume(next, minute(3)).unwrap().0);
    journey.ends_with("001", "nothing was sent to it", "no answer for too long", Severity::Bad);
}

#[test]
fn restart_during_call_leaves_doubt_only_where_called() {
    let mut journey = Journey::claimed();
    let request = journey.request.clone();
    journey.go(request.recover(None, minute(3)).unwrap());
    let line = journey.last("001");
    assert_eq!(line.summary, "after a restart: it may or may not have been sent");
    assert_eq!(line.severity, Severity::Doubt);
    assert_eq!(journey.last("003").summary, "after a restart: nothing was sent to it");
}

#[test]
fn doubt_is_shown_once_beside_the_evidence() {
    let mut journey = Journey::sent();
    journey.seen("001", 0, Sign::Started, Some("the firewall is off"));
    let line = journey.last("001");
    assert!(line.summary.ends_with("; but its effect is in doubt"), "{line:?}");
    assert_eq!((line.quote.as_str(), line.severity), ("the firewall is off", Severity::Doubt));
    assert!(line.evidence.is_some());
    journey.seen("001", 0, Sign::Ended, Some("the firewall is off"));
    assert_eq!(journey.last("001").severity, Severity::Good);
    assert_eq!(journey.last("001").quote, "");
}

#[test]
fn missing_evidence_and_assumed_end_are_shown_as_doubts() {
    let mut journey = Journey::sent();
    journey.seen("001", 0, Sign::Started, None);
    journey.late(5);
    let why = "the endpoint's own alert did not come within 1 minute";
    journey.ends_with("002", "nothing shows that it started", why, Severity::Doubt);
    assert_eq!(journey.last("001").severity, Severity::Good);
    journey.late(60);
    let over = "its time is over: it should have ended, and nothing shows that it did";
    journey.ends_with("001", over, "", Severity::Doubt);
    journey.seen("001", 0, Sign::Ended, None);
    let seen = "its own alert shows that the endpoint started to take it back";
    journey.ends_with("001", seen, "", Severity::Good);
}

#[test]
fn undo_and_its_evidence_appear_where_sent() {
    let mut journey = Journey::sent();
    let request = journey.request.clone();
    let to = [endpoint_id("001")];
    journey.go(request.reverted(undo(), &to, Some(WINDOW), minute(6)).unwrap());
    let what = format!("{}, which takes it back, was sent to this endpoint", undo());
    journey.ends_with("001", &what, "", Severity::Plain);
    assert_ne!(journey.last("002").summary, what);
    journey.seen("001", 0, Sign::Ended, None);
    assert_eq!(journey.last("001").severity, Severity::Good);
    assert!(journey.last("001").evidence.is_some());
}

#[test]
fn resolution_names_person_and_quotes_reason_apart() {
    for (ruling, what, mark) in [
        (Finding::Done, "sam (senior) checked: it was done", Severity::Good),
        (Finding::NotDone, "sam (senior) checked: it was not done", Severity::Bad),
    ] {
        let mut journey = Journey::sent();
        journey.late(5);
        let (request, at) = (journey.request.clone(), [endpoint_id("002")]);
        let found = (at.as_slice(), ruling, "iptables -L");
        let sam = Who::Senior.person();
        journey.go(request.resolve(&sam, found, &answer(true), minute(9)).unwrap());
        journey.ends_with("002", what, "iptables -L", mark);
        assert_ne!(journey.last("003").summary, what);
    }
}

#[test]
fn undo_names_requester_and_undone_request() {
    let mut draft = drafted(Verdict::Run);
    draft.undoes = Some(undo());
    let sam = Who::Senior.person();
    draft.asked_by = Some(Requester { person: sam.id, name: sam.name, role: sam.role });
    let journey = Journey::begin(draft);
    assert_eq!(
        journey.story("001").entries[0].summary,
        format!("sam asked to take {} back", undo())
    );
}

#[test]
fn early_end_is_shown_to_every_endpoint() {
    let mut journey = Journey::begin(drafted(TWO_PEOPLE));
    let request = journey.request.clone();
    journey.go(request
        .reject(ballot(Who::Lead, &journey.request, "no"), &answer(true), minute(1))
        .unwrap());
    for story in journey.stories() {
        assert_eq!(story.entries.last().unwrap().summary, "lea rejected it: nothing will be sent");
    }
}
