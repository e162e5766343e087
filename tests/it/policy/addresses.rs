//! Which addresses are never blocked, in whatever form they are written.

use std::{collections::BTreeSet, net::IpAddr};

use countersign::{
    domain::{
        address::{RangeUse, SPECIAL_RANGES, forms},
        decision::Verdict,
    },
    policy::{Engine, STARTER},
};

use super::{block, load, shipped};

/// The policies that deny a block of an address; none where it runs.
fn denied_by(engine: &Engine, address: IpAddr) -> BTreeSet<String> {
    let decision = engine.decide(&block(address));
    assert!(decision.errors.is_empty(), "{address}: {:?}", decision.errors);
    match decision.verdict {
        Verdict::Deny => decision.policies().into_iter().map(str::to_owned).collect(),
        Verdict::Run => BTreeSet::new(),
        Verdict::Approval(_) => panic!("{address} waits for people"),
    }
}

const PRIVATE: &str = "never.private-address";
const SPECIAL: &str = "never.special-address";

#[test]
fn every_special_range_is_denied_from_end_to_end() {
    let engine = shipped();
    for range in SPECIAL_RANGES {
        // Most of the last one is the ordinary Internet.
        let ends = if range.net.prefix_len() == 0 {
            ["1fff:ffff::".parse().unwrap(), "4000::".parse().unwrap()]
        } else {
            [range.net.network(), range.net.broadcast()]
        };
        for address in ends {
            let policies = denied_by(&engine, address);
            let reason = match range.range_use {
                RangeUse::Private => PRIVATE,
                RangeUse::Special => SPECIAL,
                RangeUse::Documentation => {
                    assert!(policies.is_empty(), "{address}: {policies:?}");
                    continue;
                }
            };
            assert!(policies.contains(reason), "{address} ({}): {policies:?}", range.name);
        }
    }
}

#[test]
fn special_address_is_denied_by_its_own_policy() {
    let engine = shipped();
    for (address, policies) in [
        ("0.1.2.3", &[SPECIAL][..]),
        ("10.0.0.1", &[PRIVATE]),
        ("100.127.255.255", &[PRIVATE]),
        ("127.0.0.1", &[SPECIAL]),
        ("169.254.169.254", &[SPECIAL]),
        ("172.31.255.255", &[PRIVATE]),
        ("192.0.0.8", &[SPECIAL]),
        ("192.88.99.1", &[SPECIAL]),
        ("192.168.0.0", &[PRIVATE]),
        ("198.19.255.255", &[SPECIAL]),
        ("239.255.255.255", &[SPECIAL]),
        ("255.255.255.255", &[SPECIAL]),
        ("::", &[SPECIAL]),
        ("::1", &[SPECIAL]),
        ("100::1", &[SPECIAL]),
        ("2001:20::1", &[SPECIAL]),
        ("2001:1ff::1", &[SPECIAL]),
        ("5f00::1", &[SPECIAL]),
        ("fd12:3456::1", &[PRIVATE]),
        ("feff::1", &[PRIVATE]),
        ("fe80::1", &[SPECIAL]),
        ("ff02::1", &[SPECIAL]),
        // Not assigned to anybody: what it means is not known.
        ("fbff::1", &[SPECIAL]),
        ("4000::1", &[SPECIAL]),
        ("64:ff9c::1", &[SPECIAL]),
    ] {
        let expected = policies.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(denied_by(&engine, address.parse().unwrap()), expected, "{address}");
    }
}

#[test]
fn single_public_host_may_be_blocked() {
    let engine = shipped();
    for address in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.88.98.255",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "203.0.113.7",
        "223.255.255.255",
        "2000::1",
        "2001:200::1",
        "2001:db8::7",
        "2003::1",
        "2606:4700::1111",
        "3fff:ffff::1",
        // ISATAP, with a public address within.
        "2606:4700::200:5efe:cb00:7107",
    ] {
        let policies = denied_by(&engine, address.parse().unwrap());
        assert!(policies.is_empty(), "{address}: {policies:?}");
    }
}

/// Every form in which 10.1.2.3 can be hidden.
const HIDDEN: [&str; 13] = [
    "::ffff:10.1.2.3",
    "::10.1.2.3",
    "::ffff:0:10.1.2.3",
    "64:ff9b::10.1.2.3",
    "64:ff9b:1::10.1.2.3",
    "64:ff9b:1:abcd::10.1.2.3",
    "2002:a01:203::1",
    // Teredo: as its server, and as its client, whose bits are turned over.
    "2001:0:a01:203::f5ff:fffe",
    "2001:0:cb00:7107:8000:63bf:f5fe:fdfc",
    "2606:4700::5efe:10.1.2.3",
    "2606:4700::200:5efe:10.1.2.3",
    "2606:4700:1:2:300:5efe:10.1.2.3",
    "fe80::5efe:10.1.2.3",
];

#[test]
fn hidden_form_of_address_is_that_address() {
    let engine = shipped();
    let partner = r#"@id("partner") @why("a partner's network") forbid (
            principal, action in Countersign::Action::"ask:block_ip", resource
        ) when { context.input.address.isInRange(ip("10.1.2.0/24")) };"#;
    let ask = STARTER.iter().find(|(path, _)| *path == "10_ask.cedar").unwrap().1;
    let own = load(&[("10_ask.cedar", ask), ("x.cedar", partner)]).unwrap();
    for hidden in HIDDEN {
        let address: IpAddr = hidden.parse().unwrap();
        assert!(forms(address).contains(&IpAddr::from([10, 1, 2, 3])), "{hidden}");
        assert!(denied_by(&engine, address).contains(PRIVATE), "{hidden}");
        let refused = own.decide(&block(address));
        assert_eq!(refused.policies(), ["partner"], "{hidden}");
    }
    let other = own.decide(&block("2606:4700::5efe:10.1.3.3".parse().unwrap()));
    assert_ne!(other.policies(), ["partner"]);
}

#[test]
fn forms_of_address_do_not_repeat() {
    for (address, expected) in [
        ("203.0.113.7", &["203.0.113.7"][..]),
        ("2606:4700::1", &["2606:4700::1"]),
        ("2001:0:cb00:7107::34ff:8ef8", &["2001:0:cb00:7107::34ff:8ef8", "203.0.113.7"]),
        (
            "2002:cb00:7107::5efe:c633:6401",
            &["2002:cb00:7107::5efe:c633:6401", "203.0.113.7", "198.51.100.1"],
        ),
    ] {
        let expected: Vec<IpAddr> = expected.iter().map(|form| form.parse().unwrap()).collect();
        assert_eq!(forms(address.parse().unwrap()), expected);
    }
}

/// A folder that 0.1.0 wrote knows neither fact, and asks about ranges itself.
#[test]
fn policies_of_first_version_deny_hidden_forms() {
    let policies = r#"
        @id("ask") @why("a") permit (principal, action in Countersign::Action::"ask", resource);
        @id("run") @why("a") permit (principal, action in Countersign::Action::"run", resource)
        when { context.facts.alert_found };
        @id("never.private-address") @why("a") forbid (
            principal is Countersign::Agent,
            action in Countersign::Action::"block_ip",
            resource is Countersign::Endpoint
        ) when { context.input.address.isInRange(ip("10.0.0.0/8")) };"#;
    let schema = include_str!("schema_0_1_0.cedarschema");
    let engine = load(&[("schema.cedarschema", schema), ("x.cedar", policies)]).unwrap();
    for hidden in HIDDEN {
        let address = hidden.parse().unwrap();
        assert_eq!(denied_by(&engine, address), [PRIVATE.to_owned()].into(), "{hidden}");
    }
    assert!(denied_by(&engine, [203, 0, 113, 7].into()).is_empty());
}
