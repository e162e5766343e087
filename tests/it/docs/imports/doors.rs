//! No door can do what nobody authorized: a verb of the broker takes the person or the agent that
//! it is for, or it is on one of the lists here.

use std::collections::BTreeSet;

use syn::{FnArg, Ident, ImplItem, Item, ItemImpl, Type, Visibility, visit::Visit};

use super::{
    files, module_of, product,
    use_paths::{names, only_for_tests},
};

/// What the doors may call although no person or agent stands for it, and why.
const OPEN: [(&str, &[&str]); 4] = [
    ("set at the start", &["settings", "clock", "managers", "channels", "several_managers"]),
    (
        "this is how people and agents sign in",
        &["sign_in", "session", "session_is_active", "setup_is_open", "set_up", "agent_by_token"],
    ),
    (
        "it changes nothing, and what it says is no secret of anybody",
        &["changes", "engine", "frozen", "outages", "outage_of", "counts", "ready"],
    ),
    (
        "it follows from a request that the door has read already",
        &["undo_option", "confirm_within", "with_hold"],
    ),
];

/// What the program does once, before the doors open.
const START: [&str; 7] = [
    "new",
    "started",
    "recover",
    "withdraw_orphans",
    "record_active_policy",
    "open_setup",
    "manager_answers",
];

/// What the worker does; nothing but time gives reason for it.
const WORKER: [&str; 5] = ["execute_next", "observe", "expire_overdue", "notify", "deliver_next"];

/// A public method of the broker.
#[derive(Debug)]
struct PublicVerb {
    name: String,
    /// Whether it takes a person who signed in, or an agent.
    principal: bool,
    /// Every name in the type of what it gives.
    gives: BTreeSet<String>,
}

fn verbs() -> Vec<PublicVerb> {
    let broker = |path: &str| path == "broker.rs" || path.starts_with("broker/");
    files("src")
        .iter()
        .filter(|(path, _)| broker(path))
        .flat_map(|(_, text)| public(text))
        .collect()
}

fn public(text: &str) -> Vec<PublicVerb> {
    let of_broker = |item: Item| {
        let Item::Impl(item) = item else { return None };
        (item.trait_.is_none() && named(&item.self_ty) == "Broker").then_some(item)
    };
    let items = syn::parse_str::<syn::File>(text).unwrap().items;
    items.into_iter().filter_map(of_broker).flat_map(methods).collect()
}

fn methods(block: ItemImpl) -> Vec<PublicVerb> {
    let verb = |item: ImplItem| {
        let ImplItem::Fn(method) = item else { return None };
        let open = matches!(method.vis, Visibility::Public(_)) && !only_for_tests(&method.attrs);
        let principal = |argument: &FnArg| match argument {
            FnArg::Receiver(_) => false,
            FnArg::Typed(argument) => {
                let Type::Reference(whom) = &*argument.ty else { return false };
                ["SignedIn", "Agent"].contains(&&*named(&whom.elem))
            }
        };
        let mut gives = TypeNames::default();
        gives.visit_return_type(&method.sig.output);
        open.then(|| PublicVerb {
            name: method.sig.ident.to_string(),
            principal: method.sig.inputs.iter().any(principal),
            gives: gives.0,
        })
    };
    block.items.into_iter().filter_map(verb).collect()
}

/// The last name of a type.
fn named(of: &Type) -> String {
    let Type::Path(path) = of else { return String::new() };
    path.path.segments.last().unwrap().ident.to_string()
}

#[derive(Default)]
struct TypeNames(BTreeSet<String>);

impl<'ast> Visit<'ast> for TypeNames {
    fn visit_ident(&mut self, name: &'ast Ident) {
        self.0.insert(name.to_string());
    }
}

/// What is wrong with a public method of the broker, in words.
fn fault(verb: &PublicVerb) -> Option<String> {
    let name = verb.name.as_str();
    let listed = OPEN.iter().any(|(_, open)| open.contains(&name))
        || START.contains(&name)
        || WORKER.contains(&name);
    let inner = ["Operator", "Unchecked", "Store"].into_iter().find(|&t| verb.gives.contains(t));
    match inner {
        Some(inner) => Some(format!("`{name}` hands out {inner}")),
        None if verb.principal || listed => None,
        None => Some(format!("`{name}` takes neither &SignedIn nor &Agent and is on no list")),
    }
}

#[test]
fn broker_verb_takes_a_principal_or_is_listed() {
    let verbs = verbs();
    assert!(verbs.len() > 50, "only {} verbs were found", verbs.len());
    let faults: Vec<_> = verbs.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
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
            "`people` takes neither &SignedIn nor &Agent and is on no list",
        ),
        (
            "pub async fn add(&self, agent: Agent, name: &str) {}",
            "`add` takes neither &SignedIn nor &Agent and is on no list",
        ),
    ] {
        let verbs = public(&format!("impl Broker {{ {text} }}"));
        assert_eq!(verbs.iter().filter_map(fault).collect::<Vec<_>>(), [expected]);
    }
    for text in [
        "pub async fn people(&self, who: &SignedIn) -> Result<Vec<Person>, BrokerError> { x() }",
        "pub async fn undo(&self, agent: &domain::Agent) {}",
        "pub(in crate::broker) fn unchecked(&self) -> &Unchecked { &self.0 }",
        "fn store(&self) -> &Store { &self.0 }",
    ] {
        let verbs =
            public(&format!("impl Broker {{ {text} }} impl X {{ pub fn operator() {{}} }}"));
        assert_eq!(verbs.iter().filter_map(fault).collect::<Vec<_>>(), [""; 0], "{text}");
    }
}

/// The doors for people, for agents and for time.
const DOORS: [(&str, &[&[&str]]); 3] =
    [("web", &[&START, &WORKER]), ("mcp", &[&START, &WORKER]), ("worker", &[&START])];

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
    let principals = ["SignedIn", "Agent"].into_iter().filter(|of| named.built.contains(*of));
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
    ] {
        assert_eq!(faults_of_door("web/x.rs", text), [format!("web/x.rs: web {fault}")]);
    }
    let work = "fn f() { broker.execute_next(\"x\") }";
    assert!(faults_of_door("worker.rs", work).is_empty());
    assert!(faults_of_door("app.rs", "fn f() { broker.recover(None) }").is_empty());
    let tests = "#[cfg(test)] mod tests { fn f() { SignedIn { person } } }";
    assert!(faults_of_door("web/x.rs", tests).is_empty());
}
