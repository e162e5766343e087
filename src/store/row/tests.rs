//! The exact texts that the JSON columns hold. Rows of earlier versions have them: they must be read
//! for good, and written without a change.

use uuid::Uuid;

use super::*;
use crate::domain::{
    action::{ActionKind, Catalogue},
    decision::{Decision, Reason, Tally, Verdict},
    digest::Digest,
    endpoint::EndpointId,
    evidence::Evidence,
    facts::{AlertFacts, AlertShown, IndexerState, NamedIn},
    id::RequestId,
};

const AT: At<'static> = At { table: "request", id: "req_1" };
const HASH: &str = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

fn reason(policy: &str, why: &str) -> Reason {
    Reason { policy: policy.to_owned(), why: why.to_owned() }
}

fn decision(verdict: Verdict) -> Decision {
    Decision {
        verdict,
        reasons: Vec::new(),
        errors: Vec::new(),
        kept_out: Vec::new(),
        policy_hash: Digest::of(b"x"),
        tally: Tally::NONE,
        break_glass: false,
        at: Time::from_timestamp_micros(1_790_000_000_123_456).unwrap(),
    }
}

fn decisions() -> [(Decision, String); 3] {
    let approval = Verdict::Approval(Tally { people: 3, analyst: 2, senior: 1, lead: 0 });
    let rich = Decision {
        reasons: vec![reason("base.low", "a \"quoted\" reason"), reason("site.é", "line\nbreak")],
        errors: vec!["`x` is \\ not there".to_owned()],
        kept_out: vec![
            (EndpointId::parse("007").unwrap(), vec![reason("keep.out", "why")]),
            (EndpointId::parse("1000").unwrap(), Vec::new()),
        ],
        tally: Tally { people: 2, analyst: 2, senior: 1, lead: 1 },
        break_glass: true,
        ..decision(Verdict::Run)
    };
    [
        (
            rich,
            format!(
                r#"{{"verdict":"run","least":null,"reasons":[["base.low","a \"quoted\" reason"],["site.é","line\nbreak"]],"errors":["`x` is \\ not there"],"kept_out":[["007",[["keep.out","why"]]],["1000",[]]],"policy_hash":"{HASH}","tally":[2,2,1,1],"break_glass":true,"at":1790000000123456}}"#
            ),
        ),
        (
            decision(approval),
            format!(
                r#"{{"verdict":"approval","least":[3,2,1,0],"reasons":[],"errors":[],"kept_out":[],"policy_hash":"{HASH}","tally":[0,0,0,0],"break_glass":false,"at":1790000000123456}}"#
            ),
        ),
        (
            decision(Verdict::Deny),
            format!(
                r#"{{"verdict":"deny","least":null,"reasons":[],"errors":[],"kept_out":[],"policy_hash":"{HASH}","tally":[0,0,0,0],"break_glass":false,"at":1790000000123456}}"#
            ),
        ),
    ]
}

fn alerts() -> [(AlertFacts, &'static str); 4] {
    let found = AlertFacts {
        found: true,
        names_target: true,
        level: 12,
        age_seconds: Some(61),
        summary: "sshd: \"brute\" force".to_owned(),
        ..AlertFacts::default()
    };
    [
        (
            found.clone(),
            r#"{"found":true,"names_target":true,"level":12,"age_seconds":61,"summary":"sshd: \"brute\" force"}"#,
        ),
        (
            AlertFacts { shown: Some(Box::new(shown())), ..found.clone() },
            r#"{"found":true,"names_target":true,"level":12,"age_seconds":61,"summary":"sshd: \"brute\" force","shown":{"named_in":{"field":"data.srcip","value":"::ffff:203.0.113.7","goes_on":null},"log":"from 203.0.113.7","log_cut":true,"rule":"5763","groups":["sshd"],"mitre":["T1110"],"at":1790000000123456,"id":"1.1","index":"wazuh-alerts-4.x-2026.11.22","document":"AZq_1"}}"#,
        ),
        (
            AlertFacts {
                indexer: IndexerState::Behind("it is \"old\"".to_owned()),
                ..AlertFacts::default()
            },
            r#"{"found":false,"names_target":false,"level":0,"age_seconds":null,"summary":"","indexer":{"behind":"it is \"old\""}}"#,
        ),
        (
            AlertFacts::default(),
            r#"{"found":false,"names_target":false,"level":0,"age_seconds":null,"summary":""}"#,
        ),
    ]
}

fn shown() -> AlertShown {
    AlertShown {
        named_in: Some(NamedIn {
            field: "data.srcip".to_owned(),
            value: "::ffff:203.0.113.7".to_owned(),
            goes_on: None,
        }),
        log: Some("from 203.0.113.7".to_owned()),
        log_cut: true,
        rule: Some("5763".to_owned()),
        groups: vec!["sshd".to_owned()],
        mitre: vec!["T1110".to_owned()],
        at: Time::from_timestamp_micros(1_790_000_000_123_456),
        id: "1.1".to_owned(),
        index: "wazuh-alerts-4.x-2026.11.22".to_owned(),
        document: "AZq_1".to_owned(),
    }
}

fn evidence() -> (Evidence, &'static str) {
    (
        Evidence {
            index: "wazuh-alerts-4.x-2026.11.22".to_owned(),
            alert: "AZq_1".to_owned(),
            rule: "651: Host blocked".to_owned(),
            at: Time::from_timestamp_micros(1_790_000_000_123_456).unwrap(),
            of_request: None,
            version: None,
        },
        r#"{"index":"wazuh-alerts-4.x-2026.11.22","alert":"AZq_1","rule":"651: Host blocked","at":1790000000123456}"#,
    )
}

/// The error names table and row.
fn refused<T: std::fmt::Debug>(read: Result<T, StoreError>) {
    let error = read.unwrap_err().to_string();
    assert!(error.contains("req_1") && error.contains("request"), "{error}");
}

#[test]
fn decisions_are_stored_in_this_form() {
    for (decision, stored) in decisions() {
        assert_eq!(AT.to_json(&decision).unwrap(), stored);
        assert_eq!(AT.json::<Decision>(&stored).unwrap(), decision);
    }
}

#[test]
fn decision_from_before_break_glass_is_read() {
    let [(rich, stored), ..] = decisions();
    let old = stored.replace(r#""break_glass":true,"#, "");
    let read: Decision = AT.json(&old).unwrap();
    assert_eq!(read, Decision { break_glass: false, ..rich });
}

#[test]
fn impossible_decision_names_its_row() {
    let [(_, run), (_, approval), _] = decisions();
    for broken in [
        "",
        "[]",
        "{}",
        &run.replace(r#""least":null"#, r#""least":[1,1,0,0]"#),
        &run.replace(r#""least":null,"#, ""),
        &run.replace(r#""run""#, r#""maybe""#),
        &run.replace(HASH, "beef"),
        &run.replace("007", "7"),
        &run.replace(r#""tally":[2,2,1,1]"#, r#""tally":[2,2,1]"#),
        &run.replace(r#""tally":[2,2,1,1]"#, r#""tally":[2,2,1,256]"#),
        &run.replace(r#"["keep.out","why"]"#, r#"["keep.out"]"#),
        &run.replace("1790000000123456", "9223372036854775807"),
        &run.replace(r#""errors":["#, r#""errors":[7,"#),
        &approval.replace(r#""least":[3,2,1,0]"#, r#""least":null"#),
    ] {
        refused(AT.json::<Decision>(broken));
    }
}

#[test]
fn alerts_are_stored_in_this_form() {
    for (alert, stored) in alerts() {
        assert_eq!(AT.to_json(&alert).unwrap(), stored);
        assert_eq!(AT.json::<AlertFacts>(stored).unwrap(), alert);
    }
}

#[test]
fn impossible_alert_names_its_row() {
    let [(_, found), ..] = alerts();
    for broken in [
        "null",
        "{}",
        &found.replace(r#""level":12"#, r#""level":300"#),
        &found.replace(r#""age_seconds":61,"#, ""),
        &found.replace(r#""found":true"#, r#""found":1"#),
    ] {
        refused(AT.json::<AlertFacts>(broken));
    }
}

#[test]
fn evidence_is_stored_in_this_form() {
    let (evidence, stored) = evidence();
    assert_eq!(AT.to_json(&evidence).unwrap(), stored);
    assert_eq!(AT.json::<Evidence>(stored).unwrap(), evidence);
    refused(AT.json::<Evidence>(&stored.replace(r#""rule":"651: Host blocked","#, "")));
    refused(AT.json::<Evidence>(&stored.replace("1790000000123456", "1e300")));
}

#[test]
fn scopes_and_notice_facts_are_stored_in_this_form() {
    use crate::domain::{
        decision::Tier,
        notice::{Notice, NoticeKind, NoticeSubject},
        request::StateName,
    };
    let scopes = AT.to_json(&Catalogue::built_in().usual()).unwrap();
    assert_eq!(scopes, r#"["block_ip","disable_account"]"#);
    let id = RequestId::from(Uuid::from_u128(0x12_3456_789a));
    let at = Time::from_timestamp_micros(0).unwrap();
    let facts = |about| Notice { kind: NoticeKind::Waiting, about, at }.facts().to_string();
    let (action, tier, state) =
        (ActionKind::parse("block_ip").unwrap(), Tier::Medium, StateName::Pending);
    assert_eq!(
        facts(NoticeSubject::Request { id, action, tier, state, plan: None }),
        r#"{"request":"3456789a","action":"block_ip","tier":"medium","state":"pending"}"#
    );
    assert_eq!(facts(NoticeSubject::Switch("manager")), r#"{"extent":"manager"}"#);
    assert_eq!(facts(NoticeSubject::Nothing), "{}");
}
