//! Running a program that the settings name: no shell, an end to its time, and its last words.

use crate::fsx;
use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How much of what it says on standard error is kept, in bytes.
const WORDS_KEPT: u64 = 4096;

/// Why a program did not do what it was started for.
#[derive(Debug)]
pub enum ProgramError {
    /// It could not be started or waited for.
    NotRun(io::Error),
    /// Another user can change it.
    Untrusted(fsx::FsError),
    /// It was not done in time and was killed.
    TooLong(Duration),
    /// It ended with a failure.
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// The last line that it said on standard error; empty if it said nothing.
        words: String,
    },
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRun(e) => {
                let text = e.to_string();
                let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
                write!(f, "cannot be started: {reason}")
            }
            Self::Untrusted(e) => write!(f, "is not started: {e}"),
            Self::TooLong(limit) => write!(f, "was not done after {} s and was killed", limit.as_secs()),
            Self::Failed { status, words } if words.is_empty() => write!(f, "failed ({status})"),
            Self::Failed { status, words } => write!(f, "failed ({status}): {words}"),
        }
    }
}

/// Runs a program to its end, with these variables and no others. It gets `input` on standard
/// input; its standard output is nobody's. After `limit` it is killed with all that it started.
///
/// # Errors
/// [`ProgramError`] unless it ended with success.
pub fn run(
    words: &[String],
    vars: &BTreeMap<String, String>,
    input: Vec<u8>,
    limit: Duration,
) -> Result<(), ProgramError> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    fsx::trusted_program(words, vars.get("PATH").map_or("", String::as_str))
        .map_err(ProgramError::Untrusted)?;
    let deadline = Instant::now() + limit;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(vars)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A group of its own: what it starts goes down with it, and Ctrl-C is not for it.
        .process_group(0)
        .spawn()
        .map_err(ProgramError::NotRun)?;
    // In threads: a program that does not read, or leaves somebody behind who holds its streams,
    // must not hold us.
    if let Some(mut stdin) = child.stdin.take() {
        thread::spawn(move || {
            // One that does not care for its input has not failed for that.
            let _ = stdin.write_all(&input);
        });
    }
    let said = child.stderr.take().map(listen);
    let status = wait(&mut child, deadline, limit)?;
    if status.success() {
        return Ok(());
    }
    let words = said.and_then(|said| said.recv_timeout(Duration::from_millis(200)).ok());
    Err(ProgramError::Failed { status, words: words.unwrap_or_default() })
}

/// The last line of a stream, once it has ended.
fn listen(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut stream = stream.take(WORDS_KEPT);
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let last = text.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or_default();
        let _ = send.send(last.to_owned());
        // Whoever goes on talking is not to be stopped by a full pipe.
        let _ = io::copy(&mut stream.into_inner(), &mut io::sink());
    });
    receive
}

fn wait(child: &mut Child, deadline: Instant, limit: Duration) -> Result<ExitStatus, ProgramError> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().map_err(ProgramError::NotRun)? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            kill(child);
            return Err(ProgramError::TooLong(limit));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Ends the program and its group.
fn kill(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<(), ProgramError> {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        let vars = BTreeMap::from([("WORD".to_owned(), "told".to_owned())]);
        run(&words, &vars, b"asked\n".to_vec(), limit)
    }

    #[test]
    fn a_program_gets_its_input_and_its_variables_and_no_others() {
        let soon = Duration::from_secs(20);
        sh("read a && test \"$a\" = asked && test \"$WORD\" = told && test -z \"$HOME\"", soon)
            .expect("success");
        sh("exit 0", soon).expect("a program that does not read its input");
        let e = sh("echo first >&2; echo 'no relay' >&2; exit 3", soon).expect_err("failure");
        assert_eq!(e.to_string(), "failed (exit status: 3): no relay");
        let words = ["/nonexistent/program".to_owned()];
        let e = run(&words, &BTreeMap::new(), Vec::new(), soon).expect_err("no program");
        assert_eq!(e.to_string(), "cannot be started: no such file or directory");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started() {
        let dir = tempfile::tempdir().expect("directory");
        let mark = dir.path().join("mark");
        let script = format!("(sleep 2; touch {}) & sleep 100", mark.display());
        let e = sh(&script, Duration::from_millis(300)).expect_err("too long");
        assert!(matches!(e, ProgramError::TooLong(_)), "{e}");
        thread::sleep(Duration::from_millis(2500));
        assert!(!mark.exists(), "its child lived on");
    }
}
