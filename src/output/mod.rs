//! The only room that writes to standard output and standard error.
//!
//! Results go to standard output and nothing else does; everything said to people goes to
//! standard error. A reader that closed the pipe is no failure, a full disk is one.

pub mod changes;
pub mod json;
mod key_metrics;
mod metrics;
pub mod page;
pub mod past;
mod plugin;
mod progress;
mod screen;
mod streams;
mod table;

pub use key_metrics::key_metrics;
pub use metrics::{Fleet, Metrics};
pub use plugin::{Answer, CheckAnswer, Level, Number};
pub use progress::Progress;
pub use screen::{Ink, Key, Line, Screen};
pub use streams::Held;
pub use table::{Column, Table};

use crate::model::text::message;
use crate::{
    env::Env,
    error::{Error, Fault, Kind},
};
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use streams::Streams;
use zeroize::Zeroizing;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// Where a terminal shows it.
    #[default]
    Auto,
    /// Also into files and pipes.
    Always,
    /// Nowhere.
    Never,
}

/// How a run talks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Machine output.
    pub json: bool,
    /// Only results and errors.
    pub quiet: bool,
    /// How many `-v`.
    pub verbose: u8,
    /// Colours.
    pub color: Color,
}

/// The streams of a run and how to use them.
pub struct Ui {
    streams: Streams,
    style: Style,
    color: bool,
    width: Option<u16>,
    progress: bool,
    /// Results on their way to a file instead of standard output.
    diverted: Option<Diverted>,
    /// Warnings of a JSON run: a failure must be the only object on standard error.
    held: Vec<String>,
}

/// Puts results into a file.
pub type Put = Box<dyn FnMut(&[u8]) -> Result<(), Error>>;

/// Results for a file; they may hold a key.
struct Diverted {
    results: Zeroizing<Vec<u8>>,
    is_new: bool,
    put: Put,
}

impl std::fmt::Debug for Ui {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ui").field("style", &self.style).finish_non_exhaustive()
    }
}

impl Ui {
    /// Takes the streams out of the environment.
    pub fn new(env: &mut Env, style: Style) -> Self {
        let has = |name: &str| env.vars.get(name).is_some_and(|v| !v.is_empty());
        let color = match style.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                env.terminal.stdout && !has("NO_COLOR") && env.vars.get("TERM").is_none_or(|t| t != "dumb")
            }
        };
        let progress = env.terminal.stderr && !style.quiet && !style.json && style.verbose == 0;
        Self {
            streams: Streams::new(
                std::mem::replace(&mut env.stdout, Box::new(io::sink())),
                std::mem::replace(&mut env.stderr, Box::new(io::sink())),
            ),
            style,
            color,
            width: env.terminal.width,
            progress,
            diverted: None,
            held: Vec::new(),
        }
    }

    /// Gathers the results for a file: `put` gets all of them each time they are handed over.
    pub fn divert(&mut self, put: Put) {
        self.diverted = Some(Diverted { results: Zeroizing::default(), is_new: false, put });
        (self.width, self.color) = (None, false);
    }

    /// Forgets what was not handed over: a failure leaves the file as it was.
    pub fn discard(&mut self) {
        if let Some(diverted) = &mut self.diverted {
            diverted.is_new = false;
        }
    }

    /// Holds everything back that is written from now on, until the value is dropped.
    pub fn hold(&self) -> Held {
        self.streams.hold()
    }

    /// Whether writing is held back, and nobody may be asked anything.
    pub fn is_held(&self) -> bool {
        self.streams.is_held()
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.style.json
    }

    /// From now on results are JSON.
    pub fn use_json(&mut self) {
        self.style.json = true;
    }

    /// Writes a result as it is.
    ///
    /// # Errors
    /// [`Kind::ClosedPipe`] if the reader went away, [`Kind::Failed`] if it cannot be written.
    pub fn data(&mut self, text: &str) -> Result<(), Error> {
        self.writer().write_all(text.as_bytes()).map_err(|e| stdout_failed(&e))
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.diverted {
            None => &mut self.streams,
            Some(diverted) => {
                diverted.is_new = true;
                &mut *diverted.results
            }
        }
    }

    /// Writes a result as one JSON object on one line.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn json<T: Serialize>(&mut self, value: &T) -> Result<(), Error> {
        // Pieces are gathered here, where that costs no call through the stream for each.
        let mut out = BufWriter::with_capacity(64 * 1024, self.writer());
        serde_json::to_writer(&mut out, value).map_err(|e| stdout_failed(&e.into()))?;
        out.write_all(b"\n").map_err(|e| stdout_failed(&e))?;
        out.into_inner().map(drop).map_err(|e| stdout_failed(e.error()))
    }

    /// Writes a table: what fits a terminal, everything into a pipe.
    ///
    /// # Errors
    /// As [`Ui::data`].
    pub fn table(&mut self, table: &Table) -> Result<(), Error> {
        let text = table.render(self.width, self.color);
        self.data(&text)
    }

    /// Hands everything written so far to the system.
    ///
    /// # Errors
    /// As [`Ui::data`]: here a full disk shows.
    pub fn flush(&mut self) -> Result<(), Error> {
        if let Some(diverted) = &mut self.diverted
            && std::mem::take(&mut diverted.is_new)
        {
            (diverted.put)(&diverted.results)?;
        }
        self.streams.flush().map_err(|e| stdout_failed(&e))
    }

    /// Tells people what was done; silent with `-q` and in JSON.
    pub fn say(&mut self, text: &str) {
        if !self.style.quiet && !self.style.json {
            self.tell(text);
        }
    }

    /// Tells people about a step, with `-v`.
    pub fn detail(&mut self, text: &str) {
        if self.style.verbose > 0 && !self.style.json {
            self.tell(text);
        }
    }

    /// Tells the warnings of a JSON run that did not fail.
    pub fn release_warnings(&mut self) {
        for line in std::mem::take(&mut self.held) {
            self.tell(&line);
        }
    }

    /// Warns: everything worked, but somebody should look. Silent with `-q`, which asks for results
    /// and errors only.
    pub fn warn(&mut self, text: &str) {
        if self.style.quiet {
            return;
        }
        if self.style.json {
            self.held.push(serde_json::to_string(&json::WarningReport::new(text)).unwrap_or_default());
        } else {
            self.tell(&format!("iwas-wg: warning: {text}"));
        }
    }

    /// Tells a failure as a monitoring plugin does: as its answer, and never with another code.
    pub fn plugin_error(&mut self, e: &Error) {
        let e = &brief(e);
        if self.style.json {
            let report = json::ErrorReport::with_exit(e, Level::Unknown as u8);
            self.tell(&serde_json::to_string(&report).unwrap_or_default());
            return;
        }
        let hint = e.hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
        let text = format!("{}{hint}", e.message);
        let answer = Answer { level: Level::Unknown, text, numbers: Vec::new() };
        // With standard output gone there is nobody to answer.
        let _ = self.data(&answer.line()).and_then(|()| self.flush());
    }

    /// Tells a failure.
    pub fn error(&mut self, e: &Error) {
        if e.kind == Kind::ClosedPipe {
            return;
        }
        let e = &brief(e);
        if self.style.json {
            let line = serde_json::to_string(&json::ErrorReport::new(e)).unwrap_or_default();
            self.tell(&line);
            return;
        }
        self.tell(&format!("iwas-wg: {}", e.message));
        for fault in &e.faults {
            let remedy = fault.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
            self.tell(&format!("line {}: {}", fault.line, message(&format!("{}{remedy}", fault.message))));
        }
        if let Some(hint) = &e.hint {
            self.tell(&format!("hint: {hint}"));
        }
    }

    /// The terminal behind standard output as one picture, until it is dropped.
    ///
    /// # Errors
    /// [`Kind::Failed`] if it cannot be taken over.
    pub fn screen(&mut self) -> Result<Screen, Error> {
        self.flush()?;
        Screen::enter(self.color).map_err(|e| stdout_failed(&e))
    }

    /// A bar for long work; nothing is drawn unless standard error is a terminal.
    pub fn progress(&self, what: &'static str, total: u64) -> Progress {
        Progress::new(what, total, self.progress)
    }

    /// Asks on the terminal; the answer is yes only for `y` or `yes`.
    pub fn confirm(&mut self, input: &mut dyn io::Read, question: &str) -> bool {
        matches!(self.ask(input, &format!("{question} [y/N]")).as_deref(), Some("y" | "yes"))
    }

    /// Asks on the terminal whether to go on; an empty line is yes, the end of the input is no.
    pub fn confirm_again(&mut self, input: &mut dyn io::Read, question: &str) -> bool {
        matches!(self.ask(input, &format!("{question} [Y/n]")).as_deref(), Some("" | "y" | "yes"))
    }

    /// The answer in lower case; `None` at the end of the input.
    fn ask(&mut self, input: &mut dyn io::Read, question: &str) -> Option<String> {
        self.streams.err(format!("{question} ").as_bytes());
        let (mut answer, mut is_there) = (String::new(), false);
        let mut byte = [0];
        // A byte at a time: what follows the line is not ours to read.
        while input.read(&mut byte).is_ok_and(|n| n == 1) {
            is_there = true;
            if byte[0] == b'\n' {
                break;
            }
            answer.push(char::from(byte[0]));
        }
        is_there.then(|| answer.trim().to_ascii_lowercase())
    }

    fn tell(&mut self, text: &str) {
        self.streams.err(format!("{text}\n").as_bytes());
    }
}

/// A failure whose texts keep to their line and have a size, whatever a library, a file or an argument
/// put into them.
fn brief(e: &Error) -> Error {
    let hint = |hint: &Option<String>| hint.as_deref().map(message);
    let fault = |f: &Fault| Fault {
        name: f.name.as_deref().map(message),
        message: message(&f.message),
        hint: hint(&f.hint),
        ..f.clone()
    };
    Error {
        kind: e.kind,
        message: message(&e.message),
        hint: hint(&e.hint),
        faults: e.faults.iter().map(fault).collect(),
    }
}

fn stdout_failed(e: &io::Error) -> Error {
    if e.kind() == io::ErrorKind::BrokenPipe {
        return Error::new(Kind::ClosedPipe, "the reader closed the pipe");
    }
    let text = e.to_string();
    let reason = text.split(" (os error").next().unwrap_or(&text);
    Error::new(Kind::Failed, format!("cannot write to standard output: {}", reason.to_lowercase()))
}
