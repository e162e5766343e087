//! Who may import whom: the table of DESIGN's architecture, held against every file of `src`.

mod doors;
mod graph;
mod shape;
mod surface;
mod use_paths;
mod wings;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use use_paths::names;

/// Each module of the crate with those it may import, its own children aside. A module may name
/// only modules above it, so there can be no circle.
const MAY_IMPORT: [(&str, &[&str]); 20] = [
    ("domain", &[]),
    ("text", &["domain"]),
    ("clock", &["domain"]),
    ("failpoint", &[]),
    ("slots", &[]),
    ("trusted_file", &["domain"]),
    ("config", &["domain", "trusted_file"]),
    ("passkey", &["domain"]),
    ("policy", &["domain", "trusted_file"]),
    ("store", &["domain", "clock", "failpoint", "passkey"]),
    ("connector", &["domain", "trusted_file", "text", "clock"]),
    (
        "broker",
        &["domain", "clock", "failpoint", "slots", "passkey", "policy", "store", "connector"],
    ),
    ("worker", &["domain", "text", "clock", "broker"]),
    ("mcp", &["domain", "text", "clock", "broker"]),
    ("api", &["domain", "text", "slots", "broker"]),
    ("web", &["domain", "text", "clock", "slots", "broker"]),
    (
        "app",
        &[
            "domain",
            "trusted_file",
            "text",
            "clock",
            "config",
            "policy",
            "store",
            "connector",
            "broker",
            "worker",
            "mcp",
            "api",
            "web",
        ],
    ),
    (
        "demo",
        &["domain", "text", "clock", "policy", "store", "connector", "broker", "worker", "app"],
    ),
    // The command line shows what others know: the broker's answers about requests and people in
    // the domain's words, policy checks, the store's audit, what the connector finds when `doctor`
    // asks, at the clock's time; and it starts the stdio bridge of `mcp`.
    (
        "cli",
        &[
            "domain",
            "trusted_file",
            "text",
            "clock",
            "config",
            "policy",
            "store",
            "connector",
            "broker",
            "mcp",
            "app",
            "demo",
        ],
    ),
    ("main", &["cli"]),
];

/// Outside crates that only some modules may touch.
const ONLY_IN: [(&str, &[&str]); 9] = [
    ("rusqlite", &["store"]),
    ("cedar_policy", &["policy"]),
    ("reqwest", &["connector"]),
    ("askama", &["web"]),
    ("rmcp", &["mcp"]),
    ("utoipa", &["api"]),
    ("axum", &["web", "mcp", "api", "app"]),
    ("axum_server", &["app"]),
    ("wazuh_simulator", &["demo", "cli"]),
];

/// Modules that only some others may name, whatever the table above says.
const FENCED: [(&str, &[&str]); 2] = [
    // What policy is not asked about belongs to those who can read the data folder.
    ("broker::admin::operator", &["app", "cli", "demo", "broker::admin"]),
    // What is sent is the worker's.
    ("broker::execution", &["worker", "broker"]),
];

const LINES_MAX: usize = 400;

/// The sources of the simulated manager, a crate that cannot import this one.
const SIMULATOR: &str = "crates/wazuh-simulator/src";

/// What is wrong with one file, in words. `path` is relative to `src`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let modules = module_of(path);
    let module = modules[0];
    let allowed = match (module, MAY_IMPORT.iter().find(|(name, _)| *name == module)) {
        ("lib", _) => &[][..],
        (_, Some((_, allowed))) => allowed,
        (_, None) => return vec![format!("{path}: `{module}` is not in the table of modules")],
    };
    let named = names(&modules, text);
    let mut faults = BTreeSet::new();
    for inside in &named.inside {
        let other = inside.first().map_or("the root of the crate", String::as_str);
        if other != module && !allowed.contains(&other) {
            faults.insert(format!("{path}: {module} may not import {other}"));
        }
    }
    for (name, homes) in ONLY_IN {
        let mut all = named.inside.iter().chain(&named.outside);
        if !homes.contains(&module) && all.any(|path| path.iter().any(|part| part == name)) {
            faults.insert(format!("{path}: {name} may be used only in {}", homes.join(", ")));
        }
    }
    for (fenced, homes) in FENCED {
        let at = modules.join("::");
        let home = homes.iter().any(|home| within(&at, home));
        if !home && named.inside.iter().any(|path| within(&path.join("::"), fenced)) {
            faults.insert(format!("{path}: {fenced} may be named only in {}", homes.join(", ")));
        }
        // Under another path it would be named outside of the fence.
        let mut handed_on = named.handed_on.iter().map(|path| path.join("::"));
        if !within(&at, fenced) && handed_on.any(|path| within(&path, fenced)) {
            faults.insert(format!("{path}: {fenced} may not be handed on"));
        }
    }
    faults.into_iter().collect()
}

/// Whether a path is this module or something in it.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every Rust file under a folder of this crate, with its path in that folder.
pub(crate) fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut open: Vec<PathBuf> = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            files.push((relative, fs::read_to_string(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// The files of `src` that are part of the program, unit tests inside them aside.
pub(super) fn product() -> Vec<(String, String)> {
    let mut files = files("src");
    let for_tests: Vec<_> = files
        .iter()
        .flat_map(|(path, text)| names(&module_of(path), text).test_modules)
        .map(|path| path.join("::"))
        .collect();
    let kept = |path: &str| {
        let module = module_of(path).join("::");
        !for_tests.iter().any(|tests| within(&module, tests))
    };
    files.retain(|(path, _)| kept(path));
    files
}

/// Where a file stands in the crate.
fn module_of(path: &str) -> Vec<&str> {
    path.trim_end_matches(".rs").split('/').collect()
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let sources = files("src");
    assert!(sources.len() > 20, "only {} files were found", sources.len());
    let faults: Vec<_> = sources.iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_module_in_the_table_exists() {
    let paths: Vec<_> = files("src").into_iter().map(|(path, _)| path).collect();
    for (module, _) in MAY_IMPORT {
        assert!(paths.contains(&format!("{module}.rs")), "{module}");
    }
}

#[test]
fn import_table_has_no_cycle() {
    for (place, (module, allowed)) in MAY_IMPORT.iter().enumerate() {
        for other in *allowed {
            let above = MAY_IMPORT.iter().take(place).any(|(name, _)| name == other);
            assert!(above, "{module} imports {other}, which is not above it");
        }
    }
}

#[test]
fn no_file_is_called_mod_rs() {
    for folder in ["src", "tests", SIMULATOR] {
        for (path, _) in files(folder) {
            assert!(path != "mod.rs" && !path.ends_with("/mod.rs"), "{folder}/{path}");
        }
    }
}

#[test]
fn source_files_have_at_most_400_lines() {
    let long: Vec<_> = ["src", SIMULATOR]
        .into_iter()
        .flat_map(files)
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "longer than {LINES_MAX} lines: {long:?}");
}

/// The checker finds this fault in this text at this path, and no other.
fn finds(path: &str, text: &str, fault: &str) {
    assert_eq!(faults(path, text), [format!("{path}: {fault}")], "{text}");
}

fn finds_nothing(path: &str, text: &str) {
    assert_eq!(faults(path, text), [""; 0], "{text}");
}

#[test]
fn forbidden_import_is_found_in_every_spelling() {
    let fault = "domain may not import web";
    for text in [
        "use crate::web;",
        "use crate::web::{self, Page};",
        "pub(crate) use crate::web::Page as Other;",
        "use crate :: web :: * ;",
        "use crate::{domain::id, web};",
        "use crate::{\n    domain::{id::{RequestId}, audit},\n    web::page,\n};",
        "use {std::fmt, crate::web::Page};",
        "fn f() -> crate::web::Page { todo() }",
        "fn f() { let x: Vec<crate::web::Page> = g(\"\\\"\"); }",
        "macro_rules! m { () => { $crate::web::page() } }",
        "fn f(c: char) -> bool { c == '\"' || c == '\\'' || crate::web::g::<'a'>() }",
        "impl<'a> crate::web::Page<'a> {}",
        "const S: &str = r#\"a \" b\"#; use crate::web;",
        "/* a /* b */ c */ use crate::web;",
        "#[cfg(test)]\nmod tests { use crate::store; }\nuse crate::web;",
        "#[cfg(test)]\nmod tests;\nuse crate::web;",
    ] {
        finds("domain/request.rs", text, fault);
    }
}

#[test]
fn forbidden_import_through_super_is_found() {
    finds("policy.rs", "use super::store;", "policy may not import store");
    finds("policy/check.rs", "use super::super::store;", "policy may not import store");
    finds(
        "policy/check.rs",
        "use super::{super::{store, domain}, x};",
        "policy may not import store",
    );
    finds("policy.rs", "mod m { use super::super::store; }", "policy may not import store");
    finds_nothing("policy/check.rs", "use super::store;");
    finds_nothing("policy.rs", "mod m { use super::store; }");
}

#[test]
fn crate_root_cannot_be_imported() {
    for text in ["use crate::*;", "use crate as c;", "use crate::{self as c};", "use super::*;"] {
        finds("policy.rs", text, "policy may not import the root of the crate");
    }
    finds("policy.rs", "use crate::Thing;", "policy may not import Thing");
}

#[test]
fn forbidden_external_crate_is_found() {
    for (text, name, homes) in [
        ("use rusqlite::Row;", "rusqlite", "store"),
        ("use ::rusqlite::{Row, Connection};", "rusqlite", "store"),
        ("fn f() -> rusqlite::Result<()> { g() }", "rusqlite", "store"),
        ("#[derive(rusqlite::FromRow)] struct S;", "rusqlite", "store"),
        ("use {std::fmt, rusqlite};", "rusqlite", "store"),
        ("use crate::store::rusqlite::Row;", "rusqlite", "store"),
        ("extern crate reqwest;", "reqwest", "connector"),
        ("use cedar_policy as cedar;", "cedar_policy", "policy"),
        ("use axum::Router;", "axum", "web, mcp, api, app"),
        ("use axum_server::Handle;", "axum_server", "app"),
        ("use wazuh_simulator::Simulator;", "wazuh_simulator", "demo, cli"),
        ("use askama::Template;", "askama", "web"),
        ("use rmcp::model::Tool;", "rmcp", "mcp"),
    ] {
        finds("broker/submit.rs", text, &format!("{name} may be used only in {homes}"));
    }
    finds_nothing("store.rs", "use rusqlite::Row;");
    finds_nothing("mcp/server.rs", "use axum::Router; use rmcp::model::Tool;");
}

#[test]
fn operator_outside_the_command_line_is_found() {
    let operator = "broker::admin::operator may be named only in app, cli, demo, broker::admin";
    for text in [
        "use crate::broker::admin::operator::Operator;",
        "use crate::broker::{Broker, admin::{operator, people}};",
        "use crate::broker::admin; fn f() { admin::operator::Operator::new(s, c) }",
        "fn f() { g!(crate::broker::admin::operator::Operator::new(s, c)) }",
    ] {
        finds("web/admin/people.rs", text, operator);
        finds_nothing("cli/accounts.rs", text);
    }
    finds("broker/requests/vote.rs", "use super::super::admin::operator::Operator;", operator);
    finds_nothing("broker/admin/setup.rs", "use super::operator::Operator;");
    let worker = "broker::execution may be named only in worker, broker";
    finds("web/request/page.rs", "use crate::broker::execution::progress::Progress;", worker);
}

#[test]
fn fenced_item_that_is_handed_on_is_found() {
    let execution = "broker::execution may not be handed on";
    for text in [
        "pub mod execution; pub use execution::progress::Progress;",
        "pub mod execution; pub(crate) use execution::*;",
        "pub use crate::broker::execution::{self as work};",
        "pub type Work = crate::broker::execution::progress::Progress;",
        "mod m { pub use crate::broker::execution::progress; }",
    ] {
        finds("broker.rs", text, execution);
    }
    finds_nothing("broker.rs", "use crate::broker::execution::progress::Progress;");
    finds_nothing("broker/execution.rs", "mod progress; pub use progress::Progress;");
    let operator = "broker::admin::operator may not be handed on";
    finds("broker/admin.rs", "pub mod operator; pub use operator::Operator;", operator);
}

#[test]
fn main_may_import_only_cli() {
    finds_nothing("main.rs", "fn main() { countersign::cli::run() }");
    finds("main.rs", "use countersign::{cli, app};", "main may not import app");
}

#[test]
fn module_missing_from_the_table_is_found() {
    finds("helpers/text.rs", "", "`helpers` is not in the table of modules");
}

#[test]
fn allowed_imports_and_other_text_pass() {
    for text in [
        "use crate::domain::id; use crate::{policy, store::{self, rows}, connector, clock};",
        "use crate::broker::submit; use super::submit; use super::super::domain;",
        "//! See [`crate::web`].\n// use crate::web;\n/* use crate::web; */",
        "const S: &str = \"use crate::web;\"; const R: &[u8] = br##\"rusqlite::\"# crate::web\"##;",
        "pub(crate) fn f() {} pub(in crate::broker) fn g() {}",
        "#[cfg(test)]\nmod tests {\n    use crate::web; fn f() { if x { rusqlite::y() } }\n}",
        "fn f(store: &Store) { self.axum.web(); }",
        "use serde_json::Value;",
    ] {
        finds_nothing("broker/submit.rs", text);
    }
}
