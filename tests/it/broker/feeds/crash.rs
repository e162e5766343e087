//! `kill -9` between a delivery and the note of it.

use std::{fs, time::Duration};

use super::verified;
use crate::harness::installation::Installation;

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs a build with failpoints")]
async fn killed_feed_repeats_a_batch_and_loses_nothing() {
    let installed = Installation::new().await;
    installed.configure(
        "[[feeds]]\nname = \"siem\"\nkind = \"file\"\npath = \"audit.jsonl\"\nfrom = \"start\"\n",
    );
    let path = installed.program.path("audit.jsonl");
    let mut server = installed.program.serve_until("feed sent");
    server.halted().await;
    server.kill();
    let first = fs::read_to_string(&path).unwrap().lines().count();
    assert!(first > 0);
    let _server = installed.program.serve();
    let again = async {
        while fs::read_to_string(&path).unwrap().lines().count() < 2 * first + 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), again).await.expect("it goes on");
    let found = verified(&path);
    assert_eq!((&found["sound"], &found["first"]), (&true.into(), &1.into()), "{found}");
    assert_eq!(found["repeated"], first, "{found}");
}
