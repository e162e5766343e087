//! `countersign-block` and `countersign-block-undo`: real packets between network namespaces.

use std::fs;

use crate::{
    FIRST, SECOND, THIRD,
    endpoint::Endpoint,
    execd::{Message, Run},
    firewall::Firewall,
};

fn block(request: &str, address: &str) -> Message {
    Message::add("countersign-block", request, ("srcip", address))
}

fn unblock(request: &str, address: &str) -> Message {
    Message::add("countersign-block-undo", request, ("srcip", address))
}

/// A block and its end, seen by a host that connects.
fn blocks_and_unblocks(firewall: Firewall) {
    let Some((endpoint, peer)) = firewall.endpoint() else { return };
    for (mine, theirs) in [("10.77.0.1", "10.77.0.2"), ("fd77::1", "fd77::2")] {
        let _listener = endpoint.listen(mine, 8022);
        assert!(peer.connects(mine, 8022));
        block(FIRST, theirs).run(&endpoint).is("done");
        assert!(!peer.connects(mine, 8022), "{firewall:?} {mine}");
        block(FIRST, theirs).run(&endpoint).is("already");
        unblock(SECOND, theirs).run(&endpoint).is("undone");
        assert!(peer.connects(mine, 8022));
        unblock(SECOND, theirs).run(&endpoint).is("already");
    }
    assert_eq!(firewall.rules(&endpoint), "", "something is left of {firewall:?}");
}

#[test]
fn nftables_drops_what_comes_from_the_address() {
    blocks_and_unblocks(Firewall::Nft);
}

#[test]
fn iptables_nft_drops_what_comes_from_the_address() {
    blocks_and_unblocks(Firewall::IptablesNft);
}

#[test]
fn iptables_legacy_drops_what_comes_from_the_address() {
    blocks_and_unblocks(Firewall::IptablesLegacy);
}

/// Neither what is forwarded from the address, nor to it.
fn blocks_forwarding(firewall: Firewall) {
    let Some((endpoint, peer)) = firewall.endpoint() else { return };
    let other = endpoint.link(78);
    endpoint.sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
    let _listener = other.listen("10.78.0.2", 8022);
    assert!(peer.connects("10.78.0.2", 8022) && peer.reaches(&other, "10.78.0.2"));
    for blocked in ["10.77.0.2", "10.78.0.2"] {
        block(FIRST, blocked).run(&endpoint).is("done");
        assert!(!peer.connects("10.78.0.2", 8022), "{firewall:?} {blocked}");
        assert!(!peer.reaches(&other, "10.78.0.2"), "{firewall:?} {blocked}: not even one way");
        block(FIRST, blocked).over().run(&endpoint).is("undone");
        assert!(peer.connects("10.78.0.2", 8022));
    }
}

#[test]
fn nftables_drops_what_is_forwarded() {
    blocks_forwarding(Firewall::Nft);
}

#[test]
fn iptables_drops_what_is_forwarded() {
    blocks_forwarding(Firewall::IptablesLegacy);
}

#[test]
fn open_connection_stops_when_blocked() {
    let Some((endpoint, peer)) = Firewall::Nft.endpoint() else { return };
    endpoint.sh(
        "nft add table inet t; nft add chain inet t c '{ type filter hook input priority 0; policy drop; }'
        nft add rule inet t c ct state established,new accept",
    );
    let _listener = endpoint.listen("10.77.0.1", 8022);
    block(FIRST, "10.77.0.2").run(&endpoint).is("done");
    assert!(!peer.connects("10.77.0.1", 8022), "an accept of others must not win");
    assert!(endpoint.sh("nft list tables").contains("inet t\n"), "foreign rules stay");
}

#[test]
fn one_of_two_overlapping_blocks_stays() {
    for firewall in [Firewall::Nft, Firewall::IptablesNft] {
        let Some((endpoint, peer)) = firewall.endpoint() else { return };
        let _listener = endpoint.listen("10.77.0.1", 8022);
        block(FIRST, "10.77.0.2").run(&endpoint).is("done");
        block(SECOND, "10.77.0.2").run(&endpoint).is("done");
        block(FIRST, "10.77.0.2").over().run(&endpoint).is("kept");
        assert!(!peer.connects("10.77.0.1", 8022));
        let undo_first = unblock(THIRD, "10.77.0.2").with(&format!("undo={FIRST}"));
        undo_first.run(&endpoint).is("kept");
        let undo_second = unblock(THIRD, "10.77.0.2").with(&format!("undo={SECOND}"));
        undo_second.run(&endpoint).is("undone");
        assert!(peer.connects("10.77.0.1", 8022));
    }
}

#[test]
fn unblock_without_a_request_ends_all() {
    let Some((endpoint, _peer)) = Firewall::Nft.endpoint() else { return };
    for (request, address) in [(FIRST, "10.77.0.2"), (SECOND, "10.77.0.2"), (FIRST, "fd77::2")] {
        block(request, address).run(&endpoint).is("done");
    }
    unblock(THIRD, "10.77.0.2").run(&endpoint).is("undone");
    let rules = Firewall::Nft.rules(&endpoint);
    assert!(!rules.contains("10.77.0.2") && rules.contains("fd77::2"), "{rules}");
}

#[test]
fn timed_block_gives_its_own_keys() {
    let Some((endpoint, _peer)) = Firewall::Nft.endpoint() else { return };
    let run = block(FIRST, "10.77.0.2").run(&endpoint);
    let keys = run.keys.unwrap();
    assert_eq!(keys["command"], "check_keys");
    assert_eq!(keys["parameters"]["keys"], serde_json::json!(["10.77.0.2", FIRST]));
    assert_eq!((keys["version"].as_u64(), keys["origin"].is_object()), (Some(1), true));
    block(FIRST, "10.77.0.2").pending().run(&endpoint).is("already");
    let over = block(FIRST, "10.77.0.2").over().run(&endpoint);
    over.is("undone");
    assert_eq!((over.keys, over.printed.as_str()), (None, ""), "execd reads nothing then");
    assert!(unblock(SECOND, "10.77.0.2").run(&endpoint).keys.is_none(), "an undo has no time");
}

#[test]
fn block_does_nothing_without_the_answer_of_execd() {
    let Some((endpoint, _peer)) = Firewall::Nft.endpoint() else { return };
    let run: Run = block(FIRST, "10.77.0.2").unanswered().run(&endpoint);
    run.failed("neither continue nor abort");
    assert_eq!(Firewall::Nft.rules(&endpoint), "");
}

#[test]
fn flushed_rules_are_made_again() {
    for (firewall, flush) in [
        (Firewall::Nft, "nft flush ruleset"),
        (Firewall::IptablesNft, "iptables -t raw -F"),
        (Firewall::IptablesLegacy, "iptables -t raw -F PREROUTING"),
    ] {
        let Some((endpoint, _peer)) = firewall.endpoint() else { return };
        block(FIRST, "10.77.0.2").run(&endpoint).is("done");
        block(FIRST, "10.77.0.3").run(&endpoint).is("done");
        let before = firewall.rules(&endpoint);
        endpoint.sh(flush);
        block(FIRST, "10.77.0.2").run(&endpoint).is("done");
        assert_eq!(firewall.rules(&endpoint), before);
    }
}

#[test]
fn rule_of_others_never_goes_first() {
    let Some((endpoint, peer)) = Firewall::IptablesNft.endpoint() else { return };
    let _listener = endpoint.listen("10.77.0.1", 8022);
    block(FIRST, "10.77.0.2").run(&endpoint).is("done");
    endpoint.sh("iptables -t raw -I PREROUTING -s 10.77.0.0/24 -j ACCEPT");
    assert!(peer.connects("10.77.0.1", 8022), "this test must see the hole");
    block(SECOND, "10.77.0.2").run(&endpoint).is("done");
    assert!(!peer.connects("10.77.0.1", 8022));
    block(FIRST, "10.77.0.2").over().run(&endpoint).is("kept");
    block(SECOND, "10.77.0.2").over().run(&endpoint).is("undone");
    assert_eq!(Firewall::IptablesNft.rules(&endpoint), "-A PREROUTING -s 10.77.0.0/24 -j ACCEPT\n");
}

#[test]
fn claims_of_an_earlier_boot_count_for_nothing() {
    let Some((endpoint, _peer)) = Firewall::Nft.endpoint() else { return };
    block(FIRST, "10.77.0.2").run(&endpoint).is("done");
    endpoint.sh("nft flush ruleset");
    fs::write(endpoint.state().join("block/10.77.0.2").join(FIRST), "another boot\n").unwrap();
    block(SECOND, "10.77.0.2").run(&endpoint).is("done");
    block(SECOND, "10.77.0.2").over().run(&endpoint).is("undone");
}

#[test]
fn needed_addresses_are_never_blocked() {
    let Some((endpoint, _peer)) = Firewall::Nft.endpoint() else { return };
    endpoint.sh("echo 10.77.0.8 manager.test >>/etc/hosts");
    endpoint.configure(
        "<!-- <server><address>10.77.0.7</address></server> -->
        <enrollment><manager_address>10.77.0.6</manager_address></enrollment>
        <server><address>manager.test</address></server><server>
        <address>fd77::9</address></server>",
    );
    for address in ["10.77.0.8", "fd77::9", "10.77.0.6"] {
        block(FIRST, address).run(&endpoint).failed("the address of the Wazuh manager");
    }
    for address in ["10.77.0.1", "fd77::1"] {
        block(FIRST, address).run(&endpoint).failed("an address of this host");
    }
    for address in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"]
    {
        block(FIRST, address).run(&endpoint).failed("no single other host");
    }
    assert_eq!(Firewall::Nft.rules(&endpoint), "");
    block(FIRST, "10.77.0.7").run(&endpoint).is("done");
}

#[test]
fn only_single_addresses_in_shortest_form_are_blocked() {
    let Some((endpoint, _peer)) = Firewall::Nft.endpoint() else { return };
    for address in [
        "",
        "10",
        "127.1",
        "10.0.0",
        "10.0.0.0.1",
        "010.0.0.1",
        "256.0.0.1",
        "1e2.0.0.1",
        "10.0.0.0/8",
        "10.0.0.1 ",
        " 10.0.0.1",
        "10.0.0.1;reboot",
        "$(reboot)",
        "-1.0.0.1",
        "a.b.c.d",
        "localhost",
        "2001:DB8::1",
        "2001:db8:0::1",
        "2001:db8::0",
        "1:2:3:4:5:6:7::",
        "1::2::3",
        ":::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "2001:db8::1/64",
        "fd77::2%link77",
        "::ffff:10.77.0.2",
        "[2001:db8::1]",
        "1:0:0:2:0:0:0:3",
        "::g",
    ] {
        block(FIRST, address).run(&endpoint).failed("no address in its shortest form");
    }
    for address in ["2001:db8::1:0:0:1", "1::2:0:0:3", "::2", "2001:db8::", "1:2:3:4:5:6:7:8"] {
        block(FIRST, address).run(&endpoint).is("done");
    }
}

#[test]
fn block_fails_where_no_firewall_works() {
    let Some(endpoint) = Endpoint::start() else { return };
    for tool in ["nft", "xtables-nft-multi", "xtables-legacy-multi"] {
        endpoint.without(&format!("/usr/sbin/{tool}"));
    }
    block(FIRST, "10.77.0.2").run(&endpoint).failed("neither nft nor iptables works here");
}

#[test]
fn block_that_has_no_effect_is_not_verified() {
    let Some((endpoint, _peer)) = Firewall::Nft.endpoint() else { return };
    endpoint.lie("/usr/sbin/nft");
    block(FIRST, "10.77.0.2").run(&endpoint).failed("it is not in effect");
    let claim = endpoint.state().join("block/10.77.0.2").join(FIRST);
    assert!(!claim.exists(), "it would keep the block of another request");
}

#[test]
fn unblock_that_has_no_effect_is_not_verified() {
    let Some((endpoint, peer)) = Firewall::Nft.endpoint() else { return };
    block(FIRST, "10.77.0.2").run(&endpoint).is("done");
    endpoint.lie_about("/usr/sbin/nft", "-f");
    unblock(SECOND, "10.77.0.2").run(&endpoint).failed("it is still in effect");
    let _listener = endpoint.listen("10.77.0.1", 8022);
    assert!(!peer.connects("10.77.0.1", 8022));
}

/// Cut off anywhere and done again, it is right.
fn survives_interruption(firewall: Firewall, tools: &[&str]) {
    let Some((endpoint, _peer)) = firewall.endpoint() else { return };
    block(SECOND, "10.77.0.3").run(&endpoint).is("done");
    let before = firewall.rules(&endpoint);
    endpoint.make_interruptible(tools);
    let mut points = 0;
    for point in 1.. {
        endpoint.interrupt(point);
        let blocked = block(FIRST, "10.77.0.2").run(&endpoint);
        if !endpoint.was_interrupted() {
            blocked.is("done");
            break;
        }
        blocked.failed("cut off");
        let again = block(FIRST, "10.77.0.2").run(&endpoint).said();
        assert!(["done", "already"].contains(&again.0.as_str()) && again.1, "{point}: {again:?}");
        assert!(firewall.rules(&endpoint).contains("10.77.0.2"));
        endpoint.interrupt(point);
        let unblocked = unblock(THIRD, "10.77.0.2").run(&endpoint);
        if endpoint.was_interrupted() {
            unblocked.failed("cut off");
        }
        let again = unblock(THIRD, "10.77.0.2").run(&endpoint).said();
        assert!(["undone", "already"].contains(&again.0.as_str()) && again.1, "{point}: {again:?}");
        assert_eq!(firewall.rules(&endpoint), before, "{point}");
        assert_eq!(fs::read_dir(endpoint.state().join("block")).unwrap().count(), 1);
        points = point;
    }
    assert!(points >= 4, "only {points} points were tried");
}

#[test]
fn block_survives_kill_anywhere_with_nftables() {
    survives_interruption(Firewall::Nft, &["mkdir", "mv", "rm", "rmdir", "nft"]);
}

#[test]
fn block_survives_kill_anywhere_with_iptables() {
    survives_interruption(Firewall::IptablesNft, &["mkdir", "mv", "rm", "rmdir", "iptables"]);
}
