//! The whole terminal as one picture, for a table that lives: a screen of its own, keys, and the
//! old screen back however the program ends.

use crate::model::text::steers_a_terminal;
use crossterm::{
    cursor::{Hide, MoveTo, Show},
    event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    execute, queue,
    style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor},
    terminal::{
        Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
        disable_raw_mode, enable_raw_mode, size,
    },
};
use std::{
    io::{self, Write},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How a piece of a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ink {
    /// As everything.
    #[default]
    Plain,
    /// As headings.
    Bold,
    /// As it should be.
    Good,
    /// As it should not be.
    Bad,
    /// Between the two.
    Doubtful,
    /// Of no importance.
    Dim,
}

/// A line: pieces, each in its ink.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// The pieces from left to right.
    pub pieces: Vec<(String, Ink)>,
    /// Whether it stands out as a whole: something on it is new.
    pub stands_out: bool,
}

impl Line {
    /// A line of one piece.
    pub fn of(text: impl Into<String>, ink: Ink) -> Self {
        Self { pieces: vec![(text.into(), ink)], stands_out: false }
    }
}

/// What somebody typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// The end of what was typed.
    Enter,
    /// Never mind.
    Escape,
    /// The last character away.
    Backspace,
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// One screen up.
    PageUp,
    /// One screen down.
    PageDown,
    /// To the first line.
    Home,
    /// To the last line.
    End,
    /// Ctrl-C or Ctrl-D.
    Stop,
    /// No key: the terminal has another size now.
    Resized,
}

static PANIC: Once = Once::new();
/// Whether the terminal is ours. To leave twice would put the cursor back onto what a panic said.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken over; given back when dropped, and before a panic says anything.
#[derive(Debug)]
pub struct Screen {
    color: bool,
    shown: Vec<Line>,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// The system's, with the terminal as it was.
    pub(super) fn enter(color: bool) -> io::Result<Self> {
        // A panic would print onto the screen that is about to vanish.
        PANIC.call_once(|| {
            let old = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                leave();
                old(info);
            }));
        });
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::Relaxed);
        let screen = Self { color, shown: Vec::new() };
        execute!(io::stdout(), EnterAlternateScreen, Hide, DisableLineWrap, Clear(ClearType::All))?;
        Ok(screen)
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        size().map_or((80, 24), |(columns, rows)| (columns.into(), rows.into()))
    }

    /// Shows these lines from the top; only those that are others than before are written.
    ///
    /// # Errors
    /// The system's.
    pub fn show(&mut self, lines: Vec<Line>) -> io::Result<()> {
        if lines == self.shown {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        for (row, line) in lines.iter().enumerate() {
            if self.shown.get(row) == Some(line) {
                continue;
            }
            queue!(out, MoveTo(0, u16::try_from(row).unwrap_or(u16::MAX)))?;
            self.line(&mut out, line)?;
            queue!(out, SetAttribute(Attribute::Reset), Clear(ClearType::UntilNewLine))?;
        }
        if lines.len() < self.shown.len() {
            let row = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            queue!(out, MoveTo(0, row), Clear(ClearType::FromCursorDown))?;
        }
        out.flush()?;
        self.shown = lines;
        Ok(())
    }

    fn line(&self, out: &mut impl Write, line: &Line) -> io::Result<()> {
        for (text, ink) in &line.pieces {
            if line.stands_out {
                queue!(out, SetAttribute(Attribute::Reverse))?;
            }
            match ink {
                Ink::Bold => queue!(out, SetAttribute(Attribute::Bold))?,
                Ink::Good if self.color => queue!(out, SetForegroundColor(Color::Green))?,
                Ink::Bad if self.color => queue!(out, SetForegroundColor(Color::Red))?,
                Ink::Doubtful if self.color => queue!(out, SetForegroundColor(Color::Yellow))?,
                Ink::Dim if self.color => queue!(out, SetAttribute(Attribute::Dim))?,
                _ => {}
            }
            // Whatever a store was made to hold, it does not steer the terminal.
            let clean: String = text.chars().map(|c| if steers_a_terminal(c) { ' ' } else { c }).collect();
            queue!(out, Print(clean), SetAttribute(Attribute::Reset), ResetColor)?;
        }
        Ok(())
    }

    /// Waits this long for a key; `None` if none came.
    ///
    /// # Errors
    /// The system's.
    pub fn key(&mut self, within: Duration) -> io::Result<Option<Key>> {
        // It waits for whole milliseconds, then asks again and again until the rest of one is over:
        // a rest that the system's timers take up anyway.
        let whole =
            Duration::from_millis(u64::try_from(within.as_micros().div_ceil(1000)).unwrap_or(u64::MAX));
        if !event::poll(whole + Duration::from_micros(40))? {
            return Ok(None);
        }
        Ok(match event::read()? {
            Event::Resize(..) => {
                // What stood where is lost.
                self.shown.clear();
                execute!(io::stdout(), Clear(ClearType::All))?;
                Some(Key::Resized)
            }
            Event::Key(key) if key.kind != KeyEventKind::Release => match key.code {
                KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Stop),
                KeyCode::Char(c) => Some(Key::Char(c)),
                KeyCode::Enter => Some(Key::Enter),
                KeyCode::Esc => Some(Key::Escape),
                KeyCode::Backspace => Some(Key::Backspace),
                KeyCode::Up => Some(Key::Up),
                KeyCode::Down => Some(Key::Down),
                KeyCode::PageUp => Some(Key::PageUp),
                KeyCode::PageDown => Some(Key::PageDown),
                KeyCode::Home => Some(Key::Home),
                KeyCode::End => Some(Key::End),
                _ => None,
            },
            _ => None,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back; nobody is left to hear that it did not work.
fn leave() {
    if !TAKEN.swap(false, Ordering::Relaxed) {
        return;
    }
    let _ = execute!(io::stdout(), EnableLineWrap, Show, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}
