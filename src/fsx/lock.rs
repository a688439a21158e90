//! The lock that keeps changing commands apart.

use super::{FsError, failed, trusted};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("another iwas-wg is at work ({holder})")]
    Busy {
        /// What the holder says of itself: `pid 4711, location add`.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] FsError),
}

/// The right to change store, interface and conf; given back when dropped or when the process
/// dies. The lock file is never removed, and never the store itself: closing any descriptor of
/// the store would drop `SQLite`'s own locks.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone is not enough: between fork and exec a child has the descriptor as well,
        // and the next of us would find the lock held by nobody.
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock, waiting up to `timeout`; `on_wait` hears once whom it waits for.
    ///
    /// # Errors
    /// [`LockError::Busy`] after `timeout`, [`LockError::File`] if the file cannot be opened.
    pub fn acquire(
        path: &Path,
        timeout: Duration,
        who: &str,
        on_wait: &mut dyn FnMut(&str),
    ) -> Result<Self, LockError> {
        let fail = failed("open the lock file", path);
        trusted(path)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(&fail)?;
        let deadline = Instant::now() + timeout;
        let mut said = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => return Err(fail(e).into()),
                Err(TryLockError::WouldBlock) => {}
            }
            let mut holder = String::new();
            let _ = file.rewind().and_then(|()| file.read_to_string(&mut holder));
            let holder = if holder.trim().is_empty() { "just starting" } else { holder.trim() };
            if Instant::now() >= deadline {
                return Err(LockError::Busy { holder: holder.to_owned() });
            }
            if !said {
                on_wait(holder);
                said = true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // The note is for waiters' messages only: failing to write it harms nobody.
        let note = format!("pid {}, {who}\n", std::process::id());
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(note.as_bytes()));
        Ok(Self { file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_hears_who_holds_the_lock_and_gives_up_in_time() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("lock");
        let held = Lock::acquire(&path, Duration::ZERO, "location add", &mut |_| {}).expect("lock");
        let mut heard = Vec::new();
        let e = Lock::acquire(&path, Duration::from_millis(30), "sync", &mut |h| heard.push(h.to_owned()))
            .expect_err("two holders");
        let who = format!("pid {}, location add", std::process::id());
        assert_eq!(heard, [who.as_str()]);
        assert_eq!(e.to_string(), format!("another iwas-wg is at work ({who})"));
        drop(held);
        Lock::acquire(&path, Duration::ZERO, "sync", &mut |_| {}).expect("free again");
    }
}
