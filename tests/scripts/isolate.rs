//! `countersign-isolate` and `countersign-isolate-undo`: an endpoint with a manager on one network and
//! others on a second.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Stdio},
};

use crate::{
    FIRST, SECOND, THIRD,
    endpoint::{Endpoint, Listener, Peer},
    execd::Message,
    firewall::Firewall,
};

fn isolate(request: &str) -> Message {
    Message::without_data("countersign-isolate", request)
}

fn release(request: &str) -> Message {
    Message::without_data("countersign-isolate-undo", request)
}

/// An agent's connection to its manager, which stays open.
struct Connection {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Connection {
    fn open(endpoint: &Endpoint, address: &str, port: u16) -> Self {
        let script = "
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)
for line in sys.stdin:
    connection.sendall(line.encode())
    try: print(connection.recv(100).decode(), end='', flush=True)
    except OSError: print('lost', flush=True)
";
        let mut child = endpoint
            .command("python3", &["-c", script, address, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { stdout: BufReader::new(child.stdout.take().unwrap()), child }
    }

    fn says(&mut self, text: &str) -> bool {
        writeln!(self.child.stdin.as_mut().unwrap(), "{text}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim() == text
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.kill().is_ok() && self.child.wait().is_ok();
    }
}

struct Site {
    endpoint: Endpoint,
    manager: Peer,
    other: Peer,
    _listeners: Vec<Listener>,
}

fn site(firewall: Firewall) -> Option<Site> {
    let (endpoint, manager) = firewall.endpoint()?;
    let other = endpoint.link(78);
    endpoint.sh("echo 1 >/proc/sys/net/ipv4/ip_forward");
    endpoint.configure("<server><address>10.77.0.2</address><port>1514</port></server>");
    let listeners = vec![
        manager.listen("10.77.0.2", 1514),
        manager.listen("10.77.0.2", 22),
        manager.listen("fd77::2", 1514),
        other.listen("10.78.0.2", 8443),
        other.listen("10.78.0.2", 8022),
        other.listen("fd78::2", 8022),
        endpoint.listen("10.78.0.1", 8022),
        endpoint.listen("fd78::1", 8022),
        endpoint.listen("127.0.0.1", 8022),
    ];
    Some(Site { endpoint, manager, other, _listeners: listeners })
}

impl Site {
    /// What gets through, in and out and across.
    fn open(&self) -> Vec<&'static str> {
        let mut open = Vec::new();
        let mut see = |name, through: bool| open.extend(through.then_some(name));
        see("manager", self.endpoint.connects("10.77.0.2", 1514));
        see("manager-6", self.endpoint.connects("fd77::2", 1514));
        see("manager-ssh", self.endpoint.connects("10.77.0.2", 22));
        see("https", self.endpoint.connects("10.78.0.2", 8443));
        see("out", self.endpoint.connects("10.78.0.2", 8022));
        see("out-6", self.endpoint.connects("fd78::2", 8022));
        see("in", self.other.connects("10.78.0.1", 8022));
        see("in-6", self.other.connects("fd78::1", 8022));
        see("across", self.manager.connects("10.78.0.2", 8443));
        see("loopback", self.endpoint.connects("127.0.0.1", 8022));
        open
    }
}

const ALL: [&str; 10] = [
    "manager",
    "manager-6",
    "manager-ssh",
    "https",
    "out",
    "out-6",
    "in",
    "in-6",
    "across",
    "loopback",
];

fn isolates_and_releases(firewall: Firewall) {
    let Some(site) = site(firewall) else { return };
    let endpoint = &site.endpoint;
    let before = firewall.rules(endpoint);
    assert_eq!(site.open(), ALL);
    let mut agent = Connection::open(endpoint, "10.77.0.2", 1514);
    let mut attacker = Connection::open(endpoint, "10.78.0.2", 8022);
    assert!(agent.says("before") && attacker.says("before"));
    isolate(FIRST).with("keep=10.78.0.2:8443").run(endpoint).is("done");
    assert!(agent.says("isolated"), "the open connection to the manager stays");
    assert!(!attacker.says("isolated"), "an open connection of others ends");
    assert_eq!(site.open(), ["manager", "https", "loopback"], "{firewall:?}");
    isolate(FIRST).with("keep=10.78.0.2:8443").run(endpoint).is("already");
    release(SECOND).run(endpoint).is("undone");
    assert_eq!(site.open(), ALL);
    assert_eq!(firewall.rules(endpoint), before);
    release(SECOND).run(endpoint).is("already");
}

#[test]
fn nftables_isolates_and_releases() {
    isolates_and_releases(Firewall::Nft);
}

#[test]
fn iptables_nft_isolates_and_releases() {
    isolates_and_releases(Firewall::IptablesNft);
}

#[test]
fn iptables_legacy_isolates_and_releases() {
    isolates_and_releases(Firewall::IptablesLegacy);
}

#[test]
fn host_that_is_kept_whole_gets_in_and_out() {
    for firewall in [Firewall::Nft, Firewall::IptablesLegacy] {
        let Some(site) = site(firewall) else { return };
        isolate(FIRST).with("keep=10.78.0.2").with("keep=fd78::2").run(&site.endpoint).is("done");
        assert_eq!(site.open(), ["manager", "https", "out", "out-6", "in", "in-6", "loopback"]);
    }
}

#[test]
fn accepting_rules_of_others_open_nothing() {
    for (firewall, accept) in [
        (
            Firewall::Nft,
            "nft add table inet t; nft add chain inet t c '{ type filter hook input priority 0; }'; nft add rule inet t c accept",
        ),
        (
            Firewall::IptablesNft,
            "iptables -I INPUT -j ACCEPT; iptables -I OUTPUT -j ACCEPT; iptables -t raw -I OUTPUT -j ACCEPT",
        ),
    ] {
        let Some(site) = site(firewall) else { return };
        site.endpoint.sh(accept);
        isolate(FIRST).run(&site.endpoint).is("done");
        assert_eq!(site.open(), ["manager", "loopback"]);
        site.endpoint.sh(accept);
        assert_eq!(site.open(), ["manager", "loopback"]);
    }
}

#[test]
fn one_of_two_overlapping_isolations_stays() {
    let Some(site) = site(Firewall::Nft) else { return };
    let endpoint = &site.endpoint;
    isolate(FIRST).with("keep=10.78.0.2:8443").run(endpoint).is("done");
    isolate(SECOND).with("keep=10.77.0.2:22").run(endpoint).is("done");
    assert_eq!(site.open(), ["manager", "manager-ssh", "https", "loopback"]);
    isolate(FIRST).over().run(endpoint).is("kept");
    assert_eq!(site.open(), ["manager", "manager-ssh", "loopback"]);
    release(THIRD).with(&format!("undo={SECOND}")).run(endpoint).is("undone");
    assert_eq!(site.open(), ALL);
}

#[test]
fn names_are_resolved_and_stay_known() {
    let Some(site) = site(Firewall::Nft) else { return };
    let endpoint = &site.endpoint;
    endpoint.sh("echo '10.77.0.2 manager.example Countersign.example' >/etc/hosts; echo '10.78.0.2 broker.example' >>/etc/hosts; echo 'hosts: files' >/etc/nsswitch.conf");
    endpoint.configure("<server><address>manager.example</address></server>");
    let before = endpoint.sh("cat /etc/hosts");
    isolate(FIRST).with("keep=broker.example:8443").run(endpoint).is("done");
    assert_eq!(site.open(), ["manager", "https", "loopback"]);
    // The names of a resolver that is out of reach now.
    endpoint.sh("sed -i '/ # countersign-isolate$/!d' /etc/hosts");
    assert_eq!(endpoint.sh("getent hosts manager.example | cut -d' ' -f1"), "10.77.0.2\n");
    isolate(SECOND).with("keep=broker.example:8443").run(endpoint).is("done");
    endpoint.sh(&format!("printf '%s' '{before}' >>/etc/hosts"));
    release(THIRD).run(endpoint).is("undone");
    assert_eq!(endpoint.sh("cat /etc/hosts"), before);
}

#[test]
fn isolation_without_a_way_back_is_refused() {
    let Some(site) = site(Firewall::Nft) else { return };
    let endpoint = &site.endpoint;
    endpoint.sh("echo 'hosts: files' >/etc/nsswitch.conf");
    for client in [
        "",
        "<server><address>nowhere.example</address></server>",
        "<!-- <server><address>10.77.0.2</address></server> -->",
    ] {
        endpoint.configure(client);
        isolate(FIRST).run(endpoint).failed("the Wazuh manager has no address");
    }
    fs::remove_file(endpoint.home().join("etc/ossec.conf")).unwrap();
    isolate(FIRST).run(endpoint).failed("the Wazuh manager has no address");
    endpoint.configure("<server><address>10.77.0.2</address></server>");
    isolate(FIRST)
        .with("keep=nowhere.example")
        .run(endpoint)
        .failed("keep=nowhere.example has no address");
    assert_eq!(site.open(), ALL);
}

#[test]
fn every_manager_of_the_agent_is_kept() {
    let Some(site) = site(Firewall::IptablesNft) else { return };
    site.endpoint.configure(
        "<server><address>10.77.0.2</address><port>22</port><protocol>tcp</protocol></server>
        <server>\n<address>FD77:0::2</address>\n</server>
        <enrollment><manager_address>10.78.0.2</manager_address><port>8443</port></enrollment>",
    );
    isolate(FIRST).run(&site.endpoint).is("done");
    assert_eq!(site.open(), ["manager-6", "manager-ssh", "https", "loopback"]);
}

#[test]
fn arguments_that_keep_too_much_are_refused() {
    let Some(site) = site(Firewall::Nft) else { return };
    for (argument, reason) in [
        ("keep=", "names neither an address nor a host"),
        ("keep=10.0.0.0/8", "names neither an address nor a host"),
        ("keep=0.0.0.0", "names no single other host"),
        ("keep=::", "names no single other host"),
        ("keep=224.0.0.1", "names no single other host"),
        ("keep=any", "names neither an address nor a host"),
        ("keep=*.example", "names neither an address nor a host"),
        ("keep=10.78.0.2:", "is not 1 to 65535"),
        ("keep=10.78.0.2:0", "is not 1 to 65535"),
        ("keep=10.78.0.2:65536", "is not 1 to 65535"),
        ("keep=10.78.0.2:022", "is not 1 to 65535"),
        ("keep=10.78.0.2:22-99", "is not 1 to 65535"),
        ("keep=10.78.0.2:any", "names neither an address nor a host"),
        ("keep=[fd78::2]", "names neither an address nor a host"),
        ("keep=a.example;reboot", "names neither an address nor a host"),
        ("keep=a.example\nb.example", "a control character"),
        ("Keep=10.78.0.2", "an argument that this script does not know"),
    ] {
        isolate(FIRST).with(argument).run(&site.endpoint).failed(reason);
    }
    let mut many = isolate(FIRST);
    for host in 1..=17 {
        many = many.with(&format!("keep=10.1.1.{host}"));
    }
    many.run(&site.endpoint).failed("keep= stands more than 16 times");
    release(FIRST).with("keep=10.78.0.2").run(&site.endpoint).failed("this script does not know");
    Message::add("countersign-isolate", FIRST, ("srcip", "10.78.0.2"))
        .run(&site.endpoint)
        .failed("does not know");
    assert_eq!(Firewall::Nft.rules(&site.endpoint), "");
    isolate(FIRST).with("keep=[fd78::2]:8022").run(&site.endpoint).is("done");
    assert_eq!(site.open(), ["manager", "out-6", "loopback"]);
}

#[test]
fn isolation_that_has_no_effect_is_not_verified() {
    let Some(site) = site(Firewall::Nft) else { return };
    site.endpoint.lie("/usr/sbin/nft");
    isolate(FIRST).run(&site.endpoint).failed("it is not in effect");
}

#[test]
fn hole_in_the_isolation_is_closed_and_seen() {
    let Some(site) = site(Firewall::Nft) else { return };
    let endpoint = &site.endpoint;
    isolate(FIRST).run(endpoint).is("done");
    for hole in [
        "nft insert rule inet countersign_isolate output ip daddr 10.78.0.2 accept",
        "nft insert rule inet countersign_isolate output tcp dport 8022 accept",
        "nft delete chain inet countersign_isolate input",
    ] {
        endpoint.sh(hole);
        // Not `already`: it had to be repaired.
        isolate(FIRST).run(endpoint).is("done");
    }
    assert_eq!(site.open(), ["manager", "loopback"]);
}

fn survives_interruption(firewall: Firewall, tools: &[&str]) {
    let Some(site) = site(firewall) else { return };
    let endpoint = &site.endpoint;
    endpoint.sh("echo '10.77.0.2 manager.example' >>/etc/hosts");
    endpoint.configure("<server><address>manager.example</address></server>");
    let look = || firewall.rules(endpoint) + &endpoint.sh("cat /etc/hosts");
    let before = look();
    endpoint.make_interruptible(tools);
    for point in 1.. {
        endpoint.interrupt(point);
        let isolated = isolate(FIRST).run(endpoint);
        let in_isolate = endpoint.was_interrupted();
        if in_isolate {
            isolated.failed("cut off");
            assert!(endpoint.connects("10.77.0.2", 1514), "{point}: never without its manager");
            let again = isolate(FIRST).run(endpoint).said();
            assert!(
                ["done", "already"].contains(&again.0.as_str()) && again.1,
                "{point}: {again:?}"
            );
        }
        endpoint.interrupt(point);
        let released = release(SECOND).run(endpoint);
        let in_release = endpoint.was_interrupted();
        if in_release {
            released.failed("cut off");
            assert!(endpoint.connects("10.77.0.2", 1514), "{point}: never without its manager");
            let again = release(SECOND).run(endpoint).said();
            assert!(
                ["undone", "already"].contains(&again.0.as_str()) && again.1,
                "{point}: {again:?}"
            );
        }
        assert_eq!(look(), before, "{point}");
        if !in_isolate && !in_release {
            assert!(point > 6, "only {point} points were tried");
            break;
        }
    }
}

#[test]
fn isolation_survives_kill_anywhere_with_nftables() {
    survives_interruption(Firewall::Nft, &["mkdir", "mv", "rm", "rmdir", "cp", "nft"]);
}

#[test]
fn isolation_survives_kill_anywhere_with_iptables() {
    survives_interruption(Firewall::IptablesNft, &["mv", "iptables"]);
}
