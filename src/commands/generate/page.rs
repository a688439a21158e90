//! A manual page under construction: sections, paragraphs, terms and their explanation.

use roff::{Inline, Roff, bold, roman};

/// When the text of the pages was last changed in earnest; goes up with the version.
const DATE: &str = "2026-11-24";
/// Source lines of a page are not longer than this, escapes included.
const WIDTH: usize = 78;

/// A page that grows from top to bottom.
pub(super) struct Page(Roff);

impl Page {
    /// `name` as in `iwas-wg-location-add`, and the one line that whatis(1) shows.
    pub(super) fn new(name: &str, section: &str, about: &str) -> Self {
        let mut roff = Roff::new();
        let source = format!("iwas-wg {}", env!("CARGO_PKG_VERSION"));
        roff.control("TH", [&*name.to_uppercase(), section, DATE, &source, "iwas-wg manual"]);
        let mut page = Self(roff);
        page.section("NAME");
        page.paragraph(&format!("{name} - {about}"));
        page
    }

    pub(super) fn section(&mut self, title: &str) {
        self.0.control("SH", [title]);
    }

    /// Running text; an empty line in it begins a new paragraph.
    pub(super) fn paragraph(&mut self, text: &str) {
        for (i, part) in text.split("\n\n").enumerate() {
            if i > 0 {
                self.0.control("PP", []);
            }
            self.fill(part);
        }
    }

    /// A further paragraph of the same section.
    pub(super) fn next_paragraph(&mut self, text: &str) {
        self.0.control("PP", []);
        self.paragraph(text);
    }

    /// A term and what it means.
    pub(super) fn term(&mut self, term: Vec<Inline>, text: &str) {
        self.0.control("TP", []);
        self.0.text(term);
        for (i, part) in text.split("\n\n").enumerate() {
            if i > 0 {
                self.0.control("IP", []);
            }
            self.fill(part);
        }
    }

    /// One line in several fonts.
    pub(super) fn line(&mut self, line: Vec<Inline>) {
        self.0.text(line);
    }

    /// Lines as they are, indented.
    pub(super) fn verbatim<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        self.0.control("RS", ["4"]);
        self.0.control("nf", []);
        for line in lines {
            // An empty line would be one of the source, not of the page.
            if line.is_empty() {
                self.0.control("sp", [])
            } else {
                self.0.text([roman(line)])
            };
        }
        self.0.control("fi", []);
        self.0.control("RE", []);
    }

    /// Other pages, as `name(section)`.
    pub(super) fn see_also(&mut self, pages: &[String]) {
        self.section("SEE ALSO");
        for (i, page) in pages.iter().enumerate() {
            let (name, section) = page.split_once('(').unwrap_or((page, ""));
            let comma = if i + 1 < pages.len() { "," } else { "" };
            self.0.text([bold(name), roman(format!("({section}{comma}"))]);
        }
    }

    pub(super) fn finish(self) -> String {
        self.0.render()
    }

    fn fill(&mut self, text: &str) {
        let wide = |c: char| match c {
            '-' | '\\' => 2,
            '\'' => 5,
            c => c.len_utf8(),
        };
        let mut line = String::new();
        let mut width = 0;
        for word in text.split_whitespace() {
            let more: usize = 1 + word.chars().map(wide).sum::<usize>();
            if width > 0 && width + more > WIDTH {
                self.0.text([roman(std::mem::take(&mut line))]);
                width = 0;
            }
            if width > 0 {
                line.push(' ');
            }
            line.push_str(word);
            width += more;
        }
        if width > 0 {
            self.0.text([roman(line)]);
        }
    }
}
