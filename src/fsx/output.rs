//! The file that a command's output goes to: there is room for it before the work begins, and it
//! is replaced as a whole when the work is done.
//!
//! Crash: the file is the old one or the new one.

use super::{Draft, FsError, failed, plain, replace};
use std::{fs, io, path::Path};

/// Checks that this file can be written; changes nothing.
///
/// # Errors
/// [`FsError`] if it is no plain file, or its directory takes none.
pub fn check_writable(path: &Path) -> Result<(), FsError> {
    match plain(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed("write", path)(e)),
        _ => {}
    }
    Draft::begin(path).map(drop)
}

/// Replaces a file by these bytes. One that holds a key is 0600, whatever its mode was before.
///
/// # Errors
/// [`FsError`]; the old file is there then.
pub fn put_output(path: &Path, bytes: &[u8], is_secret: bool) -> Result<(), FsError> {
    if !is_secret {
        return replace(path, bytes, 0o644).map(drop);
    }
    check_writable(path)?;
    // A link stays a link: its target is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let draft = Draft::begin(&target)?;
    fs::write(draft.path(), bytes).map_err(failed("write", path))?;
    draft.finish()
}
