//! Files that the configuration names, and itself: read as regular files of a limited size. Those
//! that decide, which are policies and the configuration, are read only where nobody else may write
//! them.

use std::{
    fs::{self, Metadata, OpenOptions},
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

/// The bytes of a regular file. It never waits for somebody to write, as a pipe would.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    // Before it is opened: a device may do anything.
    check_regular(&fs::metadata(path).map_err(|error| error.to_string())?)?;
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| error.to_string())?;
    // Once more: another one may have been put there meanwhile.
    let meta = file.metadata().map_err(|error| error.to_string())?;
    check_regular(&meta)?;
    // At once as large as needed: a secret leaves no copy in what would be outgrown.
    let most = meta.len().min(BYTES_MAX) + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or_default());
    let read = file.take(BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if len_u64(bytes.len()) > BYTES_MAX {
        return Err("it is larger than 1 MiB, the most that is read".to_owned());
    }
    Ok(bytes)
}

fn check_regular(meta: &Metadata) -> Result<(), String> {
    if meta.is_file() {
        return Ok(());
    }
    Err("it is no regular file; take it away, or put a file in its place".to_owned())
}

/// The text of a file that nobody else may write.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    check_writers(path)?;
    String::from_utf8(read_bytes(path)?).map_err(|error| {
        format!(
            "byte {} of it is not UTF-8; save it as UTF-8",
            error.utf8_error().valid_up_to() + 1
        )
    })
}
