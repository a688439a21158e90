//! Whether a file may be believed: who owns it and who can change it, on every directory of its path.
//!
//! A file is trusted if it, each directory above it and each symbolic link on the way belongs to
//! root or to the user of this process, and no other user can write there. A sticky directory such
//! as /tmp is fine: nobody can replace another user's file in it. With every directory trusted,
//! no other user can exchange the file between this check and its use.

use super::{FsError, failed, plain};
use rustix::process::geteuid;
use std::{
    collections::VecDeque,
    ffi::OsString,
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

const STICKY: u32 = 0o1000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// How many symbolic links a path may have, as in the kernel.
const LINKS_MAX: usize = 40;

/// Why a file is not trusted.
#[derive(Debug)]
pub struct Untrusted {
    /// What makes it so: the file, a directory above it, or a link on the way.
    culprit: PathBuf,
    owner: u32,
    mode: u32,
    /// The user that everything must belong to, unless it is root's.
    me: u32,
    is_foreign: bool,
}

impl Untrusted {
    /// The command that mends it.
    pub fn remedy(&self) -> String {
        let path = shown(&self.culprit);
        let others_write = self.mode & (GROUP_WRITES | OTHERS_WRITE) != 0;
        match (self.is_foreign, others_write) {
            (true, true) => format!("chown -h {} {path} && chmod go-w {path}", name_of(self.me)),
            (true, false) => format!("chown -h {} {path}", name_of(self.me)),
            (false, _) => format!("chmod go-w {path}"),
        }
    }
}

/// A path as a shell takes it.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+:@".contains(&b));
    if is_plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.me == 0 { "root" } else { "you" };
        let culprit = self.culprit.display();
        write!(f, "others than {who} can change {culprit} ({})", owner_and_mode(self.owner, self.mode))
    }
}

impl std::error::Error for Untrusted {}

/// The owner as chown(1) takes it.
fn name_of(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { uid.to_string() }
}

fn owner_and_mode(owner: u32, mode: u32) -> String {
    let owner = if owner == 0 { "root".to_owned() } else { format!("uid {owner}") };
    format!("owner {owner}, mode {mode:04o}")
}

/// Owner and mode of a file for people, and whether others than its owner can read it; `None` if
/// it is not there.
pub fn rights(path: &Path) -> Option<(String, bool)> {
    let meta = path.metadata().ok()?;
    let mode = meta.permissions().mode() & 0o7777;
    Some((owner_and_mode(meta.uid(), mode), mode & 0o077 != 0))
}

/// Requires that a file belongs to root or to the user of this process and that no other user can
/// change it or put another in its place. Returns its real path; `None` if there is none.
///
/// # Errors
/// [`FsError`] with an [`Untrusted`] inside, or the system's.
pub fn trusted(path: &Path) -> Result<Option<PathBuf>, FsError> {
    Walk::new(None).follow(path)
}

/// The same for a file that may also be this user's own.
///
/// # Errors
/// As [`trusted`].
pub fn trusted_for(user: u32, path: &Path) -> Result<Option<PathBuf>, FsError> {
    Walk::new(Some(user)).follow(path)
}

/// Reads a trusted file; `None` if there is none.
///
/// # Errors
/// As [`trusted`].
pub fn read_trusted(path: &Path) -> Result<Option<Vec<u8>>, FsError> {
    let fail = failed("read", path);
    let walk = Walk::new(None);
    let Some(real) = walk.follow(path)? else {
        return Ok(None);
    };
    plain(&real).map_err(&fail)?;
    let mut file = File::open(&real).map_err(&fail)?;
    // What was opened, in case the path led through something that is no directory on a disk.
    walk.check(path, &real, &file.metadata().map_err(&fail)?, false)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(&fail)?;
    Ok(Some(bytes))
}

struct Walk {
    me: u32,
    also: Option<u32>,
}

impl Walk {
    fn new(also: Option<u32>) -> Self {
        Self { me: geteuid().as_raw(), also }
    }

    fn follow(&self, path: &Path) -> Result<Option<PathBuf>, FsError> {
        let fail = failed("read", path);
        let absolute = std::path::absolute(path).map_err(&fail)?;
        let mut real = PathBuf::from("/");
        let mut ahead = parts(&absolute);
        let mut links = 0;
        self.check(path, &real, &real.symlink_metadata().map_err(&fail)?, false)?;
        while let Some(part) = ahead.pop_front() {
            if part == ".." {
                real.pop();
                continue;
            }
            let next = real.join(part);
            let meta = match next.symlink_metadata() {
                Ok(meta) => meta,
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    return Ok(None);
                }
                Err(e) => return Err(fail(e)),
            };
            self.check(path, &next, &meta, meta.is_symlink())?;
            if !meta.is_symlink() {
                real = next;
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(fail(io::Error::other("too many symbolic links")));
            }
            let target = fs::read_link(&next).map_err(&fail)?;
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            let mut before = parts(&target);
            before.extend(ahead);
            ahead = before;
        }
        Ok(Some(real))
    }

    /// Requires that nobody else can change one thing on the path. A link has no mode of its own.
    fn check(&self, path: &Path, at: &Path, meta: &Metadata, is_link: bool) -> Result<(), FsError> {
        let (owner, mode) = (meta.uid(), meta.permissions().mode() & 0o7777);
        let is_foreign = owner != 0 && owner != self.me && Some(owner) != self.also;
        let writes = if is_link || (meta.is_dir() && mode & STICKY != 0) {
            0
        } else if owner != 0 && meta.gid() == owner {
            // The owner's private group, which has the number of its only member.
            mode & OTHERS_WRITE
        } else {
            mode & (GROUP_WRITES | OTHERS_WRITE)
        };
        if !is_foreign && writes == 0 {
            return Ok(());
        }
        let mode = if is_link { mode & !(GROUP_WRITES | OTHERS_WRITE) } else { mode };
        let why = Untrusted { culprit: at.to_owned(), owner, mode, me: self.me, is_foreign };
        Err(failed("trust", path)(io::Error::other(why)))
    }
}

/// The names of a path, without what means the place itself.
fn parts(path: &Path) -> VecDeque<OsString> {
    let named = |c: Component<'_>| match c {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::Permissions,
        os::unix::fs::{chown, symlink},
    };

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
    }

    /// What is said of a path, without the directory of the test.
    fn verdict(dir: &Path, name: &str) -> String {
        let said = match trusted(&dir.join(name)) {
            Ok(Some(_)) => "trusted".to_owned(),
            Ok(None) => "none".to_owned(),
            Err(e) => e.to_string(),
        };
        said.replace(&dir.display().to_string(), "")
    }

    #[test]
    fn a_file_is_trusted_only_if_no_other_user_can_change_it_or_what_leads_to_it() {
        let dir = tempfile::tempdir().expect("dir");
        let dir = &fs::canonicalize(dir.path()).expect("real path");
        fs::create_dir_all(dir.join("a/b")).expect("dirs");
        set(&dir.join("a"), 0o755);
        set(&dir.join("a/b"), 0o755);
        let file = dir.join("a/b/file");
        fs::write(&file, "x").expect("write");
        set(&file, 0o644);
        symlink("../a/b/file", dir.join("a/link")).expect("link");
        for name in ["a/b/file", "a/link", "a/../a/b/file"] {
            assert_eq!(verdict(dir, name), "trusted", "{name}");
            assert_eq!(read_trusted(&dir.join(name)).expect(name).as_deref(), Some(&b"x"[..]));
        }
        assert_eq!(verdict(dir, "a/b/none"), "none");
        let me = geteuid().as_raw();
        for (culprit, modes) in [("a/b/file", [0o666, 0o646]), ("a/b", [0o777, 0o757]), ("a", [0o777, 0o707])]
        {
            let before = dir.join(culprit).metadata().expect("metadata").permissions();
            for mode in modes {
                set(&dir.join(culprit), mode);
                let who = if me == 0 { "root" } else { "you" };
                let owner = owner_and_mode(me, mode);
                for name in ["a/b/file", "a/link"] {
                    let said = verdict(dir, name);
                    let why =
                        format!("cannot trust /{name}: others than {who} can change /{culprit} ({owner})");
                    assert_eq!(said, why);
                    assert!(read_trusted(&dir.join(name)).is_err(), "read {name}");
                }
            }
            fs::set_permissions(dir.join(culprit), before).expect("chmod");
        }
        // Nobody replaces what is another's in a sticky directory.
        set(&dir.join("a"), 0o1777);
        assert_eq!(verdict(dir, "a/b/file"), "trusted");
        if me == 0 {
            for culprit in ["a/b/file", "a/b", "a/link"] {
                std::os::unix::fs::lchown(dir.join(culprit), Some(4711), None).expect("chown");
                assert!(verdict(dir, "a/link").contains(&format!("can change /{culprit} (owner uid 4711")));
                let e = trusted(&dir.join("a/link")).expect_err("trusted another's");
                let why = e.untrusted().expect("reason");
                assert_eq!(why.remedy(), format!("chown -h root {}", dir.join(culprit).display()));
                assert!(trusted_for(4711, &dir.join("a/link")).is_ok());
                std::os::unix::fs::lchown(dir.join(culprit), Some(0), None).expect("chown");
            }
            chown(&file, Some(0), Some(4711)).expect("chown");
            set(&file, 0o664);
            assert!(verdict(dir, "a/b/file").contains("others than root"), "another group writes");
        }
    }
}
