//! The lock that keeps changing commands apart.

use super::{FsError, failed, trusted};
use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

/// Longest note that is read, in bytes.
const NOTE_MAX: u64 = 256;

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

/// Who holds the lock, as they noted it there.
#[derive(Debug)]
pub struct Holder {
    note: String,
    /// The process, if it is stopped and gives the lock back only when it is continued or killed.
    pub stopped: Option<u32>,
}

impl Holder {
    /// Who holds this lock now; `None` if it is free or cannot be looked at.
    pub fn of(path: &Path) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Self::read(&mut file)),
            _ => None,
        }
    }

    fn read(file: &mut File) -> Self {
        let mut note = String::new();
        let _ = file.rewind().and_then(|()| file.take(NOTE_MAX).read_to_string(&mut note));
        let note = note.trim().to_owned();
        let pid = note.strip_prefix("pid ").and_then(|n| n.split(',').next()).and_then(|n| n.parse().ok());
        Self { stopped: pid.filter(|pid| is_stopped(*pid)), note }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = if self.note.is_empty() { "just starting" } else { &self.note };
        write!(f, "{note}{}", if self.stopped.is_some() { ", stopped" } else { "" })
    }
}

/// Whether a process is stopped by a signal or a debugger.
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before the state is in parentheses, and may hold some.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, Some('T' | 't'))
}

impl Lock {
    /// Takes the lock, waiting up to `timeout`; `who` says what it is for and since when. `on_wait` hears once whom it waits for.
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
        // So long that no clock has a time for it is for ever.
        let deadline = Instant::now().checked_add(timeout);
        let mut said = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => return Err(fail(e).into()),
                Err(TryLockError::WouldBlock) => {}
            }
            let holder = Holder::read(&mut file);
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(LockError::Busy { holder: holder.to_string() });
            }
            if !said {
                on_wait(&holder.to_string());
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
