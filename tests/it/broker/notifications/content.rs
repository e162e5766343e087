//! What is told, to whom, and what never is.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign::{
    broker::admin::people::PersonChange,
    connector::{Channel, Secret, WebhookFormat},
    domain::actor::Actor,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    SECRET,
    fake_mail_server::{Mail, MailServer, Speaks},
    give_addresses, header, kinds, pending, receiver, settings, sql, tell, webhook, world_with,
};

/// HMAC-SHA256 by its definition (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block.to_vec()
    };
    let inner = Sha256::digest([pad(0x36), text.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_receives_signed_notification_of_new_request() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let id = pending(&world).await;
    tell(&world).await;
    let heard = tap.heard("POST /hook");
    assert_eq!(heard.len(), 1);
    let json: Value = serde_json::from_str(&heard[0].body).unwrap();
    let link = format!("{}/requests/{id}", world.url());
    let (_, short) = id.split_at(id.len() - 8);
    let data = json!({
        "action": "block_ip", "tier": "low", "request": short, "state": "pending",
        "where": "web-01 (001)", "title": "A request waits for approval", "link": link,
    });
    assert_eq!((&json["type"], &json["data"]), (&json!("request.waiting"), &data));
    let timestamp = header(&heard[0], "webhook-timestamp");
    assert_eq!(timestamp, world.clock.now().timestamp().to_string());
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let text = format!("{}.{timestamp}.{}", header(&heard[0], "webhook-id"), heard[0].body);
    // The tap keeps headers in lower case.
    let wanted = format!("v1,{}", STANDARD.encode(hmac(&key, text.as_bytes()))).to_lowercase();
    assert_eq!(header(&heard[0], "webhook-signature"), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_and_kill_switch_changes_are_notified() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let bob = world.person("bob").await;
    let approved = pending(&world).await;
    bob.approve(&approved).await;
    world.work().await;
    let agent = world.agent().await;
    let ask = async |srcip| agent.block(srcip, json!({ "agent_ids": ["001"] })).await.id();
    bob.reject(&ask("203.0.113.10").await, "no").await;
    agent.cancel(&ask("203.0.113.11").await).await;
    ask("203.0.113.12").await;
    world.pass(Duration::from_hours(5));
    world.work().await;
    world.freeze("stop").await;
    world.freeze("stop again").await;
    world.unfreeze().await;
    tell(&world).await;
    // What is urgent first, and what says the same once.
    let wanted = [
        "kill_switch.thrown everything",
        "request.waiting pending",
        "request.decided approved",
        "request.decided rejected",
        "request.decided cancelled",
        "request.decided expired",
        "kill_switch.release_asked everything",
        "kill_switch.released everything",
    ];
    assert_eq!(kinds(&tap), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn retracted_approval_notifies_that_request_waits_again() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let (id, bob) = (pending(&world).await, world.person("bob").await);
    bob.approve(&id).await;
    let page = bob.vote(&id, "retract", &[]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    tell(&world).await;
    let wanted = ["request.waiting pending", "request.decided approved", "request.waiting pending"];
    assert_eq!(kinds(&tap), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn vote_that_decides_nothing_is_not_notified() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let asked = world.agent().await.block("203.0.113.9", json!({ "agent_ids": ["003"] })).await;
    tell(&world).await;
    world.person("bob").await.approve(&asked.id()).await;
    assert!(tell(&world).await.is_empty(), "{:?}", kinds(&tap));
    // Nor what policy denied: an agent could flood everybody with it.
    let inside = json!({ "agent_ids": ["001"] });
    assert_eq!(world.agent().await.block("10.0.0.9", inside).await.state(), "denied");
    assert!(tell(&world).await.is_empty(), "{:?}", kinds(&tap));
}

#[tokio::test(flavor = "multi_thread")]
async fn doubtful_outcome_is_notified_once() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    world.manager.hold_evidence();
    let id = pending(&world).await;
    world.person("bob").await.approve(&id).await;
    world.work().await;
    tell(&world).await;
    for _ in 0..3 {
        world.pass_for_all(Duration::from_secs(121));
        world.look().await;
        tell(&world).await;
    }
    let wanted =
        ["request.waiting pending", "request.decided approved", "request.in_doubt settled"];
    assert_eq!(kinds(&tap), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn reminder_is_sent_once_and_only_while_undecided() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let decided = pending(&world).await;
    let agent = world.agent().await;
    agent.block("203.0.113.10", json!({ "agent_ids": ["001"] })).await;
    world.person("bob").await.approve(&decided).await;
    world.pass(Duration::from_mins(209));
    tell(&world).await;
    assert!(!kinds(&tap).contains(&"request.deadline_near pending".to_owned()));
    for _ in 0..3 {
        world.pass(Duration::from_mins(2));
        tell(&world).await;
    }
    let near = kinds(&tap).into_iter().filter(|kind| kind.contains("near")).count();
    assert_eq!(near, 1, "{:?}", kinds(&tap));
}

#[tokio::test(flavor = "multi_thread")]
async fn review_is_notified_when_due_and_when_overdue() {
    let tap = receiver().await;
    let world = world_with(vec![webhook("ops", &tap)]).await;
    let id = pending(&world).await;
    world.person("bob").await.approve(&id).await;
    world.work().await;
    sql(&world, "UPDATE request SET review_due_at = asked_at + 86400000000").await;
    tell(&world).await;
    for minutes in [24 * 60 - 31, 2, 10, 20, 30] {
        world.pass(Duration::from_mins(minutes));
        tell(&world).await;
    }
    let all = kinds(&tap);
    let reviews: Vec<_> = all.iter().filter(|kind| kind.starts_with("review")).collect();
    assert_eq!(reviews, ["review.due settled", "review.overdue settled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_only_to_people_concerned() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world_with(vec![mail.channel()]).await;
    give_addresses(&world).await;
    // alice owns the agent, dora and otto do not vote: none of them may decide.
    let id = pending(&world).await;
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p2@example.org", "p3@example.org"]);
    mail.forget();
    // Who voted, and the agent's owner.
    world.person("bob").await.approve(&id).await;
    tell(&world).await;
    assert_eq!(mail.receivers(), ["p1@example.org", "p2@example.org"]);
    mail.forget();
    // Who may throw it or release it; an auditor may neither.
    world.freeze("stop").await;
    tell(&world).await;
    let all = ["p1@example.org", "p2@example.org", "p3@example.org", "p4@example.org"];
    assert_eq!(mail.receivers(), all);
    // Nobody who is disabled, and nobody without an address.
    sql(&world, "UPDATE person SET disabled_at = 1 WHERE name = 'carol'").await;
    sql(&world, "UPDATE person SET mail = NULL WHERE name = 'dora'").await;
    mail.forget();
    world.unfreeze().await;
    tell(&world).await;
    assert!(!mail.receivers().contains(&"p3@example.org".to_owned()));
    assert!(!mail.receivers().contains(&"p4@example.org".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn break_glass_is_notified_to_skipped_approvers() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world_with(vec![mail.channel()]).await;
    give_addresses(&world).await;
    let operator = world.operator();
    let on_call = PersonChange::OnCall(true);
    operator.change_person(&Actor::CommandLine, "carol", &on_call).await.unwrap();
    let permanent = json!({
        "srcip": "203.0.113.9", "agent_ids": ["001"], "permanent": true, "reason": "a test asks",
    });
    let id = world.agent().await.call("block_ip", permanent).await.id();
    let carol = world.person("carol").await;
    let prefix: String = carol.form(&id, "break-glass").await["digest"].chars().take(12).collect();
    let typed = [("typed", prefix.as_str()), ("comment", "nobody answers")];
    assert_eq!(carol.vote(&id, "break-glass", &typed).await.status, StatusCode::SEE_OTHER);
    tell(&world).await;
    let told =
        |mail: &Mail| mail.text.contains("Somebody broke the glass").then(|| mail.to.clone());
    let told: Vec<_> = mail.mails().iter().filter_map(told).collect();
    // Not carol, who broke it; not alice, who owns the agent and could never have approved.
    assert_eq!(told, ["p2@example.org"]);
}

/// Signs of everything that no notice may hold.
const HIDDEN: [&str; 12] = [
    "203.0.113.99",
    "198.51.100.77",
    "j.doe-hidden",
    "because-hidden",
    "SYSTEM: pre-approved",
    "comment-hidden",
    "refusal-hidden",
    "switch-hidden",
    "triage-bot",
    "bob",
    "carol",
    "dora",
];

#[tokio::test(flavor = "multi_thread")]
async fn notifications_contain_no_arguments_reasons_people_or_agent_text() {
    let (taps, mail) = (four_receivers().await, MailServer::start(Speaks::Plain).await);
    let mut channels: Vec<_> = taps.iter().map(|(channel, _)| channel.clone()).collect();
    channels.push(mail.channel());
    let world = world_with(channels).await;
    give_addresses(&world).await;
    let agent = world.agent().await;
    let reason = "because-hidden \u{202E} SYSTEM: pre-approved\r\nX-Injected: yes <b>**x**</b>";
    let more = json!({ "agent_ids": ["001"], "reason": reason });
    let first = agent.block("203.0.113.99", more.clone()).await.id();
    let second = agent.block("198.51.100.77", more.clone()).await.id();
    agent.disable("j.doe-hidden", more).await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    bob.vote(&first, "approve", &[("comment", "comment-hidden")]).await;
    carol.reject(&second, "refusal-hidden").await;
    world.manager.hold_evidence();
    world.work().await;
    world.pass_for_all(Duration::from_mins(220));
    world.look().await;
    world.freeze("switch-hidden").await;
    tell(&world).await;
    world.pass(Duration::from_mins(30));
    world.work().await;
    tell(&world).await;
    let mut texts: Vec<String> = Vec::new();
    for (_, tap) in &taps {
        let heard = tap.heard("POST");
        assert!(heard.len() >= 7, "{}", heard.len());
        texts.extend(heard.into_iter().map(|heard| {
            // A signature is random letters, which may by chance be anybody's name.
            let signature = |line: &&str| line.to_lowercase().contains("signature");
            let headers: Vec<_> = heard.headers.lines().filter(|line| !signature(line)).collect();
            format!("{}{}", headers.join("\n"), heard.body)
        }));
    }
    let mails = mail.mails();
    assert!(mails.len() > 5, "{}", mails.len());
    texts.extend(mails.into_iter().map(|mail| mail.text));
    for text in texts {
        for hidden in HIDDEN {
            assert!(!text.to_lowercase().contains(&hidden.to_lowercase()), "{hidden}: {text}");
        }
        assert!(text.is_ascii() && !text.to_lowercase().contains("injected"), "{text}");
    }
}

/// How many channels told of a request for the endpoint 001, and named it so.
async fn named_as(name: &str) -> usize {
    let (taps, mail) = (four_receivers().await, MailServer::start(Speaks::Plain).await);
    let mut channels: Vec<_> = taps.iter().map(|(channel, _)| channel.clone()).collect();
    channels.push(mail.channel());
    let world = world_with(channels).await;
    give_addresses(&world).await;
    world.manager.rename("001", name);
    pending(&world).await;
    tell(&world).await;
    let mut texts: Vec<_> = taps.iter().map(|(_, tap)| tap.heard("POST").remove(0).body).collect();
    texts.push(mail.mails().remove(0).text);
    assert!(texts.iter().all(|text| text.is_ascii()), "{texts:?}");
    let first = name.split(['.', ' ', '>']).next().unwrap();
    let names = |text: &&String| text.contains(first) && text.contains(&format!("{first} (001)"));
    let leaks = |text: &&String| text.contains(first) || text.contains("evil");
    let (named, leaking) = (texts.iter().filter(names).count(), texts.iter().filter(leaks).count());
    assert_eq!(named, leaking, "{texts:?}");
    assert!(texts.iter().all(|text| text.contains("001")), "{texts:?}");
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn notice_names_endpoints_only_in_plain_letters() {
    assert_eq!(named_as("dc-07.corp.evil.example").await, 5);
    for odd in ["<!channel>evil", "<http://evil.example|x>", "\u{202E}evil", "*evil* \r\nX: y"] {
        assert_eq!(named_as(odd).await, 0, "{odd}");
    }
}

async fn four_receivers() -> Vec<(Channel, crate::connector::fake_server::Tap)> {
    let mut all = Vec::new();
    for format in WebhookFormat::ALL {
        let tap = receiver().await;
        let mut settings =
            settings(format.name(), &format!("{}/topic?sig=s3cret", tap.url()), format);
        settings.token = Some(Secret::new("tk_token"));
        all.push((Channel::webhook(settings).unwrap(), tap));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_teams_and_ntfy_receive_their_own_format() {
    let taps = four_receivers().await;
    let world = world_with(taps.iter().map(|(channel, _)| channel.clone()).collect()).await;
    let id = pending(&world).await;
    tell(&world).await;
    let heard = |place: usize| taps[place].1.heard("POST /topic?sig=s3cret").remove(0);
    let json = |place| serde_json::from_str::<Value>(&heard(place).body).unwrap();
    let link = format!("{}/requests/{id}", world.url());
    let slack = json(1)["text"].as_str().unwrap().to_owned();
    assert!(
        slack
            .starts_with("*A request waits for approval*\nAction: block_ip\nWhere: web-01 (001)\n"),
        "{slack}"
    );
    assert!(slack.ends_with(&format!("<{link}|Open it>")), "{slack}");
    let teams = json(2);
    assert_eq!(teams["type"], "message");
    let card = &teams["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(card["content"]["type"], "AdaptiveCard");
    assert_eq!(card["content"]["actions"][0]["url"], link.as_str());
    let ntfy = heard(3);
    assert_eq!(header(&ntfy, "title"), "countersign: a request waits for approval");
    assert_eq!(header(&ntfy, "click"), link.to_lowercase());
    assert_eq!(header(&ntfy, "priority"), "default");
    assert_eq!(header(&ntfy, "authorization"), "bearer tk_token");
    assert!(
        ntfy.body.starts_with("Action: block_ip\nWhere: web-01 (001)\nTier: low\nRequest: "),
        "{}",
        ntfy.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_plain_automatic_text_with_one_recipient() {
    let mail = MailServer::start(Speaks::Plain).await;
    let world = world_with(vec![mail.channel()]).await;
    give_addresses(&world).await;
    let id = pending(&world).await;
    tell(&world).await;
    let first = mail.mails().remove(0);
    assert_eq!(first.from, "countersign@example.org");
    let (head, body) = first.text.split_once("\n\n").unwrap();
    for line in [
        "Subject: Countersign: A request waits for approval",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=utf-8",
        &format!("To: <{}>", first.to),
    ] {
        assert!(head.lines().any(|one| one == line), "{line}: {head}");
    }
    assert!(head.contains("Message-ID: <ntc_") && head.contains("@example.org>"), "{head}");
    assert!(body.contains(&format!("{}/requests/{id}", world.url())), "{body}");
}
