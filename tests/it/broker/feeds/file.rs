//! A file of JSON lines that others rotate, and that verifies by itself.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::Command,
    time::Duration,
};

use countersign::connector::{FeedFileSettings, FeedReceiver};
use serde_json::json;

use super::{Folder, audit, failed, fed, feed, file, happen, lines, places, verified, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn feed_file_holds_the_audit_and_verifies_alone() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let world = world_with(vec![feed("siem", file(&path))]).await;
    for _ in 0..3 {
        happen(&world).await;
        fed(&world, "siem").await;
    }
    let written = lines(&path);
    assert_eq!(written, audit(&world).await);
    assert!(written.len() > 12, "{}", written.len());
    let found = verified(&path);
    assert_eq!(found["sound"], true, "{found}");
    assert_eq!((&found["first"], &found["last"]), (&json!(1), &json!(written.len())));
    assert_eq!(found["head"], written.last().unwrap()["hash"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_or_missing_line_of_feed_file_is_named() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let world = world_with(vec![feed("siem", file(&path))]).await;
    happen(&world).await;
    fed(&world, "siem").await;
    let text = fs::read_to_string(&path).unwrap();
    let without: Vec<_> = text.lines().enumerate().filter(|(n, _)| *n != 2).map(|l| l.1).collect();
    let swapped = text.replacen("a drill", "no drill", 1);
    assert_ne!(swapped, text);
    for (other, why) in [
        (without.join("\n"), "row 3 is missing"),
        (swapped, "its fields do not give its hash"),
        (format!("{text}{{\"place\": 1}}\n"), "no entry of the audit"),
        (format!("{text}what a stranger wrote\n"), "no line of a feed"),
        (text.replacen("{\"place\":2,", "{\"place\":2,\"more\":1,", 1), "as a feed writes it"),
        (
            text.replacen("{\"place\":2,", "{\"kind\":\"evil\",\"place\":2,", 1),
            "as a feed writes it",
        ),
    ] {
        fs::write(&path, other).unwrap();
        let found = verified(&path);
        assert_eq!(found["sound"], false, "{found}");
        assert!(found["first_bad"]["why"].as_str().unwrap().contains(why), "{found}");
    }
    fs::write(&path, "").unwrap();
    assert_eq!(verified(&path)["sound"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_writes_into_no_file_of_others() {
    let folder = Folder::new();
    let path = folder.path("countersign.toml");
    fs::write(&path, "[server]\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let world = world_with(vec![feed("siem", file(&path))]).await;
    happen(&world).await;
    let why = failed(&world, "siem").await;
    assert!(why.contains("it holds something else than lines of JSON"), "{why}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "[server]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_file_may_be_renamed_or_truncated() {
    let folder = Folder::new();
    let (path, first) = (folder.path("audit.jsonl"), folder.path("audit.jsonl.1"));
    let world = world_with(vec![feed("siem", file(&path))]).await;
    happen(&world).await;
    fed(&world, "siem").await;
    fs::rename(&path, &first).unwrap();
    happen(&world).await;
    fed(&world, "siem").await;
    let second = folder.path("audit.jsonl.2");
    fs::copy(&path, &second).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    happen(&world).await;
    fed(&world, "siem").await;
    let all: Vec<_> = [&first, &second, &path].into_iter().flat_map(|path| lines(path)).collect();
    assert_eq!(all, audit(&world).await);
    // Each part verifies by itself.
    assert_eq!(verified(&path)["sound"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_line_is_ended_and_entry_repeated() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let world = world_with(vec![feed("siem", file(&path))]).await;
    happen(&world).await;
    fed(&world, "siem").await;
    // As a machine that loses its power leaves it.
    let whole = fs::metadata(&path).unwrap().len();
    let half = fs::File::options().write(true).open(&path).unwrap();
    half.set_len(whole - 40).unwrap();
    world.execute("UPDATE feed SET seq = seq - 2").await;
    let world = world.restart().await;
    fed(&world, "siem").await;
    let found = verified(&path);
    assert_eq!((&found["sound"], &found["cut_off"]), (&json!(true), &json!(1)), "{found}");
    assert_eq!(found["repeated"], 1, "{found}");
    assert_eq!(found["last"], json!(audit(&world).await.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_file_that_is_not_ours_is_refused() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let world = world_with(vec![feed("siem", file(&path))]).await;
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = async |why: &str| {
        let said = failed(&world, "siem").await;
        assert!(said.contains(why) && said.contains("audit.jsonl"), "{why}: {said}");
        world.pass(Duration::from_mins(5));
    };
    fs::write(&path, "").unwrap();
    mode(&path, 0o644);
    refused("chmod 0600").await;
    fs::remove_file(&path).unwrap();
    symlink(folder.path("elsewhere"), &path).unwrap();
    refused("no regular file").await;
    assert!(!folder.path("elsewhere").exists());
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused("no regular file").await;
    fs::remove_file(&path).unwrap();
    mode(folder.0.path(), 0o777);
    refused("everybody may write").await;
    mode(folder.0.path(), 0o700);
    fed(&world, "siem").await;
    assert_eq!(lines(&path), audit(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn group_reads_feed_file_only_where_configured() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let open = FeedFileSettings { path: path.clone(), mode: 0o640 };
    let world = world_with(vec![feed("siem", FeedReceiver::File(open))]).await;
    fed(&world, "siem").await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_stays_one_line_of_feed_file() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let world = world_with(vec![feed("siem", file(&path))]).await;
    world.freeze("one\r\n{\"place\": 1}\u{0}\u{202E}\u{2028}\u{85}").await;
    fed(&world, "siem").await;
    let bytes = fs::read(&path).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let hidden = |c: char| (c.is_control() && c != '\n') || ['\u{202E}', '\u{2028}'].contains(&c);
    assert_eq!(text.find(hidden), None, "{text:?}");
    assert_eq!(lines(&path), audit(&world).await);
    assert_eq!(verified(&path)["sound"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_write_leaves_no_part_of_batch() {
    let folder = Folder::new();
    let path = folder.path("audit.jsonl");
    let world = world_with(vec![feed("siem", file(&path))]).await;
    happen(&world).await;
    fed(&world, "siem").await;
    let before = fs::read(&path).unwrap();
    // A directory in its place: nothing can be written.
    let aside = folder.path("aside");
    fs::rename(&path, &aside).unwrap();
    fs::create_dir(&path).unwrap();
    happen(&world).await;
    failed(&world, "siem").await;
    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
    world.pass(Duration::from_secs(1));
    fed(&world, "siem").await;
    assert_eq!(places(&lines(&path)), places(&audit(&world).await));
}
