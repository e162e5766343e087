//! Endpoints by name, as people know them: the one place for titles, buttons, lists and notices.
//!
//! An endpoint chooses its name when it registers, so it is text from outside. A plain one stands
//! as it is. Any other stands in quotation marks, which it cannot close, and no name takes more
//! than a few words of a line.

use std::cmp::Reverse;

use crate::domain::{
    endpoint::{Endpoint, EndpointId},
    request::{Request, Target},
};

/// The longest part of a name that is shown in a sentence, in characters.
const NAME_CHARS_MAX: usize = 40;
/// So many are named where there are more.
const NAMED_OF_MANY: usize = 2;
/// So many are all named.
const ALL_NAMED_MAX: usize = 3;

/// "db-01 (003)".
pub(crate) fn named(endpoint: &Endpoint) -> String {
    name_and_id(&endpoint.name, &endpoint.id)
}

/// [`named`] for what is known by name and id alone.
pub(crate) fn name_and_id(name: &str, id: &EndpointId) -> String {
    format!("{} ({id})", short(name))
}

/// "db-01 (003)"; of several the most critical first: "dc-01, db-01 and 9 more".
pub(crate) fn names(targets: &[Target]) -> String {
    match by_criticality(targets).as_slice() {
        [] => "no endpoint".to_owned(),
        [only] => named(&only.endpoint),
        several => listed(&several.iter().map(|one| short(&one.endpoint.name)).collect::<Vec<_>>()),
    }
}

/// What a request does, and where: "Block 203.0.113.9 on db-01 (003) for 10 minutes". Where there
/// are several managers, it says which.
pub(crate) fn effect(request: &Request, several_managers: bool) -> String {
    let phrase = request.action.phrase();
    let reach = reach(request, several_managers);
    if request.action.kind().is_undo() {
        return format!("{phrase} {reach}");
    }
    format!("{phrase} {reach} {}", request.term)
}

/// "on db-01 (003)", "on dc-01, db-01 and 9 more of paris".
pub(crate) fn reach(request: &Request, several_managers: bool) -> String {
    let names = names(&request.targets);
    if several_managers {
        format!("on {names} of {}", request.manager)
    } else {
        format!("on {names}")
    }
}

/// What approving does, after "Approve": "block on db-01 (003)".
pub(crate) fn verb_and_reach(request: &Request, several_managers: bool) -> String {
    let verb = request.action.kind().verb();
    let mut letters = verb.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase).collect::<String>();
    format!("{first}{} {}", letters.as_str(), reach(request, several_managers))
}

/// The names for a notice, which passes through systems that read markup and make links of what
/// looks like an address: of a name the first label alone, and only where that is plain letters,
/// digits, hyphens and underscores. Of any other the id stands.
pub fn notice_names(targets: &[Target]) -> String {
    let label = |target: &Target| {
        let label = target.endpoint.name.split('.').next().unwrap_or_default();
        let plain = label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        let fits = (1..=NAME_CHARS_MAX).contains(&label.len());
        (plain && fits).then(|| label.to_owned())
    };
    match by_criticality(targets).as_slice() {
        [] => String::new(),
        [only] => {
            let id = &only.endpoint.id;
            label(only).map_or_else(|| id.to_string(), |label| format!("{label} ({id})"))
        }
        several => {
            let name = |one: &&Target| label(one).unwrap_or_else(|| one.endpoint.id.to_string());
            listed(&several.iter().map(name).collect::<Vec<_>>())
        }
    }
}

/// The most critical first, then by id.
fn by_criticality(targets: &[Target]) -> Vec<&Target> {
    let mut all: Vec<_> = targets.iter().collect();
    all.sort_by_key(|target| (Reverse(target.criticality), &target.endpoint.id));
    all
}

/// "a and b", "a, b and c", "a, b and 9 more".
fn listed(names: &[String]) -> String {
    let (first, rest) = match names.len() {
        0..=ALL_NAMED_MAX => match names.split_last() {
            None => return String::new(),
            Some((last, [])) => return last.clone(),
            Some((last, first)) => (first, last.clone()),
        },
        all => {
            let (first, others) = names.split_at(NAMED_OF_MANY.min(all));
            (first, format!("{} more", others.len()))
        }
    };
    format!("{} and {rest}", first.join(", "))
}

/// A name, bounded; in quotation marks where it is not of plain letters.
fn short(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let cut: String = name.chars().take(NAME_CHARS_MAX).collect();
    let more = if cut.len() < name.len() { "…" } else { "" };
    if !name.is_empty() && name.chars().all(plain) {
        return format!("{cut}{more}");
    }
    let open = |c: char| matches!(c, '“' | '”' | '„' | '‟' | '〝' | '〞' | '〟' | '＂');
    let held: String = cut.chars().map(|c| if open(c) { '"' } else { c }).collect();
    format!("“{held}{more}”")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::endpoint::Platform;

    fn target(number: usize, name: &str, criticality: u8) -> Target {
        let endpoint = Endpoint {
            id: EndpointId::parse(&format!("{number:03}")).unwrap(),
            name: name.to_owned(),
            date_added: String::new(),
            platform: Platform::Linux,
            groups: Vec::new(),
            address: None,
        };
        Target::new(endpoint, criticality, String::new())
    }

    #[test]
    fn many_endpoints_are_named_most_critical_first() {
        let mut all = vec![target(1, "web-01", 2), target(3, "db-01", 4), target(2, "dc-01", 5)];
        assert_eq!(names(&all[1..2]), "db-01 (003)");
        assert_eq!(names(&all[..2]), "db-01 and web-01");
        assert_eq!(names(&all), "dc-01, db-01 and web-01");
        all.extend((4..12).map(|number| target(number, "laptop", 1)));
        assert_eq!(names(&all), "dc-01, db-01 and 9 more");
        assert_eq!(notice_names(&all), "dc-01, db-01 and 9 more");
        assert_eq!(names(&[]), "no endpoint");
    }

    #[test]
    fn odd_name_cannot_leave_its_quotation_marks() {
        let said = named(&target(3, "db-01” (003) is fine “", 1).endpoint);
        assert_eq!(said, "“db-01\" (003) is fine \"” (003)");
        let long = named(&target(3, &"a".repeat(200), 1).endpoint);
        assert_eq!(long, format!("{}… (003)", "a".repeat(40)));
        assert_eq!(named(&target(3, "", 1).endpoint), "“” (003)");
    }

    #[test]
    fn notice_names_hold_no_markup_and_no_address() {
        let said = |name: &str| notice_names(&[target(3, name, 1)]);
        assert_eq!(said("db-01.corp.example.com"), "db-01 (003)");
        for odd in ["<!channel>", "x y", "", ".evil.com", "a:b", "\u{202E}x", &"a".repeat(41)] {
            assert_eq!(said(odd), "003", "{odd}");
        }
    }
}
