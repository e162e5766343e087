//! How many files this process may have open, and how many of them connections may use.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Kept for manager, indexer, store, log and notifications.
const KEPT: u64 = 256;

/// Raises the soft limit to the hard one, and gives what it is then. None: there is none, or it
/// cannot be known.
pub(crate) fn raise() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.maximum,
        Err(_refused) => soft,
    }
}

/// How many of so many files connections may use. Where there are few, a quarter of them.
pub(crate) fn for_connections(files: Option<u64>) -> usize {
    let Some(files) = files else { return usize::MAX };
    usize::try_from(files.saturating_sub(KEPT).max(files / 4)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_kept_from_connections() {
        assert_eq!(for_connections(Some(1024)), 768);
        assert_eq!(for_connections(Some(64)), 16);
        assert_eq!(for_connections(None), usize::MAX);
    }
}
