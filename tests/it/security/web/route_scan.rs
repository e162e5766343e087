//! Finds the routes of the page in its source, so that no test has to be told of a new one.

use std::{fs, path::Path};

use reqwest::Method;

/// What may change something.
const METHODS: [(&str, Method); 2] = [("get", Method::GET), ("post", Method::POST)];
/// Other ways to answer, which this page does not use: this scan would not see what they do.
const UNKNOWN: [&str; 13] = [
    "put(",
    "delete(",
    "patch(",
    "head(",
    "options(",
    "trace(",
    "connect(",
    "any(",
    "on(",
    ".nest(",
    ".nest_service(",
    ".route_service(",
    ".fallback_service(",
];

/// A way into the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With placeholders, as it is written.
    pub(crate) path: String,
}

/// Every route that `src/web.rs` and the files under `src/web` name.
pub(crate) fn routes() -> Vec<Route> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join("web.rs")];
    let mut folders = vec![source.join("web")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let texts = files.into_iter().map(|file| fs::read_to_string(file).unwrap());
    let routes: Vec<_> = texts.flat_map(|text| routes_of(&text)).collect();
    assert!(routes.len() >= 25, "the scan finds too little: {routes:?}");
    routes
}

pub(crate) fn routes_of(text: &str) -> Vec<Route> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut routes = Vec::new();
    for (start, _) in text.match_indices(".route(") {
        let call = inside(text.get(start + ".route(".len()..).unwrap_or_default());
        let path = call.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let (path, answer) = path.unwrap_or_else(|| panic!("no path as a text: .route({call}"));
        for (name, method) in METHODS {
            if names(answer, &format!("{name}(")) {
                routes.push(Route { method, path: path.to_owned() });
            }
        }
        let seen = routes.iter().any(|route| route.path == path);
        assert!(seen, "nothing answers at {path}: {answer}");
        let other = UNKNOWN.into_iter().find(|unknown| names(answer, unknown));
        assert_eq!(other, None, "this test does not know how {path} is answered: {answer}");
    }
    let other = UNKNOWN.into_iter().filter(|unknown| unknown.starts_with('.'));
    let other: Vec<_> = other.filter(|unknown| text.contains(unknown)).collect();
    assert!(other.is_empty(), "this test does not see the routes behind {other:?}");
    routes
}

/// Whether a call is there by its whole name.
fn names(text: &str, call: &str) -> bool {
    text.match_indices(call).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// What stands before the parenthesis that closes.
fn inside(text: &str) -> &str {
    let mut open = 1_u32;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

#[test]
fn route_is_found_with_all_methods_outside_comments() {
    let text = "Router::new()\n  // .route(\"/no\", get(x))\n  .route(\"/a\", get(x::y))\n  \
                .route(\n    \"/b/{id}\",\n    get(x::y)\n.post(x::z),\n  )\n\
                .route(\"/c\", post(forget(x)))";
    let found = routes_of(text);
    let found: Vec<_> = found.iter().map(|r| (r.method.as_str(), r.path.as_str())).collect();
    assert_eq!(found, [("GET", "/a"), ("GET", "/b/{id}"), ("POST", "/b/{id}"), ("POST", "/c")]);
}

#[test]
#[should_panic(expected = "does not know how /a is answered")]
fn unknown_method_fails_the_route_scan() {
    routes_of(".route(\"/a\", get(x).delete(y))");
}

#[test]
#[should_panic(expected = "no path as a text")]
fn computed_path_fails_the_route_scan() {
    routes_of(".route(&path, get(x))");
}
