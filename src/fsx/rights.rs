//! Reading and writing with another's rights, so that root does nothing for a person that the
//! person could not do: the kernel decides, on every path and through every link.

use super::{FsError, failed};
use crate::model::Caller;
use rustix::{
    process::{Gid, Uid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use std::{io, path::Path};

/// The rights of the caller on this thread, until dropped.
struct Lent {
    groups: Vec<Gid>,
    gid: Gid,
    uid: Uid,
}

impl Lent {
    fn take(caller: &Caller) -> io::Result<Self> {
        // -1 would mean "as before".
        let valid = |id: u32| if id == u32::MAX { u32::MAX - 1 } else { id };
        let gids: Vec<Gid> = caller.gids.iter().map(|g| Gid::from_raw(valid(*g))).collect();
        let gid = gids.first().copied().ok_or_else(|| io::Error::other("the user has no group"))?;
        let before = Self {
            groups: rustix::process::getgroups()?,
            gid: rustix::process::getegid(),
            uid: rustix::process::geteuid(),
        };
        set_thread_groups(&gids)?;
        let taken = set_thread_res_gid(None, gid, None)
            .and_then(|()| set_thread_res_uid(None, Uid::from_raw(valid(caller.uid)), None));
        // Dropping it gives back what was taken of it.
        taken.map(|()| before).map_err(Into::into)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let back = set_thread_res_uid(None, self.uid, None)
            .and_then(|()| set_thread_res_gid(None, self.gid, None))
            .and_then(|()| set_thread_groups(&self.groups));
        if back.is_err() {
            // Neither person nor root: nothing that follows could be trusted.
            std::process::abort();
        }
    }
}

/// Does something with the rights of the caller instead of root's.
///
/// # Errors
/// [`FsError`] about `path` if the rights could not be had.
pub fn with_rights_of<T>(caller: &Caller, path: &Path, work: impl FnOnce() -> T) -> Result<T, FsError> {
    let lent = Lent::take(caller).map_err(failed("use with your own rights", path))?;
    let result = work();
    drop(lent);
    Ok(result)
}
