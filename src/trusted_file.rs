//! Files that the configuration names, and itself: read as regular files of a limited size. Those
//! that decide, which are policies and the configuration, are read only where nobody else may write
//! them. One is written: that of a feed.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{self, Component, Path, PathBuf},
};

use rustix::{
    fs::{Access, OFlags, access},
    process::{getegid, geteuid},
};

use crate::domain::len_u64;

/// The largest file that is read.
pub(crate) const BYTES_MAX: u64 = 1 << 20;
/// Only its owner, and the folder's, may rename or remove what lies in the folder.
const STICKY: u32 = 0o1000;
/// As many links as Linux follows.
const LINKS_MAX: u32 = 40;

/// Fails where others may write a file or a folder, or put another one in its place, with what to do.
/// The own primary group may write, as it does in a checkout with umask 0002.
pub(crate) fn check_writers(path: &Path) -> Result<(), String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    check_owner("it", path, &meta)?;
    check_mode("it", path, &meta)?;
    check_way(path)
}

/// Fails where others can read or write a file that holds a secret or data. Also passes one that is
/// not there: whoever reads it says so.
pub(crate) fn check_private(path: &Path) -> Result<(), String> {
    let Ok(meta) = fs::metadata(path) else { return Ok(()) };
    check_owner("it", path, &meta)?;
    if meta.mode() & 0o077 != 0 {
        return Err(format!("others can read or write it; run: chmod 600 {}", path.display()));
    }
    Ok(())
}

/// What [`check_writers`] asks, of each folder on the way to it, by whatever links that leads. Where the
/// sticky bit is set, as it is for /tmp, nobody replaces what belongs to us or to root.
fn check_way(path: &Path) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let mut left = names(&path::absolute(path).map_err(failed)?);
    let (mut folder, mut links) = (PathBuf::from("/"), 0);
    while let Some(name) = left.pop() {
        if name == ".." {
            folder.pop();
            continue;
        }
        let (entry, meta) = (folder.join(name), fs::metadata(&folder).map_err(failed)?);
        let here = fs::symlink_metadata(&entry).map_err(failed)?;
        let called = format!("the folder {}", folder.display());
        check_owner(&called, &folder, &meta)?;
        if let Err(why) = check_mode(&called, &folder, &meta) {
            if meta.mode() & STICKY == 0 {
                return Err(why);
            }
            check_owner(&entry.display().to_string(), &entry, &here)?;
        }
        if !here.is_symlink() {
            folder = entry;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err("its links lead in a circle".to_owned());
        }
        let target = fs::read_link(&entry).map_err(failed)?;
        if target.is_absolute() {
            folder = PathBuf::from("/");
        }
        left.extend(names(&target));
    }
    Ok(())
}

/// The names that a path is made of, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    path.components().rev().filter_map(name).collect()
}

fn check_owner(called: &str, path: &Path, meta: &Metadata) -> Result<(), String> {
    let (owner, me, shown) = (meta.uid(), geteuid().as_raw(), path.display());
    if [0, me].contains(&owner) {
        return Ok(());
    }
    Err(format!("user {owner} owns {called} and may write it; run: chown {me} {shown}"))
}

fn check_mode(called: &str, path: &Path, meta: &Metadata) -> Result<(), String> {
    let (shown, mode) = (path.display(), meta.mode());
    if mode & 0o002 != 0 {
        return Err(format!("everybody may write {called}; run: chmod o-w {shown}"));
    }
    if mode & 0o020 != 0 && meta.gid() != getegid().as_raw() {
        return Err(format!(
            "group {} may write {called}, and is not the group that Countersign runs as; run: chmod \
             g-w {shown}",
            meta.gid()
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

/// Appends whole lines to a file, which is made with this mode where there is none, and has the disk
/// keep them. It is opened anew each time, so it may be moved away or emptied in between. What a crash
/// cut off gets its line end first.
pub(crate) fn append(path: &Path, mode: u32, lines: &str) -> Result<(), String> {
    let mut file = open_to_append(path, mode, true)?;
    let failed = |error: io::Error| error.to_string();
    let before = file.metadata().map_err(failed)?.len();
    check_lines(&mut file, before)?;
    let cut_off = before > 0 && last_byte(&mut file).map_err(failed)? != b'\n';
    let text = if cut_off { format!("\n{lines}") } else { lines.to_owned() };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(|error| {
        // A part of it would come again with the whole.
        let more = file.metadata().is_ok_and(|meta| meta.len() > before);
        let _cut = more && file.set_len(before).is_ok();
        error.to_string()
    })
}

/// Fails where [`append`] would, and writes nothing.
pub(crate) fn check_append(path: &Path, mode: u32) -> Result<(), String> {
    if fs::symlink_metadata(path).is_ok() {
        let mut file = open_to_append(path, mode, false)?;
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        return check_lines(&mut file, length);
    }
    let folder = folder_of(path);
    check_writers(folder)?;
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("{}: {}", folder.display(), io::Error::from(error)))
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// Opens a regular file of ours in a folder that nobody else may write; no link is followed.
fn open_to_append(path: &Path, mode: u32, create: bool) -> Result<File, String> {
    let failed = |error: io::Error| error.to_string();
    check_writers(folder_of(path)).map_err(|why| format!("its folder: {why}"))?;
    let there = fs::symlink_metadata(path).ok();
    if let Some(meta) = &there {
        check_regular(meta)?;
    }
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(create).mode(mode).custom_flags(flags);
    let file = options.open(path).map_err(failed)?;
    if there.is_none() {
        // Whatever the umask is: the group is to read it, or nobody is.
        file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
    }
    let meta = file.metadata().map_err(failed)?;
    check_regular(&meta)?;
    check_owner("it", path, &meta)?;
    if meta.mode() & 0o777 & !mode != 0 {
        let shown = path.display();
        return Err(format!("others can read or write it; run: chmod {mode:04o} {shown}"));
    }
    Ok(file)
}

/// A file that begins otherwise than a line of JSON is somebody else's.
fn check_lines(file: &mut File, length: u64) -> Result<(), String> {
    let mut first = [0];
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read(&mut first));
    read.map_err(|error| error.to_string())?;
    if length == 0 || first == *b"{" {
        return Ok(());
    }
    Err("it holds something else than lines of JSON".to_owned())
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    let [last] = last;
    Ok(last)
}
