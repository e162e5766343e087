//! The catalogue, held against the source and `docs/actions.md`.

use countersign::domain::{
    action::{ActionKind, Catalogue, ParameterType},
    endpoint::Platform,
};

use super::imports::product;

const PAGE: &str = include_str!("../../../docs/actions.md");

/// The demo's agent says by name what it asks for, as any agent does.
const SAYS_NAMES: &str = "demo/story";

fn row(kind: ActionKind) -> String {
    let entry = kind.entry();
    let acts_on: Vec<_> =
        entry.parameters.iter().map(|one| format!("`{}`: {}", one.name, one.of.name())).collect();
    let script = |platform| match entry.commands.get(&platform) {
        Some(command) => {
            let scripts = command.companion.iter().chain(&command.script);
            let scripts: Vec<_> = scripts.map(|script| format!("`{script}`")).collect();
            format!(" {} |", scripts.join(", else "))
        }
        None => " |".to_owned(),
    };
    let scripts = [Platform::Linux, Platform::MacOs, Platform::Windows].map(script).concat();
    let undo = kind.undo().map_or(String::new(), |undo| format!(" `{undo}`"));
    format!("| `{kind}` | {} |{scripts}{undo} |", acts_on.join(", "))
}

#[test]
fn page_lists_built_in_actions_as_their_entries_say() {
    let listed: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| `")).collect();
    for kind in Catalogue::built_in().responses() {
        assert!(listed.contains(&row(*kind).as_str()), "no such row: {}", row(*kind));
    }
}

#[test]
fn page_lists_every_type_of_parameter() {
    for of in ParameterType::ALL {
        assert!(PAGE.contains(&format!("| `{}` |", of.name())), "{}", of.name());
    }
}

#[test]
fn every_entry_of_the_page_is_taken() {
    let blocks = PAGE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let entries: Vec<_> = blocks.filter(|block| block.contains("[[action]]")).collect();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        Catalogue::with([("page.toml", entry)].into_iter()).unwrap();
    }
}

/// Lines of the program itself, without comments and unit tests, that name an action.
fn naming(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        let program = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let code = program.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        // The file of an entry has its name.
        let code = code.filter(|line| !line.contains(".toml\""));
        let named =
            |line: &&str| Catalogue::built_in().all().iter().any(|kind| line.contains(kind.name()));
        found.extend(code.filter(named).map(|line| format!("src/{path}: {line}")));
    }
    found
}

#[test]
fn no_source_file_names_an_action() {
    let files =
        product().into_iter().filter(|(path, _)| !path.starts_with(SAYS_NAMES)).collect::<Vec<_>>();
    assert!(files.len() > 100);
    let found = naming(&files);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    let planted = ("x.rs".to_owned(), "let x = \"block_ip\";".to_owned());
    assert_eq!(naming(&[planted]).len(), 1);
}
