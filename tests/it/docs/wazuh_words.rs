//! What only Wazuh says stands in the connector alone: its paths, its codes, the names of its
//! commands. A second kind of manager must not meet them elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Paths of its APIs, codes, scripts, rules.
const WORDS: [&str; 21] = [
    "/active-response",
    "/security/user",
    "/agents?",
    "config/com",
    "/cluster/",
    "/manager/configuration",
    "_search",
    "wait_for_complete",
    "agents_list",
    "firewall-drop",
    "netsh",
    "disable-account",
    "extra_args",
    "1707",
    "1652",
    "1017",
    "1010",
    "2005",
    "3021",
    "\"651\"",
    "\"657\"",
];

/// Where they may stand: the connector, and what configures it.
const HOMES: [&str; 5] = ["connector.rs", "connector/", "config.rs", "config/", "app/settings.rs"];
/// Examples that people see: the demo's story, and pages and answers shown to tests.
const EXAMPLES: [&str; 5] =
    ["demo.rs", "demo/story", "demo/machine.rs", "web/gallery.rs", "web/gallery/made_up.rs"];

/// The words in a file that is no home of theirs, tests and comments aside.
fn strays(path: &str, text: &str) -> Vec<String> {
    if HOMES.iter().chain(&EXAMPLES).any(|home| path.starts_with(home)) {
        return Vec::new();
    }
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    // What the API calls what is active is a word of ours.
    let code = code.replace("/api/v1/active-responses", "");
    let code: Vec<_> = code.lines().map(|line| line.split("//").next().unwrap_or(line)).collect();
    let found = |word: &&&str| code.iter().any(|line| line.contains(**word));
    WORDS.iter().filter(found).map(|word| format!("{path}: {word}")).collect()
}

fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut open, mut files): (Vec<PathBuf>, _) = (vec![root.clone()], Vec::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            files.push((relative, fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

#[test]
fn only_the_connector_uses_wazuh_words() {
    let strays: Vec<_> = files().iter().flat_map(|(path, text)| strays(path, text)).collect();
    assert!(strays.is_empty(), "\n{}", strays.join("\n"));
}

#[test]
fn forbidden_wazuh_word_is_found() {
    let text = "fn f() -> &'static str { \"!firewall-drop\" }";
    assert_eq!(
        strays("broker/execution/dispatch.rs", text),
        ["broker/execution/dispatch.rs: firewall-drop"]
    );
    assert_eq!(strays("connector/wazuh/commands.rs", text), [""; 0]);
    assert_eq!(strays("broker.rs", "// such as firewall-drop600"), [""; 0]);
    let tests = "#[cfg(test)]\nmod tests { const X: &str = \"firewall-drop\"; }";
    assert_eq!(strays("web/x.rs", tests), [""; 0]);
}
