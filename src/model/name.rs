//! Names people give: locations, organizations, descriptions, tags.
//!
//! A name is taken as it is or refused; it is never trimmed or folded.

use super::{
    Invalid,
    text::{is_invisible, steers_a_terminal},
};
use std::{fmt, str::FromStr};
use unicode_security::{MixedScript as _, skeleton};

/// Longest location name, so that it also fits a DNS label and a file name.
pub const NAME_MAX: usize = 63;
const ORG_MAX: usize = 100;
/// Longest description, in characters.
pub const DESCRIPTION_MAX: usize = 500;

/// A location's name: 1 to 63 of `a-z 0-9 . _ -`, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationName(String);

impl LocationName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LocationName {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        let refuse = |reason: String| {
            Err(Invalid::new(
                "location name",
                s,
                reason,
                "use 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit",
            ))
        };
        if s.is_empty() {
            return refuse("is empty".into());
        }
        if s.len() > NAME_MAX && s.is_ascii() {
            return refuse(format!("has {} characters, {NAME_MAX} at most", s.len()));
        }
        if let Some(c) = s.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-')) {
            return refuse(format!("contains {}", describe_char(c)));
        }
        if !s.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return refuse("does not begin with a letter or digit".into());
        }
        Ok(Self(s.to_owned()))
    }
}

impl fmt::Display for LocationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The organization that owns a location: free text on one line, up to 100 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Org(String);

impl Org {
    /// The organization's name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Requires that a new name cannot be taken for another: nothing invisible, one script only, and not
/// all of it letters that look like Latin ones.
///
/// # Errors
/// [`Invalid`] with what is wrong.
pub fn check_distinct(what: &'static str, name: &str) -> Result<(), Invalid> {
    let refuse = |reason: String, hint: &str| Err(Invalid::new(what, name, reason, hint));
    if let Some(c) = name.chars().find(|c| is_invisible(*c)) {
        let hint = "remove what cannot be seen";
        return refuse(format!("contains the invisible character U+{:04X}", u32::from(c)), hint);
    }
    let hint = "write it in one script, as those who read it type it";
    if !name.is_single_script() {
        return refuse("mixes letters of several scripts".into(), hint);
    }
    // Letters alone: a typographic quote is no disguise.
    let foreign = name.chars().filter(|c| c.is_alphabetic()).collect::<String>();
    if !foreign.is_ascii() && skeleton(&foreign).all(|c| c.is_ascii()) {
        return refuse("looks like a name in Latin letters and is none".into(), hint);
    }
    Ok(())
}

impl FromStr for Org {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        check_text("org", s, 1, ORG_MAX, false)?;
        if s.trim() != s {
            return Err(Invalid::new(
                "org",
                s,
                "begins or ends with a space",
                "give the name without surrounding spaces",
            ));
        }
        Ok(Self(s.to_owned()))
    }
}

/// An organization as a person gives it to a location: none that could be taken for another. The
/// store may have older ones.
#[derive(Debug)]
pub struct NewOrg(pub Org);

impl FromStr for NewOrg {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        let org: Org = s.parse()?;
        check_distinct("org", s)?;
        Ok(Self(org))
    }
}

/// Free text about a location, up to 500 characters; line breaks and tabs are its only
/// control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Description {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        check_text("description", s, 0, DESCRIPTION_MAX, true)?;
        Ok(Self(s.chars().filter(|c| matches!(c, '\n' | '\t') || !is_invisible(*c)).collect()))
    }
}

/// Refuses text that is too short, too long or could steer a terminal.
pub(super) fn check_text(
    what: &'static str,
    s: &str,
    min: usize,
    max: usize,
    line_breaks: bool,
) -> Result<(), Invalid> {
    let count = s.chars().count();
    if count < min {
        return Err(Invalid::new(what, s, "is empty", "give at least one character"));
    }
    if count > max {
        let hint = format!("shorten it to {max} characters");
        return Err(Invalid::new(what, s, format!("has {count} characters, {max} at most"), hint));
    }
    match s.chars().find(|&c| steers_a_terminal(c) && !(line_breaks && matches!(c, '\n' | '\t'))) {
        Some(c) => {
            Err(Invalid::new(what, s, format!("contains {}", describe_char(c)), "remove control characters"))
        }
        None => Ok(()),
    }
}

fn describe_char(c: char) -> String {
    match c {
        ' ' => "a space".into(),
        c if steers_a_terminal(c) => format!("the control character U+{:04X}", u32::from(c)),
        c if c.is_ascii_uppercase() => format!("the capital letter '{c}'"),
        c => format!("the character '{c}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_they_are_or_refused() {
        for good in ["a", "0", "cafe-central", "a.b_c-9", &"x".repeat(63)] {
            assert_eq!(good.parse::<LocationName>().expect(good).as_str(), good);
        }
        for bad in [
            "",
            " ",
            "Cafe",
            " cafe",
            "cafe ",
            "-cafe",
            ".cafe",
            "_cafe",
            "ca fe",
            "café",
            "cafe\n",
            "a/b",
            "a\"b",
            "../x",
            "\u{202e}x",
            &"x".repeat(64),
        ] {
            assert!(bad.parse::<LocationName>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn the_reason_names_the_character() {
        let e = "Cafe".parse::<LocationName>().expect_err("capital");
        assert_eq!(e.to_string(), "location name \"Cafe\" contains the capital letter 'C'");
        let e = "a\u{1b}".parse::<LocationName>().expect_err("escape");
        assert_eq!(e.reason, "contains the control character U+001B");
    }

    #[test]
    fn a_name_that_could_be_taken_for_another_is_refused() {
        for good in [
            "acme",
            "Käffchen & Söhne \"GmbH\" $1",
            "Macy’s 24/7",
            "Яндекс",
            "Ελλάς ΑΕ",
            "東京タワー",
            "L’Oréal",
            "Łódź",
        ] {
            assert_eq!(check_distinct("org", good), Ok(()), "{good}");
        }
        for bad in [
            "ac\u{ad}me",
            "acme\u{34f}",
            "acme\u{115f}",
            "acme\u{2800}",
            "acme\u{3164}",
            "acme\u{fe0f}",
            "acme\u{180e}",
            "acme\u{fff9}",
            "acme\u{61c}",
            "acme\u{e0041}",
            "\u{430}cme",
            "acm\u{435}",
            "\u{430}\u{441}\u{435}",
            "\u{ff41}\u{ff43}\u{ff4d}\u{ff45}",
        ] {
            assert!(check_distinct("org", bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn orgs_and_descriptions_take_any_visible_text() {
        assert!("Käffchen & Söhne \"GmbH\" $1 \\ [x]{y};".parse::<Org>().is_ok());
        assert!("zwei\nZeilen\tund \u{1f600}".parse::<Description>().is_ok());
        assert!("".parse::<Description>().is_ok());
        for bad in ["", " acme", "acme ", "ac\nme", "ac\u{1b}[31mme", "a\u{202e}b"] {
            assert!(bad.parse::<Org>().is_err(), "{bad:?} was accepted");
        }
        for bad in ["a\u{1b}]0;x\u{7}", "a\r\nb", "a\u{9b}b", "a\0b", "\u{feff}a"] {
            assert!(bad.parse::<Description>().is_err(), "{bad:?} was accepted");
        }
    }
}
