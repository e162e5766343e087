//! Who is at the other end, what is configured, and what is refused.

use std::time::Duration;

use countersign::{
    broker::notifications::DeliveryResult,
    connector::{Channel, MailSettings, Secret, SecretForm, Tls, WebhookFormat, is_mail_address},
};

use super::{
    SECRET, deliver,
    fake_mail_server::{MailServer, Speaks},
    give_addresses, pending, receiver, settings, sql, tell, webhook, world_with,
};
use crate::{
    connector::{
        fake_server::{Tap, say},
        tls::Authority,
    },
    harness::program::Program,
};

/// Adds a webhook to a program's configuration.
pub(super) fn configure(program: &Program, tap: &Tap) {
    add(
        program,
        &format!("[notify.webhook.ops]\nurl = \"{}\"\nsecret_file = \"ops.secret\"\n", tap.url()),
    );
    program.write("ops.secret", &format!("{SECRET}\n"));
}

fn add(program: &Program, text: &str) {
    let configuration = std::fs::read_to_string(program.path("countersign.toml")).unwrap();
    program.write("countersign.toml", &format!("{configuration}{text}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_redirect_is_not_followed() {
    let other = receiver().await;
    let there =
        format!("HTTP/1.1 307 Go\r\nlocation: {}/x\r\ncontent-length: 0\r\n\r\n", other.url());
    let tap = Tap::start(move |_| there.clone()).await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    pending(&world).await;
    assert_eq!(tell(&world).await, [DeliveryResult::Failed]);
    assert!(other.heard("").is_empty());
    let html = world.person("dora").await.get("/system").await.html;
    assert!(html.contains("307: a redirect, which is not followed"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_webhook_answer_is_cut_off() {
    let tap = Tap::start(|_| say(400, &"\u{202E}<b>no</b> ".repeat(20_000))).await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    pending(&world).await;
    assert_eq!(tell(&world).await, [DeliveryResult::Failed]);
    let html = world.person("dora").await.get("/system").await.html;
    assert!(!html.contains("<b>no") && !html.contains('\u{202E}'), "{html}");
    assert!(html.matches("no&#").count() < 40, "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_with_unpinned_certificate_receives_nothing() {
    let (right, wrong) =
        (Authority::issue("localhost", |_| ()), Authority::issue("localhost", |_| ()));
    let tap = right.honest_manager().await;
    let secure = |name: &str, tls| {
        let mut settings = settings(name, &tap.tls_url(), WebhookFormat::Json);
        settings.tls = tls;
        Channel::webhook(settings).unwrap()
    };
    let world = world_with(vec![secure("wrong", wrong.pin()), secure("right", right.pin())]).await;
    pending(&world).await;
    world.broker().notify().await.unwrap();
    assert_eq!(deliver(&world, "webhook.wrong").await, [DeliveryResult::Failed]);
    assert!(tap.heard("").is_empty());
    let html = world.person("dora").await.get("/system").await.html;
    assert!(html.contains("is not trusted"), "{html}");
    assert_eq!(deliver(&world, "webhook.right").await, [DeliveryResult::Arrived]);
    // Looking who is there sends no request.
    assert!(secure("wrong", wrong.pin()).examine().await.is_err());
    secure("right", right.pin()).examine().await.unwrap();
    assert_eq!(tap.heard("").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_over_tls_to_pinned_server_only() {
    let (right, wrong) =
        (Authority::issue("localhost", |_| ()), Authority::issue("localhost", |_| ()));
    let login = Some(("user".to_owned(), Secret::new("pass")));
    for implicit in [false, true] {
        let speaks = if implicit {
            Speaks::Implicit(right.server())
        } else {
            Speaks::StartTls(right.server())
        };
        let server = MailServer::start(speaks).await;
        let mail = |tls| MailSettings { implicit, login: login.clone(), ..server.settings(tls) };
        let refused = Channel::mail(mail(wrong.pin())).unwrap().examine().await.unwrap_err();
        assert!(refused.contains("is not trusted"), "{refused}");
        let world = world_with(vec![Channel::mail(mail(right.pin())).unwrap()]).await;
        give_addresses(&world).await;
        pending(&world).await;
        assert_eq!(tell(&world).await, [DeliveryResult::Arrived; 2]);
        assert_eq!(server.mails().len(), 2);
        let open = server.lines().into_iter().filter(|(private, _)| !private);
        let open: Vec<_> =
            open.map(|(_, line)| line.split(' ').next().unwrap().to_owned()).collect();
        assert!(open.iter().all(|word| ["EHLO", "STARTTLS"].contains(&word.as_str())), "{open:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_and_password_stay_when_starttls_is_missing() {
    let server = MailServer::start(Speaks::Plain).await;
    let pin = Authority::issue("localhost", |_| ()).pin();
    let login = Some(("user".to_owned(), Secret::new("pass")));
    let settings = MailSettings { login, ..server.settings(pin) };
    let refused = Channel::mail(settings).unwrap().examine().await.unwrap_err();
    assert!(refused.contains("does not offer STARTTLS"), "{refused}");
    let lines: Vec<_> = server.lines().into_iter().map(|(_, line)| line).collect();
    assert!(lines.iter().all(|line| line.starts_with("EHLO")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_mail_password_is_reported() {
    let server = MailServer::start(Speaks::Plain).await;
    let login = Some(("user".to_owned(), Secret::new("wrong")));
    let settings = MailSettings { login, ..server.settings(Tls::Plain) };
    let refused = Channel::mail(settings).unwrap().examine().await.unwrap_err();
    assert!(refused.contains("rejects the user name or the password"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_mail_password_is_read_from_its_file_again() {
    let (server, program) = (MailServer::start(Speaks::Plain).await, Program::new());
    program.write("mail.password", "wrong\n");
    let path = program.path("mail.password");
    let password = Secret::read("notify.mail.password_file", &path, SecretForm::Password).unwrap();
    let login = Some(("user".to_owned(), password));
    let mail = Channel::mail(MailSettings { login, ..server.settings(Tls::Plain) }).unwrap();
    let refused = mail.examine().await.unwrap_err();
    assert!(refused.contains("rejects the user name or the password"), "{refused}");
    program.write("mail.password", "pass\n");
    mail.examine().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_webhook_secrets_are_read_from_their_files_again() {
    let tap = Tap::start(|heard| {
        let known = heard.headers.contains("bearer new") && heard.line.ends_with("/new");
        say(if known { 200 } else { 403 }, "")
    })
    .await;
    let program = Program::new();
    let read = |name: &str| {
        let key = format!("notify.webhook.ops.{name}");
        Secret::read(key, &program.path(name), SecretForm::Word).unwrap()
    };
    program.write("url_file", &format!("{}/old\n", tap.url()));
    program.write("token_file", "old\n");
    let mut hook = settings("ops", &tap.url(), WebhookFormat::Ntfy);
    (hook.url, hook.token) = (read("url_file"), Some(read("token_file")));
    let world = world_with(vec![Channel::webhook(hook).unwrap()]).await;
    pending(&world).await;
    assert_eq!(tell(&world).await, [DeliveryResult::Failed]);
    assert_eq!(tap.heard("POST").len(), 1, "files that did not change are no reason to ask again");
    program.write("url_file", &format!("{}/new\n", tap.url()));
    program.write("token_file", "new\n");
    world.pass(Duration::from_hours(1));
    assert_eq!(deliver(&world, "webhook.ops").await, [DeliveryResult::Arrived]);
    assert_eq!(tap.heard("POST").len(), 3);
}

#[test]
fn channels_without_tls_are_limited_to_this_machine() {
    let webhook = settings("ops", "http://hooks.example/x", WebhookFormat::Json);
    assert!(Channel::webhook(webhook).is_err());
    let https = settings("ops", "https://hooks.example/x", WebhookFormat::Json);
    assert!(Channel::webhook(https).is_err(), "https:// wants ca_file or pin_sha256");
    let mail = MailSettings {
        host: "mail.example".to_owned(),
        port: 25,
        implicit: false,
        tls: Tls::Plain,
        login: None,
        from: "a@example.org".to_owned(),
        deadline: Duration::from_secs(5),
    };
    assert!(Channel::mail(mail).is_err());
}

#[test]
fn webhook_errors_hide_address_and_secret() {
    let mut short =
        settings("ops", "http://127.0.0.1:1/s3cret-path?sig=s3cret", WebhookFormat::Slack);
    short.secret = Some(Secret::new("whsec_c2hvcnQ="));
    let away = settings("ops", "http://hooks.example/s3cret", WebhookFormat::Slack);
    let debug = format!("{:?}", settings("ops", "http://127.0.0.1:1/s3cret", WebhookFormat::Slack));
    let errors = [short, away].map(|wrong| Channel::webhook(wrong).unwrap_err().to_string());
    let shown = format!("{errors:?} {debug}");
    for hidden in ["s3cret", "whsec_c2", "MDEy"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_address_that_injects_commands_is_never_used() {
    for bad in [
        "a@b.c\r\nBcc: d@e.f",
        "a@b.c>\r\nRCPT TO:<d@e.f",
        "a b@c.d",
        "<a@b.c>",
        "a@b@c",
        "a",
        "@b.c",
        "a@",
        "a@b.c,d@e.f",
        "ä@b.c",
        "\"a\"@b.c",
        "",
    ] {
        assert!(!is_mail_address(bad), "{bad}");
    }
    for good in ["a@b.c", "soc+night@example.org", "x@localhost"] {
        assert!(is_mail_address(good), "{good}");
    }
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world_with(vec![mail.channel()]).await;
    let evil =
        "UPDATE person SET mail = 'a@b.c' || char(13, 10) || 'Bcc: d@e.f' WHERE name = 'bob'";
    sql(&world, evil).await;
    pending(&world).await;
    assert_eq!(tell(&world).await, [DeliveryResult::Failed]);
    assert!(mail.lines().is_empty() && mail.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_tests_every_channel_and_reports_each() {
    let (tap, mail) = (receiver().await, MailServer::start(Speaks::Plain).await);
    let down = Tap::start(|_| say(503, "closed")).await;
    let program = Program::new();
    program.set_up("http://127.0.0.1:1");
    let (code, said) = program.refused(&["notify", "test"]);
    assert!(code == 1 && said.contains("no channel is configured"), "{said}");
    configure(&program, &tap);
    add(
        &program,
        &format!(
            "[notify.webhook.chat]\nurl_file = \"chat.url\"\nformat = \"slack\"\n\
         [notify.mail]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"a@example.org\"\n",
            mail.port,
        ),
    );
    program.write("chat.url", &format!("{}/T0/s3cret\n", down.url()));
    let output = program.run(&["notify", "test", "--to", "me@example.org"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let rows: Vec<_> = said.lines().map(|row| row.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(&rows[1][..2], ["LOOK", "webhook.chat"]);
    assert!(said.contains("503: closed") && !said.contains("s3cret"), "{said}");
    assert_eq!(rows[2], ["ok", "webhook.ops", "it", "arrived"]);
    assert_eq!(rows[3], ["ok", "mail", "it", "arrived"]);
    assert!(tap.heard("POST")[0].body.contains("notice.test"));
    assert_eq!(mail.receivers(), ["me@example.org"]);
    mail.forget();
    // `doctor` looks at the same channels, and sends nothing.
    let heard = tap.heard("").len();
    let doctor = program.run(&["doctor"]);
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(said.contains("the webhook ops at http://127.0.0.1"), "{said}");
    assert_eq!((tap.heard("").len(), mail.mails().len()), (heard, 0));
}

#[test]
fn invalid_channel_is_refused_with_key_and_allowed_values() {
    let program = Program::new();
    program.set_up("http://127.0.0.1:1");
    let right = std::fs::read_to_string(program.path("countersign.toml")).unwrap();
    program.write("short", "whsec_c2hvcnQ=");
    program.write("good", SECRET);
    let hook = |rest: &str| format!("[notify.webhook.ops]\nurl = \"http://127.0.0.1:1/x\"\n{rest}");
    let mail = |rest: &str| {
        format!("[notify.mail]\nhost = \"mail.example\"\nport = 587\nfrom = \"a@b.c\"\n{rest}")
    };
    for (text, key, allowed) in [
        (hook("format = \"pager\""), "notify.webhook.ops.format", "json, slack, teams or ntfy"),
        (hook(""), "notify.webhook.ops.secret_file", "json is always signed"),
        (
            hook("secret_file = \"short\""),
            "notify.webhook.ops.secret_file",
            "24 to 64 random bytes",
        ),
        (hook("secret_file = \"none\""), "notify.webhook.ops.secret_file", "a readable file"),
        (hook("url_file = \"good\""), "notify.webhook.ops.url", "not both"),
        (
            "[notify.webhook.ops]\nformat = \"slack\"".to_owned(),
            "notify.webhook.ops.url",
            "url_file",
        ),
        (
            "[notify]\nremind_before_minutes = 0".to_owned(),
            "notify.remind_before_minutes",
            "1 to 1440",
        ),
        (mail(""), "notify.mail.tls", "ca_file or notify.mail.pin_sha256"),
        (mail("tls = \"none\""), "notify.mail.tls", "on this machine"),
        (mail("pin_sha256 = \"00\""), "notify.mail.pin_sha256", "64 hexadecimal digits"),
        (mail("tls = \"ssl\""), "notify.mail.tls", "starttls or implicit"),
    ] {
        program.write("countersign.toml", &format!("{right}{text}\n"));
        let (code, said) = program.refused(&["notify", "test"]);
        assert_eq!(code, 2, "{text}: {said}");
        assert!(said.contains(key) && said.contains(allowed), "{text}: {said}");
        assert!(!said.contains("c2hvcnQ"), "{said}");
    }
}

#[test]
fn secret_files_readable_by_others_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::new();
    program.set_up("http://127.0.0.1:1");
    let hook =
        "[notify.webhook.ops]\nurl = \"http://127.0.0.1:1/x\"\nsecret_file = \"ops.secret\"\n";
    add(&program, hook);
    program.write("ops.secret", SECRET);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(program.path("ops.secret"), open).unwrap();
    let (code, said) = program.refused(&["serve"]);
    assert!(code == 2 && said.contains("ops.secret") && said.contains("chmod 600"), "{said}");
}
