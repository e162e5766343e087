//! `countersign-quarantine` and `countersign-quarantine-undo`: real files.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::PathBuf,
};

use wazuh_simulator::namespaces::succeed;

use crate::{FIRST, SECOND, THIRD, endpoint::Endpoint, execd::Message};

const EVIL: &[u8] = b"#!/bin/sh\necho evil\n";
/// Of `EVIL`.
const SHA256: &str = "371ee1e216c6db0e75b5563ebf71ef0f20aefdaabf1b2a7aa1e6b0c9a730afc5";
/// Of something else.
const OTHER: &str = "371ee1e216c6db0e75b5563ebf71ef0f20aefdaabf1b2a7aa1e6b0c9a730afc6";

fn quarantine(request: &str, path: &str) -> Message {
    Message::add("countersign-quarantine", request, ("path", path))
}

fn restore(request: &str, path: &str) -> Message {
    Message::add("countersign-quarantine-undo", request, ("path", path))
}

/// An endpoint with a folder `host`, in which a setuid file of another user stands.
fn with_file(name: &str) -> Option<(Endpoint, PathBuf)> {
    let endpoint = Endpoint::start()?;
    let folder = endpoint.home().with_file_name("host");
    fs::create_dir(&folder).unwrap();
    let file = folder.join(name);
    write(&file);
    Some((endpoint, file))
}

fn write(file: &PathBuf) {
    fs::write(file, EVIL).unwrap();
    chown(file, Some(4711), Some(4712)).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o4751)).unwrap();
}

fn is_whole(file: &PathBuf) -> bool {
    fs::symlink_metadata(file).is_ok_and(|at| {
        (at.is_file(), at.uid(), at.gid(), at.mode() & 0o7777, at.nlink())
            == (true, 4711, 4712, 0o4751, 1)
    }) && fs::read(file).unwrap() == EVIL
}

fn held(endpoint: &Endpoint, request: &str) -> PathBuf {
    endpoint.state().join("quarantine").join(request).join("content")
}

#[test]
fn file_goes_away_and_comes_back() {
    for name in ["evil", "with 'all' \"that\" \\ $(may) be * ü", "-rf", ".hidden"] {
        let Some((endpoint, file)) = with_file(name) else { return };
        let path = file.to_str().unwrap();
        let run = quarantine(FIRST, path).and("sha256", SHA256).run(&endpoint);
        run.is("done");
        assert_eq!(
            (run.report()["sha256"].as_str(), run.report()["target"].as_str()),
            (Some(SHA256), Some(path))
        );
        assert!(!file.exists());
        assert!(is_whole(&held(&endpoint, FIRST)));
        quarantine(FIRST, path).run(&endpoint).is("already");
        restore(SECOND, path).run(&endpoint).is("undone");
        assert!(is_whole(&file), "{name}");
        restore(SECOND, path).run(&endpoint).is("already");
        assert_eq!(fs::read_dir(endpoint.state().join("quarantine")).unwrap().count(), 0);
    }
}

#[test]
fn file_of_another_file_system_comes_back_too() {
    let Some((endpoint, file)) = with_file("evil") else { return };
    let folder = file.parent().unwrap().display();
    endpoint.sh(&format!("mount -t tmpfs none {folder}; printf x >{folder}/evil; chmod 4751 {folder}/evil; chown 4711:4712 {folder}/evil"));
    let before = endpoint.sh(&format!("stat -c '%a %u %g %Y %s' {folder}/evil"));
    let path = file.to_str().unwrap();
    quarantine(FIRST, path).run(&endpoint).is("done");
    assert_eq!(endpoint.sh(&format!("ls -A {folder}")), "");
    quarantine(FIRST, path).over().run(&endpoint).is("undone");
    assert_eq!(endpoint.sh(&format!("stat -c '%a %u %g %Y %s' {folder}/evil")), before);
    assert_eq!(endpoint.sh(&format!("ls -A {folder}")), "evil\n");
}

#[test]
fn quarantine_is_open_to_root_alone() {
    let Some((endpoint, file)) = with_file("evil") else { return };
    quarantine(FIRST, file.to_str().unwrap()).run(&endpoint).is("done");
    for folder in [
        endpoint.state(),
        endpoint.state().join("quarantine"),
        held(&endpoint, FIRST).parent().unwrap().into(),
    ] {
        assert_eq!(fs::metadata(folder).unwrap().mode() & 0o7777, 0o700);
    }
}

#[test]
fn wrong_hash_moves_nothing() {
    let Some((endpoint, file)) = with_file("evil") else { return };
    let path = file.to_str().unwrap();
    quarantine(FIRST, path).and("sha256", OTHER).run(&endpoint).failed("has another SHA-256");
    quarantine(FIRST, path).and("sha256", "abc").run(&endpoint).failed("is no SHA-256");
    assert!(is_whole(&file));
}

#[test]
fn links_are_never_followed() {
    let Some((endpoint, file)) = with_file("evil") else { return };
    let folder = file.parent().unwrap();
    symlink(&file, folder.join("link")).unwrap();
    symlink(folder, endpoint.home().with_file_name("way")).unwrap();
    let way = endpoint.home().with_file_name("way/evil");
    fs::create_dir(folder.join("sub")).unwrap();
    symlink("../..", folder.join("sub/up")).unwrap();
    quarantine(FIRST, folder.join("link").to_str().unwrap())
        .run(&endpoint)
        .failed("is no regular file");
    quarantine(FIRST, way.to_str().unwrap()).run(&endpoint).failed("missing or a link");
    let around = folder.join("sub/up/host/evil");
    quarantine(FIRST, around.to_str().unwrap()).run(&endpoint).failed("missing or a link");
    quarantine(FIRST, folder.join("nowhere/evil").to_str().unwrap())
        .run(&endpoint)
        .failed("missing or a link");
    assert!(is_whole(&file));
    // Nor on the way back.
    quarantine(FIRST, file.to_str().unwrap()).run(&endpoint).is("done");
    fs::rename(folder, endpoint.home().with_file_name("moved")).unwrap();
    symlink("moved", folder).unwrap();
    restore(SECOND, file.to_str().unwrap()).run(&endpoint).failed("missing or a link");
    assert!(is_whole(&held(&endpoint, FIRST)) && !file.exists());
}

#[test]
fn only_regular_files_with_one_name_are_moved() {
    let Some((endpoint, file)) = with_file("evil") else { return };
    let folder = file.parent().unwrap().display().to_string();
    endpoint.sh(&format!("cd {folder}; ln evil hard; mkfifo pipe; mkdir folder; mknod device c 1 3; ln -s none dangling"));
    for name in ["evil", "hard", "pipe", "folder", "device", "dangling"] {
        quarantine(FIRST, &format!("{folder}/{name}")).run(&endpoint).failed("is no regular file");
    }
    quarantine(FIRST, &format!("{folder}/none")).run(&endpoint).failed("there is no such file");
}

#[test]
fn restore_never_writes_over_anything() {
    let Some((endpoint, file)) = with_file("evil") else { return };
    let path = file.to_str().unwrap();
    quarantine(FIRST, path).run(&endpoint).is("done");
    let at_place = [
        "printf x >\"$0\"",
        "mkdir \"$0\"",
        "ln -s /none \"$0\"",
        "mkfifo \"$0\"",
        "ln -s /etc/passwd \"$0\"",
    ];
    for make in at_place {
        succeed(&mut endpoint.command("sh", &["-c", make, path])).unwrap();
        let before = endpoint.sh(&format!("stat -c '%i %F %s' {path}"));
        restore(SECOND, path).run(&endpoint).failed("something is at the place");
        assert_eq!(endpoint.sh(&format!("stat -c '%i %F %s' {path}")), before, "{make}");
        endpoint.sh(&format!("rm -r {path}"));
        assert!(is_whole(&held(&endpoint, FIRST)));
    }
}

#[test]
fn restore_refuses_what_was_changed() {
    let Some((endpoint, file)) = with_file("evil") else { return };
    let path = file.to_str().unwrap();
    quarantine(FIRST, path).run(&endpoint).is("done");
    fs::write(held(&endpoint, FIRST), "other").unwrap();
    restore(SECOND, path).run(&endpoint).failed("was changed");
    assert!(!file.exists());
}

#[test]
fn each_request_holds_its_own_file() {
    let Some((endpoint, file)) = with_file("evil") else { return };
    let path = file.to_str().unwrap();
    quarantine(FIRST, path).run(&endpoint).is("done");
    let second = quarantine(SECOND, path).run(&endpoint);
    second.is("already");
    quarantine(SECOND, path).and("sha256", OTHER).run(&endpoint).failed("another SHA-256");
    quarantine(SECOND, path).over().run(&endpoint).is("kept");
    // It came again.
    write(&file);
    quarantine(FIRST, path).run(&endpoint).failed("it takes a new request");
    quarantine(SECOND, path).run(&endpoint).is("done");
    restore(THIRD, path).run(&endpoint).failed("more than one file of this path");
    restore(THIRD, path).with(&format!("undo={SECOND}")).run(&endpoint).is("undone");
    assert!(is_whole(&file) && is_whole(&held(&endpoint, FIRST)));
}

#[test]
fn paths_of_other_forms_or_needed_are_refused() {
    let Some((endpoint, _file)) = with_file("evil") else { return };
    let own = endpoint.home().join("etc/ossec.conf");
    for (path, reason) in [
        ("", "is no absolute path"),
        ("evil", "is no absolute path"),
        ("/", "not in its shortest form"),
        ("/tmp/", "not in its shortest form"),
        ("/tmp//evil", "not in its shortest form"),
        ("/tmp/./evil", "not in its shortest form"),
        ("/tmp/../evil", "not in its shortest form"),
        ("/tmp/evil/..", "not in its shortest form"),
        (&format!("/{}", "a".repeat(1024)), "longer than 1024 bytes"),
        (own.to_str().unwrap(), "is of the agent or the kernel"),
        ("/proc/1/exe", "is of the agent or the kernel"),
        ("/boot/vmlinuz", "is of the agent or the kernel"),
        ("/etc/shadow", "nobody can log in"),
        (&endpoint.path_of("sh"), "cannot do without"),
    ] {
        quarantine(FIRST, path).run(&endpoint).failed(reason);
    }
}

#[test]
fn quarantine_survives_kill_anywhere() {
    for other_file_system in [false, true] {
        let Some((endpoint, file)) = with_file("evil") else { return };
        let path = file.to_str().unwrap();
        let folder = file.parent().unwrap().display();
        if other_file_system {
            endpoint.sh(&format!("cp -a {path} {folder}.evil; mount -t tmpfs none {folder}; cp -a {folder}.evil {path}"));
        }
        let look = format!("stat -c '%F %h %a %u %g' {path}; sha256sum {path}; ls -A {folder}");
        let before = endpoint.sh(&look);
        endpoint.make_interruptible(&["mkdir", "mv", "rm", "rmdir", "ln", "cp"]);
        for point in 1.. {
            endpoint.interrupt(point);
            let moved = quarantine(FIRST, path).run(&endpoint);
            let in_move = endpoint.was_interrupted();
            if in_move {
                moved.failed("cut off");
                let again = quarantine(FIRST, path).run(&endpoint).said();
                assert!(
                    ["done", "already"].contains(&again.0.as_str()) && again.1,
                    "{point}: {again:?}"
                );
            }
            assert_eq!(endpoint.sh(&format!("ls -A {folder}")), "", "{point}");
            endpoint.interrupt(point);
            let back = restore(SECOND, path).run(&endpoint);
            let in_restore = endpoint.was_interrupted();
            if in_restore {
                back.failed("cut off");
                let again = restore(SECOND, path).run(&endpoint).said();
                assert!(
                    ["undone", "already"].contains(&again.0.as_str()) && again.1,
                    "{point}: {again:?}"
                );
            }
            assert_eq!(endpoint.sh(&look), before, "{point}");
            if !in_move && !in_restore {
                assert!(point > 6, "only {point} points were tried");
                break;
            }
        }
        assert_eq!(fs::read_dir(endpoint.state().join("quarantine")).unwrap().count(), 0);
    }
}
