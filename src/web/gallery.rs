//! Every page with made-up data: that it renders, that hostile text stays text, and, where
//! `COUNTERSIGN_GALLERY` names a folder, files to look at in a browser.

mod account;
mod active;
mod charts;
mod evidence;
mod kept;
mod lists;
mod made_up;
mod policies;
mod profiles;
mod texts;

use askama::Template;

use active::in_force;
use made_up::{HOSTILE, agent, at, audit, body, id, person, request, settled, undo};
use policies::policy;

use super::{
    admin::system::SystemPage,
    help::HelpPage,
    http::assets,
    layout::page::Layout,
    lists::audit::{AuditFilters, AuditPage},
    request::{
        page::{RequestPage, Viewer},
        shown::{Shown, ShownQuery},
    },
};
use crate::{
    broker::{
        notifications::ChannelState,
        queries::{
            ChannelActivity, Health, RequestOrigin, Verified,
            audit::AuditFound,
            audit_walk::Walked,
            system::{ManagerStatus, SystemStatus},
            undos::{UndoSummary, UndoView},
            view::{Permission, RequestView},
        },
        requests::undo::UndoOption,
    },
    domain::{
        active_response::{AlreadyActive, Forecast, RestsOn},
        actor::Role,
        digest::Digest,
        endpoint::EndpointId,
        facts::{IndexerState, Verb},
        halt::{Halt, HaltCause},
        id::PersonId,
        kill_switch::{Extent, Freeze, Release},
        request::{Fate, Outcome, Request, StateName},
    },
    text::endpoint,
};

/// The largest that a page may be, before it is compressed.
const PAGE_BYTES_MAX: usize = 100 * 1024;

fn view(request: Request, approve: Permission) -> RequestView {
    let permissions = vec![
        (Verb::Approve, approve),
        (Verb::Reject, Permission::Now),
        (Verb::Retract, Permission::Now),
        (Verb::Undo, Permission::Now),
        (Verb::Resolve, Permission::WithPassword),
        (Verb::Cancel, Permission::Denied("an agent's owner may cancel its requests".to_owned())),
    ];
    let attempt = request.attempts.first().map(|attempt| attempt.id);
    let timeline = audit(&request);
    let owner = Some(person(3, "carol", Role::Analyst));
    let settled = request.state.name() == StateName::Settled;
    let (undo, undos) = if settled {
        let note = "Evidence in the alerts shows it; without any, nobody knows.".to_owned();
        let undo = |number, state, outcomes| UndoSummary { id: id(number), state, outcomes };
        let unknown = Outcome::Unknown { why: HOSTILE.to_owned() };
        let origin = RequestOrigin { asked_by: HOSTILE.to_owned(), reason: HOSTILE.to_owned() };
        let undos = UndoView {
            own: vec![undo(9, StateName::Settled, vec![unknown])],
            beside: vec![undo(10, StateName::Pending, Vec::new())],
            uncertain: vec![(EndpointId::parse("001").unwrap(), id(9))],
            lifted: vec![(id(11), origin)],
        };
        (UndoOption::Possible { note }, undos)
    } else {
        (UndoOption::Nothing, UndoView::default())
    };
    let bodies = vec![body(attempt)];
    let alert_url = Some("https://dashboard.example/app/discover#/?_a=%27id%27".to_owned());
    RequestView {
        request,
        agent: agent(),
        owner,
        permissions,
        bodies,
        timeline,
        active: if settled { Vec::new() } else { vec![met()] },
        undo,
        undo_also_lifts: if settled { vec![rests_on()] } else { Vec::new() },
        undos,
        children: Vec::new(),
        protected_neighbour: Some([192, 0, 2, 1].into()),
        before: Vec::new(),
        of_agent: [(Fate::Approved, 3), (Fate::Rejected, 1)].into(),
        alert_url,
    }
}

fn rests_on() -> RestsOn {
    RestsOn {
        request: id(5),
        agent: agent().id,
        asked_by: HOSTILE.to_owned(),
        since: at(2),
        certain: false,
    }
}

/// What a request would cut short.
fn met() -> AlreadyActive {
    AlreadyActive {
        endpoint: EndpointId::parse("001").unwrap(),
        name: HOSTILE.to_owned(),
        since: Some(at(2)),
        ends: Some(at(9)),
        rests_on: vec![rests_on()],
        rule_response: Some(at(3)),
        forecast: Some(Forecast::ReplacesTimer { from: at(9), to: at(7) }),
        forecast_since: None,
    }
}

fn layout(title: &str, here: &'static str) -> Layout {
    Layout {
        person: Some(person(2, "bob", Role::Senior)),
        form_token: "f00d".to_owned(),
        ..Layout::anonymous(title).section(here)
    }
}

fn request_page(request: Request, approve: Permission, me: PersonId) -> RequestPage {
    let layout = layout(&endpoint::effect(&request, false), "/requests");
    let viewer = Viewer { id: me, role: Role::Senior, has_passkeys: true };
    let view = view(request, approve);
    let query = ShownQuery::default();
    let shown = Shown::of(&view.request, view.timeline.len(), &query).unwrap();
    RequestPage::new(layout, view, shown, (viewer, at(8)))
}

fn own_agent() -> Permission {
    Permission::Denied("nobody approves for an agent they own".to_owned())
}

fn manager(
    name: &str,
    answer: Result<String, String>,
    indexer: Option<Result<String, String>>,
) -> ManagerStatus {
    let health = Health { calls_last_minute: 12, calls_per_minute_max: 200, ..Health::default() };
    let address = format!("https://{name}.example.net:55000");
    let (name, unseen) = (name.to_owned(), vec![HOSTILE.to_owned()]);
    ManagerStatus { name, address, answer, indexer, health, waiting: 3, unseen }
}

fn system() -> SystemPage {
    let freeze = |extent, release| Freeze {
        extent,
        at: at(1),
        by: "bob".to_owned(),
        reason: HOSTILE.to_owned(),
        release,
    };
    let first =
        Release { person: None, name: "carol".to_owned(), reason: HOSTILE.to_owned(), at: at(2) };
    let freezes = vec![
        freeze(Extent::Everything, None),
        freeze(Extent::Agent("triage-bot".to_owned()), Some(first)),
    ];
    let troubles = vec![format!("the manager wazuh-1 does not answer: {HOSTILE}")];
    SystemPage {
        release_reason: HOSTILE.to_owned(),
        layout: Layout { freezes, troubles, ..layout("System", "/system") },
        policies: Some(format!("The policy folder cannot be read: {HOSTILE}.")),
        system: SystemStatus {
            managers: vec![
                manager("wazuh-1", Err(HOSTILE.to_owned()), Some(Err(HOSTILE.to_owned()))),
                manager("wazuh-2", Ok("Wazuh 4.14.7".to_owned()), None),
            ],
            channels: vec![ChannelState {
                name: "webhook.ops".to_owned(),
                place: "json to hooks.example".to_owned(),
                doing: ChannelActivity {
                    delivered_at: Some(at(3)),
                    waiting: 2,
                    given_up: 1,
                    problem: Some(HOSTILE.to_owned()),
                },
            }],
            feeds: vec![made_up::feed()],
            audit: walked(),
            halted: Some(Halt { cause: HaltCause::Recovery, why: HOSTILE.to_owned() }),
            changed_managers: vec![HOSTILE.to_owned()],
            throttled_sources: 3,
            mark: None,
            requests: vec![("pending".to_owned(), 3), ("settled".to_owned(), 12)],
            outcomes: vec![("sent".to_owned(), 40), ("unknown".to_owned(), 1)],
        },
        certificate: Some(made_up::certificate()),
        sources_known: false,
        freeze: Permission::Now,
        unfreeze: Permission::WithPassword,
        me: person(2, "bob", Role::Senior).id,
        parts: vec![("everything".to_owned(), "everything".to_owned())],
        problem: Some("The password is wrong. Nothing was changed.".to_owned()),
        what: "everything".to_owned(),
        reason: "false alarm".to_owned(),
    }
}

fn walked() -> Walked {
    let why = "its fields do not give its hash: it was edited".to_owned();
    Walked {
        verified: Verified { rows: 411, head: Digest::of(b"head"), broken: Some((412, why)) },
        began: Some(at(1)),
        ended: Some(at(2)),
    }
}

fn pages() -> Vec<(&'static str, String)> {
    let audit = AuditFound { rows: audit(&request(1)), ..AuditFound::default() };
    let audit = AuditPage::new(layout("Audit", "/audit"), AuditFilters::default(), audit);
    let pending = request_page(request(1), Permission::WithPassword, id(2));
    let voted = request_page(request(1), Permission::Now, id(1));
    let barred = request_page(request(1), own_agent(), id(3));
    let mut impossible = request_page(settled(), Permission::Now, id(2));
    impossible.view.undo = UndoOption::Impossible {
        why: "This cannot be undone through Wazuh: remove the rule on the endpoint.".to_owned(),
    };
    let mut many = settled();
    many.targets = many.targets.into_iter().cycle().take(60).collect();
    let many = request_page(many, Permission::Now, id(2));
    let settled = request_page(settled(), Permission::Now, id(2));
    let undo = request_page(undo(), Permission::Now, id(3));
    [
        ("inbox", lists::inbox().render()),
        ("request", pending.render()),
        ("request-voted", voted.render()),
        ("request-barred", barred.render()),
        ("request-settled", settled.render()),
        ("request-many", many.render()),
        ("request-undo", undo.render()),
        ("request-impossible", impossible.render()),
        ("requests", lists::requests().render()),
        ("in-force", in_force().render()),
        ("audit", audit.render()),
        ("policy", policy().render()),
        ("system", system().render()),
        ("help", HelpPage::new(layout("Help", "/help")).render()),
    ]
    .into_iter()
    .chain(account::pages())
    .chain(kept::pages())
    .chain(charts::pages())
    .chain(evidence::pages())
    .chain(profiles::pages())
    .chain(lists::pages())
    .map(|(name, html)| (name, html.unwrap()))
    .collect()
}

#[test]
fn every_page_renders_and_hostile_text_stays_visible() {
    let folder = std::env::var_os("COUNTERSIGN_GALLERY").map(std::path::PathBuf::from);
    for (name, html) in pages() {
        assert!(!html.contains("<script>alert"), "{name}");
        assert!(html.len() <= PAGE_BYTES_MAX, "{name}: {} bytes", html.len());
        for hidden in ['\u{202E}', '\u{200B}', '\u{1B}'] {
            assert!(!html.contains(hidden), "{name}");
        }
        // Words of our own never come out as escapes; two texts from outside do.
        let own = html.replace("‹U+0020›SYSTEM", "").replace("‹U+0020›212 failures", "");
        assert!(!own.contains("‹U+0020›"), "{name}");
        if let Some(folder) = &folder {
            let (style, script) =
                (assets::address(&assets::STYLE), assets::address(&assets::SCRIPT));
            let html = html.replace(&style, "style.css").replace(&script, "page.js");
            let html = html.replace(Layout::icons(), "icons.svg");
            std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
        }
    }
}

#[test]
fn alert_of_earlier_version_shows_no_field() {
    let mut old = request(1);
    old.alert.shown = None;
    old.alert.indexer = IndexerState::Unknown;
    let html = request_page(old.clone(), Permission::Now, id(2)).render().unwrap();
    assert!(html.contains("it names <bdi>203.0.113.9</bdi>"), "{html}");
    assert!(!html.contains("in <code>data.") && !html.contains("nobody could look"), "{html}");
    old.alert.names_target = false;
    let html = request_page(old, Permission::Now, id(2)).render().unwrap();
    assert!(html.contains("it <strong>does not name</strong> <bdi>203.0.113.9</bdi>"), "{html}");
}

#[test]
fn forbidden_actions_are_not_offered() {
    let barred = request_page(request(1), own_agent(), id(3)).render().unwrap();
    assert!(barred.contains("You may not approve it: nobody approves for an agent they own."));
    assert!(!barred.contains("/approve\""));
    assert!(barred.contains("/reject\""));
    let voted = request_page(request(1), Permission::Now, id(1)).render().unwrap();
    assert!(!voted.contains("/approve\""));
    assert!(voted.contains("/retract\""));
    let settled = request_page(settled(), Permission::Now, id(2)).render().unwrap();
    for form in ["/approve\"", "/reject\"", "/retract\"", "/cancel\""] {
        assert!(!settled.contains(form));
    }
}

#[test]
fn unknown_outcome_is_highlighted_with_next_steps() {
    let html = request_page(settled(), Permission::Now, id(2)).render().unwrap();
    assert!(html.contains("What happened is not known on 2 of the endpoints"));
    for link in ["href=\"#resolve\"", "href=\"#undo\"", "id=\"resolve\"", "id=\"undo\""] {
        assert!(html.contains(link), "{link}");
    }
    let calm = request_page(request(1), Permission::Now, id(2)).render().unwrap();
    assert!(!calm.contains("What happened is not known") && !calm.contains("id=\"undo\""));
}

#[test]
fn impossible_undo_says_so_and_has_no_button() {
    let mut page = request_page(settled(), Permission::Now, id(2));
    let why = "This cannot be undone through Wazuh: remove the rule by hand.".to_owned();
    page.view.undo = UndoOption::Impossible { why: why.clone() };
    let html = page.render().unwrap();
    assert!(html.contains(&why));
    assert!(!html.contains("/undo\""));
}

#[test]
fn vote_form_carries_what_was_shown() {
    let (request, form) = (request(1), request_page(request(1), Permission::WithPassword, id(2)));
    let html = form.render().unwrap();
    let digest = format!("name=\"digest\" value=\"{}\"", request.digest);
    for field in ["name=\"version\" value=\"3\"", "name=\"form_token\" value=\"f00d\"", &digest] {
        assert!(html.contains(field), "{field}");
    }
    assert!(html.contains("Needs 2 people, one of them a senior or lead; has 1 (alice)."));
    assert!(html.contains("id=\"approve-password\""));
    assert!(!html.contains("autofocus"));
}
