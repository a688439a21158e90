//! Programs that this process starts: where they are, and whether they may be run.

use super::{FsError, trusted};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The absolute path of a program, from directories such as those of PATH. A relative directory is
/// passed over, so that no working directory decides what runs as root.
pub fn find_program(program: &str, path: &str) -> Option<PathBuf> {
    let is_program =
        |p: &Path| p.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|p| p.is_absolute() && is_program(p));
    }
    path.split(':')
        .map(Path::new)
        .filter(|d| d.is_absolute())
        .map(|d| d.join(program))
        .find(|p| is_program(p))
}

/// Requires that no other user can change a program, or the script that an interpreter is given as
/// its first argument. One that is not there is not refused: starting it fails.
///
/// # Errors
/// As [`trusted`].
pub fn trusted_program(words: &[String], path: &str) -> Result<(), FsError> {
    let mut words = words.iter().map(String::as_str);
    if let Some(program) = words.next().and_then(|program| find_program(program, path)) {
        trusted(&program)?;
    }
    if let Some(script) = words.next().map(Path::new).filter(|p| p.is_absolute() && p.is_file()) {
        trusted(script)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    #[test]
    fn programs_are_never_found_in_relative_directories() {
        assert!(find_program("sh", "/nonexistent:/bin:/usr/bin").is_some());
        assert!(find_program("sh", ".:bin:").is_none());
        assert!(find_program("./sh", "/bin").is_none());
        assert!(find_program("/bin/sh", "").is_some());
        assert!(find_program("/etc/passwd", "").is_none(), "not executable");
    }

    #[test]
    fn neither_a_program_nor_its_script_may_be_changed_by_another_user() {
        let dir = tempfile::tempdir().expect("dir");
        let script = dir.path().join("notify");
        fs::write(&script, "#!/bin/sh\n").expect("write");
        let direct = [script.display().to_string()];
        let by_shell = ["/bin/sh".to_owned(), script.display().to_string()];
        let by_path = ["notify".to_owned()];
        let path = dir.path().display().to_string();
        for (mode, is_fine) in [(0o755, true), (0o777, false)] {
            fs::set_permissions(&script, Permissions::from_mode(mode)).expect("chmod");
            for words in [&direct[..], &by_shell, &by_path] {
                assert_eq!(trusted_program(words, &path).is_ok(), is_fine, "{words:?} {mode:o}");
            }
        }
        assert!(trusted_program(&["/nonexistent/program".to_owned()], "").is_ok());
    }
}
