//! The replay of commands says the same as simulated endpoints, which keep timers and rules of their
//! own: every sequence of three commands, on every platform.

use crate::harness::kind;
use std::time::Duration;

use countersign::domain::{
    Time,
    action::Term,
    active_response::{CommandEffect, RuleKeeping, SentCommand, replay},
    endpoint::Platform,
};
use reqwest::{Client, header::AUTHORIZATION};
use serde_json::{Value, json};
use uuid::Uuid;
use wazuh_simulator::{Script, Settings, Simulator};

use crate::harness::page::http_client;

/// What is sent, and between two of them pass this many seconds.
const EFFECTS: [CommandEffect; 5] = [
    CommandEffect::Add(Term::Seconds(20)),
    CommandEffect::Add(Term::Seconds(60)),
    CommandEffect::Add(Term::Permanent),
    CommandEffect::Expire,
    CommandEffect::Clear,
];
const STEP_SECS: i64 = 12;

/// A platform of the demo's manager: an endpoint, a response, and its script.
struct Site {
    endpoint: &'static str,
    keeping: RuleKeeping,
    script: &'static str,
    suffix: &'static str,
    clear: &'static str,
}

fn sites() -> [Site; 4] {
    let site = |endpoint, (kind, platform), script, suffix, clear| Site {
        endpoint,
        keeping: RuleKeeping::of(kind, platform),
        script,
        suffix,
        clear,
    };
    [
        site("001", (kind("block_ip"), Platform::Linux), "firewall-drop", "", "clear-rules"),
        site("010", (kind("block_ip"), Platform::MacOs), "firewall-drop", "", "clear-rules"),
        site("005", (kind("block_ip"), Platform::Windows), "netsh", ".exe", "clear-netsh"),
        site("002", (kind("disable_account"), Platform::Linux), "disable-account", "", "unlock"),
    ]
}

fn settings() -> Settings {
    let mut settings = Settings::demo("wazuh", "admin");
    settings.rate_limit_per_minute = 1_000_000;
    for script in ["firewall-drop", "netsh", "disable-account"] {
        settings.names.extend([20, 60].map(|seconds| format!("{script}{seconds}")));
    }
    let clear = |name, lifts| Script { name, executable: name, lifts: Some(lifts) };
    settings.scripts = vec![
        clear("clear-rules", "firewall-drop"),
        clear("clear-netsh", "netsh"),
        clear("unlock", "disable-account"),
    ];
    settings
}

impl Site {
    fn command(&self, effect: CommandEffect) -> String {
        match effect {
            CommandEffect::Add(Term::Permanent) => format!("!{}{}", self.script, self.suffix),
            CommandEffect::Add(Term::Seconds(seconds)) => format!("{}{seconds}", self.script),
            CommandEffect::Expire => format!("{}1", self.script),
            CommandEffect::Hold(_) | CommandEffect::Release(_) => unreachable!("not one of these"),
            CommandEffect::Clear | CommandEffect::SeenEnd => format!("!{}", self.clear),
        }
    }
}

/// Every sequence of three, each with a target of its own.
fn sequences() -> Vec<(String, [CommandEffect; 3])> {
    let mut all = Vec::new();
    for first in EFFECTS {
        for second in EFFECTS {
            for third in EFFECTS {
                let number = all.len();
                let target = format!("203.0.{}.{}", number / 100, 1 + number % 100);
                all.push((target, [first, second, third]));
            }
        }
    }
    all
}

fn at(step: usize) -> Time {
    let seconds = i64::try_from(step).unwrap() * STEP_SECS;
    Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// Whether the replay says that the target is blocked after so many steps.
fn expected(site: &Site, effects: &[CommandEffect], step: usize) -> bool {
    let sent: Vec<_> = effects
        .iter()
        .take(step + 1)
        .enumerate()
        .map(|(number, effect)| SentCommand {
            request: Uuid::from_u128(u128::try_from(number).unwrap()).into(),
            at: at(number),
            effect: *effect,
            started: true,
        })
        .collect();
    // An expiry command needs its second.
    let now = at(step) + chrono::TimeDelta::seconds(2);
    replay(site.keeping, &sent).iter().any(|state| state.stands(now))
}

async fn send(client: &Client, url: &str, token: &str, (endpoint, body): (&str, Value)) {
    let address = format!("{url}/active-response?agents_list={endpoint}");
    let call = client.put(address).header(AUTHORIZATION, format!("Bearer {token}"));
    let call = call.header("Content-Type", "application/json").body(body.to_string());
    let answer: Value =
        serde_json::from_str(&call.send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(answer["error"], 0, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_agrees_with_simulated_endpoints() {
    let simulator = Simulator::new(settings());
    let server = simulator.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (client, url) = (http_client(), server.url());
    let login = client.post(format!("{url}/security/user/authenticate?raw=true"));
    let login = login.basic_auth("wazuh", Some("wazuh")).send().await.unwrap();
    let token = login.text().await.unwrap();
    let mut differ = Vec::new();
    for step in 0..8 {
        for (target, effects) in &sequences() {
            for site in &sites() {
                let Some(effect) = effects.get(step) else { continue };
                let account = target.replace('.', "-");
                let data = json!({ "srcip": target, "dstuser": account });
                let body = json!({ "command": site.command(*effect), "alert": { "data": data } });
                send(&client, &url, &token, (site.endpoint, body)).await;
            }
        }
        simulator.advance(Duration::from_secs(2));
        for site in &sites() {
            let active = simulator.active_responses(site.endpoint);
            for (target, effects) in &sequences() {
                let account = target.replace('.', "-");
                let shown = [target, &account].map(|name| format!("{} {name}", site.script));
                let blocked = active.iter().any(|line| shown.contains(line));
                if blocked != expected(site, effects, step) {
                    differ.push(format!("{} step {step}: {effects:?}: {blocked}", site.endpoint));
                }
            }
        }
        simulator.advance(Duration::from_secs(u64::try_from(STEP_SECS).unwrap() - 2));
    }
    assert!(differ.is_empty(), "{} differ: {:#?}", differ.len(), &differ[..differ.len().min(10)]);
}
