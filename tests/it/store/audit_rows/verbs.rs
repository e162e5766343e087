//! The rows that verbs of the broker write, from a broker whose clock and ids are fixed. What comes
//! from elsewhere is replaced: hashes of the shipped policies, reasons of refusals, our version.

mod teams;

use crate::harness::kind;
use std::{net::TcpListener, sync::Arc, time::Duration};

use chrono::DateTime;
use countersign::{
    app::{AppParts, ConnectionLimits},
    broker::{
        AgentLimits, Broker, Settings, SignedIn,
        admin::{
            operator::Operator,
            people::{NewPerson, PersonChange},
            policies::{folder::digest_of, load_and_test},
        },
    },
    clock::Clock,
    connector::Connector,
    domain::{
        action::Catalogue,
        actor::sign_in::{SignInOrigin, Source},
        actor::{Actor, Agent, Role},
        audit::{
            AuditDetail, AuditEntry, AuditEvent, EventKind,
            detail::request::{AssignmentFacts, DecisionFacts, DryRunFacts, SnoozeFacts},
        },
        decision::{Tally, Verdict},
        digest::Digest,
        id::RequestId,
        kill_switch::Extent,
        lifecycle::Displayed,
        request::Request,
    },
    store::{
        Store,
        audit::{self, AuditFilter},
        requests::{self, AskKey},
    },
    web::Proxies,
};
use expect_test::expect_file;
use serde_json::{Map, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::{Rows, api_tokens, passkeys};
use crate::{
    domain::lifecycle::fixtures::{drafted, minute},
    harness::{self, PASSWORD},
};

/// A broker without people, as it starts.
struct Fixed {
    store: Store,
    clock: Clock,
    broker: Broker,
    /// What stands in a detail, and what takes its place here.
    replaced: Vec<(String, String)>,
    names: Vec<(u64, &'static str)>,
    folder: TempDir,
}

impl Fixed {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 123_456_000).unwrap());
        let store = Store::serve(&folder.path().join("countersign.db"), None).await.unwrap();
        let store = store.with_clock(clock.clone());
        let own = harness::fixtures::own_policies(folder.path());
        let engine = load_and_test(&own).unwrap();
        let (policy_hash, policies) = (engine.hash(), engine.policies().len());
        let manager = harness::fixtures::connector("paris", "http://127.0.0.1:9", false);
        let agents = AgentLimits { asks_per_minute_max: 1, ..AgentLimits::default() };
        let parts = AppParts {
            store: store.clone(),
            clock: clock.clone(),
            managers: vec![Connector::wazuh(manager).unwrap()],
            channels: Vec::new(),
            feeds: Vec::new(),
            network: Arc::new(harness::network::FakeNetwork::default()),
            provider: None,
            policies: own,
            engine,
            settings: Settings { agents, ..harness::fixtures::settings() },
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            metrics: None,
            tls: None,
            connections: ConnectionLimits::default(),
            proxies: Proxies::default(),
            metrics_token: None,
            configuration: Digest::of(b"configuration"),
        };
        let broker = parts.open().await.unwrap().broker;
        let replaced = vec![
            (policy_hash.to_string(), Digest::ZERO.to_string()),
            (folder.path().canonicalize().unwrap().display().to_string(), "folder".to_owned()),
            (format!("\"policies\":{policies}"), "\"policies\":30".to_owned()),
            (format!("\"{}\"", env!("CARGO_PKG_VERSION")), "\"0.0.0\"".to_owned()),
        ];
        let names = vec![(0, "the start")];
        Self { store, clock, broker, replaced, names, folder }
    }

    fn operator(&self) -> Operator {
        Operator::new(self.store.clone(), self.clock.clone())
    }

    /// What follows is called so.
    async fn now(&mut self, name: &'static str) {
        self.clock.advance(Duration::from_secs(1));
        self.names.push((self.entries().await.len().try_into().unwrap(), name));
    }

    async fn entries(&self) -> Vec<AuditEntry> {
        let found = audit::after(&mut self.store.reader().await.unwrap(), 0, 1000).await.unwrap();
        found.into_iter().map(|(entry, _hash)| entry).collect()
    }

    /// A refusal is written down with its reason, whose text is not ours to fix here.
    fn refused<T: std::fmt::Debug, E: std::fmt::Display>(&mut self, done: Result<T, E>) {
        let why = json!(done.err().unwrap().to_string()).to_string();
        self.replaced.insert(0, (why, "\"the reason\"".to_owned()));
    }

    async fn sign_in(&self, name: &str) -> SignedIn {
        let token = self.broker.sign_in(name, PASSWORD, &origin()).await.unwrap().token;
        self.broker.session(&token).await.unwrap().unwrap()
    }

    async fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        for entry in self.entries().await {
            let name = self.names.iter().rev().find(|(after, _)| *after < entry.seq).unwrap().1;
            let (_, previous) = rows.last();
            let fix = |text: &str| {
                self.replaced
                    .iter()
                    .fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
            };
            let (detail, target) = (fix(&entry.detail), entry.target.as_deref().map(fix));
            let row = AuditEntry { detail, target, previous, ..entry };
            rows.0.push((name.to_owned(), row));
        }
        rows
    }
}

pub(super) async fn rows() -> Rows {
    let mut fixed = Fixed::start().await;
    let root = set_up(&mut fixed).await;
    people(&mut fixed, &Actor::from(root.profile())).await;
    agents(&mut fixed, &Actor::from(root.profile())).await;
    sessions(&mut fixed).await;
    kill_switch(&mut fixed).await;
    requests(&mut fixed).await;
    policies(&mut fixed, &root).await;
    reading(&mut fixed, &root).await;
    reevaluation(&mut fixed, &root).await;
    fixed.now("an agent's limit is lifted").await;
    fixed.broker.lift_limit(&root, "triage").await.unwrap();
    dry_run(&mut fixed).await;
    triage(&mut fixed).await;
    teams::happen(&mut fixed, &Actor::from(root.profile())).await;
    fixed.rows().await
}

fn origin() -> SignInOrigin {
    SignInOrigin::new(Source::of([203, 0, 113, 9].into()), "Mozilla/5.0")
}

async fn set_up(fixed: &mut Fixed) -> SignedIn {
    let code = fixed.broker.open_setup().await.unwrap().unwrap();
    fixed.now("a wrong code of the set-up").await;
    fixed.broker.set_up("wrong", "mallory", PASSWORD, &origin()).await.unwrap_err();
    fixed.now("the first admin").await;
    fixed.broker.set_up(&code, "root", PASSWORD, &origin()).await.unwrap();
    fixed.now("signed in").await;
    fixed.sign_in("root").await
}

async fn people(fixed: &mut Fixed, root: &Actor) {
    let operator = fixed.operator();
    fixed.now("people are added, one with a mail address").await;
    for (name, role, mail) in [
        ("alice", Role::Analyst, None),
        ("bob", Role::Senior, Some("bob@example.com")),
        ("carol", Role::Lead, None),
        ("dora", Role::Admin, None),
        ("otto", Role::Auditor, None),
    ] {
        let new =
            NewPerson { name, role, password: PASSWORD, must_change: false, mail, teams: &[] };
        operator.add_person(root, new).await.unwrap();
    }
    fixed.now("bob has a session").await;
    fixed.sign_in("bob").await;
    for (name, change) in [
        ("a role", PersonChange::Role(Role::Lead)),
        ("on call", PersonChange::OnCall(true)),
        ("off call", PersonChange::OnCall(false)),
        ("another mail address", PersonChange::Mail(Some("b@example.com".to_owned()))),
        ("no mail address", PersonChange::Mail(None)),
    ] {
        fixed.now(name).await;
        operator.change_person(root, "bob", &change).await.unwrap();
    }
    fixed.now("sessions ended").await;
    fixed.sign_in("bob").await;
    operator.change_person(root, "bob", &PersonChange::EndSessions).await.unwrap();
    fixed.now("a password is reset").await;
    operator.reset_password(root, "bob", PASSWORD).await.unwrap();
    fixed.now("disabled").await;
    operator.disable_person(root, "otto").await.unwrap();
}

async fn agents(fixed: &mut Fixed, root: &Actor) {
    let operator = fixed.operator();
    fixed.now("an agent is added").await;
    operator.add_agent(root, "hunter", "alice", &Catalogue::built_in().usual()).await.unwrap();
    fixed.now("an agent is added by command line").await;
    let one = [kind("block_ip")];
    operator.add_agent(&Actor::CommandLine, "triage", "alice", &one).await.unwrap();
    fixed.now("other scopes").await;
    operator.set_scopes(root, "hunter", &one).await.unwrap();
    fixed.now("new tokens").await;
    operator.rotate_agent(&Actor::CommandLine, "hunter").await.unwrap();
    operator.rotate_agent(root, "hunter").await.unwrap();
    fixed.now("revoked").await;
    operator.revoke_agent(root, "hunter").await.unwrap();
}

async fn sessions(fixed: &mut Fixed) {
    fixed.now("a wrong password").await;
    fixed.broker.sign_in("carol", "not the password", &origin()).await.unwrap_err();
    fixed.now("signed in, and the password given again").await;
    let carol = fixed.sign_in("carol").await;
    fixed.broker.authenticate_again(&carol, PASSWORD).await.unwrap();
    fixed.now("signed out").await;
    fixed.broker.sign_out(&carol).await.unwrap();
    fixed.now("signed in, and the password changed").await;
    let carol = fixed.sign_in("carol").await;
    fixed.broker.change_password(&carol, (PASSWORD, "another long password"), false).await.unwrap();
}

async fn kill_switch(fixed: &mut Fixed) {
    let operator = fixed.operator();
    for (name, extent) in [
        ("the switch for everything", Extent::Everything),
        ("the switch for a manager", Extent::Manager("paris".to_owned())),
        ("the switch for an action", Extent::Action(kind("unblock_ip"))),
        ("the switch for an agent", Extent::Agent("triage".to_owned())),
    ] {
        fixed.now(name).await;
        operator.freeze(&Actor::CommandLine, &extent, "odd").await.unwrap();
    }
    fixed.now("the first and the second key").await;
    let dora = Actor::from(&operator.person("dora").await.unwrap());
    for key in [Actor::CommandLine, dora] {
        operator.unfreeze(&key, &Extent::Everything, "all is well", |_| true).await.unwrap();
    }
}

async fn requests(fixed: &mut Fixed) {
    fixed.now("a proposal that is none, and one too many").await;
    let agents = fixed.operator().agents().await.unwrap();
    let triage = agents.into_iter().find(|agent| agent.name == "triage").unwrap();
    for _ask in 0..2 {
        let done = fixed.broker.submit(&triage, kind("block_ip"), &Map::new()).await;
        fixed.refused(done);
    }
    fixed.now("a request is stored").await;
    let request = &stored(fixed, drafted(Verdict::Deny), &triage).await;
    fixed.now("alice is its agent's owner: no vote, but a comment").await;
    let alice = fixed.sign_in("alice").await;
    let shown = Displayed { version: request.version, digest: request.digest };
    let done = fixed.broker.approve(&alice, request.id, shown, "").await;
    fixed.refused(done);
    let done = fixed.broker.break_glass(&alice, request.id, shown, ("", "now")).await;
    fixed.refused(done);
    fixed.broker.comment(&alice, request.id, "I saw \"it\", too").await.unwrap();
}

async fn stored(fixed: &Fixed, mut draft: Request, triage: &Agent) -> Request {
    draft.agent = triage.id;
    draft.agent_name = triage.name.clone();
    draft.owner = triage.owner;
    draft.manager = "paris".to_owned();
    draft.digest = draft.computed_digest();
    let asked = &draft.submit(minute(75), minute(0));
    // So it was when the first of these rows were made.
    let at = fixed.entries().await.last().unwrap().time().unwrap();
    let done = fixed.store.write(|tx| {
        Box::pin(async move {
            let key = AskKey { proposal: Digest::ZERO, ask: Digest::ZERO, idempotency_key: None };
            requests::insert(tx, asked, key, at).await
        })
    });
    done.await.unwrap();
    asked.request().clone()
}

/// There is no manager whose endpoints it could be about.
async fn dry_run(fixed: &mut Fixed) {
    fixed.now("a dry run").await;
    let draft = drafted(Verdict::Approval(Tally::NONE.and(Role::Lead)));
    let detail = AuditDetail::ProposalDryRun(DryRunFacts {
        effect: draft.effect(),
        manager: "paris".to_owned(),
        decision: DecisionFacts::from(&draft.decision),
        step: None,
    });
    let event = &AuditEvent::new(Actor::CommandLine, None, detail);
    let at = fixed.entries().await.last().unwrap().time().unwrap();
    let done = fixed.store.write(|tx| Box::pin(async move { audit::append(tx, event, at).await }));
    done.await.unwrap();
}

async fn policies(fixed: &mut Fixed, root: &SignedIn) {
    fixed.now("another policy set").await;
    let (folder, engine) = (fixed.folder.path().join("policies"), fixed.broker.engine());
    let shown = digest_of(engine.files(), engine.files());
    fixed.broker.activate_policy(root, &folder, shown).await.unwrap();
    fixed.now("a bad policy set").await;
    let done = fixed.broker.activate_policy(root, "no such folder".as_ref(), shown).await;
    fixed.refused(done);
}

/// About a request that only time can end, so that nothing depends on what the policies say.
async fn reevaluation(fixed: &mut Fixed, root: &SignedIn) {
    fixed.now("another policy set, and an open request").await;
    let agents = fixed.operator().agents().await.unwrap();
    let triage = agents.into_iter().find(|agent| agent.name == "triage").unwrap();
    let mut late = drafted(Verdict::Approval(Tally::NONE.and(Role::Lead)));
    (late.id, late.deadline) = (RequestId::from(Uuid::from_u128(10)), minute(0));
    stored(fixed, late, &triage).await;
    let (folder, engine) = (fixed.folder.path().join("policies"), fixed.broker.engine());
    let shown = digest_of(engine.files(), engine.files());
    fixed.broker.activate_policy(root, &folder, shown).await.unwrap();
}

/// To whom a request is assigned, and until when it is snoozed; and what passkeys and tokens do.
async fn triage(fixed: &mut Fixed) {
    let triage = [
        AuditDetail::RequestAssigned(AssignmentFacts { to: Some("bob".to_owned()) }),
        AuditDetail::RequestAssigned(AssignmentFacts { to: None }),
        AuditDetail::RequestSnoozed(SnoozeFacts { until: Some(minute(15)) }),
        AuditDetail::RequestSnoozed(SnoozeFacts { until: None }),
    ];
    append(fixed, "a request is assigned, and snoozed", triage).await;
    append(fixed, "passkeys", passkeys::details()).await;
    append(fixed, "tokens for the API", api_tokens::details()).await;
}

/// Appends what one person did.
async fn append<const N: usize>(fixed: &mut Fixed, what: &'static str, details: [AuditDetail; N]) {
    fixed.now(what).await;
    let at = fixed.entries().await.last().unwrap().time().unwrap();
    let bob = Actor::from(&fixed.operator().person("bob").await.unwrap());
    for detail in details {
        let event = &AuditEvent::new(bob.clone(), None, detail);
        let done =
            fixed.store.write(|tx| Box::pin(async move { audit::append(tx, event, at).await }));
        done.await.unwrap();
    }
}

async fn reading(fixed: &mut Fixed, root: &SignedIn) {
    fixed.now("the audit is read").await;
    let word = || Some("x".to_owned());
    let filter = AuditFilter {
        since: Some(minute(0)),
        until: Some(minute(1)),
        kind: word(),
        actor: word(),
        endpoint: word(),
        target: word(),
        request: word(),
        policy: word(),
        ..AuditFilter::default()
    };
    for filter in [AuditFilter::default(), filter] {
        fixed.broker.audit(root, &filter, None).await.unwrap();
    }
    assert!(fixed.entries().await.iter().any(|row| row.kind == EventKind::AuditRead.name()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_verbs_keep_their_bytes() {
    expect_file!["../../../golden/audit_verbs.txt"].assert_eq(&Box::pin(rows()).await.text());
}
