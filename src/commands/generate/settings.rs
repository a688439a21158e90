//! `iwas-wg.toml(5)` from the list of settings that the settings file is checked against.

use super::page::Page;
use crate::settings::{KNOWN, Key};
use roff::{bold, italic, roman};

/// A file that works as it stands.
const EXAMPLE: &str = r#"[hub]
endpoint = "vpn.example.com"
network  = "10.20.0.0/16"
reserved = ["10.20.0.2-10.20.0.99"]

[router]
routes    = ["192.168.10.0/24"]
reach     = "network"
keepalive = 25

[keys]
mode = "once"

[heartbeat]
metrics_file = "/var/lib/prometheus/node-exporter/iwas-wg.prom"

[access.roles]
night-shift = ["net:location:read", "net:peer:write"]

[[access.grants]]
group = "noc"
role  = "night-shift"

[[access.grants]]
user = "anna"
role = "org-admin"
org  = "acme"
"#;

pub(super) fn page() -> String {
    let mut page = Page::new("iwas-wg.toml", "5", "settings of a WireGuard hub for MikroTik routers");
    page.section("SYNOPSIS");
    page.line(vec![italic("/etc/iwas-wg/config.toml")]);
    page.section("DESCRIPTION");
    page.paragraph(
        "The settings of iwas-wg(8), in TOML. \"iwas-wg init\" writes the file with every setting and its \
         meaning. All settings have a default, and a file without any is valid; but without hub.endpoint no \
         location can be given its keys.\n\n\
         A flag comes before a variable, a variable before this file, this file before the default. A key or \
         value that cannot be right is refused with its line, and so is one that this version would not \
         honour: nothing is ever ignored. Paths are absolute, and lie below --root where that is given.",
    );
    for section in KNOWN {
        page.section(&format!("[{}]", section.name));
        page.paragraph(section.about);
        for key in section.keys {
            setting(&mut page, key);
        }
    }
    page.section("EXIT STATUS");
    page.paragraph(
        "A program that cannot use the file exits with 6; one that cannot use a variable, with 2.",
    );
    page.section("ENVIRONMENT");
    page.paragraph("A variable that is empty counts as not set.");
    for section in KNOWN {
        for key in section.keys {
            if let Some(variable) = key.variable {
                page.term(vec![bold(variable)], &format!("{}.{}", section.name, key.name));
            }
        }
    }
    page.section("FILES");
    page.term(
        vec![italic("/etc/iwas-wg/config.toml")],
        "The file, mode 0644: it holds no secrets. --config and IWAS_WG_CONFIG name another. For a user other \
         than root it is $XDG_CONFIG_HOME/iwas-wg/config.toml.",
    );
    page.section("EXAMPLES");
    page.paragraph("A large fleet whose keys the hub does not keep, and two kinds of helpers:");
    page.verbatim(EXAMPLE.lines());
    page.see_also(&["iwas-wg(8)", "iwas-wg-init(8)", "iwas-wg-doctor(8)", "wg-quick(8)"].map(str::to_owned));
    page.finish()
}

fn setting(page: &mut Page, key: &Key) {
    let term = vec![bold(key.name), roman(" = "), italic(key.default)];
    page.term(term, key.about);
}
