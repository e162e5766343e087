//! Whether the disk of the database has room.

use std::path::Path;

use crate::{
    connector::Diagnosis,
    store::{FLOOR_BYTES, free_bytes},
};

const CHECK: &str = "disk";

/// How much is free beside the floor. None where there is no database yet.
pub(super) fn disk(database: &Path) -> Option<Diagnosis> {
    const ADVICE: &str = "make room: below the floor nothing is asked, approved or sent";
    if !database.exists() {
        return None;
    }
    let floor = FLOOR_BYTES >> 20;
    Some(match free_bytes(database) {
        Ok(free) if free >= FLOOR_BYTES => {
            Diagnosis::good(CHECK, format!("{} MiB are free; the floor is {floor} MiB", free >> 20))
        }
        Ok(free) => {
            let found = format!("{} MiB are free, below the floor of {floor} MiB", free >> 20);
            Diagnosis::bad(CHECK, found, ADVICE)
        }
        Err(error) => Diagnosis::bad(CHECK, error.to_string(), "look at the disk"),
    })
}
