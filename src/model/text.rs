//! Words for people: numbers with their noun, sizes, and what a mistyped word may have meant.

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
