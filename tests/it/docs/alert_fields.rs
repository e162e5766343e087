//! `docs/alert-fields.md` lists the fields that ship, in their order, with their forms.

use countersign::connector::{AlertFields, AlertForm};

const PAGE: &str = include_str!("../../../docs/alert-fields.md");

/// Field and form of each row of the table with this heading.
fn rows(heading: &str) -> Vec<(String, String)> {
    let lines =
        PAGE.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |"))).skip(2);
    let row = |line: &str| {
        let cells: Vec<_> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        (cells[0].to_owned(), cells.get(1).copied().unwrap_or_default().to_owned())
    };
    lines.take_while(|line| line.starts_with('|')).map(row).collect()
}

fn shipped(fields: &[(String, AlertForm)]) -> Vec<(String, String)> {
    fields.iter().map(|(field, form)| (field.clone(), form.name().to_owned())).collect()
}

#[test]
fn page_lists_every_shipped_field_with_its_form() {
    let AlertFields { addresses, accounts, peer } = AlertFields::shipped();
    assert_eq!(rows("field with an address"), shipped(&addresses));
    assert_eq!(rows("field with an account"), shipped(&accounts));
    let named: Vec<_> = rows("field of the peer").into_iter().map(|(field, _)| field).collect();
    assert_eq!(named, peer);
}
