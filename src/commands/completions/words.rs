//! The line that is completed, as each shell hands it over and wants it back.

use super::Shell;
use std::collections::BTreeMap;

/// A candidate and what is said about it.
type Found = (String, Option<String>);

/// The words of a line up to the cursor, as the program would get them.
#[derive(Debug)]
pub(super) struct Line {
    shell: Shell,
    /// Never empty; the last is the one to be completed.
    pub(super) words: Vec<String>,
    /// The part of the last word that the shell leaves as it is: bash breaks words at `=` and `:`.
    kept: String,
    /// The last word stands in quotes, which the shell closes by itself.
    in_quotes: bool,
    /// The shell is about to list the candidates instead of inserting one.
    is_listing: bool,
}

impl Line {
    /// From what the shell gave behind `--` and in the environment; `None` if it is no line.
    pub(super) fn read(shell: Shell, given: &[String], vars: &BTreeMap<String, String>) -> Option<Self> {
        let number = |name: &str| vars.get(name).and_then(|v| v.parse::<usize>().ok());
        let mut line =
            Self { shell, words: Vec::new(), kept: String::new(), in_quotes: false, is_listing: false };
        match shell {
            Shell::Bash => {
                let (typed, words) = given.split_first()?;
                let words = words.get(..=number("IWAS_WG_COMPLETE_WORD")?)?;
                // '?', '!' and '@': what bash is asked for when it will show more than one.
                line.is_listing = [63, 33, 64].contains(&number("IWAS_WG_COMPLETE_TYPE").unwrap_or(0));
                line.join(words, typed);
            }
            Shell::Zsh => {
                let upto = number("_CLAP_COMPLETE_INDEX")?;
                line.words = given.iter().take(upto + 1).cloned().collect();
                if line.words.len() == upto {
                    line.words.push(String::new());
                }
            }
            Shell::Fish => line.words = given.to_vec(),
        }
        let last = line.words.len().checked_sub(1)?;
        let home = vars.get("HOME").map_or("", String::as_str);
        for (i, word) in line.words.iter_mut().enumerate() {
            *word = unquoted(word);
            if i < last && (word == "~" || word.starts_with("~/")) {
                word.replace_range(..1, home);
            }
        }
        Some(line)
    }

    /// Joins what bash broke at `=` and `:`. `typed` is the last piece up to the cursor.
    fn join(&mut self, pieces: &[String], typed: &str) {
        let is_break = |piece: &str| !piece.is_empty() && piece.chars().all(|c| "=:".contains(c));
        let mut after_break = false;
        for (i, piece) in pieces.iter().enumerate() {
            let is_last = i + 1 == pieces.len();
            let joins = i > 1 && (after_break || is_break(piece));
            after_break = is_break(piece);
            if is_last {
                self.in_quotes = piece.starts_with(['"', '\'']);
                let before = if joins { self.words.pop().unwrap_or_default() } else { String::new() };
                self.kept = before + if after_break { piece } else { "" };
                self.words.push(format!("{}{}", self.kept, if after_break { "" } else { typed }));
                self.kept = unquoted(&self.kept);
            } else {
                match self.words.last_mut().filter(|_| joins) {
                    Some(word) => word.push_str(piece),
                    None => self.words.push(piece.clone()),
                }
            }
        }
    }

    /// The word to be completed.
    pub(super) fn last(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// The value of a flag that stands before the word to be completed.
    pub(super) fn value_of(&self, flag: &str) -> Option<&str> {
        let before = &self.words[..self.words.len() - 1];
        before.iter().take_while(|w| *w != "--").enumerate().find_map(|(i, word)| {
            let rest = word.strip_prefix(flag)?;
            if rest.is_empty() { before.get(i + 1).map(String::as_str) } else { rest.strip_prefix('=') }
        })
    }

    /// The candidates, one a line, as the shell reads them.
    pub(super) fn write(&self, found: &[Found]) -> String {
        let wide = found.iter().map(|(value, _)| value.chars().count()).max().unwrap_or(0);
        let is_listed = self.is_listing && found.len() > 1;
        let line = |(value, help): &Found| {
            let help = help.as_deref();
            Some(match self.shell {
                Shell::Bash => {
                    let value = value.strip_prefix(&self.kept)?;
                    let value = if self.in_quotes { value.to_owned() } else { escaped(value) };
                    match help.filter(|_| is_listed) {
                        Some(help) => format!("{value:wide$}  ({help})\n"),
                        None => value + "\n",
                    }
                }
                Shell::Zsh => {
                    let value = value.replace('\\', r"\\").replace(':', r"\:");
                    match help {
                        Some(help) => format!("{value}:{}\n", help.replace('\\', r"\\")),
                        None => value + "\n",
                    }
                }
                Shell::Fish => match help {
                    Some(help) => format!("{value}\t{help}\n"),
                    None => format!("{value}\n"),
                },
            })
        };
        found.iter().filter_map(line).collect()
    }
}

/// A word without the quotes and backslashes that a shell takes off; those that are not closed yet
/// count as closed.
fn unquoted(word: &str) -> String {
    let closed = ["", "'", "\""].into_iter().find_map(|end| {
        let words = shlex::split(&format!("{word}{end}"))?;
        <[String; 1]>::try_from(words).ok()
    });
    closed.map_or_else(|| word.to_owned(), |[word]| word)
}

/// A word as it can be typed outside quotes.
fn escaped(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() && !"-_./=:@%+,~".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}
