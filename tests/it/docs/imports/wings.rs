//! The second level of the table: inside a module, which wing may use which.

use super::graph::Graph;

/// A file or folder at the second level, or a few that count as one.
struct Wing {
    name: &'static str,
    /// What belongs to it. An empty name is the module's own file.
    parts: &'static [&'static str],
    /// The wings that it may use.
    may_use: &'static [&'static str],
}

const fn wing(
    name: &'static str,
    parts: &'static [&'static str],
    may_use: &'static [&'static str],
) -> Wing {
    Wing { name, parts, may_use }
}

/// The wings of each module, lowest first. A wing may use only wings above it in this list, so
/// there can be no circle. What a file re-exports counts for the file that has it.
///
/// Methods that several wings add to one type, such as `Broker`, leave no import: this table does
/// not see them.
const WINGS: [(&str, &[Wing]); 3] = [
    (
        "broker",
        &[
            // What every verb needs: the broker itself names no wing.
            wing(
                "base",
                &["", "error", "halt", "in_memory", "input", "settings", "signed_in", "unchecked"],
                &[],
            ),
            wing("admin", &["admin"], &["base"]),
            wing("notifications", &["notifications"], &["base"]),
            wing("requests", &["requests"], &["base"]),
            wing("execution", &["execution"], &["base", "requests"]),
            wing("queries", &["queries"], &["base", "requests", "notifications"]),
        ],
    ),
    (
        "connector",
        &[
            wing("http", &["http"], &[]),
            wing("driver", &["driver"], &["http"]),
            wing("identity", &["identity"], &["http"]),
            wing("network", &["network"], &["driver"]),
            wing("notify", &["notify"], &["http"]),
            wing("feed", &["feed"], &["http", "notify"]),
            wing("relay", &["relay", "readiness"], &["http"]),
            wing("share", &["share"], &[]),
            wing("wazuh", &["wazuh"], &["http", "driver", "share"]),
            // What the rest of the crate sees: it hands out a driver as a connector.
            wing(
                "connector",
                &[""],
                &[
                    "http", "driver", "identity", "network", "notify", "feed", "relay", "share",
                    "wazuh",
                ],
            ),
        ],
    ),
    (
        "web",
        &[
            wing("base", &["address", "connections", "drafts", "error", "state"], &[]),
            wing("http", &["http"], &["base"]),
            wing("layout", &["layout"], &["base", "http"]),
            wing("help", &["help"], &["base", "http", "layout"]),
            wing("profiles", &["profiles"], &["base", "http", "layout"]),
            // A verb that requires the password again asks for it as the admin pages do.
            wing("admin", &["admin"], &["base", "http", "layout", "profiles"]),
            wing("request", &["request"], &["base", "http", "layout", "admin"]),
            wing("lists", &["lists"], &["base", "http", "layout", "profiles", "admin", "request"]),
            // The routes.
            wing(
                "web",
                &[""],
                &["base", "http", "layout", "help", "profiles", "admin", "request", "lists"],
            ),
        ],
    ),
];

/// The wing of a file of a module; none for files of other modules.
fn wing_of<'a>(module: &str, wings: &'a [Wing], file: &str) -> Option<&'a Wing> {
    let inside = file.strip_prefix(module)?;
    let part = match inside.strip_prefix("::") {
        Some(inside) => inside.split("::").next()?,
        None if inside.is_empty() => "",
        None => return None,
    };
    let found = wings.iter().find(|wing| wing.parts.contains(&part));
    Some(found.unwrap_or_else(|| panic!("{file} is in no wing of {module}")))
}

fn faults(graph: &Graph) -> Vec<String> {
    let mut faults = Vec::new();
    for (module, wings) in WINGS {
        for file in graph.files() {
            let Some(from) = wing_of(module, wings, file) else { continue };
            for named in graph.named(file) {
                let Some(to) = wing_of(module, wings, named) else { continue };
                if to.name != from.name && !from.may_use.contains(&to.name) {
                    faults.push(format!(
                        "{file} uses {named}: {} may not use {}",
                        from.name, to.name
                    ));
                }
            }
        }
    }
    faults
}

#[test]
fn wing_uses_only_wings_that_the_table_allows() {
    let faults = faults(&Graph::of_crate());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn wing_may_use_only_wings_above_it() {
    for (module, wings) in WINGS {
        for (place, wing) in wings.iter().enumerate() {
            for other in wing.may_use {
                let above = wings.iter().take(place).any(|above| above.name == *other);
                assert!(above, "{module}: {} uses {other}, which is not above it", wing.name);
            }
        }
    }
}

#[test]
fn allowed_arrow_between_wings_is_used() {
    let graph = Graph::of_crate();
    for (module, wings) in WINGS {
        for wing in wings {
            let own =
                |file: &&str| wing_of(module, wings, file).is_some_and(|w| w.name == wing.name);
            let files: Vec<_> = graph.files().filter(own).collect();
            for other in wing.may_use {
                let used = files
                    .iter()
                    .flat_map(|file| graph.named(file))
                    .any(|named| wing_of(module, wings, named).is_some_and(|to| to.name == *other));
                assert!(used, "{module}: {} does not use {other}: tighten the table", wing.name);
            }
        }
    }
}

#[test]
fn planted_arrow_between_wings_is_found() {
    let files = |planted: (&str, &str)| {
        let mut files = vec![
            (
                "broker.rs",
                "mod error; pub mod queries; pub use error::BrokerError; pub struct Broker;",
            ),
            ("broker/error.rs", "pub enum BrokerError {}"),
            ("broker/queries.rs", "pub mod view; pub use view::RequestView;"),
            ("broker/queries/view.rs", "pub struct RequestView;"),
        ];
        files.retain(|(path, _)| *path != planted.0);
        files.push(planted);
        let files: Vec<_> =
            files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        faults(&Graph::of(&files))
    };
    let view = "broker::queries::view";
    for (path, text, fault) in [
        (
            "broker/requests/vote.rs",
            "use crate::broker::{Broker, BrokerError, queries::view::RequestView};",
            format!("broker::requests::vote uses {view}: requests may not use queries"),
        ),
        (
            "broker/requests/vote.rs",
            "use crate::broker; fn f(v: broker::queries::RequestView) {}",
            format!("broker::requests::vote uses {view}: requests may not use queries"),
        ),
        (
            "broker/error.rs",
            "fn f() { g!(super::queries::view::RequestView) } pub enum BrokerError {}",
            format!("broker::error uses {view}: base may not use queries"),
        ),
        (
            "broker.rs",
            "pub mod queries; struct Parts { view: queries::view::RequestView }",
            format!("broker uses {view}: base may not use queries"),
        ),
    ] {
        assert_eq!(files((path, text)), [fault], "{text}");
    }
    let fine = "use super::super::{Broker, BrokerError}; use crate::domain::id;";
    assert_eq!(files(("broker/queries/inbox.rs", fine)), [""; 0]);
}
