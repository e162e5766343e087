//! Writes that are cut off, and a second server on the same file.

use std::{future::Future as _, task::Poll};

use countersign::{
    domain::{actor::Actor, kill_switch::Extent},
    store::{Store, StoreError},
};

use super::fixtures::hands_off;
use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn policy_set_is_never_active_without_audit_event() {
    let world = World::start().await;
    let broker = world.broker();
    let dora = world.signed_in("dora").await;
    hands_off(&world, "office");
    {
        let shown = world.policy_difference();
        let mut activation = Box::pin(broker.activate_policy(&dora, &world.policies, shown));
        let once = std::future::poll_fn(|cx| {
            // On a busy machine it may be done already.
            Poll::Ready(activation.as_mut().poll(cx).map(drop).is_ready())
        });
        once.await;
    }
    // Whoever asked is gone. It is finished, or not begun, but what is active is written down.
    for _ in 0..100_000 {
        let active = broker.engine().hash().to_string();
        let told = world.operator().audit_after(0).await.unwrap();
        let events = told.iter().filter(|entry| entry.kind == "policy.activated");
        let hashes: Vec<_> = events.filter_map(|entry| entry.target.clone()).collect();
        assert!(hashes.contains(&active), "{active} is not in {hashes:?}");
        if hashes.last() == Some(&active) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("what is written down did not become active");
}

#[tokio::test(flavor = "multi_thread")]
async fn database_under_another_name_has_one_server() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("countersign.db");
    let first = Store::serve(&file, None).await.unwrap();
    let (linked, hard) = (folder.path().join("linked.db"), folder.path().join("hard.db"));
    symlink(&file, &linked).unwrap();
    std::fs::hard_link(&file, &hard).unwrap();
    for other in [linked, hard] {
        let refused = Store::serve(&other, None).await.unwrap_err().to_string();
        let expected = format!("another countersign process is serving {}", other.display());
        assert_eq!(refused, expected);
    }
    // What the refused ones opened and closed has not taken the lock of the first.
    assert!(matches!(Store::serve(&file, None).await, Err(StoreError::Locked { .. })));
    first.reader().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_of_one_stem_have_two_servers() {
    let folder = tempfile::TempDir::new().unwrap();
    let _first = Store::serve(&folder.path().join("countersign.db"), None).await.unwrap();
    Store::serve(&folder.path().join("countersign.sqlite"), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_write_leaves_no_partial_data_and_no_lock() {
    let world = World::start().await;
    let operator = world.operator();
    for polls in 0..400_u32 {
        let name = format!("p{polls}");
        let mut work = Box::pin(operator.freeze(&Actor::CommandLine, &Extent::Everything, &name));
        let mut left = polls % 7;
        std::future::poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            match work.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        drop(work);
        world.unfreeze().await;
    }
    let told = operator.audit_after(0).await.unwrap();
    let count = |kind: &str| told.iter().filter(|e| e.kind == kind).count();
    assert_eq!(operator.verify_audit().await.unwrap().broken, None);
    let ended = count("kill_switch.unfrozen");
    assert!(count("kill_switch.frozen").abs_diff(ended) <= 1);
    assert_eq!(count("kill_switch.release_asked"), ended);
}
