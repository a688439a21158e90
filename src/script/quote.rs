//! Text on its way into a RouterOS script.
//!
//! [`Quoted`] is the only way for a string to get there, and the escaper is the only way to make
//! one: whatever a description or an organization contains, the router reads back that very text
//! and never a command. This file knows the router's string syntax and nothing of locations.

use zeroize::Zeroizing;

/// Longest line that is written; longer ones are known to be lost by some terminals on paste.
pub(super) const LINE_MAX: usize = 250;

/// Room that a folded line keeps for what follows the value: closing quote and `\`.
const FOLD_AT: usize = LINE_MAX - 12;

/// Indentation of a folded line. The router swallows it with the line break.
const FOLD_INDENT: &str = "    ";

/// A string literal of RouterOS, quotes included: printable ASCII on one line, wiped when dropped.
pub(super) struct Quoted(Zeroizing<String>);

impl Quoted {
    /// Escapes `text`, byte by byte of its UTF-8.
    pub(super) fn new(text: &str) -> Self {
        // The largest it can become, so that a key is never left behind by a growing buffer.
        let mut out = Zeroizing::new(String::with_capacity(text.len() * 3 + 2));
        out.push('"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' | b'$' => {
                    out.push('\\');
                    out.push(char::from(byte));
                }
                // `?` asks for help in the terminal of older versions, even between quotes.
                b'?' | 0..=0x1f | 0x7f..=0xff => push_hex(&mut out, byte),
                _ => out.push(char::from(byte)),
            }
        }
        out.push('"');
        Self(out)
    }

    /// The literal on one line, whatever its length.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends the literal to a line that already has `column` characters, folded as the router's
    /// own export folds: a backslash at the end of the line, the rest indented on the next.
    ///
    /// Not for comments, which a backslash does not continue: there the rest would be run.
    pub(super) fn fold_into(&self, out: &mut String, column: usize) {
        if column + self.0.len() <= FOLD_AT {
            out.push_str(&self.0);
            return;
        }
        let mut column = column;
        let mut rest = self.0.as_str();
        while !rest.is_empty() {
            let (atom, after) = rest.split_at(atom_len(rest));
            if column + atom.len() > FOLD_AT && !after.is_empty() {
                out.push_str("\\\n");
                out.push_str(FOLD_INDENT);
                column = FOLD_INDENT.len();
                // A space here would be taken for indentation.
                if atom == " " {
                    out.push_str("\\20");
                    column += 3;
                    rest = after;
                    continue;
                }
            }
            out.push_str(atom);
            column += atom.len();
            rest = after;
        }
    }

    /// The literal cut into pieces for comment lines of at most `width` characters.
    pub(super) fn pieces(&self, width: usize) -> Vec<&str> {
        let mut pieces = Vec::new();
        let mut rest = self.0.as_str();
        while !rest.is_empty() {
            let mut end = 0;
            while end < rest.len() && end + atom_len(&rest[end..]) <= width {
                end += atom_len(&rest[end..]);
            }
            let (piece, after) = rest.split_at(end.max(1));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

/// Length of the first character or escape of a literal.
fn atom_len(literal: &str) -> usize {
    match literal.as_bytes() {
        [b'\\', b'"' | b'\\' | b'$', ..] => 2,
        [b'\\', _, _, ..] => 3,
        _ => 1,
    }
}

fn push_hex(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('\\');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a literal as the router does: joined lines, the escapes it knows, an error for the rest.
    fn unquote(literal: &str) -> Result<Vec<u8>, String> {
        let body = literal.strip_prefix('"').ok_or("no opening quote")?;
        let mut bytes = body.bytes().peekable();
        let mut out = Vec::new();
        loop {
            match bytes.next().ok_or("no closing quote")? {
                b'"' if bytes.peek().is_none() => return Ok(out),
                b'"' => return Err("text after the closing quote".into()),
                b'$' => return Err("a bare $ starts a variable".into()),
                b'?' => return Err("a bare ? asks for help".into()),
                b'\\' => match bytes.next().ok_or("backslash at the end")? {
                    b'\n' => while bytes.next_if(|b| *b == b' ').is_some() {},
                    c @ (b'"' | b'\\' | b'$' | b'?') => out.push(c),
                    b'_' => out.push(b' '),
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'a' => out.push(7),
                    b'b' => out.push(8),
                    b'f' => out.push(12),
                    b'v' => out.push(11),
                    high => {
                        let low = bytes.next().ok_or("half an escape")?;
                        let digit = |b: u8| match b {
                            b'0'..=b'9' => Ok(b - b'0'),
                            b'A'..=b'F' => Ok(b - b'A' + 10),
                            _ => Err(format!("unknown escape at {:?}", char::from(b))),
                        };
                        out.push(digit(high)? << 4 | digit(low)?);
                    }
                },
                raw @ 0x20..=0x7e => out.push(raw),
                raw => return Err(format!("raw byte {raw:#04x}")),
            }
        }
    }

    #[test]
    fn what_steers_a_script_is_escaped() {
        for (text, literal) in [
            ("", "\"\""),
            ("cafe", "\"cafe\""),
            ("a\"b", "\"a\\\"b\""),
            ("a\\b", "\"a\\\\b\""),
            ("$x $[y] $(z)", "\"\\$x \\$[y] \\$(z)\""),
            ("why?", "\"why\\3F\""),
            ("a\nb\tc", "\"a\\0Ab\\09c\""),
            ("Käffchen", "\"K\\C3\\A4ffchen\""),
            ("; / { } [ ] ( ) # = '", "\"; / { } [ ] ( ) # = '\""),
            ("\u{7f}", "\"\\7F\""),
        ] {
            assert_eq!(Quoted::new(text).as_str(), literal);
        }
    }

    #[test]
    fn a_short_value_stays_on_its_line() {
        let mut out = String::from("  :local iwTag ");
        Quoted::new("iwas-wg:cafe").fold_into(&mut out, 15);
        assert_eq!(out, "  :local iwTag \"iwas-wg:cafe\"");
    }

    #[test]
    fn every_character_there_is_comes_back() {
        let all: Vec<char> = (0..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
        assert_eq!(all.len(), 0x11_0000 - 0x800);
        for some in all.chunks(4096) {
            let text: String = some.iter().collect();
            let mut folded = String::new();
            Quoted::new(&text).fold_into(&mut folded, 40);
            assert!(folded.is_ascii());
            assert_eq!(unquote(&folded), Ok(text.into_bytes()), "from {:?}", some[0]);
        }
    }

    proptest! {
        #[test]
        fn the_router_reads_back_what_was_written(text in any::<String>(), column in 0usize..100) {
            let quoted = Quoted::new(&text);
            prop_assert_eq!(unquote(quoted.as_str()), Ok(text.clone().into_bytes()));
            let mut folded = String::new();
            quoted.fold_into(&mut folded, column);
            prop_assert_eq!(unquote(&folded), Ok(text.into_bytes()));
        }

        #[test]
        fn long_values_are_folded_within_the_line(
            text in "[ \"\\\\$?;\u{fc}\u{1f600}a\n]{0,700}",
            column in 0usize..100,
        ) {
            let quoted = Quoted::new(&text);
            let mut folded = " ".repeat(column);
            quoted.fold_into(&mut folded, column);
            prop_assert_eq!(unquote(folded.trim_start()), Ok(text.into_bytes()));
            for line in folded.lines() {
                prop_assert!(line.len() < LINE_MAX, "{} characters: {line}", line.len());
                prop_assert!(line.is_ascii() && !line.contains('\t'));
            }
        }

        #[test]
        fn pieces_are_the_literal_and_never_cut_an_escape(text in any::<String>(), width in 8usize..80) {
            let quoted = Quoted::new(&text);
            let pieces = quoted.pieces(width);
            prop_assert_eq!(pieces.concat(), quoted.as_str());
            for piece in pieces {
                prop_assert!(piece.len() <= width);
            }
        }
    }
}
