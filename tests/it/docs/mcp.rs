//! Each row of the tables in `docs/mcp.md` names a test that exists.

use super::security::tests;

const PAGE: &str = include_str!("../../../docs/mcp.md");

#[test]
fn every_row_of_mcp_page_names_its_test() {
    let (tests, mut rows) = (tests(), 0);
    for row in PAGE.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |")) {
        let name = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        assert!(tests.contains(name.trim_matches('`')), "no such test: {row}");
        rows += 1;
    }
    assert!(rows >= 20, "{rows} rows only");
}
