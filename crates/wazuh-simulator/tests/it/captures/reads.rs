//! How the manager, its agents and its groups are described.

use serde_json::{Value, json};

use super::{FIELDS, captured, check, failed, items, items_of};

#[tokio::test]
async fn manager_describes_itself_as_recorded() {
    let caller = captured().await;
    let cases = [
        (
            7,
            "/security/config",
            json!({"data": {"auth_token_exp_timeout": 900, "rbac_mode": "white"}, "error": 0}),
        ),
        (
            8,
            "/",
            json!({"data": {"title": "Wazuh API REST", "api_version": "4.14.7", "revision": "rc1", "license_name": "GPL 2.0", "license_url": "*", "hostname": "*", "timestamp": "*"}, "error": 0}),
        ),
        (
            9,
            "/manager/info",
            items(
                "Basic information was successfully read",
                json!([{"path": "/var/ossec", "version": "v4.14.7", "type": "server", "max_agents": "unlimited", "openssl_support": "N/A", "tz_offset": "+0000", "tz_name": "UTC", "uuid": "*"}]),
                json!([]),
            ),
        ),
        (
            20,
            "/agents/001/config/com/active-response",
            json!({"data": {"active-response": {"disabled": "no"}}, "error": 0}),
        ),
        (
            22,
            "/manager/configuration/analysis/active_response",
            items(
                "Active configuration was successfully read",
                json!([{"active-response": [
                    timed("firewall-drop", 600), timed("firewall-drop", 6),
                    timed("firewall-drop", 1), timed("firewall-drop", 0),
                    timed("disable-account", 300), timed("disable-account", 6),
                    timed("disable-account", 1), timed("netsh", 600),
                ]}]),
                json!([]),
            ),
        ),
        (
            23,
            "/manager/configuration/analysis/command",
            items(
                "Active configuration was successfully read",
                json!([{"command": [
                    {"name": "disable-account", "executable": "disable-account", "timeout_allowed": 1},
                    {"name": "firewall-drop", "executable": "firewall-drop", "timeout_allowed": 1},
                    {"name": "netsh", "executable": "netsh.exe", "timeout_allowed": 1},
                ]}]),
                json!([]),
            ),
        ),
    ];
    for (capture, path, body) in cases {
        check(capture, &caller.get(path).await, 200, &body);
    }
}

fn timed(command: &str, timeout: u32) -> Value {
    json!({"command": command, "timeout": timeout, "level": 0, "location": "REMOTE_AGENT"})
}

#[tokio::test]
async fn agent_fields_are_as_recorded() {
    let caller = captured().await;
    let path = "/agents?select=id,name,ip,registerIP,status,group,os.name,os.platform,os.version,version,node_name,lastKeepAlive,disconnection_time&limit=8&sort=id";
    let active = |id: &str, name: &str, os: [&str; 3], version: &str, group: Value| {
        let ip = format!("10.0.0.{}", id.parse::<u32>().unwrap() + 10);
        json!({"os": {"name": os[0], "platform": os[1], "version": os[2]}, "ip": ip, "name": name, "version": version, "node_name": "lab-node", "registerIP": "any", "lastKeepAlive": "*", "group": group, "status": "active", "id": id})
    };
    let server = ["Microsoft Windows Server 2022 Standard", "windows", "10.0.20348.2322"];
    let listed = json!([
        {"os": {"name": "Debian GNU/Linux", "platform": "debian", "version": "12"}, "ip": "127.0.0.1", "name": "lab-manager", "version": "Wazuh v4.14.7", "node_name": "lab-node", "registerIP": "127.0.0.1", "lastKeepAlive": "9999-12-31T23:59:59+00:00", "status": "active", "id": "000"},
        active("001", "web-01", ["Ubuntu", "ubuntu", "22.04.4 LTS"], "Wazuh v4.14.7", json!(["default", "linux", "prod"])),
        active("002", "web-02", ["Debian GNU/Linux", "debian", "12"], "Wazuh v4.14.7", json!(["default", "linux"])),
        active("003", "win-dc01", server, "Wazuh v4.14.5", json!(["default", "windows"])),
        active("004", "mac-01", ["macOS", "darwin", "14.4"], "Wazuh v4.12.0", json!(["default"])),
        active("005", "legacy-01", ["CentOS Linux", "centos", "7.9"], "Wazuh v4.1.5", json!(["default", "linux"])),
        {"os": {"name": "Microsoft Windows 11 Pro", "platform": "windows", "version": "10.0.22631.3155"}, "ip": "10.0.0.16", "name": "laptop-07", "version": "Wazuh v4.14.7", "node_name": "lab-node", "registerIP": "any", "lastKeepAlive": "*", "group": ["default"], "status": "disconnected", "disconnection_time": "*", "id": "006"},
        {"ip": "any", "name": "new-08", "node_name": "unknown", "registerIP": "any", "group": ["default"], "status": "never_connected", "id": "007"},
    ]);
    let all = "All selected agents information was returned";
    check(10, &caller.get(path).await, 200, &items_of(all, listed, json!([]), 12));
}

#[tokio::test]
async fn lists_of_agents_and_groups_are_as_recorded() {
    let caller = captured().await;
    let all = "All selected agents information was returned";
    let named = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(id, name)| json!({"id": id, "name": name})).collect::<Value>()
    };
    let cases = [
        (
            11,
            "/agents?select=id,name&limit=3&offset=9&sort=id",
            items_of(
                all,
                named(&[("009", "ar-off-10"), ("010", "gone-11"), ("011", "slow-12")]),
                json!([]),
                12,
            ),
        ),
        (
            12,
            "/agents?q=id!=000;status=active;group=linux;os.platform=ubuntu,os.platform=debian&select=id,name",
            items(
                all,
                named(&[
                    ("000", "lab-manager"),
                    ("001", "web-01"),
                    ("002", "web-02"),
                    ("009", "ar-off-10"),
                    ("010", "gone-11"),
                ]),
                json!([]),
            ),
        ),
        (
            13,
            "/agents?q=(os.platform=ubuntu,os.platform=debian);id!=000;status=active&select=id,name",
            items(
                all,
                named(&[
                    ("001", "web-01"),
                    ("002", "web-02"),
                    ("009", "ar-off-10"),
                    ("010", "gone-11"),
                    ("011", "slow-12"),
                ]),
                json!([]),
            ),
        ),
        (
            14,
            "/agents?agents_list=001,099&select=id,name,status",
            items(
                "Some agents information was not returned",
                json!([{"status": "active", "name": "web-01", "id": "001"}]),
                json!([failed(1701, &["099"])]),
            ),
        ),
    ];
    for (capture, path, body) in cases {
        check(capture, &caller.get(path).await, 200, &body);
    }
}

#[tokio::test]
async fn groups_are_as_recorded() {
    let caller = captured().await;
    let all = "All selected agents information was returned";
    let groups = [("default", 10), ("linux", 6), ("prod", 1), ("slow", 1), ("windows", 1)];
    let groups = groups.iter().map(|(name, count)| json!({"name": name, "count": count}));
    let cases = [
        (
            17,
            "/groups?select=name,count",
            items("All selected groups information was returned", groups.collect(), json!([])),
        ),
        (
            18,
            "/groups/windows/agents?select=id,name,status",
            items(all, json!([{"status": "active", "name": "win-dc01", "id": "003"}]), json!([])),
        ),
        (
            19,
            "/agents/summary/status",
            json!({"data": {"connection": {"active": 8, "disconnected": 1, "never_connected": 1, "pending": 1, "total": 11}, "configuration": {"synced": 11, "not_synced": 0, "total": 11}}, "error": 0}),
        ),
    ];
    for (capture, path, body) in cases {
        check(capture, &caller.get(path).await, 200, &body);
    }
}

#[tokio::test]
async fn bad_agent_queries_are_refused_as_recorded() {
    let caller = captured().await;
    let select =
        format!("Not a valid select field: Allowed select fields: {FIELDS}. Fields: labels");
    let field = format!("Field does not exist: Available fields: {FIELDS}. Field: nosuch");
    let inactive = "Action only available for active agents";
    let cases = [
        (
            15,
            "/agents?select=id,labels",
            json!({"title": "Bad Request", "detail": select, "remediation": "Please, use only allowed select fields", "dapi_errors": {"lab-node": {"error": select}}, "error": 1724}),
        ),
        (
            16,
            "/agents?q=nosuch=1",
            json!({"title": "Bad Request", "detail": field, "dapi_errors": {"lab-node": {"error": field}}, "error": 1408}),
        ),
        (
            21,
            "/agents/006/config/com/active-response",
            json!({"title": "Bad Request", "detail": inactive, "remediation": "Please activate the agent to synchronize it", "dapi_errors": {"lab-node": {"error": inactive}}, "error": 1740}),
        ),
    ];
    for (capture, path, body) in cases {
        check(capture, &caller.get(path).await, 400, &body);
    }
}
