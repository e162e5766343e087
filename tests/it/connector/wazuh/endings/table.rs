//! The table of `docs/endings.md`.

use std::collections::BTreeMap;

/// One row: what "single" and "cluster" say, and whether it is tried again.
pub(super) type Row = [String; 3];

pub(super) fn table() -> BTreeMap<String, Row> {
    let text = include_str!("../../../../../docs/endings.md");
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    let row = |line: &str| {
        let cells: Vec<_> =
            line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect();
        let [name, _known, single, cluster, again] = cells.try_into().unwrap();
        (name, [single, cluster, again])
    };
    rows.map(row).collect()
}
