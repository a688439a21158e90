//! Many files at once: all of them at their places, or none.
//!
//! They are written into a hidden directory inside the one they are for, made durable in one go,
//! and moved only then. What a crash does: before [`Stage::place`] at worst that hidden directory
//! stays behind; from then on the files are at their places and on the disk.

use super::{FsError, TEMPORARY, create_dir, failed};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Where files that were replaced wait until nobody can want them back.
const BEFORE: &str = "before";

/// Files in the making, 0600; gone when dropped, with what they replaced back at its place.
#[derive(Debug)]
pub struct Stage {
    dir: PathBuf,
    made_dir: bool,
    temp: Option<tempfile::TempDir>,
    placed: Vec<String>,
}

impl Stage {
    /// Begins files of this directory, which is made with 0700 if it is not there.
    ///
    /// # Errors
    /// [`FsError`] if it cannot be made or written to.
    pub fn begin(dir: &Path) -> Result<Self, FsError> {
        let made_dir = !dir.is_dir();
        create_dir(dir, 0o700)?;
        let mut stage = Self { dir: dir.to_owned(), made_dir, temp: None, placed: Vec::new() };
        let temp = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(dir)
            .map_err(failed("write into", dir))?;
        let before = temp.path().join(BEFORE);
        stage.temp = Some(temp);
        create_dir(&before, 0o700)?;
        Ok(stage)
    }

    fn temp(&self) -> &Path {
        self.temp.as_ref().map_or(&self.dir, tempfile::TempDir::path)
    }

    /// Writes one file; its name is not seen in the directory yet. From any thread.
    ///
    /// # Errors
    /// [`FsError`] if it cannot be written, or was given before.
    pub fn add(&self, name: &str, bytes: &[u8]) -> Result<(), FsError> {
        let path = self.temp().join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(failed("write", &self.dir.join(name)))
    }

    /// Makes the files durable and moves them to their places, over what was there.
    ///
    /// # Errors
    /// [`FsError`]; dropping the stage then puts everything back.
    pub fn place(&mut self, names: &[String]) -> Result<(), FsError> {
        let dir = self.dir.clone();
        let fail = failed("write into", &dir);
        let temp = self.temp().to_owned();
        // One call for all: a sync for each of thousands of files takes minutes on a slow disk.
        File::open(&temp).and_then(|f| Ok(rustix::fs::syncfs(f)?)).map_err(&fail)?;
        for name in names {
            let place = dir.join(name);
            if place.symlink_metadata().is_ok() {
                fs::rename(&place, temp.join(BEFORE).join(name)).map_err(failed("replace", &place))?;
            }
            self.placed.push(name.clone());
            fs::rename(temp.join(name), &place).map_err(failed("write", &place))?;
        }
        File::open(&dir).and_then(|f| f.sync_all()).map_err(&fail)
    }

    /// The files stay, and what they replaced is gone.
    pub fn keep(mut self) {
        self.placed.clear();
        self.made_dir = false;
        // A hidden directory that cannot be removed harms nobody.
        drop(self.temp.take());
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The failure that leads here matters more than any that follows from it.
        let before = self.temp().join(BEFORE);
        for name in self.placed.drain(..) {
            let place = self.dir.join(&name);
            let _ = fs::remove_file(&place);
            let _ = fs::rename(before.join(&name), &place);
        }
        drop(self.temp.take());
        if self.made_dir {
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn content(dir: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(dir).expect("directory").map(|e| e.expect("entry"));
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        entries.map(|e| (e.file_name().to_string_lossy().into_owned(), text(e.path()))).collect()
    }

    fn map(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn all_files_are_placed_or_none_and_what_was_there_comes_back() {
        let dir = tempfile::tempdir().expect("dir");
        let dir = dir.path();
        fs::write(dir.join("a"), "old").expect("write");
        let names = ["a".to_owned(), "b".to_owned()];
        let stage = || {
            let stage = Stage::begin(dir).expect("begin");
            stage.add("a", b"new").expect("add");
            stage.add("b", b"new").expect("add");
            assert!(stage.add("a", b"again").is_err(), "a file was given twice");
            stage
        };
        let mut failing = stage();
        failing.place(&names).expect("place");
        assert_eq!(fs::metadata(dir.join("b")).expect("b").permissions().mode() & 0o777, 0o600);
        drop(failing);
        assert_eq!(content(dir), map(&[("a", "old")]));
        let mut missing = stage();
        assert!(missing.place(&["a".to_owned(), "c".to_owned()]).is_err(), "placed what was never added");
        drop(missing);
        assert_eq!(content(dir), map(&[("a", "old")]));
        let mut kept = stage();
        kept.place(&names).expect("place");
        kept.keep();
        assert_eq!(content(dir), map(&[("a", "new"), ("b", "new")]));
    }

    #[test]
    fn a_directory_that_was_made_for_nothing_goes_again() {
        let parent = tempfile::tempdir().expect("dir");
        let dir = parent.path().join("scripts");
        let stage = Stage::begin(&dir).expect("begin");
        assert_eq!(fs::metadata(&dir).expect("dir").permissions().mode() & 0o777, 0o700);
        drop(stage);
        assert!(!dir.exists());
    }
}
