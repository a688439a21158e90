//! Templates that are put together: `#include NAME` stands for a part that several scripts share,
//! indented as that line is.

/// The parts, by name.
const PARTS: &[(&str, &str)] = &[
    ("firewall-look", include_str!("templates/parts/firewall-look.rsc")),
    ("firewall-set", include_str!("templates/parts/firewall-set.rsc")),
    ("install-look", include_str!("templates/parts/install-look.rsc")),
    ("install-report", include_str!("templates/parts/install-report.rsc")),
    ("install-session", include_str!("templates/parts/install-session.rsc")),
    ("install-set", include_str!("templates/parts/install-set.rsc")),
    ("install-watchdog", include_str!("templates/parts/install-watchdog.rsc")),
    ("put-back", include_str!("templates/parts/put-back.rsc")),
    ("unset-preshared", include_str!("templates/parts/unset-preshared.rsc")),
    ("verdict", include_str!("templates/parts/verdict.rsc")),
    ("warn-access", include_str!("templates/parts/warn-access.rsc")),
    ("warn-clock", include_str!("templates/parts/warn-clock.rsc")),
    ("way-back", include_str!("templates/parts/way-back.rsc")),
];

/// A template with its parts in place of their names.
pub(super) fn assemble(template: &str) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    for line in template.lines() {
        let stripped = line.trim_start();
        match stripped.strip_prefix("#include ") {
            None => {
                out.push_str(line);
                out.push('\n');
            }
            Some(name) => {
                let part = PARTS.iter().find(|(n, _)| *n == name);
                let (_, part) = part.unwrap_or_else(|| unreachable!("template: no part {name:?}"));
                let indent = &line[..line.len() - stripped.len()];
                for line in assemble(part).lines() {
                    // Directives of `expand` stand at the beginning of a line.
                    if !["#if ", "#else", "#end", "#-"].iter().any(|d| line.starts_with(d)) {
                        out.push_str(indent);
                    }
                    out.push_str(line);
                    out.push('\n');
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Kind;

    #[test]
    fn every_part_is_used_and_none_is_left_in_a_script() {
        let all: String = PARTS.iter().map(|(_, text)| *text).collect();
        let scripts: String = Kind::ALL.into_iter().map(Kind::template).collect();
        assert!(!scripts.contains("#include"));
        let first_line =
            |text: &str| text.lines().find(|l| !l.starts_with('#')).expect("a line").trim().to_owned();
        for (name, text) in PARTS {
            assert!(scripts.contains(&first_line(text)), "{name} is in no script");
        }
        assert!(all.contains("#include unset-preshared"), "a part may have parts");
    }
}
