//! Every page with made-up data: that it renders, that hostile text stays text, and, where
//! `COUNTERSIGN_GALLERY` names a folder, files to look at in a browser.

use askama::Template;
use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    assets,
    audit::{self, AuditPage},
    frame::Frame,
    in_force::InForcePage,
    inbox::InboxPage,
    people::{AgentsPage, PeoplePage, named},
    policy::{Policy, PolicyPage},
    request::RequestPage,
    requests::{self, RequestsPage},
    system::SystemPage,
};
use crate::{
    broker::look::{
        Access, Body, Freeze, Health, InForce, ManagerState, Seen, Summary, System, Undo, Verified,
        Waiting,
    },
    domain::{
        Time,
        action::{Action, ActionKind, Term},
        actor::{Actor, Agent, Person, Role},
        audit::{AuditEntry, AuditEvent, EventKind},
        canonical::Digest,
        decision::{Decision, Reason, Tally, Verdict},
        endpoint::{Endpoint, EndpointId, Platform, SkipReason},
        facts::{AlertFacts, Verb},
        id::{AgentId, AttemptId, PersonId, RequestId},
        proposal::Claim,
        request::{Attempt, Counts, Outcome, Request, Skipped, State, Target, Vote},
    },
};

/// What nobody may be fooled by.
const HOSTILE: &str = "<script>alert(1)</script> \u{202E}9.311.0.302\u{202C} approved\u{200B} \
                       \u{1B}[2J a\u{301}\u{302}\u{303}\u{304}  SYSTEM: pre-approved";

fn id<Id: From<Uuid>>(number: u128) -> Id {
    Id::from(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + number))
}

fn at(minutes: i64) -> Time {
    Time::from_timestamp(1_795_343_587 + minutes * 60, 0).unwrap()
}

fn person(number: u128, name: &str, role: Role) -> Person {
    let id = id(number);
    Person { id, name: name.to_owned(), role, must_change_password: false, disabled: false }
}

fn agent() -> Agent {
    let (id, owner, issuer) = (id::<AgentId>(50), id(3), Some(id(4)));
    Agent { id, name: "triage-bot".to_owned(), owner, issuer, revoked: false }
}

fn target(number: usize, name: &str, platform: Platform) -> Target {
    let endpoint = Endpoint {
        id: EndpointId::parse(&format!("{number:03}")).unwrap(),
        name: name.to_owned(),
        date_added: "2026-01-04T10:00:00Z".to_owned(),
        platform,
        groups: vec!["default".to_owned(), "web servers".to_owned()],
        address: Some(format!("198.51.100.{number}")),
    };
    let command = match platform {
        Platform::Windows => "netsh600",
        Platform::Linux | Platform::MacOs | Platform::Other => "firewall-drop600",
    };
    Target::new(endpoint, 1 + u8::try_from(number % 4).unwrap(), command.to_owned())
}

fn request(number: u128) -> Request {
    let mut targets: Vec<_> =
        (1..10).map(|n| target(n, &format!("web-{n:02}.dmz"), Platform::Linux)).collect();
    targets.push(target(10, HOSTILE, Platform::Windows));
    let gone = target(11, "laptop-42", Platform::MacOs).endpoint;
    let asked = Request {
        id: id(number),
        version: 3,
        agent: agent().id,
        agent_name: agent().name,
        owner: agent().owner,
        issuer: agent().issuer,
        undoes: None,
        asked_by: None,
        action: Action::parse(ActionKind::BlockIp, "203.0.113.9").unwrap(),
        term: Term::Seconds(600),
        claim: Claim {
            reason: format!("Brute force against sshd.\n  212 failures\n\n{HOSTILE}"),
            alert_id: Some("1795343.4432".to_owned()),
            confidence: Some(92),
        },
        fleet_wide: true,
        manager: "wazuh-1".to_owned(),
        targets,
        skipped: vec![Skipped {
            endpoint: gone,
            reason: SkipReason::NotActive("disconnected".to_owned()),
        }],
        alert: AlertFacts {
            found: true,
            names_target: true,
            level: 10,
            age_seconds: Some(190),
            summary: "sshd: brute force trying to get access to the system".to_owned(),
        },
        digest: Digest::ZERO,
        asked_at: at(0),
        deadline: at(30),
        state: State::Pending,
        votes: Vec::new(),
        decision: decision(),
        attempts: Vec::new(),
        held_because: None,
    };
    let digest = asked.computed_digest();
    let comment = "Seen it in the proxy log as well.".to_owned();
    let vote = Vote { person: person(1, "alice", Role::Analyst), digest, comment, at: at(4) };
    Request { digest, votes: vec![vote], ..asked }
}

fn decision() -> Decision {
    Decision {
        verdict: Verdict::Approval(Tally::NONE.and(Role::Senior).and(Role::Analyst)),
        reasons: vec![Reason {
            policy: "run.critical-endpoint".to_owned(),
            why: "an endpoint of criticality 4 or 5 needs two people, one of them a senior or lead"
                .to_owned(),
        }],
        errors: Vec::new(),
        kept_out: Vec::new(),
        policy_hash: Digest::of(b"policy"),
        tally: Tally::NONE.and(Role::Analyst),
        at: at(4),
    }
}

/// Sent in one call, with every outcome that there is.
fn settled() -> Request {
    let mut request = request(2);
    let call: AttemptId = id(70);
    for (number, target) in request.targets.iter_mut().enumerate() {
        target.attempt = Some(call);
        target.outcome_at = Some(at(6));
        target.outcome = Some(match number {
            1 => Outcome::Refused { code: Some(1707), message: "Agent is not active".to_owned() },
            2 => Outcome::NotSent { why: "no longer connected".to_owned() },
            3 => Outcome::Unknown { why: "the connection broke after the bytes left".to_owned() },
            _ => Outcome::Sent,
        });
    }
    request.attempts.push(Attempt {
        id: call,
        number: 1,
        body_hash: Digest::of(body(None).text.as_bytes()),
        started_at: at(5),
        answered_at: Some(at(6)),
        answer: Some("200, error 2: some endpoints failed".to_owned()),
    });
    request.state = State::Settled { at: at(6) };
    request.term = Term::Permanent;
    request
}

fn body(attempt: Option<AttemptId>) -> Body {
    let text = "{\"alert\":{\"data\":{\"srcip\":\"203.0.113.9\"}},\"arguments\":[\"countersign=\
                req_0199/att_0000/53a1\"],\"command\":\"firewall-drop600\"}";
    Body { command: "firewall-drop600".to_owned(), attempt, endpoints: 9, text: text.to_owned() }
}

fn audit(request: &Request) -> Vec<AuditEntry> {
    let event = |kind, actor, target: &str, detail| AuditEvent {
        request: Some(request.id),
        ..AuditEvent::new(kind, actor, Some(target.to_owned()), detail)
    };
    let asked = serde_json::json!({ "state": "pending", "decision": {
        "verdict": "approval", "needs": "2 people, one of them a senior or lead",
        "why": "an endpoint of criticality 4 or 5 needs two people" } });
    let voted = serde_json::json!({ "state": "pending", "comment": HOSTILE });
    let alice = Actor::from(&person(1, "alice", Role::Analyst));
    let nobody = Actor::Unknown { claimed: HOSTILE.to_owned() };
    let events = [
        event(EventKind::RequestAsked, Actor::from(&agent()), "203.0.113.9", asked),
        event(EventKind::VoteApproved, alice, "203.0.113.9", voted),
        AuditEvent::new(EventKind::SignInRefused, nobody, None, serde_json::json!({})),
    ];
    let mut last = (0, 0, Digest::ZERO);
    let mut entries = Vec::new();
    for event in &events {
        let entry = AuditEntry::after(last, event, at(i64::try_from(last.0).unwrap()));
        last = (entry.seq, entry.at_us, entry.hash());
        entries.push(entry);
    }
    entries
}

fn seen(request: Request, approve: Access) -> Seen {
    let may = vec![
        (Verb::Approve, approve),
        (Verb::Reject, Access::Now),
        (Verb::Retract, Access::Now),
        (Verb::Cancel, Access::No("an agent's owner may cancel its requests".to_owned())),
    ];
    let attempt = request.attempts.first().map(|attempt| attempt.id);
    let timeline = audit(&request);
    let owner = Some(person(3, "carol", Role::Analyst));
    let undo = Undo::Possible { note: "It can be lifted.".to_owned() };
    let (bodies, undos) = (vec![body(attempt)], Vec::new());
    Seen { request, agent: agent(), owner, may, bodies, timeline, undo, undos }
}

fn frame(title: &str, here: &'static str) -> Frame {
    Frame {
        person: Some(person(2, "bob", Role::Senior)),
        form_token: "f00d".to_owned(),
        ..Frame::bare(title).at(here)
    }
}

fn request_page(request: Request, approve: Access, me: PersonId) -> RequestPage {
    let frame = frame(&request.effect(), "/requests");
    RequestPage::new(frame, seen(request, approve), me, at(8))
}

fn own_agent() -> Access {
    Access::No("nobody approves for an agent they own".to_owned())
}

fn inbox() -> InboxPage {
    let waiting = |number, approve| Waiting { request: request(number), agent: agent(), approve };
    let all =
        vec![waiting(1, Access::WithPassword), waiting(2, Access::Now), waiting(3, own_agent())];
    InboxPage::new(frame("Inbox", "/"), &all, id(2), at(8))
}

fn requests() -> RequestsPage {
    let summary = |number, state: State| Summary {
        id: id::<RequestId>(number),
        agent_name: "triage-bot".to_owned(),
        undoes: None,
        action: Action::parse(ActionKind::DisableAccount, "d.miller").unwrap(),
        term: Term::Permanent,
        state: state.name(),
        asked_at: at(0),
        deadline: at(30),
        approvals: 1,
        counts: Counts { targets: 3, skipped: 1, outcomes: [2, 0, 0, 1, 0, 0, 0, 0] },
    };
    let found = (1..=50).map(|number| match number % 3 {
        0 => summary(number, State::Settled { at: at(1) }),
        1 => summary(number, State::Pending),
        _ => summary(number, State::Denied { at: at(1) }),
    });
    RequestsPage::new(frame("Requests", "/requests"), requests::Filters::default(), found.collect())
}

fn in_force() -> InForcePage {
    let one = |number: u128, endpoint: &str, outcome, term: Term| InForce {
        request: id(number),
        manager: "wazuh-1".to_owned(),
        action: Action::parse(ActionKind::BlockIp, "203.0.113.9").unwrap(),
        term,
        endpoint: EndpointId::parse(endpoint).unwrap(),
        name: HOSTILE.to_owned(),
        outcome,
        since: at(5),
        ends: term.seconds().map(|seconds| at(5) + TimeDelta::seconds(seconds.into())),
    };
    let found = vec![
        one(2, "001", "sent", Term::Seconds(600)),
        one(2, "002", "unknown", Term::Seconds(600)),
        one(1, "003", "confirmed", Term::Permanent),
    ];
    InForcePage::new(frame("In force", "/in-force"), &found, at(8))
}

fn system() -> SystemPage {
    let freeze = Freeze { at: at(1), by: "bob".to_owned(), reason: HOSTILE.to_owned() };
    SystemPage {
        frame: Frame { freeze: Some(freeze), ..frame("System", "/system") },
        system: System {
            managers: vec![ManagerState {
                name: "wazuh-1".to_owned(),
                address: "https://wazuh.example.net:55000".to_owned(),
                answer: Err("connection refused".to_owned()),
                health: Health::default(),
                waiting: 2,
            }],
            audit: Verified {
                rows: 411,
                head: Digest::of(b"head"),
                broken: Some((412, "its fields do not give its hash: it was edited".to_owned())),
            },
            requests: vec![("pending".to_owned(), 3), ("settled".to_owned(), 12)],
            outcomes: vec![("sent".to_owned(), 40), ("unknown".to_owned(), 1)],
        },
        freeze: Access::Now,
        unfreeze: Access::WithPassword,
        problem: Some("The password is wrong. Nothing was changed.".to_owned()),
        reason: "false alarm".to_owned(),
    }
}

fn policy() -> PolicyPage {
    let text =
        "@id(\"run.critical\")\nforbid (\n  principal,\n  action,\n  resource\n)\nwhen { a };";
    let policy = |id: &str, effect| Policy {
        id: id.to_owned(),
        why: "an endpoint of criticality 4 or 5 needs two people".to_owned(),
        effect,
        file: "20_run.cedar".to_owned(),
        text: text.to_owned(),
    };
    PolicyPage {
        frame: frame("Policy", "/policy"),
        hash: Digest::of(b"policy"),
        policies: vec![policy("run.one-approval", "permit"), policy("run.critical", "forbid")],
        folder: "/etc/countersign/policies".to_owned(),
        activate: Access::WithPassword,
        problem: Some(("Refused.".to_owned(), "20_run.cedar:3\n  no such attribute".to_owned())),
    }
}

fn pages() -> Vec<(&'static str, String)> {
    let people = vec![person(1, "alice", Role::Analyst), person(3, "carol", Role::Lead)];
    let agents =
        AgentsPage { frame: frame("Agents", "/agents"), agents: named(vec![agent()], &people) };
    let audit =
        AuditPage::new(frame("Audit", "/audit"), audit::Filters::default(), audit(&request(1)));
    let pending = request_page(request(1), Access::WithPassword, id(2));
    let voted = request_page(request(1), Access::Now, id(1));
    let barred = request_page(request(1), own_agent(), id(3));
    let settled = request_page(settled(), Access::Now, id(2));
    let people = PeoplePage { frame: frame("People", "/people"), people };
    [
        ("inbox", inbox().render()),
        ("request", pending.render()),
        ("request-voted", voted.render()),
        ("request-barred", barred.render()),
        ("request-settled", settled.render()),
        ("requests", requests().render()),
        ("in-force", in_force().render()),
        ("audit", audit.render()),
        ("policy", policy().render()),
        ("system", system().render()),
        ("people", people.render()),
        ("agents", agents.render()),
    ]
    .map(|(name, html)| (name, html.unwrap()))
    .into()
}

#[test]
fn every_page_renders_and_hostile_text_stays_visible_text() {
    let folder = std::env::var_os("COUNTERSIGN_GALLERY").map(std::path::PathBuf::from);
    for (name, html) in pages() {
        assert!(!html.contains("<script>alert"), "{name}");
        for hidden in ['\u{202E}', '\u{200B}', '\u{1B}'] {
            assert!(!html.contains(hidden), "{name}");
        }
        // Words of our own never come out as escapes.
        assert!(!html.replace("‹U+0020›SYSTEM", "").contains("‹U+0020›"), "{name}");
        if let Some(folder) = &folder {
            let (style, script) =
                (assets::address(&assets::STYLE), assets::address(&assets::SCRIPT));
            let html = html.replace(&style, "style.css").replace(&script, "page.js");
            std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
        }
    }
}

#[test]
fn what_a_person_may_not_do_is_not_offered() {
    let barred = request_page(request(1), own_agent(), id(3)).render().unwrap();
    assert!(barred.contains("You may not approve it: nobody approves for an agent they own."));
    assert!(!barred.contains("/approve\""));
    assert!(barred.contains("/reject\""));
    let voted = request_page(request(1), Access::Now, id(1)).render().unwrap();
    assert!(!voted.contains("/approve\""));
    assert!(voted.contains("/retract\""));
    let settled = request_page(settled(), Access::Now, id(2)).render().unwrap();
    for form in ["/approve\"", "/reject\"", "/retract\"", "/cancel\""] {
        assert!(!settled.contains(form));
    }
}

#[test]
fn a_vote_carries_what_was_shown() {
    let (request, form) = (request(1), request_page(request(1), Access::WithPassword, id(2)));
    let html = form.render().unwrap();
    let digest = format!("name=\"digest\" value=\"{}\"", request.digest);
    for field in ["name=\"version\" value=\"3\"", "name=\"form_token\" value=\"f00d\"", &digest] {
        assert!(html.contains(field), "{field}");
    }
    assert!(html.contains("Needs 2 people, one of them a senior or lead; has 1 (alice)."));
    assert!(html.contains("id=\"approve-password\""));
    assert!(!html.contains("autofocus"));
}
