//! Recognizing a file again without reading it.

use std::{
    fmt,
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    str::FromStr,
    time::{Duration, SystemTime},
};

/// The very file at one moment: device, inode, size, and the times of its last write and of the
/// last change of any kind, in nanoseconds since 1970.
///
/// A file that is replaced has another inode, one that is written another time of writing, and the
/// time of change is the kernel's own: no program sets it. Two writes within one tick of the
/// kernel's clock have the same time; that is why a file of ours gets a time of writing between
/// the ticks, which no other's write leaves in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    written: i128,
    changed: i128,
}

const NANOS: i128 = 1_000_000_000;

impl Mark {
    /// The mark of what stands at a path, links followed; `None` if it cannot be looked at or is no
    /// plain file.
    pub fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().filter(Metadata::is_file).map(|meta| Self::from(&meta))
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the last write is so long ago that another one would show.
    pub(super) fn is_settled(&self) -> bool {
        // Ticks are 10 ms at most.
        let long = Duration::from_millis(50);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let limit = i128::try_from(now.saturating_sub(long).as_nanos()).unwrap_or(0);
        self.written < limit && self.changed < limit
    }

    /// Whether it is the same file with the same content, wherever it was moved in between.
    pub fn has_content_of(&self, other: &Self) -> bool {
        Self { changed: other.changed, ..*self } == *other
    }
}

impl From<&Metadata> for Mark {
    fn from(meta: &Metadata) -> Self {
        let time = |seconds: i64, nanos: i64| i128::from(seconds) * NANOS + i128::from(nanos);
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            written: time(meta.mtime(), meta.mtime_nsec()),
            changed: time(meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, inode, size, written, changed } = self;
        write!(f, "{device} {inode} {size} {written} {changed}")
    }
}

impl FromStr for Mark {
    type Err = io::Error;

    fn from_str(s: &str) -> io::Result<Self> {
        let mut words = s.split(' ');
        let mut next = || words.next().ok_or_else(invalid);
        let mark = Self {
            device: next()?.parse().map_err(|_| invalid())?,
            inode: next()?.parse().map_err(|_| invalid())?,
            size: next()?.parse().map_err(|_| invalid())?,
            written: next()?.parse().map_err(|_| invalid())?,
            changed: next()?.parse().map_err(|_| invalid())?,
        };
        if words.next().is_none() { Ok(mark) } else { Err(invalid()) }
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is no mark of a file")
}
