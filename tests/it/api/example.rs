//! The example client of docs/api.md, as it stands there.

use std::process::{Command, Output};

use super::fixtures::{ALL, token};
use crate::web::fixtures::Room;

const PAGE: &str = include_str!("../../../docs/api.md");

/// Runs the client with these arguments.
async fn run(room: &Room, token: &str, arguments: &[&str]) -> Output {
    let script = PAGE.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    let file = room.folder.path().join("client.py");
    std::fs::write(&file, script.expect("a block of python")).unwrap();
    let mut command = Command::new("python3");
    command.arg(file).args(arguments);
    command.env("COUNTERSIGN_URL", room.url()).env("COUNTERSIGN_TOKEN", token);
    command.env("no_proxy", "*");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn example_client_reads_verifies_and_rejects() {
    let room = Room::start().await;
    let token = token(&room, "bob", &ALL).await;
    let asked = room.asked().await;
    let listed = run(&room, &token, &[]).await;
    let said = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    assert!(said.contains(&format!("{} block_ip 198.51.100.23", asked.id)), "{said}");
    assert!(said.contains("entries of the audit are sound"), "{said}");
    let rejected = run(&room, &token, &["reject", &asked.id.to_string(), "a false alarm"]).await;
    assert!(rejected.status.success(), "{}", String::from_utf8_lossy(&rejected.stderr));
    assert_eq!(room.now(&asked).await.state.name().name(), "rejected");
    let again = run(&room, &token, &["reject", &asked.id.to_string(), "a false alarm"]).await;
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(!again.status.success() && said.contains("409"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn example_client_finds_an_edited_entry() {
    let room = Room::start().await;
    let token = token(&room, "bob", &ALL).await;
    room.asked().await;
    room.execute("DROP TRIGGER audit_is_not_changed").await;
    room.execute("UPDATE audit SET actor_name = 'mallory' WHERE kind = 'request.asked'").await;
    let read = run(&room, &token, &[]).await;
    let said = String::from_utf8(read.stderr).unwrap();
    assert!(!read.status.success() && said.contains("is not as it was written"), "{said}");
}
