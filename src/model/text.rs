//! Words for people: numbers with their noun, sizes, what a mistyped word may have meant, and text
//! that is harmless where it is shown.

use std::borrow::Cow;

/// From which likeness on a word is a guess, of 1 for the same: below, it would only mislead.
const LIKE: f64 = 0.8;

/// The one of these that is most like a word, in whatever case; `None` if none is like it.
pub fn closest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let letters = word.chars().count();
    let measured = among.into_iter().filter_map(|one| {
        let lower = one.to_lowercase();
        let mistakes = strsim::damerau_levenshtein(&lower, &word);
        let likeness = strsim::jaro_winkler(&lower, &word);
        // One mistake is much in a short word, and a long one may be cut off.
        let is_like = mistakes <= (1 + letters / 4).min(letters / 2) || likeness > LIKE;
        is_like.then_some((mistakes, likeness, one))
    });
    let best = measured.min_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    best.map(|(_, _, one)| one)
}

/// Longest message, in characters: a value of any size must not drown its reason.
const MESSAGE_MAX: usize = 480;
/// How much of the end of a longer one is kept: the reason is there.
const MESSAGE_END: usize = 160;

/// A message on one line that is not longer than a screen: what is too long loses its middle.
pub fn message(text: &str) -> String {
    let line: String = text.chars().map(|c| if steers_a_terminal(c) { ' ' } else { c }).collect();
    let long = line.chars().count();
    if long <= MESSAGE_MAX {
        return line;
    }
    let begin: String = line.chars().take(MESSAGE_MAX - MESSAGE_END - 1).collect();
    let end: String = line.chars().skip(long - MESSAGE_END).collect();
    format!("{begin}…{end}")
}

/// Control characters, and the invisible ones that reorder or hide what stands beside them: the one
/// rule for all that goes to a terminal.
pub fn steers_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Characters that show nothing, with which one text can look like another.
pub fn is_invisible(c: char) -> bool {
    steers_a_terminal(c)
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// A cell of a CSV file that no spreadsheet takes for a formula: a quote goes before what begins like
/// one, also before such a quote, so that [`from_cell`] gives the very text back.
pub fn to_cell(text: &str) -> Cow<'_, str> {
    if is_formula(text) { format!("'{text}").into() } else { text.into() }
}

/// The text of a cell that [`to_cell`] made.
pub fn from_cell(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_formula(text)).unwrap_or(cell)
}

fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// A number with its noun: `1 site`, `2 sites`.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {}", plural(n, noun, &format!("{noun}s")))
}

/// The word that goes with a number: `plural(n, "is", "are")`.
pub fn plural<'a>(n: usize, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// Bytes in the largest binary unit that leaves a whole number in front.
pub fn size(bytes: u64) -> String {
    let mut tenths = u128::from(bytes) * 10;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if tenths < 10_240 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
        tenths /= 1024;
    }
    format!("{} PiB", tenths / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_size_and_keeps_its_reason() {
        assert_eq!(message("short\nand\u{feff}plain"), "short and plain");
        let long = message(&format!("name {:?} is too long", "x".repeat(20_000)));
        assert_eq!(long.chars().count(), MESSAGE_MAX);
        assert!(long.starts_with("name \"xxx") && long.ends_with("xxx\" is too long"), "{long}");
    }

    #[test]
    fn no_cell_is_a_formula_and_each_comes_back_as_it_was() {
        for text in
            ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "'=1", "''=1", "'", "", "a=b", "it's", "'a", "ä"]
        {
            let cell = to_cell(text);
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            assert_eq!(from_cell(&cell), text);
        }
        assert_eq!(to_cell("'a"), "'a");
    }

    #[test]
    fn a_number_has_the_right_noun() {
        assert_eq!((count(0, "site"), count(1, "site")), ("0 sites".to_owned(), "1 site".to_owned()));
        assert_eq!(format!("2 sites {}", plural(2, "is", "are")), "2 sites are");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1 << 30, "1.0 GiB"), (1 << 50, "1 PiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_guess_is_made_only_for_what_is_alike() {
        let known = ["hub", "endpoint", "listen_port"];
        for (word, meant) in [
            ("hbu", Some("hub")),
            ("Endpiont", Some("endpoint")),
            ("listen", Some("listen_port")),
            ("zzz", None),
            ("a", None),
        ] {
            assert_eq!(closest(word, known), meant, "{word}");
        }
    }
}
