//! The file that a command's output goes to: there is room for it before the work begins.

use super::{Draft, FsError, failed, replaceable};
use std::path::Path;

/// Checks that [`put`](super::put) can write this file; changes nothing.
///
/// # Errors
/// [`FsError`] if it is no plain file, or its directory takes none.
pub fn check_writable(path: &Path) -> Result<(), FsError> {
    replaceable(path).map_err(failed("write", path))?;
    Draft::begin(path).map(drop)
}
