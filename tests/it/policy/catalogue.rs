//! Entries of the catalogue beside the policies: what is refused, and what the rules of their types
//! keep whatever policies say.

use countersign::{
    domain::{
        action::{Action, Catalogue, Term},
        actor::Role,
        decision::{Tally, Verdict},
        digest::Digest,
        facts::{PolicyQuestion, TargetFacts},
    },
    mcp::tools::ToolName,
    policy::Engine,
};

use super::{folder, load, question};
use crate::harness::fixtures::QUARANTINE_ENTRY;

const PERMIT: &str = r#"@id("a") @why("b") permit (principal, action, resource);"#;

fn with_entry(entry: &str) -> Result<Engine, String> {
    load(&[("x.cedar", PERMIT), ("site.toml", entry)]).map_err(|error| error.to_string())
}

/// What loading says where one text of the entry is another.
fn refused(line: &str, other: &str) -> String {
    assert!(QUARANTINE_ENTRY.contains(line), "{line}");
    with_entry(&QUARANTINE_ENTRY.replace(line, other)).unwrap_err()
}

#[track_caller]
fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn sound_entry_makes_actions_of_policies() {
    let engine = with_entry(QUARANTINE_ENTRY).unwrap();
    let names: Vec<_> = engine.catalogue().all().iter().map(|kind| kind.name()).collect();
    assert!(names.ends_with(&["show_file"]) && names.contains(&"hide_file"), "{names:?}");
    let policy = r#"@id("a") @why("b")
        permit (principal, action == Countersign::Action::"run:hide_file", resource)
        when { context.input.path like "/srv/*" && context.votes.people >= 1 };"#;
    load(&[("x.cedar", policy), ("site.toml", QUARANTINE_ENTRY)]).unwrap();
    let error = load(&[("x.cedar", policy)]).unwrap_err().to_string();
    says(&error, &["hide_file"]);
}

#[test]
fn unknown_field_of_entry_is_refused_by_name() {
    let error = refused("tier = \"medium\"", "tier = \"medium\"\nlevel = 3");
    says(&error, &["site.toml, hide_file: level", "no such field", "Allowed: name, title"]);
    let error = refused("script = \"site-quarantine\"", "script = \"site-q\"\nshell = \"x\"");
    says(&error, &["command.linux.shell", "Allowed: script, keeps"]);
    for (line, misspelt, field) in [
        ("tier =", "teir =", "teir"),
        ("fills =", "filsl =", "parameter.filsl of path"),
        ("by_hand =", "byhand =", "command.linux.byhand"),
        ("permanent =", "permanant =", "undo.permanant"),
    ] {
        let error = refused(line, misspelt);
        says(&error, &[&format!("hide_file: {field}: there is no such field. Allowed: ")]);
    }
}

#[test]
fn entry_with_script_of_built_in_action_is_refused() {
    for script in
        ["firewall-drop", "firewall-drop.exe", "Disable-Account", "countersign-isolate", "pf"]
    {
        let other = format!("script = \"{script}\"");
        let error = refused("script = \"site-quarantine\"", &other);
        says(&error, &["site.toml, hide_file: script", "built in", "a script of your own"]);
    }
    let undo = refused("site-restore", "countersign-block-undo");
    says(&undo, &["hide_file: script", "countersign-block-undo is the script of an action"]);
}

#[test]
fn entry_done_once_takes_no_undo_and_no_time() {
    let terms = "terms = [\"permanent\"]";
    let error = refused(terms, &format!("{terms}\nonce = true"));
    says(&error, &["site.toml, hide_file: once", "no undo beside it"]);
    let without_undo = QUARANTINE_ENTRY.split("[action.undo]").next().unwrap();
    let entry = without_undo.replace(terms, &format!("{terms}\nonce = true"));
    with_entry(&entry).unwrap();
    let timed = without_undo.replace(terms, "once = true");
    says(&with_entry(&timed).unwrap_err(), &["hide_file: once", "terms = [\"permanent\"]"]);
}

#[test]
fn unknown_icon_is_refused_and_known_one_taken() {
    let error = refused("tier = \"medium\"", "tier = \"medium\"\nicon = \"skull\"");
    says(&error, &["site.toml, hide_file: icon", "\"skull\" is not allowed", "Allowed: ban, bell"]);
    let icon = |text: &str| with_entry(text).unwrap().catalogue().get("hide_file").unwrap().icon();
    assert_eq!(icon(QUARANTINE_ENTRY).name(), "file-lock");
    let chosen = QUARANTINE_ENTRY
        .replace("hide_file", "hide_well")
        .replace("tier = \"medium\"", "tier = \"medium\"\nicon = \"file-x\"");
    let engine = with_entry(&chosen).unwrap();
    assert_eq!(engine.catalogue().get("hide_well").unwrap().icon().name(), "file-x");
}

#[test]
fn two_entries_with_one_name_are_refused() {
    let error = with_entry(&format!("{QUARANTINE_ENTRY}{QUARANTINE_ENTRY}")).unwrap_err();
    says(&error, &["site.toml, hide_file: name", "is the name of another entry"]);
    let two =
        [("x.cedar", PERMIT), ("site.toml", QUARANTINE_ENTRY), ("zone.toml", QUARANTINE_ENTRY)];
    says(&load(&two).unwrap_err().to_string(), &["zone.toml, hide_file: name"]);
    let error = refused("name = \"show_file\"", "name = \"hide_file\"");
    says(&error, &["undo.name", "another name than that of the action"]);
}

#[test]
fn name_of_program_or_built_in_entry_is_refused() {
    let tools = ToolName::all(Catalogue::built_in());
    let tools = tools.filter(|tool| !matches!(tool, ToolName::Action(_)));
    for (name, why) in [
        ("block_ip", "is built in"),
        ("unblock_ip", "is built in"),
        ("approve", "a word of the program"),
    ]
    .into_iter()
    .chain(tools.map(|tool| (tool.name(), "a word of the program")))
    {
        let error = refused("name = \"hide_file\"", &format!("name = \"{name}\""));
        says(&error, &["name", name, why, "Allowed: any other name"]);
    }
}

#[test]
fn parameter_that_fills_two_places_is_refused() {
    let fills = "fills = \"data.path\"";
    let error = refused(fills, "fills = [\"data.path\", \"data.file\"]");
    says(&error, &["parameter.fills", "is not allowed", "data.<key>"]);
    let second = "fills = \"data.path\"\ndescription = \"x\"\n[[action.parameter]]\nname = \"sum\"\n\
                  type = \"hash\"\nfills = \"data.path\"";
    says(&refused(fills, second), &["parameter.fills", "filled by one parameter"]);
    let gap = refused(fills, "fills = \"argument 2\"");
    says(&gap, &["parameter.fills", "no parameter fills argument 1"]);
}

const OPTIONAL: &str = "fills = \"data.path\"\ndescription = \"x\"\n[[action.parameter]]\n\
                        name = \"sum\"\ntype = \"hash\"\noptional = true\nfills = \"data.sum\"";

#[test]
fn optional_parameter_outside_brackets_is_refused() {
    let fills = "fills = \"data.path\"";
    says(&refused(fills, OPTIONAL), &["words", "{sum}", "in brackets"]);
    let bracketed =
        QUARANTINE_ENTRY.replace(fills, OPTIONAL).replace("{path}", "{path}[ with {sum}]");
    with_entry(&bracketed).unwrap();
    let both = bracketed.replace("[ with {sum}]", "[{path} with {sum}]").replace("{path}[", "[");
    says(&with_entry(&both).unwrap_err(), &["words"]);
    let first = QUARANTINE_ENTRY.replace(fills, "optional = true\nfills = \"data.path\"");
    let first = first.replace("{path}", "[{path}]");
    says(&with_entry(&first).unwrap_err(), &["parameter.optional", "always given"]);
    let placed = bracketed.replace("data.sum", "argument 1");
    says(&with_entry(&placed).unwrap_err(), &["parameter.optional", "true is not allowed"]);
    let needed = bracketed.replace("tier =", "one_of = [\"path\"]\ntier =");
    says(&with_entry(&needed).unwrap_err(), &["one_of", "path", "optional parameters: sum"]);
}

#[test]
fn unsound_companion_of_an_entry_is_refused() {
    let script = "script = \"site-quarantine\"";
    let with = |name: &str| format!("{script}\ncompanion = \"{name}\"");
    for name in [
        "site-quarantine",
        "countersign-",
        "countersign-hide-undo",
        "countersign-hide2",
        "countersign-hide-",
        "countersign-hide file",
        "../countersign-hide",
    ] {
        let error = refused(script, &with(name));
        says(&error, &["command.linux.companion", name, "is not allowed", "companion script"]);
    }
    with_entry(&QUARANTINE_ENTRY.replace(script, &with("countersign-hide"))).unwrap();
    let on_macos =
        format!("{script}\nby_hand = \"x\"\n[action.command.macos]\n{}", with("countersign-hide"));
    says(&refused(script, &on_macos), &["command.macos.companion", "on linux"]);
}

#[test]
fn undo_that_does_the_same_again_is_refused() {
    let error = refused("linux = \"site-restore\"", "linux = \"site-quarantine\"");
    says(&error, &["undo.script.linux", "site-quarantine", "the same script would do it again"]);
    let error = refused("permanent = [\"script\"]", "permanent = [\"expiry\"]");
    says(&error, &["undo.permanent", "has no timer"]);
    let configured = QUARANTINE_ENTRY.replace("[\"script\"]", "[\"configured\"]");
    let alone = configured.replace("[action.undo.script]\nlinux = \"site-restore\"\n", "");
    says(&with_entry(&alone).unwrap_err(), &["undo", "configured is not allowed"]);
}

#[test]
fn undo_needs_ways_for_the_terms_of_its_action() {
    let (timed, permanent) = ("timed = [\"script\"]\n", "permanent = [\"script\"]\n");
    with_entry(&QUARANTINE_ENTRY.replace(timed, "")).unwrap();
    says(
        &refused(permanent, ""),
        &["undo.permanent", "it is missing", "expiry, configured, script"],
    );
    let both = QUARANTINE_ENTRY.replace("terms = [\"permanent\"]\n", "");
    says(&with_entry(&both.replace(timed, "")).unwrap_err(), &["undo.timed", "it is missing"]);
}

#[test]
fn tier_below_the_reach_is_refused() {
    let error = refused("tier = \"medium\"", "tier = \"low\"");
    says(&error, &["tier", "low is not allowed", "at least medium"]);
    let error = refused("tier = \"medium\"", "tier = \"medium\"\nisolates = true");
    says(&error, &["tier", "medium is not allowed", "at least high"]);
}

#[test]
fn pattern_that_matches_everything_is_refused() {
    let of_path =
        |pattern: &str| refused("type = \"path\"", &format!("type = \"path\"\n{pattern}"));
    for pattern in ["pattern = \".*\"", "pattern = \"/.+\"", "pattern = \"(?s).*|x\""] {
        says(&of_path(pattern), &["parameter.pattern", "that does not take every path"]);
    }
    for pattern in ["[", "/srv/a)|(?:/home/b"] {
        let pattern = format!("pattern = \"{pattern}\"");
        says(&of_path(&pattern), &["parameter.pattern", "a regular expression"]);
    }
    let account =
        QUARANTINE_ENTRY.replace("type = \"path\"", "type = \"account\"\npattern = \"[^/]*\"");
    says(&with_entry(&account).unwrap_err(), &["that does not take every account"]);
    let text = QUARANTINE_ENTRY.replace("type = \"path\"", "type = \"text\"");
    says(&with_entry(&text).unwrap_err(), &["parameter.pattern", "it is missing"]);
    let narrow =
        QUARANTINE_ENTRY.replace("type = \"path\"", "type = \"path\"\npattern = '/srv/[a-z/]+'");
    let engine = with_entry(&narrow).unwrap();
    let kind = engine.catalogue().get("hide_file").unwrap();
    assert!(Action::parse(kind, "/srv/a/b").is_ok());
    assert!(Action::parse(kind, "/home/a").unwrap_err().contains("/srv/[a-z/]+"));
    assert!(Action::parse(kind, "/srv/a/../b").is_err());
}

#[test]
fn free_command_and_raw_alert_are_refused() {
    for script in ["/bin/sh", "site x", "sh -c id", "../site", "-x", "a;b", "$(id)"] {
        let error = refused("script = \"site-quarantine\"", &format!("script = '{script}'"));
        says(&error, &["command.linux.script", "the name of a file in active-response/bin"]);
    }
    for place in ["data", "alert", "data.", "data.a.b", "argument 0", "data.*", "parameters"] {
        let error = refused("fills = \"data.path\"", &format!("fills = \"{place}\""));
        says(&error, &["parameter.fills", "data.<key>"]);
    }
    let error = refused("name = \"path\"", "name = \"agent_ids\"");
    says(&error, &["parameter.name", "no argument that every tool has"]);
}

#[test]
fn words_must_name_each_parameter_once() {
    for words in ["Quarantine", "Quarantine {path} {path}", "Quarantine {path} on {host}"] {
        let error = refused("words = \"Quarantine {path}\"", &format!("words = \"{words}\""));
        says(&error, &["words", "the start of a sentence with {path}, each once"]);
    }
}

#[test]
fn file_that_is_no_catalogue_is_refused() {
    for (text, said) in [("", "there is none"), ("x = ", "site.toml"), ("[action]\na = 1", "none")]
    {
        says(&with_entry(text).unwrap_err(), &["site.toml", said, "[[action]]"]);
    }
    let file =
        folder(&[("x.cedar", PERMIT), ("site.toml", &format!("{QUARANTINE_ENTRY}\n[other]\n"))]);
    says(&Engine::load(file.path()).unwrap_err().to_string(), &["other", "no such field"]);
}

/// What the rules of its types answer, whatever a set permits.
fn answer(
    engine: &Engine,
    target: TargetFacts,
    change: impl FnOnce(&mut PolicyQuestion),
) -> String {
    let kind = engine.catalogue().get("hide_file").unwrap();
    let action = Action::example(kind).unwrap();
    let mut asked = PolicyQuestion { action, term: Term::Permanent, target, ..question() };
    asked.agent.scopes = engine.catalogue().responses().to_vec();
    asked.tally = Tally::NONE.and(Role::Lead).and(Role::Lead);
    change(&mut asked);
    let decision = engine.decide(&asked);
    match decision.verdict {
        Verdict::Deny => decision.policies().join(" "),
        Verdict::Run | Verdict::Approval(_) => "allowed".to_owned(),
    }
}

#[test]
fn protected_path_is_denied_whatever_policies_permit() {
    let engine = with_entry(QUARANTINE_ENTRY).unwrap();
    let protected = TargetFacts { protected: true, ..TargetFacts::default() };
    assert_eq!(answer(&engine, TargetFacts::default(), |_| {}), "allowed");
    assert_eq!(answer(&engine, protected, |_| {}), "never.protected-path");
    // What was done is taken back.
    let undo = |asked: &mut PolicyQuestion| asked.action = asked.action.undo().unwrap();
    assert_eq!(answer(&engine, protected, undo), "allowed");
}

#[test]
fn isolation_of_protected_endpoint_is_denied() {
    let isolates =
        QUARANTINE_ENTRY.replace("tier = \"medium\"", "tier = \"high\"\nisolates = true");
    let engine = with_entry(&isolates).unwrap();
    let kept = TargetFacts { keeps_network: true, ..TargetFacts::default() };
    assert_eq!(answer(&engine, kept, |_| {}), "never.isolated");
    assert_eq!(answer(&engine, TargetFacts::default(), |_| {}), "allowed");
    assert_eq!(answer(&with_entry(QUARANTINE_ENTRY).unwrap(), kept, |_| {}), "allowed");
}

#[test]
fn agent_without_scope_is_denied_a_new_action() {
    let engine = with_entry(QUARANTINE_ENTRY).unwrap();
    let built_in =
        |asked: &mut PolicyQuestion| asked.agent.scopes.retain(|kind| kind.version().is_none());
    assert_eq!(answer(&engine, TargetFacts::default(), built_in), "catalogue.scope");
    let by_person = |asked: &mut PolicyQuestion| {
        built_in(asked);
        asked.asked_by = Some(Role::Senior);
    };
    assert_eq!(answer(&engine, TargetFacts::default(), by_person), "allowed");
}

#[test]
fn action_of_changed_entry_is_denied() {
    let (before, after) = (
        with_entry(QUARANTINE_ENTRY).unwrap(),
        with_entry(&QUARANTINE_ENTRY.replace("moved", "put")).unwrap(),
    );
    let old = Action::example(before.catalogue().get("hide_file").unwrap()).unwrap();
    let asked = |asked: &mut PolicyQuestion| asked.action = old;
    assert_eq!(answer(&after, TargetFacts::default(), asked), "catalogue.changed");
}

#[test]
fn digest_follows_only_entries_from_files() {
    let version = |entry: &str| {
        with_entry(entry).unwrap().catalogue().get("hide_file").unwrap().version().unwrap()
    };
    assert_eq!(version(QUARANTINE_ENTRY), version(&format!("# A comment.\n{QUARANTINE_ENTRY}")));
    assert_ne!(version(QUARANTINE_ENTRY), version(&QUARANTINE_ENTRY.replace("moved", "put")));
    assert_eq!(
        with_entry(QUARANTINE_ENTRY).unwrap().catalogue().get("block_ip").unwrap().version(),
        None
    );
}

#[test]
fn stored_entry_is_read_only_under_its_hash() {
    let kind = with_entry(QUARANTINE_ENTRY).unwrap().catalogue().get("hide_file").unwrap();
    let (hash, source) = (kind.version().unwrap(), &kind.entry().source);
    assert_eq!(Catalogue::recall(hash, source), Ok(()));
    let changed = source.replace("moved", "put");
    assert!(Catalogue::recall(hash, &changed).unwrap_err().contains("its hash"));
    let read = |version| Action::stored("hide_file", version, "/srv/a");
    assert_eq!(read(Some(hash)).unwrap().kind().version(), Some(hash));
    assert_eq!(read(Some(Digest::ZERO)), None);
    assert_eq!(Action::stored("block_ip", Some(hash), "203.0.113.7"), None);
}

#[test]
fn address_of_new_action_brings_its_rules() {
    let of = |kind: &str, fills: &str| {
        QUARANTINE_ENTRY
            .replace("type = \"path\"", &format!("type = \"{kind}\""))
            .replace("data.path", fills)
    };
    for (kind, bad, good) in [
        ("address", vec!["10.0.0.1", "127.0.0.1", "2002:a00:1::1", "fe80::1"], "203.0.113.7"),
        ("network", vec!["10.0.0.0/24", "8.0.0.0/5", "fe80::/64", "4000::/16"], "203.0.113.0/24"),
        ("account", vec!["root"], "jdoe"),
    ] {
        let engine = with_entry(&of(kind, "data.target")).unwrap();
        let own = engine.catalogue().get("hide_file").unwrap();
        let asked = |target: &str| {
            let action = Action::parse(own, target).unwrap();
            answer(&engine, TargetFacts::default(), |asked| asked.action = action)
        };
        for target in bad {
            assert_eq!(asked(target), format!("never.protected-{kind}"), "{target}");
        }
        assert_eq!(asked(good), "allowed");
    }
}
