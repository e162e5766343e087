//! `docs/logging.md` has every message that is logged.

use std::{fs, path::Path};

/// Every message in a source text: the last literal of each logging macro.
fn messages(source: &str) -> Vec<&str> {
    let macros = source
        .split("tracing::")
        .skip(1)
        .filter(|rest| ["error!(", "warn!(", "info!("].iter().any(|name| rest.starts_with(name)));
    macros.filter_map(|rest| call(rest).rsplit('"').nth(1)).collect()
}

/// The text up to the parenthesis that closes the first one.
fn call(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        letter == ')' && depth == 0
    });
    text.split_at(end.unwrap()).0
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_log_message_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documented = fs::read_to_string(root.join("docs/logging.md")).unwrap();
    let mut all = Vec::new();
    sources(&root.join("src"), &mut all);
    let messages: Vec<_> = all
        .iter()
        .filter_map(|source| source.split("#[cfg(test)]").next())
        .flat_map(messages)
        .collect();
    assert!(messages.len() > 15, "{messages:?}");
    for message in messages {
        // A message that is handed on, and the one of a test build's failpoints.
        if message == "{message}" || message == "halted at a failpoint" {
            continue;
        }
        assert!(documented.contains(&format!("`{message}`")), "`{message}` is not in logging.md");
    }
}
