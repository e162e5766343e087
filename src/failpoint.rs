//! Named places where a test stops the program and kills it. They exist only in builds with the
//! feature `failpoints`; in all others they compile to nothing.

/// Stands still for ever if the environment variable `COUNTERSIGN_FAILPOINT` holds this name, and
/// says so in the log first.
#[cfg(feature = "failpoints")]
pub(crate) async fn reached(name: &'static str) {
    if std::env::var_os("COUNTERSIGN_FAILPOINT").is_some_and(|wanted| wanted == name) {
        tracing::error!(failpoint = name, "halted at a failpoint");
        std::future::pending::<()>().await;
    }
}

/// Does nothing in this build.
#[cfg(not(feature = "failpoints"))]
#[expect(clippy::unused_async, reason = "the same signature as with the feature")]
pub(crate) async fn reached(_name: &'static str) {}
