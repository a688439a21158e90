//! Every kind with every combination of options: linted here, and written out for the independent
//! linter when `IWAS_SCRIPT_MATRIX` names a directory (see `tests/lint-scripts.sh`).

use super::{Spoke, key, public};
use crate::routeros::lint;
use iwas_wg::model::router::Watchdog;
use iwas_wg::{
    model::{
        KeyMode,
        router::{Reach, Service},
    },
    script::{self, Kind},
};
use std::{collections::HashSet, env, fs, path::PathBuf};

/// What the operator might add, with every documented placeholder.
fn template() -> String {
    let lines: Vec<String> = script::PLACEHOLDERS.iter().map(|p| format!(":put {{{{{p}}}}}")).collect();
    lines.join("\n")
}

/// Calls `take` with a file name and a script for every combination.
fn each(mut take: impl FnMut(&str, &str)) {
    // Name, mode, whether the hub has a private key to give, a public one, and the next public one.
    let keys: [(&str, KeyMode, bool, bool, bool); 5] = [
        ("stored", KeyMode::Stored, true, true, false),
        ("once", KeyMode::Once, false, true, false),
        ("router", KeyMode::Router, false, false, false),
        ("router-known", KeyMode::Router, false, true, false),
        ("router-next", KeyMode::Router, false, true, true),
    ];
    let managements =
        [Service::ALL.to_vec(), vec![Service::Icmp], vec![Service::Ssh, Service::Winbox], Vec::new()];
    for kind in Kind::ALL {
        for (mode_name, mode, has_key, known, next) in keys {
            for reach in [Reach::Any, Reach::Network, Reach::Hub] {
                for (m, management) in managements.iter().enumerate() {
                    // The remaining switches: on or off together, and each alone.
                    for switches in [0_u8, 0b1_1111, 1, 2, 4, 8, 16] {
                        let on = |bit: u8| switches & (1 << bit) != 0;
                        let mut spoke = Spoke::new();
                        spoke.location.key_mode = mode;
                        spoke.location.public_key = known.then(|| public(7));
                        spoke.private_key = has_key.then_some(7);
                        spoke.next_key = next.then(|| public(8));
                        spoke.options.reach = reach;
                        spoke.options.management.clone_from(management);
                        spoke.options.watchdog = if on(0) { Watchdog::On } else { Watchdog::Off };
                        if on(1) {
                            let routes = ["192.168.50.0/24", "172.16.0.0/12", "fd00:50::/64"];
                            spoke.options.routes = routes.map(|n| n.parse().expect("net")).into();
                        }
                        if on(2) {
                            spoke.options.listen_port = 0;
                            spoke.options.keepalive = 0;
                        }
                        if on(3) {
                            spoke.preshared_key = Some(key(9).expose().to_string());
                            spoke.endpoint = "2001:db8::1";
                        }
                        if on(4) {
                            spoke.location.name = "x".repeat(63).parse().expect("name");
                            spoke.location.org = Some("K\u{e4}se \"1\" $x \\".parse().expect("org"));
                            let text = "\u{fc}\"\\$?\n\t;/system reboot {}[]()";
                            spoke.location.description = Some(text.repeat(17).parse().expect("text"));
                            spoke.location.tags = [("a.b".to_owned(), "?;".to_owned())].into();
                            let nets = (0..30).map(|n| format!("10.{n}.0.0/16").parse().expect("net"));
                            spoke.options.allowed_address = nets.collect();
                        }
                        let name = format!("{kind}-{mode_name}-{reach}-m{m}-s{switches:02}.rsc");
                        take(&name, &spoke.render(kind));
                        if m == 0 && kind == Kind::Install {
                            take(&format!("template-{name}"), &spoke.template(&template()));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn every_combination_parses_on_7_1_without_a_finding() {
    let directory = env::var_os("IWAS_SCRIPT_MATRIX").map(PathBuf::from);
    if let Some(directory) = &directory {
        fs::create_dir_all(directory).expect("directory for the matrix");
    }
    let mut count = 0;
    // Many options leave many kinds as they are: the linter is given each text once.
    let mut seen = HashSet::new();
    each(|name, text| {
        count += 1;
        if !seen.insert(text.to_owned()) {
            return;
        }
        assert_eq!(lint(text), Vec::<String>::new(), "{name}");
        for line in text.lines().filter(|_| !name.starts_with("template")) {
            assert!(line.len() <= 250 && line.bytes().all(|b| (0x20..0x7f).contains(&b)), "{name}: {line}");
        }
        if let Some(directory) = &directory {
            fs::write(directory.join(name), text).expect("write script");
            // What netwatch runs is a string to the linter: give it the inner script as well.
            if let Some(inner) = watchdog_of(text) {
                fs::write(directory.join(format!("watchdog-{name}")), inner).expect("write script");
            }
        }
    });
    assert_eq!(count, 4 * 5 * 3 * 4 * 7 + 5 * 3 * 7);
}

/// The script inside `iwDog`, as the router would store it.
fn watchdog_of(script: &str) -> Option<String> {
    let start = script.find("  :local iwDog ")?;
    let text = &script[start..];
    let end = text.find("\n  :if ")?;
    let mut router = crate::routeros::Router::bare();
    let outcome = router.import(&format!("{{\n{}\n:put $iwDog\n}}", &text[..end]));
    let inner = outcome.output.concat();
    assert_eq!(lint(&inner), Vec::<String>::new());
    Some(inner)
}
