//! `deploy/wazuh`: Wazuh's analysis is not here, so its part that the files use is played: the
//! decoder's prematch, and the fields of rules.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    FIRST, SECOND, THIRD,
    endpoint::Endpoint,
    execd::{Message, Run},
};

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/wazuh").join(name))
        .unwrap()
}

/// What stands between two texts, each time.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).map(|rest| rest.split(to).next().unwrap()).collect()
}

/// The rest of the line after a pattern of Wazuh's own kind matched at its beginning.
fn after<'a>(pattern: &str, line: &'a str) -> Option<&'a str> {
    let mut rest = line;
    let mut pattern = pattern.strip_prefix('^').unwrap();
    while !pattern.is_empty() {
        if let Some(left) = pattern.strip_prefix(r"\d") {
            rest = rest.strip_prefix(|letter: char| letter.is_ascii_digit())?;
            pattern = left;
        } else if let Some(left) = pattern.strip_prefix(r"\S+") {
            let (word, _) = rest.split_once(": ").filter(|(word, _)| !word.contains(' '))?;
            rest = rest.strip_prefix(word)?;
            pattern = left;
        } else {
            let literal = pattern.chars().next().unwrap();
            assert!(!r"\$()|<".contains(literal), "this test does not know {pattern}");
            rest = rest.strip_prefix(literal)?;
            pattern = pattern.strip_prefix(literal)?;
        }
    }
    Some(rest)
}

struct Rule {
    id: String,
    level: u8,
    fields: Vec<(String, Vec<String>)>,
}

fn rules() -> Vec<Rule> {
    let text = file("countersign_rules.xml");
    let rule = |body: &str| {
        let attribute = |name: &str| between(body, &format!("{name}=\""), "\"")[0].to_owned();
        let fields = between(body, "<field name=\"", "</field>").into_iter().map(|field| {
            let (name, pattern) = field.split_once("\">").unwrap();
            let whole = |one: &str| {
                one.strip_prefix('^').and_then(|one| one.strip_suffix('$')).unwrap().to_owned()
            };
            (name.to_owned(), pattern.split('|').map(whole).collect())
        });
        Rule {
            id: attribute("id"),
            level: attribute("level").parse().unwrap(),
            fields: fields.collect(),
        }
    };
    between(&text, "<rule ", "</rule>").into_iter().map(rule).collect()
}

/// The rule that fires for a line; none where the decoder does not take it. Exactly one may.
fn fires(line: &str) -> Option<String> {
    let decoders = file("countersign_decoders.xml");
    let json = after(between(&decoders, "<prematch>", "</prematch>")[0], line)?;
    let event: Value = serde_json::from_str(json).unwrap();
    let has = |(name, allowed): &(String, Vec<String>)| {
        let found = event.pointer(&format!("/{}", name.replace('.', "/"))).unwrap();
        let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        allowed.contains(&found)
    };
    let rules = rules();
    let fired: Vec<_> =
        rules.iter().filter(|rule| rule.level > 0 && rule.fields.iter().all(has)).collect();
    assert_eq!(fired.len(), 1, "{line}");
    assert!(fired[0].level >= 3, "it would not be indexed");
    Some(fired[0].id.clone())
}

fn fired(run: &Run) -> String {
    let fired: Vec<_> = run.log.iter().filter_map(|line| fires(line)).collect();
    assert_eq!(fired.len(), 1, "{run:?}");
    fired[0].clone()
}

#[test]
fn each_result_of_a_script_fires_its_rule() {
    let Some(endpoint) = Endpoint::start() else { return };
    let block = |request| Message::add("countersign-block", request, ("srcip", "203.0.113.7"));
    let unblock = Message::add("countersign-block-undo", THIRD, ("srcip", "203.0.113.7"));
    for (message, rule) in [
        (block(FIRST), "117701"),
        (block(FIRST), "117702"),
        (block(SECOND), "117701"),
        (block(FIRST).over(), "117704"),
        (unblock.clone(), "117703"),
        (unblock.and("domain", "x"), "117705"),
        (Message::add("countersign-kill", FIRST, ("pid", "1\" \\ x")), "117705"),
    ] {
        assert_eq!(fired(&message.run(&endpoint)), rule);
    }
}

#[test]
fn report_that_is_not_verified_fires_another_rule() {
    let line = r#"2026/11/22 07:36:11 countersign-block: {"countersign":{"result":"done","verified":false}}"#;
    assert_eq!(fires(line).unwrap(), "117706");
    // What Wazuh's own decoder reads, and a report that a text of somebody else holds.
    assert_eq!(fires("2026/11/22 07:36:11 active-response/bin/countersign-block: {}"), None);
    assert_eq!(fires(&format!("x {line}")), None);
}

#[test]
fn rules_are_well_formed_with_ids_of_our_own() {
    let Some(_endpoint) = Endpoint::start() else { return };
    for name in ["countersign_decoders.xml", "countersign_rules.xml"] {
        let mut xmllint =
            Command::new("xmllint").args(["--noout", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        // Wazuh takes files with several roots.
        write!(xmllint.stdin.take().unwrap(), "<all>{}</all>", file(name)).unwrap();
        assert!(xmllint.wait().unwrap().success(), "{name}");
    }
    let rules = rules();
    let ids: BTreeSet<_> = rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids.len(), rules.len());
    // Wazuh keeps 100000 to 120000 for its users' rules.
    assert!(ids.iter().all(|id| ("117700"..="117799").contains(id)), "{ids:?}");
    let parents = file("countersign_rules.xml");
    assert!(between(&parents, "<if_sid>", "<").iter().all(|id| ids.contains(id)));
}
