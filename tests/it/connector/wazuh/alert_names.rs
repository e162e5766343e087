//! Whether an alert names what a response acts on: in which fields, in which forms, and what its log
//! line says about it.

use countersign::{
    connector::{AlertFields, AlertForm},
    domain::{
        action::Action,
        facts::{AlertFacts, AlertShown},
    },
};
use serde_json::{Map, Value, json};

use crate::connector::{
    fake_server::{Tap, always},
    fixtures::{block, connector, disable, now},
};

/// What is found in an alert that holds this, for an action.
async fn found(alert: Value, action: &Action) -> AlertFacts {
    let hit = json!({"_index": "i", "_id": "a.1", "_source": alert});
    let body = json!({"hits": {"hits": [hit]}}).to_string();
    let tap = Tap::start(always(200, &body)).await;
    let facts = connector(&tap.url()).find_alert("a.1", action, now()).await;
    assert!(facts.found, "{facts:?}");
    facts
}

/// An alert with this value in a dotted field.
fn with(field: &str, value: &Value, log: Option<&str>) -> Value {
    let nested = field.rsplit('.').fold(value.clone(), |inner, name| {
        let one = Map::from_iter([(name.to_owned(), inner)]);
        Value::Object(one)
    });
    let mut alert = nested;
    if let Some(log) = log {
        alert["full_log"] = json!(log);
    }
    alert
}

fn shown(facts: &AlertFacts) -> &AlertShown {
    facts.shown.as_ref().unwrap()
}

/// The field in which an alert names the target; none where it does not count.
async fn named_in(alert: Value, action: &Action) -> Option<String> {
    let facts = found(alert, action).await;
    let counts = facts.names_target;
    let named = shown(&facts).named_in.clone();
    assert_eq!(counts, named.as_ref().is_some_and(|named| named.goes_on.is_none()));
    named.filter(|_| counts).map(|named| named.field)
}

#[tokio::test]
async fn every_shipped_field_names_its_target() {
    let AlertFields { addresses, accounts, .. } = AlertFields::shipped();
    for (field, form) in addresses {
        assert_eq!(form, AlertForm::Address, "{field}");
        let alert = with(&field, &json!("203.0.113.50"), None);
        assert_eq!(named_in(alert, &block("203.0.113.50")).await, Some(field));
    }
    for (field, form) in accounts {
        assert_ne!(form, AlertForm::Address, "{field}");
        let alert = with(&field, &json!("d.miller"), None);
        assert_eq!(named_in(alert, &disable("d.miller")).await, Some(field));
    }
}

#[tokio::test]
async fn sensor_field_names_the_address() {
    let alert = json!({
        "rule": {"level": 10}, "agent": {"id": "001"}, "data": {"src_ip": "203.0.113.50"},
    });
    let facts = found(alert, &block("203.0.113.50")).await;
    assert!(facts.names_target);
    assert_eq!(shown(&facts).named_in.as_ref().unwrap().field, "data.src_ip");
}

#[tokio::test]
async fn field_that_only_mentions_is_no_proof() {
    let address = "203.0.113.50";
    for field in [
        "data.dstip",
        "data.dest_ip",
        "data.dst_ip",
        "data.destination_address",
        "data.win.eventdata.destinationIp",
        "data.aws.dstaddr",
        "data.aws.service.action.networkConnectionAction.remoteIpDetails.ipAddressV4",
        "data.forwardedfor",
        "agent.ip",
        "location",
        "full_log",
    ] {
        let facts = found(with(field, &json!(address), None), &block(address)).await;
        assert!(!facts.names_target && shown(&facts).named_in.is_none(), "{field}");
    }
    for field in ["data.srcip", "syscheck.uname_after", "data.osquery.columns.username"] {
        let facts = found(with(field, &json!("deploy"), None), &disable("deploy")).await;
        assert!(!facts.names_target, "{field}");
    }
}

#[tokio::test]
async fn address_is_read_in_every_form_of_logs() {
    for text in [
        "203.0.113.7",
        " 203.0.113.7 ",
        "::ffff:203.0.113.7",
        "::FFFF:CB00:7107",
        "203.0.113.7:443",
        "[::ffff:203.0.113.7]:443",
        "[203.0.113.7]",
    ] {
        let alert = with("data.srcip", &json!(text), None);
        assert!(named_in(alert, &block("203.0.113.7")).await.is_some(), "{text}");
    }
    for text in [
        "2001:db8::7",
        "2001:DB8:0:0:0:0:0:7",
        "2001:0db8:0000:0000:0000:0000:0000:0007",
        "[2001:db8::7]:22",
        "[2001:db8::7]",
        "2001:db8::7%eth0",
    ] {
        let alert = with("data.srcip", &json!(text), None);
        assert!(named_in(alert, &block("2001:db8::7")).await.is_some(), "{text}");
    }
}

#[tokio::test]
async fn unreadable_address_does_not_count() {
    for value in [
        json!("-"),
        json!(""),
        json!("203.0.113.07"),
        json!("203.0.113.7/32"),
        json!("203.0.113.7:port"),
        json!("203.0.113.7:99999"),
        json!("[203.0.113.7]x"),
        json!("[203.0.113.7"),
        json!("203.0.113.7 10.0.0.1"),
        json!("203.0.113.7%eth0"),
        json!("host.example"),
        json!(3_405_803_783_u32),
        json!(["203.0.113.7", "10.0.0.1"]),
        json!({"ip": "203.0.113.7"}),
        json!(null),
    ] {
        let alert = with("data.srcip", &value, None);
        assert_eq!(named_in(alert, &block("203.0.113.7")).await, None, "{value}");
    }
}

#[tokio::test]
async fn account_is_read_in_the_form_of_its_field() {
    let windows = "data.win.eventdata.user";
    let cloud = "data.office365.UserId";
    for (field, text, named) in [
        ("data.dstuser", "admin", true),
        ("data.dstuser", "admin(uid=0)", true),
        ("data.dstuser", "Admin", false),
        ("data.dstuser", "admin.lee", false),
        ("data.dstuser", "admin(uid=x)", false),
        ("data.dstuser", "admin(uid=)", false),
        ("data.dstuser", "CORP\\admin", false),
        ("data.srcuser", "admin@evil.example", false),
        (windows, "admin", true),
        (windows, "ADMIN", true),
        (windows, "CORP\\admin", true),
        (windows, "CORP\\\\Admin", true),
        (windows, "admin@corp.example", true),
        (windows, "\\admin", false),
        (windows, "A\\B\\admin", false),
        (windows, "admin$", false),
        (windows, "-", false),
        (cloud, "admin@corp.example", true),
        (cloud, "Admin@corp.example", true),
        (cloud, "admin", true),
        (cloud, "admin@", false),
        (cloud, "admin@a@b", false),
        (cloud, "CORP\\admin", false),
    ] {
        let alert = with(field, &json!(text), None);
        assert_eq!(named_in(alert, &disable("admin")).await.is_some(), named, "{field} {text}");
    }
}

#[tokio::test]
async fn name_that_goes_on_in_log_is_flagged() {
    let log = "auth: denied for user admin.lee@corp.example(uid=1200) from host";
    let alert = with("data.dstuser", &json!("admin"), Some(log));
    let facts = found(alert, &disable("admin")).await;
    assert!(facts.found && !facts.names_target);
    let named = shown(&facts).named_in.as_ref().unwrap();
    assert_eq!((named.field.as_str(), named.value.as_str()), ("data.dstuser", "admin"));
    assert_eq!(named.goes_on.as_deref(), Some("admin.lee@corp.example(uid=1200)"));
}

#[tokio::test]
async fn log_line_decides_whether_account_ends() {
    for (log, ends) in [
        ("for user admin from 192.0.2.1", true),
        ("admin", true),
        ("user=admin", true),
        ("user 'admin', denied", true),
        ("denied for admin.", true),
        ("user admin(uid=0) in", true),
        ("first xadmin, then admin", true),
        ("nothing about it", true),
        ("", true),
        ("user admin.lee", false),
        ("user admin@corp", false),
        ("user CORP\\admin", false),
        ("user CORP\\\\admin", false),
        ("user admin\\x", false),
        ("user admin(lee)", false),
        ("user admin-2", false),
        ("user admin_2", false),
        ("user admins", false),
        ("user adminé", false),
        ("user x.admin", false),
        ("user svc-admin", false),
        ("user sysadmin", false),
    ] {
        let alert = with("data.dstuser", &json!("admin"), Some(log));
        assert_eq!(named_in(alert, &disable("admin")).await.is_some(), ends, "{log}");
    }
}

#[tokio::test]
async fn log_line_decides_whether_address_ends() {
    for (address, log, ends) in [
        ("203.0.113.5", "from 203.0.113.5 port 22", true),
        ("203.0.113.5", "from outside:203.0.113.5/22 to inside", true),
        ("203.0.113.5", "tcp 203.0.113.5(443) -> 192.0.2.1", true),
        ("203.0.113.5", "user@203.0.113.5: closed.", true),
        ("203.0.113.5", "from ::ffff:203.0.113.5.", true),
        ("203.0.113.5", "from 203.0.113.50 port 22", false),
        ("203.0.113.5", "from 1203.0.113.5 port 22", false),
        ("203.0.113.5", "from 203.0.113.5.example.net", false),
        ("203.0.113.5", "net 203.0.113.5-203.0.113.9", false),
        ("2001:db8::7", "from 2001:db8::7 port", true),
        ("2001:db8::7", "from 2001:DB8::7 port", true),
        ("2001:db8::7", "from 2001:db8::7:8 port", false),
        ("db8::7", "from 2001:db8::7 port", false),
    ] {
        let alert = with("data.srcip", &json!(address), Some(log));
        assert_eq!(named_in(alert, &block(address)).await.is_some(), ends, "{address}: {log}");
    }
}

#[tokio::test]
async fn qualified_name_ends_where_its_field_does() {
    for (field, value, log) in [
        ("data.win.eventdata.user", "CORP\\\\admin", "{\"user\":\"CORP\\\\admin\",\"x\":1}"),
        ("data.win.eventdata.user", "CORP\\admin", "logon of CORP\\admin at 10"),
        ("data.office365.UserId", "admin@corp.example", "{\"UserId\":\"Admin@corp.example\"}"),
    ] {
        let alert = with(field, &json!(value), Some(log));
        assert!(named_in(alert, &disable("admin")).await.is_some(), "{log}");
    }
    let cut = with(
        "data.office365.UserId",
        &json!("admin@corp"),
        Some("{\"UserId\":\"admin@corp.evil.example\"}"),
    );
    assert_eq!(named_in(cut, &disable("admin")).await, None);
}

#[tokio::test]
async fn clean_field_beats_one_whose_name_goes_on() {
    let alert = json!({
        "data": {"dstuser": "admin", "win": {"eventdata": {"user": "CORP\\admin"}}},
        "full_log": "user CORP\\admin",
    });
    let named = named_in(alert, &disable("admin")).await;
    assert_eq!(named.as_deref(), Some("data.win.eventdata.user"));
}
