//! `docs/security.md` names for each threat the tests that prove what stops it: they exist.

use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = include_str!("../../../docs/security.md");

/// A threat: its name, what stops it, and the tests named for it.
struct Threat<'a> {
    name: &'a str,
    stops: &'a str,
    tests: Vec<&'a str>,
}

/// The rows of every table that has a column of tests.
fn threats(page: &str) -> Vec<Threat<'_>> {
    let rows = page.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .filter(|cells| cells.last().is_none_or(|last| *last != "test"))
        .map(|cells| {
            let [name, stops, tests] = cells.as_slice() else { panic!("no row: {cells:?}") };
            // Every second part stands between backticks.
            Threat { name, stops, tests: tests.split('`').skip(1).step_by(2).collect() }
        })
        .collect()
}

/// The names of all test functions in `tests` and `src`.
pub(super) fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut names, mut folders) = (BTreeSet::new(), vec![root.join("tests"), root.join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                names.extend(tests_in(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    names
}

/// A function counts when an attribute just before it makes it a test that runs.
pub(super) fn tests_in(text: &str) -> Vec<String> {
    let (mut names, mut test, mut ignored) = (Vec::new(), false, false);
    for line in text.lines().map(str::trim) {
        let name = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
        match name.and_then(|rest| rest.split('(').next()) {
            Some(name) if test && !ignored => names.push(name.to_owned()),
            Some(_) | None => {}
        }
        let attribute = line.starts_with("#[");
        test = line == "#[test]" || line.starts_with("#[tokio::test") || (test && attribute);
        ignored = line.starts_with("#[ignore") || (ignored && attribute);
    }
    names
}

#[test]
fn every_threat_names_a_defence_and_existing_tests() {
    let (threats, tests) = (threats(PAGE), tests());
    assert!(threats.len() > 20, "only {} threats", threats.len());
    for Threat { name, stops, tests: named } in threats {
        assert!(!name.is_empty() && stops.ends_with('.'), "{name}: {stops}");
        assert!(!named.is_empty(), "no test is named for: {name}");
        for test in named {
            assert!(tests.contains(test), "{name}: there is no test `{test}`");
        }
    }
}

#[test]
fn no_threat_appears_twice() {
    let names: Vec<_> = threats(PAGE).into_iter().map(|threat| threat.name).collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn test_functions_are_recognised_unless_ignored() {
    let text = "#[test]\nfn one() {\n}\nfn two() {}\n#[tokio::test(flavor = \"x\")]\nasync fn \
                three() {\n#[test]\n#[ignore = \"no\"]\nfn four() {\n#[test]\n#[should_panic]\n\
                fn five() {";
    assert_eq!(tests_in(text), ["one", "three", "five"]);
}
