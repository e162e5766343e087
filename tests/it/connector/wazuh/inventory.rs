//! Which endpoints there are, and which of them can run what.

use countersign::{
    connector::ConnectorError,
    domain::{
        action::{Action, Term},
        endpoint::{Inventory, Platform, Selection},
    },
};
use serde_json::{Value, json};
use wazuh_simulator::{Calls, Endpoint, Fault, Os, Rights, Settings, Status, Times, User};

use crate::connector::{
    fake_server::{Heard, Tap, always, say, token},
    fixtures::{Lab, block, connector, disable, fleet, ids, names, now, resolve},
};

impl Lab {
    async fn all(&self, action: &Action, term: Term) -> Inventory {
        self.connector.resolve(&Selection::All, action, term, now()).await.unwrap()
    }
}

/// Each endpoint with its command, or why there is none.
pub(super) fn commands(inventory: &Inventory) -> Vec<String> {
    let line = |candidate: &countersign::domain::endpoint::Candidate| {
        let id = &candidate.endpoint.id;
        match &candidate.command {
            Ok(command) => format!("{id} {command}"),
            Err(reason) => format!("{id} - {reason}"),
        }
    };
    inventory.candidates.iter().map(line).collect()
}

#[tokio::test]
async fn permanent_block_uses_each_platforms_script() {
    let lab = Lab::captured().await;
    let inventory = lab.all(&block("203.0.113.7"), Term::Permanent).await;
    let expected = [
        "001 !firewall-drop",
        "002 !firewall-drop",
        "003 !netsh.exe",
        "004 !firewall-drop",
        "005 - agent Wazuh v4.1.5 is too old for responses",
        "006 - not active (disconnected)",
        "007 - not active (never_connected)",
        "008 - not active (pending)",
        "009 !firewall-drop",
        "010 !firewall-drop",
        "011 !firewall-drop",
    ];
    assert_eq!(commands(&inventory), expected);
    assert_eq!(inventory.unknown, []);
    assert_eq!(inventory.read_at, now());
}

#[tokio::test]
async fn ipv6_block_is_available_everywhere_except_windows() {
    let lab = Lab::captured().await;
    let inventory = lab.all(&block("2001:db8::7"), Term::Permanent).await;
    let expected = [
        "001 !firewall-drop",
        "002 !firewall-drop",
        "003 - on windows Wazuh would block a /32 around an IPv6 address",
        "004 !firewall-drop",
    ];
    assert_eq!(commands(&inventory)[..4], expected);
    assert_eq!(inventory.candidates[2].command.as_ref().unwrap_err().code(), "no_command");
}

#[tokio::test]
async fn account_is_disabled_only_on_linux() {
    let lab = Lab::captured().await;
    let inventory = lab.all(&disable("alice"), Term::Permanent).await;
    let expected = [
        "001 !disable-account",
        "002 !disable-account",
        "003 - Wazuh has no command for disable_account on windows",
        "004 - Wazuh has no command for disable_account on macos",
    ];
    assert_eq!(commands(&inventory)[..4], expected);
    let inventory = lab.all(&disable("alice"), Term::Seconds(300)).await;
    assert_eq!(commands(&inventory)[0], "001 disable-account300");
}

#[tokio::test]
async fn unknown_platform_has_no_command() {
    let solaris = Os { name: "Solaris", platform: "sunos", version: "11" };
    let agents = vec![
        Endpoint::new("001", "old", solaris),
        Endpoint { os: None, ..Endpoint::new("002", "mute", Os::UBUNTU) },
    ];
    let lab = Lab::start(Settings { agents, ..Settings::default() }).await;
    let inventory = lab.all(&block("203.0.113.7"), Term::Permanent).await;
    for candidate in &inventory.candidates {
        assert_eq!(candidate.endpoint.platform, Platform::Other);
    }
    let expected = [
        "001 - Countersign does not know the platform sunos, so it has no command for block_ip there",
        "002 - the manager does not say of which platform it is, so there is no command for block_ip",
    ];
    assert_eq!(commands(&inventory), expected);
}

#[tokio::test]
async fn platform_comes_from_uname_before_its_word() {
    let lab = Lab::captured().await;
    let agent = |uname: &str, platform: &str| {
        let os = json!({"uname": uname, "platform": platform});
        let of_both = os.as_object().unwrap().iter().filter(|(_, word)| **word != "-");
        Value::Object(of_both.map(|(key, word)| (key.clone(), word.clone())).collect())
    };
    for (uname, word, expected) in [
        ("Linux |web |6.5 |#1 |x86_64", "zorin", Platform::Linux),
        ("Linux |web |6.5 |#1 |x86_64", "astra", Platform::Linux),
        ("Linux |web |6.5 |#1 |x86_64", "-", Platform::Linux),
        ("Darwin |mac |23.4 |x |arm64", "macos", Platform::MacOs),
        ("Microsoft Windows Server 2025", "win", Platform::Windows),
        ("-", "ubuntu", Platform::Linux),
        ("-", "zorin", Platform::Other),
        ("SunOS |old |5.11 |x |sun4v", "sunos", Platform::Other),
        ("Linuxoid |x", "-", Platform::Other),
    ] {
        let (path, pointer) = ("/agents".to_owned(), "/data/affected_items/id=001/os".to_owned());
        let fault = Fault::Edit { path, pointer, value: Some(agent(uname, word)) };
        lab.sim.misbehave_on(Calls::Reads, fault, Times::UntilCleared);
        let endpoint = &lab.resolve(&["001"]).await.candidates[0].endpoint.clone();
        assert_eq!(endpoint.platform, expected, "{uname} {word}");
        lab.sim.behave();
    }
}

#[tokio::test]
async fn endpoint_description_matches_manager() {
    let lab = Lab::captured().await;
    let inventory = lab.resolve(&["001"]).await;
    let endpoint = &inventory.candidates[0].endpoint;
    assert_eq!(endpoint.name, "web-01");
    assert_eq!(endpoint.platform, Platform::Linux);
    assert_eq!(endpoint.groups, ["default", "linux", "prod"]);
    assert_eq!(endpoint.address.as_deref(), Some("10.0.0.11"));
    assert_eq!(endpoint.date_added, "2025-01-01T00:01:00+00:00");
    let never_met = &lab.resolve(&["007"]).await.candidates[0].endpoint.clone();
    assert_eq!((never_met.platform, never_met.address.clone()), (Platform::Other, None));
}

#[tokio::test]
async fn re_enrolled_endpoint_is_another_machine() {
    let lab = Lab::captured().await;
    let before = lab.resolve(&["001"]).await.candidates[0].endpoint.clone();
    assert!(lab.resolve(&["001"]).await.candidates[0].endpoint.same_machine(&before));
    lab.sim.re_enrol("001");
    assert!(!lab.resolve(&["001"]).await.candidates[0].endpoint.same_machine(&before));
}

#[tokio::test]
async fn missing_named_ids_are_unknown() {
    let lab = Lab::captured().await;
    let inventory = lab.resolve(&["099", "002", "001", "0999"]).await;
    assert_eq!(commands(&inventory), ["001 !firewall-drop", "002 !firewall-drop"]);
    assert_eq!(inventory.unknown, ids(&["099", "0999"]));
}

#[tokio::test]
async fn manager_itself_is_never_an_endpoint() {
    let lab = Lab::captured().await;
    let inventory = lab.resolve(&["000", "001"]).await;
    assert_eq!(commands(&inventory), ["001 !firewall-drop"]);
    assert_eq!(inventory.unknown, ids(&["000"]));
}

#[tokio::test]
async fn ids_hidden_from_api_user_are_unknown() {
    let user = User::new("wazuh", "wazuh", Rights::none().allow("agent:read", &["agent:id:001"]));
    let lab = Lab::start(Settings::captured().only_user(user)).await;
    assert_eq!(lab.resolve(&["001", "002"]).await.unknown, ids(&["002"]));
    let selection = Selection::Ids(ids(&["002"]));
    let resolved =
        lab.connector.resolve(&selection, &block("203.0.113.7"), Term::Permanent, now()).await;
    let error = resolved.unwrap_err();
    assert!(error.to_string().ends_with("give the user the right agent:read"), "{error}");
}

#[tokio::test]
async fn large_fleet_is_read_page_by_page() {
    for size in [1999, 2000, 2001] {
        let lab = Lab::start(fleet(size)).await;
        let inventory = lab.all(&block("203.0.113.7"), Term::Permanent).await;
        assert_eq!(inventory.candidates.len(), usize::try_from(size).unwrap());
        let last = format!("{size:04}");
        assert_eq!(inventory.candidates.last().unwrap().endpoint.id.as_str(), last);
    }
}

#[tokio::test]
async fn named_ids_are_queried_by_the_hundred() {
    let body = r#"{"data": {"affected_items": [], "total_affected_items": 0}}"#;
    let tap = Tap::start(always(200, body)).await;
    let inventory = resolve(&connector(&tap.url()), &names(201)).await;
    assert_eq!(inventory.unknown.len(), 201);
    let lines: Vec<_> = tap.heard("GET").into_iter().map(|heard| heard.line).collect();
    let lines: Vec<_> = lines.into_iter().filter(|l| l.contains("agents_list")).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[2],
        "GET /agents?agents_list=0201&select=id,name,ip,status,group,os.platform,os.uname,version,\
         dateAdd,node_name,lastKeepAlive&sort=id&limit=2000&offset=0"
    );
    let lab = Lab::start(fleet(250)).await;
    assert_eq!(lab.resolve(&names(250)).await.candidates.len(), 250);
}

#[tokio::test]
async fn many_named_ids_are_read_by_pages() {
    let lab = Lab::start(fleet(600)).await;
    assert_eq!(lab.resolve(&names(600)).await.candidates.len(), 600);
    // A fleet of one page, and one that takes more pages than the names take calls.
    for (total, pages, named) in [(600, 1, 0), (1_000_000, 1, 6)] {
        let tap = Tap::start(move |heard: &Heard| {
            if heard.line.ends_with("/security/user/authenticate") {
                return token("any");
            }
            let total = if heard.line.contains("agents_list") { 0 } else { total };
            let rows = vec![r#"{"id": "001"}"#; total.min(2000)].join(",");
            let data =
                format!(r#"{{"affected_items": [{rows}], "total_affected_items": {total}}}"#);
            say(200, &format!(r#"{{"data": {data}}}"#))
        });
        let tap = tap.await;
        resolve(&connector(&tap.url()), &names(600)).await;
        assert_eq!(tap.heard("GET /agents?q=id!=000&").len(), pages, "{total}");
        assert_eq!(tap.heard("GET /agents?agents_list=").len(), named, "{total}");
    }
}

#[tokio::test]
async fn missing_endpoint_fields_are_read_strictly() {
    let cases = [
        (r#"{"id": "001"}"#, "001 - the manager's row of 001 cannot be read: `status` is missing"),
        (
            r#"{"id": "001", "status": "active"}"#,
            "001 - the agent of 001 is of unknown version: `version` is missing",
        ),
        (
            r#"{"id": "001", "status": "active", "version": "Wazuh v4"}"#,
            "001 - the agent of 001 is of unknown version: `version` is Wazuh v4",
        ),
        (
            r#"{"id": "001", "status": "active", "version": "Wazuh v4.2.0", "name": "x"}"#,
            "001 - the manager's row of 001 cannot be read: `dateAdd` is missing",
        ),
    ];
    for (agent, expected) in cases {
        let body =
            format!(r#"{{"data": {{"affected_items": [{agent}], "total_affected_items": 1}}}}"#);
        let tap = Tap::start(always(200, &body)).await;
        let inventory = resolve(&connector(&tap.url()), &["001"]).await;
        assert_eq!(commands(&inventory), [expected]);
    }
}

#[tokio::test]
async fn endless_list_is_abandoned() {
    let agents = vec![r#"{"id": "001"}"#; 2000].join(",");
    // It says at once how long it is, or never.
    for (total, calls) in [("999999", 1), ("null", 50)] {
        let data = format!(r#"{{"affected_items": [{agents}], "total_affected_items": {total}}}"#);
        let tap = Tap::start(always(200, &format!(r#"{{"data": {data}}}"#))).await;
        let connector = connector(&tap.url());
        let action = block("203.0.113.7");
        let all = connector.resolve(&Selection::All, &action, Term::Permanent, now());
        let error = all.await.unwrap_err();
        assert!(matches!(error, ConnectorError::TooLarge { .. }), "{error}");
        assert_eq!(tap.heard("GET /agents?q=id!=000&").len(), calls);
    }
}

#[tokio::test]
async fn endless_page_is_abandoned() {
    let tap = Tap::start(always(200, &" ".repeat(8 * 1024 * 1024 + 1))).await;
    let error = connector(&tap.url()).probe(now()).await.unwrap_err();
    assert!(error.to_string().ends_with("answered with more than 8 MiB"), "{error}");
}

#[tokio::test]
async fn disconnected_endpoint_is_skipped_until_its_return() {
    let lab = Lab::captured().await;
    lab.sim.set_status("001", Status::Disconnected);
    assert_eq!(commands(&lab.resolve(&["001"]).await), ["001 - not active (disconnected)"]);
    lab.sim.set_status("001", Status::Active);
    assert_eq!(commands(&lab.resolve(&["001"]).await), ["001 !firewall-drop"]);
}
