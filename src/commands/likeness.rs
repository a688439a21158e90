//! What somebody who mistyped a word may have meant.

/// How like two words must be, of 1 for the same: below, a guess would only mislead.
const LIKE: f64 = 0.8;

/// The one of these that is most like a word; `None` if none is like it.
pub(super) fn similar<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let measured = among.into_iter().map(|one| (strsim::jaro_winkler(one, word), one));
    let like = measured.filter(|(likeness, _)| *likeness > LIKE);
    like.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, one)| one)
}
