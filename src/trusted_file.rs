//! Files that decide: policies and the configuration. They are read only where nobody else may write
//! them, as regular files of a limited size.

use std::{
    fs::{self, OpenOptions},
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::{
    fs::OFlags,
    process::{getegid, geteuid},
};

use crate::domain::len_u64;

/// The largest file that is read.
pub(crate) const BYTES_MAX: u64 = 1 << 20;

/// Fails where others may write a file or a folder, with what to do. A link is followed: it counts
/// who may write what it leads to. The own primary group may write, as it does in a checkout with
/// umask 0002; files of another owner are root's alone.
pub(crate) fn check_writers(path: &Path) -> Result<(), String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    let (shown, mode) = (path.display(), meta.mode());
    if mode & 0o002 != 0 {
        return Err(format!("everybody may write it; run: chmod o-w {shown}"));
    }
    if mode & 0o020 != 0 && meta.gid() != getegid().as_raw() {
        return Err(format!(
            "group {} may write it, which is not the group that Countersign runs as; run: chmod g-w \
             {shown}",
            meta.gid()
        ));
    }
    let me = geteuid();
    if ![0, me.as_raw()].contains(&meta.uid()) && !me.is_root() {
        return Err(format!(
            "user {} owns it and may write it; run: chown {} {shown}",
            meta.uid(),
            me.as_raw()
        ));
    }
    Ok(())
}

/// The text of a file that nobody else may write.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    // Before it is opened: a pipe would wait, and a device may do anything.
    if !meta.is_file() {
        return Err("it is no regular file; take it away, or put a file in its place".to_owned());
    }
    check_writers(path)?;
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = file.take(BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if len_u64(bytes.len()) > BYTES_MAX {
        return Err("it is larger than 1 MiB; split it".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        format!(
            "byte {} of it is not UTF-8; save it as UTF-8",
            error.utf8_error().valid_up_to() + 1
        )
    })
}
