//! No door can do what nobody authorized: a verb of the broker takes the person or the agent that
//! it is for, or it is on one of the lists here.

use super::{
    module_of, product,
    surface::{PublicVerb, Surface, surface},
    use_paths::names,
};

mod api;

/// What the doors may call although no person or agent stands for it, and why.
const OPEN: [(&str, &[&str]); 4] = [
    (
        "set at the start",
        &[
            "settings",
            "clock",
            "managers",
            "channels",
            "feeds",
            "several_managers",
            "provider_name",
        ],
    ),
    (
        "this is how people and agents sign in",
        &[
            "sign_in",
            "sign_in_first",
            "ask_passkey_to_sign_in",
            "sign_in_with_passkey",
            "begin_provider_sign_in",
            "sign_in_with_provider",
            "ask_second_factor",
            "sign_in_with_second_factor",
            "session",
            "session_is_active",
            "expired_session",
            "setup_is_open",
            "set_up",
            "agent_by_token",
            "token_holder",
        ],
    ),
    (
        "it changes nothing, and what it says is no secret of anybody",
        &[
            "changes",
            "work",
            "system_changes",
            "engine",
            "frozen",
            "outages",
            "outage_of",
            "halted",
            "metrics",
            "connections",
            "readiness",
            "database_proof",
            "passkeys_impossible",
        ],
    ),
    (
        "it follows from a request that the door has read already",
        &[
            "undo_option",
            "active_before",
            "undo_also_lifts",
            "confirm_within",
            "with_hold",
            "plan_with_holds",
            "children_of",
        ],
    ),
];

/// What the program does once, before the doors open.
const START: [&str; 11] = [
    "new",
    "open_feeds",
    "started",
    "recover",
    "update_all_ends",
    "withdraw_orphans",
    "record_active_policy",
    "recall_addresses",
    "changed_managers",
    "open_setup",
    "manager_answers",
];

/// What the worker does; nothing but time gives reason for it.
const WORKER: [&str; 21] = [
    "stop_waiting",
    "open_senders",
    "close_senders",
    "for_pages",
    "for_worker",
    "execute_next",
    "observe",
    "observe_rule_responses",
    "look_up_own_addresses",
    "read_endpoint_addresses",
    "look_for_returned",
    "expire_overdue",
    "notify",
    "deliver_next",
    "feed_next",
    "walk_on",
    "keep_mark",
    "watch_clock",
    "record_refused_sign_ins",
    "keep_disk",
    "close",
];

fn of_broker() -> Vec<(String, Surface)> {
    let broker = |path: &str| path == "broker.rs" || path.starts_with("broker/");
    let files = product().into_iter().filter(|(path, _)| broker(path));
    files.map(|(path, text)| (path.clone(), surface(&path, &text))).collect()
}

fn verbs() -> Vec<PublicVerb> {
    of_broker().into_iter().flat_map(|(_, surface)| surface.verbs).collect()
}

/// What is wrong with a public method of the broker, in words.
fn fault(verb: &PublicVerb) -> Option<String> {
    let name = verb.name.as_str();
    let listed = OPEN.iter().any(|(_, open)| open.contains(&name))
        || START.contains(&name)
        || WORKER.contains(&name);
    let inner = ["Operator", "Unchecked", "Store"].into_iter();
    let lent = |inner: &&str| verb.takes.contains(*inner) && !START.contains(&name);
    let inner = inner.into_iter().find(|inner| verb.gives.contains(*inner) || lent(inner));
    match inner {
        Some(inner) => Some(format!("`{name}` hands out {inner}")),
        None if verb.principal || listed => None,
        None => Some(format!("`{name}` takes no principal and is on no list")),
    }
}

#[test]
fn broker_verb_takes_a_principal_or_is_listed() {
    let verbs = verbs();
    assert!(verbs.len() > 50, "only {} verbs were found", verbs.len());
    let mut faults: Vec<_> = verbs.iter().filter_map(fault).collect();
    for (path, surface) in of_broker() {
        faults.extend(surface.faults.into_iter().map(|fault| format!("{path}: {fault}")));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// All that is wrong with a file of the broker.
fn faults_of_broker(path: &str, text: &str) -> Vec<String> {
    let Surface { verbs, faults } = surface(path, text);
    verbs.iter().filter_map(fault).chain(faults).collect()
}

#[test]
fn listed_verb_exists_and_takes_no_principal() {
    let verbs = verbs();
    let open = OPEN.iter().flat_map(|(_, names)| *names);
    for listed in open.chain(&START).chain(&WORKER) {
        let found = verbs.iter().find(|verb| verb.name == *listed);
        assert!(found.is_some_and(|verb| !verb.principal), "{listed}: {found:?}");
    }
}

#[test]
fn side_door_in_the_broker_is_found() {
    for (text, expected) in [
        (
            "pub fn operator(&self) -> &admin::operator::Operator { &self.0.operator }",
            "`operator` hands out Operator",
        ),
        (
            "pub fn settings(&self) -> Result<Unchecked, BrokerError> { todo!() }",
            "`settings` hands out Unchecked",
        ),
        (
            "pub async fn people(&self) -> Result<Vec<Person>, BrokerError> { todo!() }",
            "`people` takes no principal and is on no list",
        ),
        (
            "pub async fn add(&self, agent: Agent, name: &str) {}",
            "`add` takes no principal and is on no list",
        ),
    ] {
        let text = format!("impl Broker {{ {text} }}");
        assert_eq!(faults_of_broker("broker/x.rs", &text), [expected]);
    }
    for text in [
        "pub async fn people(&self, who: &SignedIn) -> Result<Vec<Person>, BrokerError> { x() }",
        "pub async fn undo(&self, agent: &domain::Agent) {}",
        "pub(in crate::broker) fn unchecked(&self) -> &Unchecked { &self.0 }",
        "pub(in crate::broker::admin) fn unchecked(&self) -> &Unchecked { &self.0 }",
        "pub(super) fn unchecked(&self) -> &Unchecked { &self.0 }",
        "fn store(&self) -> &Store { &self.0 }",
    ] {
        let text = format!("impl Broker {{ {text} }} impl X {{ pub fn operator() {{}} }}");
        assert_eq!(faults_of_broker("broker/x.rs", &text), [""; 0], "{text}");
    }
}

#[test]
fn hidden_side_door_in_the_broker_is_found() {
    let alone = "`x` takes no principal and is on no list";
    let unreadable = "a macro makes items that cannot be read here";
    for (path, text, expected) in [
        ("broker/x.rs", "impl Broker { pub(crate) fn x(&self) {} }", alone),
        ("broker/x.rs", "impl Broker { pub(in crate) fn x(&self) {} }", alone),
        ("broker/x.rs", "impl Broker { pub(in super::super) fn x(&self) {} }", alone),
        ("broker.rs", "impl Broker { pub(super) fn x(&self) {} }", alone),
        ("broker/x.rs", "mod m { mod n { impl super::Broker { pub fn x(&self) {} } } }", alone),
        ("broker/x.rs", "fn f() { impl Broker { pub fn x(&self) {} } }", alone),
        ("broker/x.rs", "const _: () = { impl Broker { pub fn x(&self) {} } };", alone),
        (
            "broker/x.rs",
            "impl Broker { pub fn settings(&self, f: impl Fn(&Unchecked)) {} }",
            "`settings` hands out Unchecked",
        ),
        ("broker/x.rs", "impl Door for Broker {}", "a trait is implemented for Broker"),
        ("broker/x.rs", "impl Door for &Broker {}", "a trait is implemented for Broker"),
        ("broker/x.rs", "impl From<Broker> for X {}", "a trait is implemented for Broker"),
        (
            "broker/x.rs",
            "impl<B: Borrow<Broker>> Door for B {}",
            "a trait is implemented for Broker",
        ),
        ("broker/x.rs", "type B = super::Broker;", "Broker has another name: `B`"),
        ("broker/x.rs", "pub type O = Arc<Operator>;", "Operator has another name: `O`"),
        ("broker/x.rs", "use super::{Unchecked as U};", "Unchecked has another name: `U`"),
        ("broker/x.rs", "macro_rules! m { () => { impl X {} } }", unreadable),
        ("broker/x.rs", "verbs!(Broker, x);", unreadable),
        ("broker/x.rs", "fn f() { m! { impl Broker { pub fn x() {} } } }", unreadable),
        ("broker/x.rs", "pub fn x(broker: &Broker) {}", "`x` names Broker"),
        ("broker/x.rs", "pub(crate) async fn x(b: Arc<Broker>) {}", "`x` names Broker"),
        ("broker/x.rs", "mod m { pub fn x() -> Broker { y() } }", "`x` names Broker"),
        ("broker/x.rs", "impl Y { pub fn x(&self, b: &Broker) {} }", "`Y::x` names Broker"),
        ("broker/x.rs", "pub trait Y { fn x(b: &Broker) {} }", "`Y::x` names Broker"),
        ("broker/x.rs", "pub const X: fn(&Broker) = y;", "`X` names Broker"),
        ("broker/x.rs", "pub static X: fn(&Broker) = y;", "`X` names Broker"),
    ] {
        assert_eq!(faults_of_broker(path, text), [expected], "{text}");
    }
    for text in [
        "fn x(broker: &Broker) {}",
        "pub(super) fn x(broker: &Broker) {}",
        "#[cfg(test)] mod tests { impl Broker { pub fn x(&self) {} } }",
        "impl Door for X {}",
    ] {
        assert_eq!(faults_of_broker("broker/x.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn only_the_broker_can_make_a_signed_in_person() {
    let sources = product();
    let text = |path: &str| sources.iter().find(|(p, _)| p == path).unwrap().1.as_str();
    for path in ["broker/signed_in.rs", "broker/signed_in/token.rs"] {
        let fields: Vec<_> = text(path).lines().filter(|line| line.ends_with(',')).collect();
        let fields = fields.iter().filter(|line| line.starts_with("    pub"));
        assert_eq!(fields.collect::<Vec<_>>(), Vec::<&&str>::new(), "{path}");
    }
    let session = "struct ActiveSession(SignedIn);";
    assert!(text("broker/signed_in.rs").contains(session), "its session is private");
}

/// What was found at the door says who looks. Who writes is found in the transaction.
#[test]
fn nothing_is_written_for_person_as_door_found_them() {
    let acts = ["broker/admin", "broker/requests", "broker/execution", "broker.rs"];
    let files: Vec<_> = product()
        .into_iter()
        .filter(|(path, _)| acts.iter().any(|act| path.starts_with(act)))
        .collect();
    assert!(files.len() > 20, "only {} files were found", files.len());
    for (path, text) in files {
        assert!(!text.contains("profile()"), "{path} uses a person as the door found them");
    }
}

/// The doors for people, for agents, for programs and for time.
const DOORS: [(&str, &[&[&str]]); 4] = [
    ("web", &[&START, &WORKER]),
    ("mcp", &[&START, &WORKER]),
    ("api", &[&START, &WORKER]),
    ("worker", &[&START]),
];

/// What is wrong with a file of a door, in words.
fn faults_of_door(path: &str, text: &str) -> Vec<String> {
    let module = module_of(path);
    let Some((door, forbidden)) = DOORS.iter().find(|(door, _)| *door == module[0]) else {
        return Vec::new();
    };
    let named = names(&module, text);
    let forbidden = forbidden.iter().copied().flatten();
    let calls = forbidden.filter(|verb| named.calls.contains(**verb));
    let calls = calls.map(|verb| format!("{path}: {door} may not call `{verb}`"));
    let principals =
        ["SignedIn", "Agent", "TokenHolder"].into_iter().filter(|of| named.built.contains(*of));
    let built = principals.map(|of| format!("{path}: {door} may not make a {of} of its own"));
    calls.chain(built).collect()
}

#[test]
fn door_calls_only_verbs_that_it_may_call() {
    let faults: Vec<_> =
        product().iter().flat_map(|(path, text)| faults_of_door(path, text)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn door_with_its_own_principal_or_work_is_found() {
    for (text, fault) in [
        ("fn f() { app.broker.execute_next(\"x\") }", "may not call `execute_next`"),
        ("fn f() { broker.recover(None).await }", "may not call `recover`"),
        ("fn f() { SignedIn { person, ..other } }", "may not make a SignedIn of its own"),
        ("fn f() { g(&actor::Agent { id, ..other }) }", "may not make a Agent of its own"),
        ("fn f() { g!(Agent { id, ..other }) }", "may not make a Agent of its own"),
        ("fn f() { Broker::execute_next(&b, \"x\") }", "may not call `execute_next`"),
        ("fn f() { <Broker>::execute_next(&b, \"x\") }", "may not call `execute_next`"),
        ("fn f() { let go = crate::broker::Broker::observe; }", "may not call `observe`"),
        ("fn f() { join!(app.broker.execute_next(\"x\")) }", "may not call `execute_next`"),
        ("fn f() { join!(Broker::recover(&b, None)) }", "may not call `recover`"),
        ("mod m { fn f() { b.recover(None) } }", "may not call `recover`"),
        ("use crate::broker::Broker as B; fn f() { B::new(s) }", "may not call `new`"),
        ("fn f() { <Broker>::new(s) }", "may not call `new`"),
    ] {
        assert_eq!(faults_of_door("web/x.rs", text), [format!("web/x.rs: web {fault}")]);
    }
    let work = "fn f() { broker.execute_next(\"x\") }";
    assert!(faults_of_door("worker.rs", work).is_empty());
    assert!(faults_of_door("app.rs", "fn f() { broker.recover(None) }").is_empty());
    assert!(faults_of_door("web/x.rs", "fn f() { String::new(); observe(); }").is_empty());
    let tests = "#[cfg(test)] mod tests { fn f() { SignedIn { person } } }";
    assert!(faults_of_door("web/x.rs", tests).is_empty());
}
