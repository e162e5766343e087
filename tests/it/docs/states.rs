//! `docs/states.md` says what the code does: each table and the picture equal what the walk found.

use std::collections::BTreeSet;

use countersign::domain::{
    audit::EventKind,
    request::{Outcome, StateName},
};

use crate::domain::lifecycle::{outcome_moves, walk};

const PAGE: &str = include_str!("../../../docs/states.md");

/// The rows of the table under a heading, each cell without its backticks.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let lines = page.lines().skip_while(|line| *line != format!("## {heading}")).skip(1);
    lines
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(plain).collect())
        .collect()
}

fn plain(cell: &str) -> String {
    cell.trim().trim_matches('`').to_owned()
}

/// One column of a table; no value may be there twice.
fn column(heading: &str, index: usize) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    for row in table(PAGE, heading) {
        assert!(values.insert(row[index].clone()), "`{}` is there twice", row[index]);
    }
    values
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// The arrows of the picture, as pairs.
fn arrows() -> BTreeSet<(String, String)> {
    PAGE.lines()
        .filter_map(|line| line.trim().split_once(" --> "))
        .map(|(from, to)| (from.to_owned(), to.split(':').next().unwrap_or(to).to_owned()))
        .collect()
}

#[test]
fn transition_table_matches_the_walk() {
    let written: Vec<_> = table(PAGE, "Transitions")
        .into_iter()
        .map(|row| (row[0].clone(), row[3].clone(), row[1].clone()))
        .collect();
    let found: BTreeSet<_> = walk()
        .edges()
        .into_iter()
        .map(|(from, function, to)| {
            let from = from.map_or("–", StateName::name);
            (from.to_owned(), function.to_owned(), to.name().to_owned())
        })
        .collect();
    let documented: BTreeSet<_> = written.iter().cloned().collect();
    let missing: Vec<_> = found.difference(&documented).collect();
    let untrue: Vec<_> = documented.difference(&found).collect();
    assert!(missing.is_empty(), "not on the page (from, function, to): {missing:?}");
    assert!(untrue.is_empty(), "on the page and not so (from, function, to): {untrue:?}");
    assert_eq!(written.len(), documented.len(), "a row is there twice");
}

#[test]
fn diagram_arrows_match_the_walk() {
    let moves = walk().edges().into_iter().map(|(from, _, to)| {
        let from = from.map_or("[*]", StateName::name);
        (from.to_owned(), to.name().to_owned())
    });
    let ends = StateName::ALL.into_iter().filter(|state| state.terminal());
    let ends = ends.map(|state| (state.name().to_owned(), "[*]".to_owned()));
    assert_eq!(arrows(), moves.chain(ends).collect());
}

#[test]
fn every_state_is_explained_and_marked_final_or_not() {
    assert_eq!(column("States", 0), names(StateName::ALL.map(StateName::name)));
    for row in table(PAGE, "States") {
        let state = StateName::parse(&row[0]).unwrap();
        assert_eq!(row[1], if state.terminal() { "yes" } else { "no" }, "{state}");
    }
}

#[test]
fn every_outcome_is_explained() {
    assert_eq!(column("Outcomes", 0), names(Outcome::NAMES));
}

#[test]
fn outcome_moves_match_the_code() {
    let rows = table(PAGE, "How an outcome moves");
    let written: BTreeSet<_> = rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(written.len(), rows.len(), "a row is there twice");
    assert_eq!(written, outcome_moves());
}

#[test]
fn every_audit_event_is_explained() {
    assert_eq!(column("Audit events", 0), names(EventKind::ALL.map(EventKind::name)));
}

#[test]
fn every_explanation_is_a_sentence() {
    for (heading, index) in [("States", 2), ("Outcomes", 1), ("Audit events", 1)] {
        for row in table(PAGE, heading) {
            assert!(row[index].contains(' ') && row[index].ends_with('.'), "{row:?}");
        }
    }
}

#[test]
fn table_is_read_until_next_heading() {
    let page = "## One\ntext\n| a | b |\n|---|---|\n| `x` | y z |\n## Two\n| a |\n|---|\n| w |\n";
    assert_eq!(table(page, "One"), [["x", "y z"]]);
    assert_eq!(table(page, "Two"), [["w"]]);
}
