//! What is configured, what is refused, and what `doctor` sees.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use super::{
    lines,
    syslog_server::{Manners, SyslogServer},
    verified,
};
use crate::{
    connector::fake_server::{Tap, say},
    harness::{installation::Installation, program::Program},
};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn feed(more: &str) -> String {
    format!("[[feeds]]\nname = \"siem\"\n{more}\n")
}

#[test]
fn invalid_feed_is_refused_with_key_and_allowed_values() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:1");
    let right = fs::read_to_string(program.path("countersign.toml")).unwrap();
    program.write("short", "whsec_c2hvcnQ=");
    let file = |more: &str| feed(&format!("kind = \"file\"\npath = \"audit.jsonl\"\n{more}"));
    let syslog = |more: &str| feed(&format!("kind = \"syslog\"\nhost = \"log.example\"\n{more}"));
    let hook =
        |more: &str| feed(&format!("kind = \"webhook\"\nurl = \"http://127.0.0.1:1/x\"\n{more}"));
    for (text, key, allowed) in [
        (feed("kind = \"kafka\""), "feeds.siem.kind", "file, syslog, webhook"),
        ("[[feeds]]\nname = \"A b\"\nkind = \"file\"".to_owned(), "feeds.name", "A b"),
        (format!("{}{}", file(""), file("")), "feeds.name", "a name of its own"),
        (feed("kind = \"file\""), "feeds.siem.path", "a file"),
        (
            format!("{}{}", file(""), file("").replace("siem", "other")),
            "feeds.siem.path",
            "another feed has this one",
        ),
        (
            feed("kind = \"file\"\npath = \"countersign.db-wal\""),
            "feeds.siem.path",
            "Countersign has this one",
        ),
        (
            feed("kind = \"file\"\npath = \"manager.password\""),
            "feeds.siem.path",
            "Countersign has this one",
        ),
        (file("mode = \"0644\""), "feeds.siem.mode", "0600"),
        (file("host = \"x\""), "feeds.siem.host", "it has path, mode"),
        (file("from = \"yesterday\""), "feeds.siem.from", "now, or start"),
        (file("events = [\"vote\"]"), "feeds.siem.events", "asked, decided, sent"),
        (file("events = []"), "feeds.siem.events", "without `events` all are sent"),
        (file("colour = 1"), "colour", "unknown field"),
        (feed("kind = \"syslog\""), "feeds.siem.host", "syslog server"),
        (syslog("").replace("example", "example:514"), "feeds.siem.host", "without its port"),
        (syslog("transport = \"udp\""), "feeds.siem.port", "1 to 65535"),
        (syslog("port = 514"), "feeds.siem.transport", "udp, tcp or tls"),
        (syslog("port = 514\ntransport = \"tls\""), "feeds.siem.transport", "always verified"),
        (
            syslog("port = 514\ntransport = \"tcp\"\npin_sha256 = \"00\""),
            "feeds.siem.transport",
            "tls, where",
        ),
        (
            syslog("port = 514\ntransport = \"tls\"\npin_sha256 = \"00\""),
            "feeds.siem.pin_sha256",
            "64 hexadecimal digits",
        ),
        (hook(""), "feeds.siem.secret_file", "json is always signed"),
        (hook("secret_file = \"short\""), "feeds.siem.secret_file", "24 to 64 random bytes"),
        (hook("url_file = \"short\""), "feeds.siem.url", "not both"),
    ] {
        program.write("countersign.toml", &format!("{right}{text}"));
        let (code, said) = program.refused(&["serve"]);
        assert_eq!(code, 2, "{text}: {said}");
        assert!(said.contains(key) && said.contains(allowed), "{text}: {said}");
        assert!(!said.contains("c2hvcnQ"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_looks_at_each_feed_and_sends_nothing() {
    let (tap, syslog) =
        (Tap::start(|_| say(204, "")).await, SyslogServer::start(Manners::Close, None).await);
    let installed = Installation::new().await;
    let program = &installed.program;
    program.write("feed.secret", SECRET);
    let configuration = |file: &str, port: u16, url: &str| {
        format!(
            "[[feeds]]\nname = \"lines\"\nkind = \"file\"\npath = \"{file}\"\n\
             [[feeds]]\nname = \"log\"\nkind = \"syslog\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             transport = \"tcp\"\n\
             [[feeds]]\nname = \"pager\"\nkind = \"webhook\"\nurl = \"{url}\"\n\
             secret_file = \"feed.secret\"\n"
        )
    };
    installed.configure(&configuration("audit.jsonl", syslog.port, &tap.url()));
    let said = doctor(program);
    for found in [
        "lines: ",
        "audit.jsonl can be written",
        &format!("log: the syslog server 127.0.0.1:{} is there", syslog.port),
        "whoever is on the way reads the audit",
        "pager: the webhook pager at http://127.0.0.1",
    ] {
        assert!(said.contains(found), "{found}: {said}");
    }
    assert!(!program.path("audit.jsonl").exists());
    assert!(syslog.messages().is_empty() && tap.heard("").is_empty());
    fs::create_dir(program.path("open")).unwrap();
    fs::set_permissions(program.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    installed.configure(&configuration("open/audit.jsonl", 1, "http://127.0.0.1:1/x"));
    let said = doctor(program);
    for found in ["everybody may write", "the syslog server 127.0.0.1:1 does not answer", "pager: "]
    {
        assert!(said.contains(found), "{found}: {said}");
    }
    assert!(said.contains("nothing listens there"), "{said}");
}

fn doctor(program: &Program) -> String {
    String::from_utf8(program.run(&["doctor"]).stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn running_server_feeds_file_of_its_configuration() {
    let installed = Installation::new().await;
    installed.configure(&feed(
        "kind = \"file\"\npath = \"audit.jsonl\"\nmode = \"0640\"\nfrom = \"start\"\n\
         events = [\"accounts\", \"policy.activated\"]",
    ));
    let path = installed.program.path("audit.jsonl");
    let _server = installed.program.serve();
    let fed = async {
        while !fs::read_to_string(&path).is_ok_and(|text| text.contains("policy.activated")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), fed).await.expect("it writes");
    let kinds: Vec<_> =
        lines(&path).iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "person.added").count(), 3, "{kinds:?}");
    assert!(kinds.iter().all(|kind| kind != "broker.started"), "{kinds:?}");
    // What is left out is missing, and that is said.
    let why = verified(&path)["first_bad"]["why"].clone();
    assert_eq!(why, "row 5 is missing", "{kinds:?}");
}
