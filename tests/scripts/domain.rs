//! `countersign-domain` and `countersign-domain-undo`: the resolver of an endpoint, with an
//! `/etc/hosts` of its own.

use crate::{FIRST, SECOND, THIRD, endpoint::Endpoint, execd::Message};

/// No line end at its end; a line of ours must not join it, nor a foreign line be lost.
const HOSTS: &str = "127.0.0.1 localhost\n# a comment # countersign\n203.0.113.9 evil.example\n198.51.100.4 other.example";

fn block(request: &str, domain: &str) -> Message {
    Message::add("countersign-domain", request, ("domain", domain))
}

fn unblock(request: &str, domain: &str) -> Message {
    Message::add("countersign-domain-undo", request, ("domain", domain))
}

fn with_hosts() -> Option<Endpoint> {
    let endpoint = Endpoint::start()?;
    // The first line of a name counts, and no resolver is asked.
    endpoint.sh(&format!(
        "printf '%s' '{HOSTS}' >/etc/hosts; chmod 640 /etc/hosts; chown 0:4711 /etc/hosts
        echo 'multi off' >/etc/host.conf; echo 'hosts: files' >/etc/nsswitch.conf"
    ));
    Some(endpoint)
}

fn hosts(endpoint: &Endpoint) -> String {
    endpoint.sh("cat /etc/hosts")
}

fn addresses(endpoint: &Endpoint, name: &str) -> String {
    endpoint.sh(&format!("getent ahosts {name} | cut -d' ' -f1 | sort -u || true"))
}

#[test]
fn domain_is_nowhere_until_undone() {
    let Some(endpoint) = with_hosts() else { return };
    assert_eq!(addresses(&endpoint, "evil.example"), "203.0.113.9\n");
    block(FIRST, "evil.example").run(&endpoint).is("done");
    let found = addresses(&endpoint, "evil.example");
    assert!(found.lines().all(|address| ["0.0.0.0", "::"].contains(&address)), "{found}");
    assert!(found.contains("0.0.0.0"));
    assert_eq!(addresses(&endpoint, "other.example"), "198.51.100.4\n");
    assert!(hosts(&endpoint).ends_with(HOSTS));
    assert_eq!(endpoint.sh("stat -c '%a %g' /etc/hosts"), "640 4711\n");
    block(FIRST, "evil.example").run(&endpoint).is("already");
    unblock(SECOND, "evil.example").run(&endpoint).is("undone");
    assert_eq!(hosts(&endpoint), HOSTS);
    unblock(SECOND, "evil.example").run(&endpoint).is("already");
}

#[test]
fn one_of_two_overlapping_domain_blocks_stays() {
    let Some(endpoint) = with_hosts() else { return };
    for (request, domain) in
        [(FIRST, "evil.example"), (SECOND, "evil.example"), (FIRST, "a.evil.example")]
    {
        block(request, domain).run(&endpoint).is("done");
    }
    block(FIRST, "evil.example").over().run(&endpoint).is("kept");
    unblock(THIRD, "evil.example").with(&format!("undo={SECOND}")).run(&endpoint).is("undone");
    assert_eq!(addresses(&endpoint, "evil.example"), "203.0.113.9\n");
    assert!(addresses(&endpoint, "a.evil.example").contains("0.0.0.0"));
    block(FIRST, "a.evil.example").over().run(&endpoint).is("undone");
    assert_eq!(hosts(&endpoint), HOSTS);
}

#[test]
fn what_others_write_meanwhile_stays() {
    let Some(endpoint) = with_hosts() else { return };
    block(FIRST, "evil.example").run(&endpoint).is("done");
    endpoint.sh("printf '192.0.2.1 first.example\\n' | cat - /etc/hosts >/tmp/h$$; cat /tmp/h$$ >/etc/hosts; rm /tmp/h$$; echo >>/etc/hosts");
    unblock(SECOND, "evil.example").run(&endpoint).is("undone");
    assert_eq!(hosts(&endpoint), format!("192.0.2.1 first.example\n{HOSTS}\n"));
}

#[test]
fn removed_domain_block_is_made_again() {
    let Some(endpoint) = with_hosts() else { return };
    block(FIRST, "evil.example").run(&endpoint).is("done");
    endpoint.sh("echo '127.0.0.1 localhost' >/etc/hosts");
    block(FIRST, "evil.example").run(&endpoint).is("done");
    assert!(addresses(&endpoint, "evil.example").contains("0.0.0.0"));
}

#[test]
fn domain_that_the_resolver_still_finds_is_not_verified() {
    let Some(endpoint) = with_hosts() else { return };
    endpoint.sh("echo 'multi on' >/etc/host.conf");
    block(FIRST, "evil.example").run(&endpoint).failed("the resolver still finds it");
    assert_eq!(hosts(&endpoint), HOSTS);
    endpoint.sh("echo 'hosts: dns' >/etc/nsswitch.conf");
    block(FIRST, "evil.example").run(&endpoint).failed("the resolver did not answer");
    assert_eq!(hosts(&endpoint), HOSTS);
}

#[test]
fn hosts_file_that_is_a_link_is_left_alone() {
    let Some(endpoint) = with_hosts() else { return };
    endpoint.sh("mv /etc/hosts /etc/other; ln -s other /etc/hosts");
    block(FIRST, "evil.example").run(&endpoint).failed("/etc/hosts is no regular file");
    assert_eq!(endpoint.sh("cat /etc/other"), HOSTS);
}

#[test]
fn names_of_other_forms_or_needed_are_refused() {
    let Some(endpoint) = with_hosts() else { return };
    endpoint.configure("<server><address>Manager.Example.</address></server>");
    for domain in [
        "",
        "example",
        "Evil.example",
        "evil.example.",
        ".example",
        "evil..example",
        "-evil.example",
        "evil-.example",
        "evil_.example",
        "*.example",
        "evil.example x",
        "10.0.0.1",
        "evil.1",
        "e/x.example",
        "evil.example#",
        "\u{e4}.example",
        &format!("{}.example", "a".repeat(64)),
        &format!("{}example", "a.".repeat(124)),
    ] {
        block(FIRST, domain).run(&endpoint).failed("no domain name in lower case");
    }
    for domain in ["localhost.localdomain", "a.localhost"] {
        block(FIRST, domain).run(&endpoint).failed("is this host");
    }
    block(FIRST, "manager.example").run(&endpoint).failed("is the Wazuh manager");
    assert_eq!(hosts(&endpoint), HOSTS);
    block(FIRST, "xn--bcher-kva.example").run(&endpoint).is("done");
}

#[test]
fn domain_block_survives_kill_anywhere() {
    let Some(endpoint) = with_hosts() else { return };
    block(SECOND, "other.example").run(&endpoint).is("done");
    let before = hosts(&endpoint);
    endpoint.make_interruptible(&["mkdir", "mv", "rm", "rmdir", "cp"]);
    for point in 1.. {
        endpoint.interrupt(point);
        let blocked = block(FIRST, "evil.example").run(&endpoint);
        let in_block = endpoint.was_interrupted();
        if in_block {
            blocked.failed("cut off");
            let again = block(FIRST, "evil.example").run(&endpoint).said();
            assert!(
                ["done", "already"].contains(&again.0.as_str()) && again.1,
                "{point}: {again:?}"
            );
        }
        assert!(addresses(&endpoint, "evil.example").contains("0.0.0.0"));
        endpoint.interrupt(point);
        let unblocked = unblock(THIRD, "evil.example").run(&endpoint);
        let in_unblock = endpoint.was_interrupted();
        if in_unblock {
            unblocked.failed("cut off");
            let again = unblock(THIRD, "evil.example").run(&endpoint).said();
            assert!(
                ["undone", "already"].contains(&again.0.as_str()) && again.1,
                "{point}: {again:?}"
            );
        }
        assert_eq!(hosts(&endpoint), before, "{point}");
        if !in_block && !in_unblock {
            assert!(point > 6, "only {point} points were tried");
            break;
        }
    }
}
