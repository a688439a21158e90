//! Appending to a file as if it were replaced: whole or not at all, whatever its size.
//!
//! A large file is kept twice, under its name and as a hidden spare beside it that lacks the last
//! changes. What is new goes to the end of the spare, which nobody reads; once that is on the disk
//! the two exchange their names in one step of the file system. So the name always stands for a
//! whole file, as with [`super::replace`], but only what is new is written.
//!
//! The caller says by [`Mark`]s which two files it means. A crash before the exchange leaves the
//! file as it was, one after it leaves it as it shall be; either way the marks no longer fit the
//! spare, and it is made anew. A second process that wrote to the file in between is noticed
//! after the exchange, which is then taken back.

use super::{FsError, Mark, TEMPORARY, failed, sync_parent};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// From this size on a file is kept twice: below, writing it whole costs no more.
const LARGE: u64 = 1 << 20;

/// The file after something was appended, and its spare, if it has one.
#[derive(Debug, Clone, Copy)]
pub struct Appended {
    /// The file.
    pub mark: Mark,
    /// Its spare.
    pub spare: Option<Mark>,
}

/// Appends to the file that `known` means; `spare` is what the last call said. `None` if another
/// file stands there by now, or this one was written to: nothing was done then.
///
/// # Errors
/// [`FsError`]; the file then has its old or its new content, never a part.
pub fn append(
    path: &Path,
    known: &Mark,
    spare: Option<&Mark>,
    tail: &[u8],
) -> Result<Option<Appended>, FsError> {
    let fail = failed("write", path);
    let target = fs::canonicalize(path).map_err(&fail)?;
    if Mark::of(&target) != Some(*known) {
        return Ok(None);
    }
    let beside = if known.size() < LARGE { temporary(&target) } else { spare_path(&target) };
    let done = extend(&target, &beside, known, spare, tail);
    if !matches!(done, Ok(Some(Appended { spare: Some(_), .. }))) {
        // Half a spare is none.
        let _ = fs::remove_file(&beside);
    }
    done.map_err(fail)
}

/// Removes the spare of a file, which may hold what the file itself shall hold no longer.
pub fn drop_spare(path: &Path) {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let _ = fs::remove_file(spare_path(&target));
}

/// Where the spare of a file is: hidden, so that nothing takes it for a conf.
fn spare_path(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".iwas-wg");
    target.with_file_name(name)
}

fn temporary(target: &Path) -> PathBuf {
    target.with_file_name(format!("{TEMPORARY}{}", std::process::id()))
}

fn extend(
    target: &Path,
    beside: &Path,
    known: &Mark,
    spare: Option<&Mark>,
    tail: &[u8],
) -> io::Result<Option<Appended>> {
    let mut file = File::open(target)?;
    let meta = file.metadata()?;
    let like = |m: &fs::Metadata| (m.mode(), m.uid(), m.gid()) == (meta.mode(), meta.uid(), meta.gid());
    let usable = spare.filter(|s| Mark::of(beside) == Some(**s) && beside.metadata().is_ok_and(|m| like(&m)));
    let mut next = if let Some(s) = usable {
        file.seek(SeekFrom::Start(s.size()))?;
        OpenOptions::new().append(true).open(beside)?
    } else {
        let _ = fs::remove_file(beside);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
        made.set_permissions(Permissions::from_mode(meta.mode() & 0o7777))?;
        // Only root can give files away; anyone else keeps their own.
        match fchown(&made, Some(meta.uid()), Some(meta.gid())) {
            Err(e) if e.kind() != io::ErrorKind::PermissionDenied => return Err(e),
            _ => made,
        }
    };
    // In the kernel, and without copying at all where the file system can share blocks.
    io::copy(&mut file, &mut next)?;
    next.write_all(tail)?;
    // Between the ticks of the clock for file times: see `Mark`.
    next.set_modified(SystemTime::now())?;
    next.sync_all()?;
    let written = Mark::from(&next.metadata()?);
    if Mark::of(target) != Some(*known) {
        return Ok(None);
    }
    exchange(target, beside, known, &written)
}

/// Gives the finished file its name, and the name of the finished one to the old.
fn exchange(target: &Path, beside: &Path, known: &Mark, written: &Mark) -> io::Result<Option<Appended>> {
    let keeps = known.size() >= LARGE;
    let swap = || renameat_with(CWD, beside, CWD, target, RenameFlags::EXCHANGE);
    let exchanged = match swap() {
        Ok(()) => true,
        // Not every file system can; all can put one in the place of the other.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            fs::rename(beside, target)?;
            false
        }
        Err(e) => return Err(e.into()),
    };
    let old = if exchanged { Mark::of(beside) } else { None };
    if exchanged && !old.is_some_and(|o| o.has_content_of(known)) {
        // Somebody wrote to it at the last moment: their file gets its name back.
        swap()?;
        return Ok(None);
    }
    sync_parent(target)?;
    let mark = Mark::of(target).filter(|m| m.has_content_of(written));
    Ok(mark.map(|mark| Appended { mark, spare: old.filter(|_| keeps) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of this size and its mark.
    fn file(dir: &Path, size: usize) -> (PathBuf, Mark) {
        let path = dir.join("wg0.conf");
        super::super::create(&path, &vec![b'x'; size], 0o640).expect("create");
        File::options()
            .write(true)
            .open(&path)
            .and_then(|f| f.set_modified(SystemTime::now()))
            .expect("time");
        let mark = Mark::of(&path).expect("mark");
        (path, mark)
    }

    fn names(dir: &Path) -> Vec<String> {
        let all = fs::read_dir(dir).expect("directory").map(|e| e.expect("entry").file_name());
        let mut all: Vec<_> = all.map(|n| n.to_string_lossy().into_owned()).collect();
        all.sort();
        all
    }

    #[test]
    fn what_is_appended_is_there_and_nothing_else_changes() {
        for size in [10, 3 << 20] {
            let dir = tempfile::tempdir().expect("dir");
            let (path, mut mark) = file(dir.path(), size);
            let (mut spare, mut expected) = (None, vec![b'x'; size]);
            for round in 0..5_u8 {
                let tail = [b'a' + round; 7];
                expected.extend_from_slice(&tail);
                let done = append(&path, &mark, spare.as_ref(), &tail).expect("append").expect("known");
                assert!(fs::read(&path).expect("read") == expected, "round {round} of {size}");
                assert_eq!(fs::metadata(&path).expect("meta").mode() & 0o7777, 0o640);
                assert_eq!(Mark::of(&path), Some(done.mark));
                (mark, spare) = (done.mark, done.spare);
            }
            assert_eq!(spare.is_some(), size > 1 << 20, "{size}");
            assert_eq!(names(dir.path()).len(), 1 + usize::from(spare.is_some()), "{:?}", names(dir.path()));
            drop_spare(&path);
            assert_eq!(names(dir.path()), ["wg0.conf"]);
        }
    }

    #[test]
    fn a_spare_that_somebody_touched_is_made_anew() {
        let dir = tempfile::tempdir().expect("dir");
        let (path, mark) = file(dir.path(), 2 << 20);
        let done = append(&path, &mark, None, b"one").expect("append").expect("known");
        let beside = spare_path(&path);
        fs::write(&beside, vec![b'y'; 2 << 20]).expect("write");
        let done = append(&path, &done.mark, done.spare.as_ref(), b"two").expect("append").expect("known");
        let text = fs::read(&path).expect("read");
        assert!(text.starts_with(b"xxx") && text.ends_with(b"onetwo"));
        // A spare that others may read is no spare of a file that they may not.
        fs::set_permissions(&beside, Permissions::from_mode(0o644)).expect("chmod");
        append(&path, &done.mark, done.spare.as_ref(), b"3").expect("append").expect("known");
        assert_eq!(fs::metadata(&path).expect("meta").mode() & 0o7777, 0o640);
        assert!(fs::read(&path).expect("read").ends_with(b"onetwo3"));
    }

    #[test]
    fn a_file_that_somebody_wrote_to_is_left_alone() {
        for size in [10, 2 << 20] {
            let dir = tempfile::tempdir().expect("dir");
            let (path, mark) = file(dir.path(), size);
            // The same size and, by another's hand, within the same tick.
            fs::write(&path, vec![b'z'; size]).expect("write");
            assert!(append(&path, &mark, None, b"tail").expect("append").is_none());
            assert!(fs::read(&path).expect("read") == vec![b'z'; size]);
            assert_eq!(names(dir.path()), ["wg0.conf"]);
        }
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().expect("dir");
        let (path, mark) = file(dir.path(), 2 << 20);
        let link = dir.path().join("link.conf");
        std::os::unix::fs::symlink(&path, &link).expect("symlink");
        append(&link, &mark, None, b"tail").expect("append").expect("known");
        assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
        assert!(fs::read(&path).expect("read").ends_with(b"xtail"));
    }

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is_one() {
        let dir = tempfile::tempdir().expect("dir");
        let (_, mark) = file(dir.path(), 5);
        assert_eq!(mark.to_string().parse::<Mark>().expect("mark"), mark);
        for bad in ["", "1 2 3", "1 2 3 4 5 6", "a b c d e"] {
            assert!(bad.parse::<Mark>().is_err(), "{bad:?}");
        }
    }
}
