//! Files as an administrator's tool must write them: whole or not at all, secret from birth.
//!
//! Must not know what is in a file. What a crash does: a file written by [`replace`] has its
//! old or its new content, never a part; at worst a temporary file named `.iwas-wg.*` stays
//! behind in the same directory. What a second process does: [`Lock`] keeps changing commands
//! apart; readers take no lock and see the old or the new file.

mod append;
mod lock;
mod mark;
mod output;
mod program;
mod rights;
mod stage;
mod trust;

pub use append::{Appended, append, drop_spare};
pub use lock::{Holder, Lock, LockError};
pub use mark::Mark;
pub use output::check_writable;
pub use program::{find_program, trusted_program};
pub use rights::with_rights_of;
pub use stage::Stage;
pub use trust::{Untrusted, read_trusted, rights, trusted, trusted_for};

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
        net::UnixDatagram,
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

/// How the names of temporary files begin.
const TEMPORARY: &str = ".iwas-wg.";

/// A file operation that failed: what was tried, on which path, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {}", path.display(), reason(source))]
pub struct FsError {
    /// What was tried, a verb: `read`, `write`, `create`.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The system's answer.
    pub source: io::Error,
}

impl FsError {
    /// Why the file is not trusted, if that is what it is about.
    pub fn untrusted(&self) -> Option<&Untrusted> {
        self.source.get_ref().and_then(|e| e.downcast_ref())
    }
}

/// The system's reason without Rust's "(os error N)".
pub fn reason(e: &io::Error) -> String {
    let text = e.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> FsError + 'a {
    move |source| FsError { action, path: path.to_owned(), source }
}

/// The facts about a plain file; anything else (a device, a pipe, a directory) is an error, because
/// reading it may never end and replacing it would destroy it.
fn plain(path: &Path) -> io::Result<fs::Metadata> {
    let meta = fs::metadata(path)?;
    if meta.is_file() {
        return Ok(meta);
    }
    Err(not_plain())
}

fn not_plain() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file")
}

/// Reads a whole file; `None` if there is none.
///
/// # Errors
/// [`FsError`] for anything but a missing file.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FsError> {
    match plain(path).and_then(|_| fs::read(path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed("read", path)(e)),
    }
}

/// Sends one line to the system's log, under its facility for security; nobody waits for it, and
/// nobody is told if the log is not there.
pub fn syslog(socket: &Path, is_warning: bool, line: &str) {
    const AUTHPRIV: u8 = 10 << 3;
    let severity = if is_warning { 4 } else { 6 };
    let message = format!("<{}>iwas-wg[{}]: {line}", AUTHPRIV + severity, std::process::id());
    let _ = UnixDatagram::unbound().and_then(|s| {
        s.set_nonblocking(true)?;
        s.send_to(message.as_bytes(), socket)
    });
}

/// A file's content, and by which mark it is known again; without one if it was written to so
/// lately that its times do not show it.
pub type Marked = (Vec<u8>, Option<Mark>);

/// Reads a whole file; `None` if there is none.
///
/// # Errors
/// [`FsError`] for anything but a missing file.
pub fn read_marked(path: &Path) -> Result<Option<Marked>, FsError> {
    let before = Mark::of(path);
    let bytes = read(path)?;
    let mark = before.filter(|m| m.is_settled() && Mark::of(path) == before);
    Ok(bytes.map(|bytes| (bytes, mark)))
}

/// Whether both names lead to one file. Looks without opening, which can
/// drop the locks of whoever has it open.
pub fn is_same(a: &Path, b: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|m| (m.dev(), m.ino())).ok();
    identity(a).is_some_and(|a| identity(b) == Some(a))
}

/// The network file system that a path lies on, if it does. SQLite's locks and shared memory do
/// not work there.
pub fn network_file_system(path: &Path) -> Option<&'static str> {
    let found = path.ancestors().find_map(|p| rustix::fs::statfs(p).ok())?;
    // Low 32 bits: some of the numbers are sign-extended on the way.
    match found.f_type & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0x517b => Some("SMB"),
        0xff53_4d42 => Some("CIFS"),
        0xfe53_4d42 => Some("SMB2"),
        _ => None,
    }
}

/// Makes a directory and its parents; only what is made gets the mode.
///
/// # Errors
/// [`FsError`] if it cannot be made.
pub fn create_dir(path: &Path, mode: u32) -> Result<(), FsError> {
    // A relative name's last parent is the empty one: the directory we are in.
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    // A name without a directory lies in the present one.
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        create_dir(parent, 0o755)?;
    }
    DirBuilder::new().mode(mode).create(path).map_err(failed("create the directory", path))
}

/// Makes a new file with this mode from its first moment and writes it durably.
///
/// # Errors
/// [`FsError`] also if the file is there already.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FsError> {
    let fail = failed("create", path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(&fail)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(e) = written {
        // Half a file of ours is worse than none; the error that led here matters more.
        let _ = fs::remove_file(path);
        return Err(fail(e));
    }
    sync_parent(path).map_err(fail)
}

/// Replaces the content of a file that is ours or named by the settings, atomically, following a
/// symbolic link and keeping mode and owner; a file that is not there yet gets `mode`. Returns whether
/// anything was written: equal content is left alone.
///
/// # Errors
/// [`FsError`]; the old content is then still there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<bool, FsError> {
    replace_marked(path, bytes, mode).map(|(written, _)| written)
}

/// As [`replace`]; tells by which mark the file is known again, if it was written and nobody has
/// put another in its place since.
///
/// # Errors
/// As [`replace`].
pub fn replace_marked(path: &Path, bytes: &[u8], mode: u32) -> Result<(bool, Option<Mark>), FsError> {
    let fail = failed("write", path);
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = match plain(&target).and_then(|_| File::open(&target)) {
        Ok(mut file) => {
            let mut content = zeroize::Zeroizing::new(Vec::new());
            file.read_to_end(&mut content).map_err(&fail)?;
            if content.as_slice() == bytes {
                return Ok((false, None));
            }
            Some(file.metadata().map_err(&fail)?)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(fail(e)),
    };
    let dir = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temp = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(dir)
        .map_err(&fail)?;
    temp.write_all(bytes).map_err(&fail)?;
    let mode = before.as_ref().map_or(mode, |m| m.permissions().mode() & 0o7777);
    temp.as_file().set_permissions(Permissions::from_mode(mode)).map_err(&fail)?;
    if let Some(meta) = before {
        // Only root can give files away; anyone else keeps their own.
        match fchown(temp.as_file(), Some(meta.uid()), Some(meta.gid())) {
            Err(e) if e.kind() != io::ErrorKind::PermissionDenied => return Err(fail(e)),
            _ => {}
        }
    }
    // Between the ticks of the clock for file times: see `Mark`.
    temp.as_file().set_modified(SystemTime::now()).map_err(&fail)?;
    temp.as_file().sync_all().map_err(&fail)?;
    let written = temp.as_file().metadata().map(|m| Mark::from(&m)).map_err(&fail)?;
    temp.persist(&target).map_err(|e| fail(e.error))?;
    sync_parent(&target).map_err(fail)?;
    Ok((true, Mark::of(&target).filter(|m| m.has_content_of(&written))))
}

/// Writes a file that somebody named: made new beside its place with this mode and the owner that
/// this process has, durable, and then given its name. What had the name is gone, its mode and owner
/// with it; a symbolic link is replaced and not followed, whoever planted it.
///
/// # Errors
/// [`FsError`]; what had the name has it still. A directory or device is never replaced.
pub fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FsError> {
    let fail = failed("write", path);
    replaceable(path).map_err(&fail)?;
    let mut draft = Draft::begin(path)?;
    draft.temp.write_all(bytes).map_err(&fail)?;
    draft.temp.as_file().set_permissions(Permissions::from_mode(mode)).map_err(&fail)?;
    draft.finish()
}

/// A directory or device is never replaced.
fn replaceable(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(meta) if !meta.is_file() || is_of_the_kernel(path) => Err(not_plain()),
        _ => Ok(()),
    }
}

/// Whether a path is a link such as /dev/stdout, which everybody needs where it is.
fn is_of_the_kernel(path: &Path) -> bool {
    let is_kernels = |p: &Path| ["/dev", "/proc", "/sys"].iter().any(|dir| p.starts_with(dir));
    is_kernels(path) || fs::read_link(path).is_ok_and(|target| is_kernels(&target))
}

/// Removes temporary files of ours that a killed process left in a directory. Only for holders of
/// the lock: nobody else writes there then.
pub fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Gives a file another name in the same directory.
///
/// # Errors
/// [`FsError`]; it has its old name then.
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    fs::rename(from, to).and_then(|()| sync_parent(to)).map_err(failed("rename", from))
}

/// A file in the making: 0600, under a temporary name beside its place, gone when dropped.
#[derive(Debug)]
pub struct Draft {
    temp: tempfile::NamedTempFile,
    place: PathBuf,
}

impl Draft {
    /// Begins an empty file that will be `place`.
    ///
    /// # Errors
    /// [`FsError`] if the directory does not allow it.
    pub fn begin(place: &Path) -> Result<Self, FsError> {
        let dir = place.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temp = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(dir)
            .map_err(failed("write", place))?;
        Ok(Self { temp, place: place.to_owned() })
    }

    /// Where it is for now.
    pub fn path(&self) -> &Path {
        self.temp.path()
    }

    /// Makes it durable and gives it its name, replacing what had it.
    ///
    /// # Errors
    /// [`FsError`]; what had the name has it still.
    pub fn finish(self) -> Result<(), FsError> {
        let fail = failed("write", &self.place);
        File::open(self.temp.path()).and_then(|f| f.sync_all()).map_err(&fail)?;
        self.temp.persist(&self.place).map_err(|e| fail(e.error))?;
        sync_parent(&self.place).map_err(&fail)
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").permissions().mode() & 0o7777
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_its_link() {
        let dir = tempfile::tempdir().expect("dir");
        let real = dir.path().join("real.conf");
        let link = dir.path().join("link.conf");
        fs::write(&real, "old").expect("write");
        fs::set_permissions(&real, Permissions::from_mode(0o640)).expect("chmod");
        std::os::unix::fs::symlink(&real, &link).expect("symlink");
        assert!(replace(&link, b"new", 0o600).expect("replace"));
        assert_eq!(fs::read(&real).expect("read"), b"new");
        assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
        assert_eq!(mode(&real), 0o640);
        assert!(!replace(&link, b"new", 0o600).expect("replace"), "equal content was written again");
        assert_eq!(fs::read_dir(dir.path()).expect("dir").count(), 2, "a temporary file stayed");
    }

    #[test]
    fn a_device_is_neither_read_nor_replaced() {
        for path in ["/dev/null", "/dev/full", "/tmp"] {
            let path = Path::new(path);
            let e = read(path).expect_err("read a device");
            assert_eq!(e.to_string(), format!("cannot read {}: it is no plain file", path.display()));
            assert!(replace(path, b"x", 0o600).is_err(), "replaced a device");
        }
        assert!(!fs::metadata("/dev/null").expect("null").is_file());
    }

    #[test]
    fn new_files_have_their_mode_from_birth_and_are_never_overwritten() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a/b/key");
        create_dir(path.parent().expect("parent"), 0o700).expect("dir");
        assert_eq!(mode(path.parent().expect("parent")), 0o700);
        create(&path, b"secret", 0o600).expect("create");
        assert_eq!(mode(&path), 0o600);
        let e = create(&path, b"other", 0o600).expect_err("overwrote");
        assert_eq!(e.to_string(), format!("cannot create {}: file exists", path.display()));
        assert_eq!(fs::read(&path).expect("read"), b"secret");
        assert!(replace(&dir.path().join("n"), b"x", 0o600).expect("replace"));
        assert_eq!(mode(&dir.path().join("n")), 0o600);
    }
}
