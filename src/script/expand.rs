//! Puts values into a template.
//!
//! A template is RouterOS text with `{{placeholder}}`s outside of quotes. Our own templates also
//! have whole-line directives: `#if FLAG`, `#if !FLAG`, `#else`, `#end`, and `#-` for remarks that
//! stay here. Strings come as [`Quoted`], so that nothing in them can become a command. This file
//! knows nothing of locations or of WireGuard.

use super::quote::Quoted;
use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
};
use zeroize::Zeroizing;

/// What may stand for a placeholder.
pub(super) enum Value {
    /// Text, as a string literal.
    Text(Quoted),
    /// A number as it is.
    Number(u32),
    /// A name as it is.
    Word(String),
    /// A time in seconds, as `25s`.
    Seconds(u32),
    /// An address as it is.
    Address(Ipv4Addr),
    /// Labelled texts, each on comment lines of its own.
    Remarks(Vec<(String, Quoted)>),
}

impl Value {
    pub(super) fn text(s: &str) -> Self {
        Self::Text(Quoted::new(s))
    }

    /// An address in quotes, for where the router compares it as text.
    pub(super) fn quoted_address(address: impl Into<IpAddr>) -> Self {
        Self::text(&address.into().to_string())
    }
}

/// The names a template may use.
#[derive(Default)]
pub(super) struct Values {
    pub(super) placeholders: Vec<(String, Value)>,
    pub(super) flags: Vec<(&'static str, bool)>,
}

impl Values {
    pub(super) fn set(&mut self, name: impl Into<String>, value: Value) {
        self.placeholders.push((name.into(), value));
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.placeholders.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        let (name, wanted) = name.strip_prefix('!').map_or((name, true), |n| (n, false));
        self.flags.iter().find(|(n, _)| *n == name).map(|(_, v)| *v == wanted)
    }

    /// Enough room for all values once, so that no key is left behind by a growing buffer.
    fn len(&self) -> usize {
        self.placeholders
            .iter()
            .map(|(_, v)| match v {
                Value::Text(q) => q.as_str().len() * 2,
                Value::Remarks(r) => r.iter().map(|(l, q)| (l.len() + q.as_str().len()) * 2 + 80).sum(),
                Value::Word(word) => word.len(),
                Value::Number(_) | Value::Seconds(_) | Value::Address(_) => 16,
            })
            .sum()
    }
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Line of the template, from 1.
    pub(super) line: usize,
    /// What stands there.
    pub(super) text: String,
    pub(super) kind: FlawKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlawKind {
    /// No value of this name.
    Unknown,
    /// `{{` without `}}` on the same line.
    Unclosed,
    /// A placeholder between quotes, where the value's own quotes would end the string.
    Quoted,
    /// A directive that does not fit.
    Directive,
}

/// Whether `#if` and `#-` lines mean anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Directives {
    On,
    Off,
}

/// Fills in a template.
pub(super) fn expand(
    template: &str,
    values: &Values,
    directives: Directives,
) -> Result<Zeroizing<String>, Flaw> {
    let mut out = Zeroizing::new(String::with_capacity(template.len() + values.len() + 1024));
    // For each open `#if`: whether its lines are kept.
    let mut keep: Vec<bool> = Vec::new();
    let mut in_string = false;
    for (number, line) in (1..).zip(template.lines()) {
        let flaw = |text: &str, kind| Flaw { line: number, text: text.to_owned(), kind };
        if directives == Directives::On && !in_string {
            let wrong = || flaw(line, FlawKind::Directive);
            if let Some(flag) = line.strip_prefix("#if ") {
                keep.push(values.flag(flag).ok_or_else(wrong)?);
                continue;
            }
            match line {
                "#else" => {
                    let last = keep.last_mut().ok_or_else(wrong)?;
                    *last = !*last;
                    continue;
                }
                "#end" => {
                    keep.pop().ok_or_else(wrong)?;
                    continue;
                }
                _ if line.starts_with("#-") => continue,
                _ => {}
            }
        }
        if keep.iter().all(|k| *k) {
            fill_line(line, values, &mut in_string, &mut out).map_err(|(text, kind)| flaw(&text, kind))?;
        }
    }
    if keep.is_empty() {
        Ok(out)
    } else {
        Err(Flaw { line: template.lines().count(), text: "#if".into(), kind: FlawKind::Directive })
    }
}

fn fill_line(
    line: &str,
    values: &Values,
    in_string: &mut bool,
    out: &mut String,
) -> Result<(), (String, FlawKind)> {
    let comment = !*in_string && line.trim_start().starts_with('#');
    let start = out.len();
    let mut rest = line;
    while let Some(at) = rest.find("{{") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if !comment {
            *in_string = ends_in_string(before, *in_string);
        }
        let end = from.find("}}").ok_or_else(|| (from.to_owned(), FlawKind::Unclosed))?;
        let (placeholder, after) = from.split_at(end + 2);
        let value = values
            .get(placeholder[2..end].trim())
            .ok_or_else(|| (placeholder.to_owned(), FlawKind::Unknown))?;
        if *in_string {
            return Err((placeholder.to_owned(), FlawKind::Quoted));
        }
        // Writing to a String cannot fail.
        let _ = match value {
            // A folded literal in a comment would end the comment: see `Quoted::fold_into`.
            Value::Text(quoted) if comment => {
                out.push_str(quoted.as_str());
                Ok(())
            }
            Value::Text(quoted) => {
                let column = out.len() - out.rfind('\n').map_or(0, |n| n + 1);
                quoted.fold_into(out, column);
                Ok(())
            }
            Value::Number(n) => write!(out, "{n}"),
            Value::Word(word) => write!(out, "{word}"),
            Value::Seconds(n) => write!(out, "{n}s"),
            Value::Address(a) => write!(out, "{a}"),
            Value::Remarks(remarks) => {
                push_remarks(remarks, out);
                Ok(())
            }
        };
        rest = after;
    }
    if !comment {
        *in_string = ends_in_string(rest, *in_string);
    }
    out.push_str(rest);
    // A line that was nothing but an empty list of remarks leaves no empty line.
    if out.len() > start || line.is_empty() {
        out.push('\n');
    }
    Ok(())
}

/// Whether a string literal is open after `text`, when one was or was not open before.
fn ends_in_string(text: &str, mut open: bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'"' => open = !open,
            b'\\' if open => {
                bytes.next();
            }
            _ => {}
        }
    }
    open
}

/// Comment lines, the continued ones indented under the first.
fn push_remarks(remarks: &[(String, Quoted)], out: &mut String) {
    let mut first = true;
    for (label, text) in remarks {
        let mut head = label.as_str();
        for piece in text.pieces(180) {
            if !first {
                out.push('\n');
            }
            out.push_str("# ");
            out.push_str(head);
            out.push(' ');
            out.push_str(piece);
            head = " ";
            first = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let mut v = Values::default();
        v.set("name", Value::text("K\u{e4}se \"1\""));
        v.set("long", Value::text(&"x;/ y\n".repeat(100)));
        v.set("port", Value::Number(51820));
        v.flags = vec![("yes", true), ("no", false)];
        v
    }

    fn filled(template: &str) -> String {
        expand(template, &values(), Directives::On).expect("template").to_string()
    }

    fn flaw(template: &str) -> (usize, FlawKind) {
        let f = expand(template, &values(), Directives::On).expect_err("flaw");
        (f.line, f.kind)
    }

    #[test]
    fn placeholders_become_literals_and_numbers() {
        assert_eq!(
            filled("add comment={{name}} port={{ port }}"),
            "add comment=\"K\\C3\\A4se \\\"1\\\"\" port=51820\n"
        );
    }

    #[test]
    fn directives_keep_and_drop_lines() {
        assert_eq!(
            filled("a\n#if yes\nb\n#else\nc\n#end\n#if no\nd\n#if yes\ne\n#end\n#end\n#- f\n# g"),
            "a\nb\n# g\n"
        );
        assert_eq!(filled("#if !no\na\n#end"), "a\n");
        assert_eq!(flaw("#if maybe\n#end"), (1, FlawKind::Directive));
        assert_eq!(flaw("a\n#end"), (2, FlawKind::Directive));
        assert_eq!(flaw("#if yes\na"), (2, FlawKind::Directive));
    }

    #[test]
    fn directives_of_operators_are_comments() {
        let out = expand("#if you like\n#-\n#end", &values(), Directives::Off).expect("comments");
        assert_eq!(out.as_str(), "#if you like\n#-\n#end\n");
    }

    #[test]
    fn a_placeholder_that_cannot_be_filled_is_named_with_its_line() {
        assert_eq!(flaw("a\n{{nmae}}"), (2, FlawKind::Unknown));
        assert_eq!(flaw("{{name"), (1, FlawKind::Unclosed));
        assert_eq!(flaw("add comment=\"{{name}}\""), (1, FlawKind::Quoted));
        assert_eq!(flaw("add comment=\"a\\\"\n {{name}}\""), (2, FlawKind::Quoted));
    }

    #[test]
    fn quotes_in_comments_open_no_string() {
        assert_eq!(filled("# don\"t\nx={{port}}"), "# don\"t\nx=51820\n");
    }

    #[test]
    fn a_comment_is_never_continued_on_a_line_that_would_run() {
        let out = filled("# {{long}}\n:put {{long}}");
        assert_eq!(out.lines().next().expect("comment").matches("x;/ y\\0A").count(), 100);
        assert!(out.lines().skip(1).all(|l| l.len() <= 250));
    }
}
