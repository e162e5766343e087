//! The steps of the demo's story, each with what is asked, who decides how, and what must come of it.

use serde_json::{Value, json};
use wazuh_simulator::{Fault, Outage, Work};

use crate::demo::machine::{ATTACKER, ENDPOINT};

/// One step: what is asked, who decides how, and what must come of it.
pub(super) struct DemoStep {
    pub(super) title: &'static str,
    pub(super) action: &'static str,
    pub(super) arguments: Value,
    pub(super) people: &'static [(&'static str, DemoVote)],
    /// What goes wrong at the manager.
    pub(super) fault: Option<Fault>,
    pub(super) expected: &'static str,
    /// What a person does when it came out, and what comes of that.
    pub(super) then: Option<(Then, &'static str)>,
}

impl Default for DemoStep {
    fn default() -> Self {
        Self {
            title: "",
            action: "block_ip",
            arguments: Value::Null,
            people: &[],
            fault: None,
            expected: "",
            then: None,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Then {
    /// bob, a senior, takes it back.
    Undo,
    /// bob looked, and says that nothing was done.
    NotDone,
}

#[derive(Clone, Copy)]
pub(super) enum DemoVote {
    Approve,
    Reject(&'static str),
}

pub(super) fn at_once() -> DemoStep {
    DemoStep {
        title: "a small block with an alert that the broker finds runs at once",
        arguments: json!({
            "srcip": "203.0.113.7", "agent_ids": ["001"], "duration_seconds": 600,
            "reason": "ssh brute force from this address on web-01",
            "alert_id": "1763800000.10001", "confidence": 95,
        }),
        expected: "settled: 001 confirmed",
        ..DemoStep::default()
    }
}

pub(super) fn fleet() -> DemoStep {
    DemoStep {
        title: "a block on all endpoints, inactive ones among them, waits for a person",
        arguments: json!({
            "srcip": "198.51.100.23", "all_agents": true, "duration_seconds": 600,
            "reason": "the address scans the whole network and tries known exploits",
        }),
        people: &[("bob", DemoVote::Approve)],
        expected: "settled: 001, 002, 003, 004, 005, 006, 007, 008, 009, 010 confirmed; 014 refused; \
                   011, 012, 013 skipped",
        ..DemoStep::default()
    }
}

pub(super) fn privileged() -> DemoStep {
    DemoStep {
        title: "disabling a privileged account needs two people, one of them a lead",
        action: "disable_account",
        arguments: json!({
            "dstuser": "dbadmin", "agent_ids": ["003"], "duration_seconds": 600,
            "reason": "dbadmin signed in from two countries within five minutes",
        }),
        people: &[("bob", DemoVote::Approve), ("carol", DemoVote::Approve)],
        expected: "settled: 003 confirmed",
        ..DemoStep::default()
    }
}

pub(super) fn rejected() -> DemoStep {
    DemoStep {
        title: "a person rejects what makes no sense",
        arguments: json!({
            "srcip": "198.51.100.99", "agent_ids": ["002"], "duration_seconds": 3600,
            "reason": "many requests per second from this address",
        }),
        people: &[("bob", DemoVote::Reject("that is our own load test"))],
        expected: "rejected",
        ..DemoStep::default()
    }
}

pub(super) fn private() -> DemoStep {
    DemoStep {
        title: "a private address is refused by policy",
        arguments: json!({
            "srcip": "10.0.0.5", "agent_ids": ["001"], "duration_seconds": 600,
            "reason": "lateral movement from this address",
        }),
        expected: "denied",
        ..DemoStep::default()
    }
}

pub(super) fn partial() -> DemoStep {
    DemoStep {
        title: "one endpoint of two has responses switched off: it is left out beforehand",
        arguments: json!({
            "srcip": "198.51.100.77", "agent_ids": ["002", "014"], "duration_seconds": 600,
            "reason": "credential stuffing against the portal and the VPN",
        }),
        people: &[("bob", DemoVote::Approve)],
        expected: "settled: 002 confirmed; 014 skipped",
        ..DemoStep::default()
    }
}

pub(super) fn lost() -> DemoStep {
    DemoStep {
        title: "the manager's answer is lost: nobody knows, until somebody looks",
        arguments: json!({
            "srcip": "198.51.100.88", "agent_ids": ["006"], "duration_seconds": 600,
            "reason": "password spraying against the mail server",
        }),
        people: &[("carol", DemoVote::Approve)],
        fault: Some(Fault::Fail(Outage::Timeout, Work::NotDone)),
        expected: "settled: 006 unknown",
        then: Some((Then::NotDone, "settled: 006 refused")),
        ..DemoStep::default()
    }
}

pub(super) fn taken_back() -> DemoStep {
    DemoStep {
        title: "a block that turns out to be wrong is taken back",
        arguments: json!({
            "srcip": "198.51.100.44", "agent_ids": ["007"], "duration_seconds": 3600,
            "reason": "a new address downloads the customer list",
        }),
        people: &[("bob", DemoVote::Approve)],
        expected: "settled: 007 confirmed",
        then: Some((Then::Undo, "settled: 007 reverted")),
        ..DemoStep::default()
    }
}

pub(super) fn ends() -> DemoStep {
    DemoStep {
        title: "a short block ends by itself, and the endpoint says so",
        arguments: json!({
            "srcip": "198.51.100.55", "agent_ids": ["003"], "duration_seconds": 5,
            "reason": "a single burst of requests",
        }),
        people: &[("bob", DemoVote::Approve)],
        expected: "settled: 003 ended",
        ..DemoStep::default()
    }
}

pub(super) fn twin(seconds: u32) -> DemoStep {
    DemoStep {
        arguments: json!({
            "srcip": "198.51.100.66", "agent_ids": ["002"], "duration_seconds": seconds,
            "reason": "the address tries one password after the other",
        }),
        people: &[("bob", DemoVote::Approve)],
        ..DemoStep::default()
    }
}

pub(super) fn verified() -> DemoStep {
    DemoStep {
        title: "a block by a script of Countersign's is verified on the endpoint",
        arguments: json!({
            "srcip": ATTACKER, "agent_ids": [ENDPOINT], "permanent": true,
            "reason": "the neighbour tries one password after the other",
        }),
        people: &[("bob", DemoVote::Approve), ("carol", DemoVote::Approve)],
        expected: "settled: 015 verified",
        ..DemoStep::default()
    }
}

pub(super) fn isolation() -> DemoStep {
    DemoStep {
        title: "an endpoint is cut off from its network, and released",
        action: "isolate_host",
        arguments: json!({
            "agent_ids": [ENDPOINT], "permanent": true,
            "reason": "a process on jump-01 opens connections to every machine of its network",
        }),
        people: &[("bob", DemoVote::Approve), ("carol", DemoVote::Approve)],
        expected: "settled: 015 verified",
        ..DemoStep::default()
    }
}
