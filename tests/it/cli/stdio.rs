//! `countersign stdio`: what it says names what its user can set.

use std::{
    io::Write as _,
    process::{Output, Stdio},
};

use crate::{
    connector::tls::Authority,
    harness::{World, program::Program},
};

/// The bridge in this environment, with one message to relay.
fn relay(environment: &[(&str, &str)]) -> Output {
    let mut command = Program::new().command();
    // Its folder may be gone: the bridge reads none.
    command.current_dir("/").arg("stdio").env("COUNTERSIGN_TOKEN", "cs_x");
    command.envs(environment.iter().copied());
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut bridge = pipes.spawn().unwrap();
    let message = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    // A bridge that refuses its environment reads nothing.
    let _sent = bridge.stdin.take().unwrap().write_all(message).is_ok();
    bridge.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn refused_setting_of_bridge_is_named() {
    let empty = [("COUNTERSIGN_URL", " ")];
    let no_token = [("COUNTERSIGN_URL", "http://127.0.0.1:9"), ("COUNTERSIGN_TOKEN", "")];
    let nobody = [("COUNTERSIGN_URL", "http://127.0.0.1:9")];
    let plain = [("COUNTERSIGN_URL", "http://192.0.2.1")];
    let no_url = [("COUNTERSIGN_URL", "countersign")];
    let pin = [("COUNTERSIGN_URL", "https://192.0.2.1"), ("COUNTERSIGN_PIN_SHA256", "12")];
    let file = [("COUNTERSIGN_URL", "https://192.0.2.1"), ("COUNTERSIGN_CA_FILE", "/nowhere")];
    let both = [("COUNTERSIGN_URL", "http://127.0.0.1:9"), ("COUNTERSIGN_CA_FILE", "/nowhere")];
    for (environment, expected) in [
        (
            &plain[..],
            "`http://192.0.2.1` is not a valid COUNTERSIGN_URL: http:// is for this machine",
        ),
        (&no_url[..], "`countersign` is not a valid COUNTERSIGN_URL"),
        (&no_url[..], "such as https://countersign.example ("),
        (
            &[][..],
            "COUNTERSIGN_URL is not set or empty. Allowed: the broker's address, such as https",
        ),
        (&empty[..], "COUNTERSIGN_URL is not set or empty"),
        (&no_token[..], "COUNTERSIGN_TOKEN is not set or empty. Allowed: the agent's token"),
        (
            &nobody[..],
            "COUNTERSIGN_URL is `http://127.0.0.1:9`: the broker at http://127.0.0.1:9 does not answer",
        ),
        (&pin[..], "COUNTERSIGN_PIN_SHA256 is `12`; allowed: 64 hexadecimal digits"),
        (&file[..], "`/nowhere` is not a valid COUNTERSIGN_CA_FILE"),
        (&both[..], "COUNTERSIGN_CA_FILE and COUNTERSIGN_PIN_SHA256 are for https:// addresses"),
    ] {
        let output = relay(environment);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "`{expected}` is not in: {said}");
        assert!(!said.contains("stdio."), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn untrusted_broker_names_variables_of_bridge() {
    let authority = Authority::issue("127.0.0.1", |_| {});
    let broker = authority.honest_manager().await;
    let (url, wrong) = (broker.tls_url(), "07".repeat(32));
    let output = relay(&[("COUNTERSIGN_URL", &url), ("COUNTERSIGN_PIN_SHA256", &wrong)]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
    let said = text(&output.stderr);
    let presented = authority.fingerprint().to_string();
    for part in [&*presented, "set COUNTERSIGN_PIN_SHA256 to it", "COUNTERSIGN_CA_FILE"] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    for key in ["tls_server_name", "ca_file", "pin_sha256"] {
        assert!(!said.contains(key), "`{key}` is in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn address_or_token_that_opens_nothing_ends_bridge() {
    let world = World::start().await;
    let url = world.url();
    let wrong = format!("cs_{}", "0".repeat(64));
    let elsewhere = format!("{url}/elsewhere");
    for (url, token, expected) in [
        (&url, &wrong, format!("COUNTERSIGN_TOKEN is not accepted by the broker at `{url}`")),
        (&elsewhere, &world.token, format!("COUNTERSIGN_URL is `{elsewhere}`: ")),
    ] {
        let output = relay(&[("COUNTERSIGN_URL", url), ("COUNTERSIGN_TOKEN", token)]);
        let said = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(2), String::new()),
            "{said}"
        );
        assert!(said.contains(&expected) && said.contains("Allowed: "), "{said}");
        assert!(!said.contains(token), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn address_may_end_in_mcp() {
    let world = World::start().await;
    for end in ["", "/", "/mcp", "/mcp/"] {
        let url = world.url() + end;
        let output = relay(&[("COUNTERSIGN_URL", &url), ("COUNTERSIGN_TOKEN", &world.token)]);
        let heard = text(&output.stdout);
        let expected = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";
        assert_eq!((output.status.code(), &*heard), (Some(0), expected), "{end}");
    }
}
