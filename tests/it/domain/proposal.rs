//! What an agent may send: every bad value names its field and what would be right.

use crate::harness::kind;
use countersign::domain::{
    action::{ActionKind, Term},
    endpoint::{EndpointId, Selection},
    proposal::{AGENT_IDS_MAX, DURATION_SECONDS_MAX, InvalidField, Proposal, REASON_CHARS_MAX},
};
use serde_json::{Value, json};

/// A sound proposal to block an address, with these fields changed; `null` takes one out.
fn block_ip(changes: Value) -> Result<Proposal, InvalidField> {
    let sound = json!({
        "srcip": "203.0.113.7",
        "agent_ids": ["001"],
        "duration_seconds": 600,
        "reason": "brute force",
    });
    propose(kind("block_ip"), sound, changes)
}

fn disable_account(changes: Value) -> Result<Proposal, InvalidField> {
    let sound = json!({
        "dstuser": "alice",
        "agent_ids": ["001"],
        "permanent": true,
        "reason": "stolen password",
    });
    propose(kind("disable_account"), sound, changes)
}

fn propose(kind: ActionKind, sound: Value, changes: Value) -> Result<Proposal, InvalidField> {
    let (Value::Object(mut arguments), Value::Object(changes)) = (sound, changes) else {
        panic!("arguments are an object");
    };
    arguments.extend(changes);
    Proposal::parse(kind, &arguments)
}

/// Each value is refused for this field, with words that say what is allowed.
fn refuse(field: &str, allowed: &str, values: impl IntoIterator<Item = Value>) {
    for value in values {
        let mut changes = json!({});
        changes[field] = value.clone();
        blame(field, allowed, &block_ip(changes).expect_err(&value.to_string()));
    }
}

fn blame(field: &str, allowed: &str, invalid: &InvalidField) {
    assert_eq!(invalid.field, field, "{invalid}");
    assert!(invalid.allowed.contains(allowed), "{invalid}");
    assert!(invalid.to_string().starts_with(&format!("{field}: ")), "{invalid}");
}

#[test]
fn valid_proposal_is_parsed_field_by_field() {
    let proposal = block_ip(json!({
        "alert_id": "1700000000.12345",
        "confidence": 80,
        "idempotency_key": "case-17/block#1",
        "wait_seconds": 10,
    }))
    .unwrap();
    assert_eq!(proposal.action.kind(), kind("block_ip"));
    assert_eq!(proposal.action.argument(), "203.0.113.7");
    assert_eq!(proposal.selection, Selection::Ids(vec![EndpointId::parse("001").unwrap()]));
    assert_eq!(proposal.term, Term::Seconds(600));
    assert_eq!(proposal.claim.reason, "brute force");
    assert_eq!(proposal.claim.alert_id.as_deref(), Some("1700000000.12345"));
    assert_eq!(proposal.claim.confidence, Some(80));
    assert_eq!(proposal.idempotency_key.as_deref(), Some("case-17/block#1"));
}

#[test]
fn optional_fields_may_be_omitted() {
    let proposal = disable_account(json!({})).unwrap();
    assert_eq!(proposal.action.argument(), "alice");
    assert_eq!(proposal.term, Term::Permanent);
    assert_eq!(proposal.claim.alert_id, None);
    assert_eq!(proposal.claim.confidence, None);
    assert_eq!(proposal.idempotency_key, None);
}

#[test]
fn address_must_be_canonical() {
    for good in ["203.0.113.7", "0.0.0.0", "2001:db8::7", "::1"] {
        let proposal = block_ip(json!({ "srcip": good })).unwrap();
        assert_eq!(proposal.action.argument(), good);
    }
    let texts = [
        "",
        " ",
        "10",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "203.0.113.07",
        "203.0.113.256",
        "203.0.113.7 ",
        " 203.0.113.7",
        "203.0.113.7\n",
        "203.0.113.7/32",
        "203.0.113.0/24",
        "203.0.113.7-9",
        "203.0.113.7:80",
        "203.0.113.7,203.0.113.8",
        "::ffff:203.0.113.7",
        "::ffff:cb00:7107",
        "fe80::1%eth0",
        "[2001:db8::7]",
        "2001:DB8::7",
        "2001:db8:0:0:0:0:0:7",
        "2001:db8::/32",
        "example.org",
        "$(id)",
    ];
    refuse("srcip", "canonical form", texts.map(Value::from));
    let others = [json!(10), json!(true), json!(["203.0.113.7"]), json!({}), Value::Null];
    refuse("srcip", "canonical form", others);
}

#[test]
fn account_must_be_a_plain_name() {
    for good in ["alice", "d.miller", "_apt", "svc-backup", "A1", &"a".repeat(64)] {
        let proposal = disable_account(json!({ "dstuser": good })).unwrap();
        assert_eq!(proposal.action.argument(), good);
    }
    let long = "a".repeat(65);
    for bad in [
        "", " ", "-l", ".x", "a b", "a/b", "a\\b", "a:b", "a@b", "a..b", "a\n", "é", "a$", "a;b",
        "DOM\\a", &long,
    ] {
        let invalid = disable_account(json!({ "dstuser": bad })).expect_err(bad);
        blame("dstuser", "1 to 64 characters", &invalid);
    }
    for bad in [json!(7), json!(["alice"]), Value::Null] {
        let invalid = disable_account(json!({ "dstuser": bad })).unwrap_err();
        blame("dstuser", "1 to 64 characters", &invalid);
    }
}

#[test]
fn endpoint_id_has_three_to_ten_digits() {
    let texts =
        ["", "1", "01", "000", "0000", "all", "*", "-01", "+001", "001 ", " 001", "0x1", "1e3"];
    let odd = ["001,002", "٠٠١", "12345678901"];
    refuse("agent_ids", "three to ten digits", odd.map(|id| json!([id])));
    refuse("agent_ids", "three to ten digits", texts.map(|id| json!([id])));
    refuse("agent_ids", "three to ten digits", texts.map(|id| json!(["001", id])));
    let others = [json!(1), json!(null), json!(true), json!(["001"]), json!({})];
    refuse("agent_ids", "three to ten digits", others.map(|id| json!([id])));
}

#[test]
fn manager_is_named_per_id_or_once() {
    let ids = ["001", "002"].map(|id| EndpointId::parse(id).unwrap());
    for changes in [
        json!({ "agent_ids": ["east/001", "east/002"] }),
        json!({ "agent_ids": ["001", "002"], "manager": "east" }),
        json!({ "agent_ids": ["east/001", "002"], "manager": "east" }),
        json!({ "agent_ids": ["001", "east/002", "east/001"], "manager": "east" }),
    ] {
        let proposal = block_ip(changes.clone()).unwrap();
        assert_eq!(proposal.manager.as_deref(), Some("east"), "{changes}");
        assert_eq!(proposal.selection, Selection::Ids(ids.to_vec()), "{changes}");
    }
    let all = json!({ "agent_ids": null, "all_agents": true, "manager": "east" });
    assert_eq!(block_ip(all).unwrap().manager.as_deref(), Some("east"));
    assert_eq!(block_ip(json!({})).unwrap().manager, None);
}

#[test]
fn request_targets_one_manager() {
    for (value, changes) in [
        ("\"west/002\"", json!({ "agent_ids": ["east/001", "west/002"] })),
        ("\"002\"", json!({ "agent_ids": ["east/001", "002"] })),
        ("\"east/002\"", json!({ "agent_ids": ["001", "east/002"] })),
        ("\"east/001\"", json!({ "agent_ids": ["east/001"], "manager": "west" })),
        ("\"west/001\"", json!({ "agent_ids": ["001", "west/001"], "manager": "east" })),
    ] {
        let invalid = block_ip(changes).expect_err(value);
        blame("agent_ids", "one request acts on one manager", &invalid);
        assert!(invalid.problem.contains(value), "{invalid}");
    }
}

#[test]
fn manager_name_is_a_short_plain_word() {
    let longest = "m".repeat(32);
    for good in ["main", "0", "eu-1.dc_2", &longest] {
        let proposal = block_ip(json!({ "manager": good })).unwrap();
        assert_eq!(proposal.manager.as_deref(), Some(good));
        let proposal = block_ip(json!({ "agent_ids": [format!("{good}/001")] })).unwrap();
        assert_eq!(proposal.manager.as_deref(), Some(good));
    }
    let too_long = "m".repeat(33);
    let texts =
        ["", "Main", "-a", ".a", "_a", "a b", "a/b", "a\n", "é", "m\u{430}in", "*", &too_long];
    refuse("manager", "1 to 32 lower-case", texts.map(Value::from));
    refuse("manager", "1 to 32 lower-case", [json!(1), json!(["main"]), json!(true), json!({})]);
    let prefixed = texts.map(|name| json!([format!("{name}/001")]));
    refuse("agent_ids", "such as main/001", prefixed);
    let ids = ["main/", "/", "/001", "main/1", "main/000", "main//001", "main/001/", "main\\001"];
    refuse("agent_ids", "such as main/001", ids.map(|id| json!([id])));
}

#[test]
fn agent_ids_is_a_bounded_non_empty_list() {
    let many: Vec<_> = (1..=AGENT_IDS_MAX).map(|id| format!("{id:04}")).collect();
    assert!(block_ip(json!({ "agent_ids": many })).is_ok());
    let too_many: Vec<_> = (0..=AGENT_IDS_MAX).map(|id| format!("1{id:04}")).collect();
    let values = [json!([]), json!(too_many), json!("001"), json!("all"), json!(1), json!({})];
    refuse("agent_ids", "a list of 1 to 1000", values);
}

#[test]
fn duplicate_endpoint_counts_once() {
    let proposal = block_ip(json!({ "agent_ids": ["002", "001", "002", "001"] })).unwrap();
    let expected = ["002", "001"].map(|id| EndpointId::parse(id).unwrap());
    assert_eq!(proposal.selection, Selection::Ids(expected.to_vec()));
}

#[test]
fn missing_endpoints_never_mean_all_endpoints() {
    for changes in [
        json!({ "agent_ids": null }),
        json!({ "agent_ids": null, "all_agents": null }),
        json!({ "agent_ids": null, "all_agents": false }),
        json!({ "all_agents": true }),
        json!({ "agent_ids": [], "all_agents": true }),
    ] {
        blame("agent_ids", "exactly one of agent_ids", &block_ip(changes).unwrap_err());
    }
    refuse("all_agents", "true or false", [json!("true"), json!(1), json!([]), json!({})]);
}

#[test]
fn all_endpoints_must_be_requested_explicitly() {
    let all = block_ip(json!({ "agent_ids": null, "all_agents": true })).unwrap();
    assert_eq!(all.selection, Selection::All);
    let named = block_ip(json!({ "all_agents": false })).unwrap();
    assert_eq!(named.selection, Selection::Ids(vec![EndpointId::parse("001").unwrap()]));
}

#[test]
fn duration_is_whole_seconds_up_to_thirty_days() {
    for good in [1, 600, DURATION_SECONDS_MAX] {
        let proposal = block_ip(json!({ "duration_seconds": good })).unwrap();
        assert_eq!(proposal.term, Term::Seconds(good));
    }
    let too_long = DURATION_SECONDS_MAX + 1;
    let values = [
        json!(0),
        json!(-1),
        json!(0.5),
        json!(600.0),
        json!(too_long),
        json!(4_294_967_896_u64),
        json!(u64::MAX),
        json!(1e300),
        json!("600"),
        json!("10m"),
        json!(true),
        json!([600]),
    ];
    refuse("duration_seconds", "1 to 2592000", values);
}

#[test]
fn duration_or_permanent_is_required_exactly_once() {
    for changes in [
        json!({ "duration_seconds": null }),
        json!({ "duration_seconds": null, "permanent": false }),
        json!({ "permanent": true }),
    ] {
        let allowed = "exactly one of duration_seconds";
        blame("duration_seconds", allowed, &block_ip(changes).unwrap_err());
    }
    refuse("permanent", "true or false", [json!("true"), json!(1), json!([])]);
    let permanent = block_ip(json!({ "duration_seconds": null, "permanent": true })).unwrap();
    assert_eq!(permanent.term, Term::Permanent);
    let ends = block_ip(json!({ "permanent": false })).unwrap();
    assert_eq!(ends.term, Term::Seconds(600));
}

#[test]
fn reason_must_contain_text() {
    let longest = "ä".repeat(REASON_CHARS_MAX);
    for good in ["x", " kept as it came \n", &longest, "<b>\u{202e}evil\u{0}"] {
        assert_eq!(block_ip(json!({ "reason": good })).unwrap().claim.reason, good);
    }
    let oversized = "x".repeat(REASON_CHARS_MAX + 1);
    let values = [
        json!(null),
        json!(""),
        json!("  \n\t\u{a0}"),
        json!(oversized),
        json!(7),
        json!(["brute force"]),
        json!({ "text": "brute force" }),
    ];
    refuse("reason", "1 to 2000 characters", values);
}

#[test]
fn confidence_is_a_whole_number_up_to_100() {
    for good in [0, 100] {
        let proposal = block_ip(json!({ "confidence": good })).unwrap();
        assert_eq!(proposal.claim.confidence, Some(good));
    }
    let values = [json!(101), json!(256), json!(-1), json!(0.9), json!("80"), json!("high")];
    refuse("confidence", "a whole number from 0 to 100", values);
}

#[test]
fn alert_id_is_a_short_token() {
    let longest = "a".repeat(128);
    for good in ["1700000000.12345", "AV_x-1:2", &longest] {
        let proposal = block_ip(json!({ "alert_id": good })).unwrap();
        assert_eq!(proposal.claim.alert_id.as_deref(), Some(good));
    }
    let texts = ["", "a b", "a/b", "a*", "a\"b", "é", "../x", &"a".repeat(129)];
    refuse("alert_id", "1 to 128 letters", texts.map(Value::from));
    refuse("alert_id", "1 to 128 letters", [json!(17), json!(["a"]), json!(true)]);
}

#[test]
fn idempotency_key_is_a_short_printable_token() {
    let texts = ["", "a b", "a\tb", "a\u{7f}", "é", &"k".repeat(129)];
    refuse("idempotency_key", "1 to 128 printable", texts.map(Value::from));
    refuse("idempotency_key", "1 to 128 printable", [json!(17), json!(["a"]), json!(false)]);
}

#[test]
fn unknown_field_is_refused_even_when_null() {
    let long = "x".repeat(200);
    for field in ["command", "arguments", "dstuser", "agent_id", "Reason", "", &long] {
        for value in [json!("x"), Value::Null] {
            let mut changes = json!({});
            changes[field] = value;
            let invalid = block_ip(changes).expect_err(field);
            blame(&field.chars().take(80).collect::<String>(), "srcip, agent_ids", &invalid);
        }
    }
    let invalid = disable_account(json!({ "srcip": "203.0.113.7" })).unwrap_err();
    blame("srcip", "dstuser, agent_ids", &invalid);
}

#[test]
fn null_field_counts_as_omitted() {
    let nulls = json!({
        "all_agents": null,
        "permanent": null,
        "alert_id": null,
        "confidence": null,
        "idempotency_key": null,
        "wait_seconds": null,
        "manager": null,
    });
    assert_eq!(block_ip(nulls), block_ip(json!({})));
}

#[test]
fn refused_value_is_shown_and_cut_when_long() {
    let invalid = block_ip(json!({ "srcip": "203.0.113.0/24" })).unwrap_err();
    assert!(invalid.problem.contains("\"203.0.113.0/24\""), "{invalid}");
    let invalid = block_ip(json!({ "srcip": "ä".repeat(5000) })).unwrap_err();
    assert!(invalid.problem.chars().count() < 120, "{invalid}");
}

#[test]
fn proposals_asking_for_the_same_are_equal() {
    let digest = |changes| block_ip(changes).unwrap().digest();
    let same = digest(json!({}));
    assert_eq!(same, digest(json!({ "idempotency_key": "k", "wait_seconds": 5 })));
    let two = digest(json!({ "agent_ids": ["001", "002"] }));
    assert_eq!(two, digest(json!({ "agent_ids": ["002", "001", "002"] })));
    let east = digest(json!({ "agent_ids": ["east/001"] }));
    assert_eq!(east, digest(json!({ "manager": "east" })));
    for other in [
        json!({ "manager": "east" }),
        json!({ "srcip": "203.0.113.8" }),
        json!({ "agent_ids": ["002"] }),
        json!({ "agent_ids": null, "all_agents": true }),
        json!({ "duration_seconds": 601 }),
        json!({ "duration_seconds": null, "permanent": true }),
        json!({ "reason": "brute force!" }),
        json!({ "alert_id": "1" }),
        json!({ "confidence": 1 }),
    ] {
        assert_ne!(same, digest(other.clone()), "{other}");
    }
}
