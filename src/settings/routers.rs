//! `[router]` and `[[router.for]]`: what a rendered script contains, for all locations and for some.

use super::{
    Settings, SettingsError,
    file::{File, Value, suggest},
    known::KNOWN,
};
use crate::model::{Location, Org, RouterFor, RouterOptions, RouterOverrides};

impl Settings {
    /// What holds for the router of one location: `[router]`, then each `[[router.for]]` that names
    /// it, the later ones over the earlier.
    pub fn router_of(&self, location: &Location) -> RouterOptions {
        let mut options = self.router.clone();
        for section in self.router_for.iter().filter(|s| s.matches(location)) {
            options.apply(&section.overrides);
        }
        options
    }
}

/// `[router]` over the defaults.
pub(super) fn options(file: &File<'_>) -> Result<RouterOptions, SettingsError> {
    let mut options = RouterOptions::default();
    options.apply(&overrides(file, "router")?);
    Ok(options)
}

/// Every `[[router.for]]`.
pub(super) fn for_some(file: &File<'_>) -> Result<Vec<RouterFor>, SettingsError> {
    (0..file.tables("router.for")?).map(|n| for_one(file, &format!("router.for.{n}"))).collect()
}

fn for_one(file: &File<'_>, section: &str) -> Result<RouterFor, SettingsError> {
    let mut known: Vec<&str> = vec!["tag", "org"];
    known.extend(KNOWN.iter().filter(|s| s.name == "router").flat_map(|s| s.keys).map(|k| k.name));
    file.refuse_unknown_in(section, &known, suggest)?;
    let tag = match file.text(section, "tag")? {
        None => None,
        Some(v) => match v.text.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                Some((key.to_owned(), value.to_owned()))
            }
            _ => return Err(v.refused("is not a tag with its value", "write it as tag = \"KEY=VALUE\"")),
        },
    };
    let org: Option<Org> = file.parsed(section, "org")?;
    if tag.is_none() && org.is_none() {
        let hint = "add tag = \"KEY=VALUE\" or org = \"NAME\", or move its settings to [router]";
        return Err(file.refused_section(section, "names no tag and no org", hint));
    }
    Ok(RouterFor { tag, org, overrides: overrides(file, section)? })
}

fn overrides(file: &File<'_>, section: &str) -> Result<RouterOverrides, SettingsError> {
    let interface = match file.text(section, "interface")? {
        None => None,
        Some(v) => {
            let fits = (1..=15).contains(&v.text.len())
                && v.text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            if !fits {
                let hint = "use 1 to 15 letters, digits or . _ - such as \"wireguard-iwas\"";
                return Err(v.refused("is not a name for the router's interface", hint));
            }
            Some(v.text)
        }
    };
    let nets = |key| -> Result<Option<Vec<_>>, SettingsError> {
        if file.has(section, key) {
            file.list(section, key)?.iter().map(Value::parse_net).collect::<Result<_, _>>().map(Some)
        } else {
            Ok(None)
        }
    };
    let allowed_address = nets("allowed_address")?;
    if allowed_address.as_ref().is_some_and(Vec::is_empty) {
        return Err(file.refused_key(section, "allowed_address", "is empty", "name at least one network"));
    }
    let management = if file.has(section, "management") {
        Some(file.list(section, "management")?.iter().map(Value::parse).collect::<Result<_, _>>()?)
    } else {
        None
    };
    let routes = nets("routes")?;
    if routes.iter().flatten().any(|net| net.prefix_len() == 0) {
        let hint = "name the networks behind the hub: a default route would take the tunnel's own packets";
        return Err(file.refused_key(section, "routes", "has a default route", hint));
    }
    Ok(RouterOverrides {
        interface,
        listen_port: file.number(section, "listen_port", 0..=65535)?,
        keepalive: file.number(section, "keepalive", 0..=65535)?,
        mtu: file.number(section, "mtu", 576..=65535)?,
        routes,
        reach: file.parsed(section, "reach")?,
        watchdog: file.watchdog(section, "watchdog")?,
        allowed_address,
        management,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            KeyMode,
            router::{Reach, Watchdog},
        },
        settings::Places,
    };
    use std::collections::BTreeMap;

    fn load(text: &str) -> Result<Settings, SettingsError> {
        let dir = tempfile::tempdir().expect("dir");
        let config = dir.path().join("config.toml");
        std::fs::write(&config, text).expect("write");
        let vars = BTreeMap::new();
        Settings::load(Places::new(None, Some(&config), None, &vars, true), &vars).map_err(|mut e| {
            e.message = e.message.replace(&config.display().to_string(), "config.toml");
            e
        })
    }

    fn location(org: Option<&str>, tags: &[(&str, &str)]) -> Location {
        let now = "2026-11-22T11:14:05Z".parse().expect("time");
        Location {
            org: org.map(|o| o.parse().expect("org")),
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Location::new("cafe".parse().expect("name"), KeyMode::Stored, now)
        }
    }

    #[test]
    fn a_section_for_some_locations_comes_over_the_one_for_all_and_a_later_over_an_earlier() {
        let settings = load(
            "[router]\nmtu = 1400\nkeepalive = 20\n\
             [[router.for]]\ntag = \"uplink=lte\"\nmtu = 1300\nwatchdog = true\n\
             [[router.for]]\norg = \"Acme\"\nreach = \"hub\"\nmtu = 1280\n\
             [[router.for]]\norg = \"Acme\"\ntag = \"vip=yes\"\nmanagement = []\nwatchdog = \"auto\"\n",
        )
        .expect("settings");
        let of = |org, tags: &[_]| settings.router_of(&location(org, tags));
        assert_eq!(of(None, &[]), settings.router);
        assert_eq!(of(None, &[("uplink", "dsl")]), settings.router);
        let lte = of(None, &[("uplink", "lte")]);
        assert_eq!((lte.mtu, lte.keepalive, lte.watchdog, lte.reach), (1300, 20, Watchdog::On, Reach::Any));
        let both = of(Some("Acme"), &[("uplink", "lte"), ("vip", "yes")]);
        assert_eq!((both.mtu, both.watchdog, both.reach), (1280, Watchdog::Auto, Reach::Hub));
        assert!(both.management.is_empty());
        assert!(!of(None, &[("vip", "yes")]).management.is_empty(), "both are needed");
    }

    #[test]
    fn what_is_wrong_in_a_section_is_told_with_line_and_remedy() {
        for (text, message, hint) in [
            (
                "[[router.for]]\nmtu = 1300\n",
                "config.toml line 1: router.for names no tag and no org",
                "add tag = \"KEY=VALUE\" or org = \"NAME\", or move its settings to [router]",
            ),
            (
                "[[router.for]]\ntag = \"lte\"\n",
                "config.toml line 2: router.for.tag: \"lte\" is not a tag with its value",
                "write it as tag = \"KEY=VALUE\"",
            ),
            (
                "[[router.for]]\norg = \"a\"\n[[router.for]]\ntag = \"a=b\"\nmtuu = 1\n",
                "config.toml line 5: unknown setting \"router.for.mtuu\"",
                "did you mean \"mtu\"?",
            ),
            (
                "[[router.for]]\ntag = \"a=b\"\nmtu = 20\n",
                "config.toml line 3: router.for.mtu: \"20\" is not a number from 576 to 65535",
                "correct the value",
            ),
            (
                "[router]\nfor = 1\n",
                "config.toml line 2: router.for must be a list of tables, not an integer",
                "write [[router.for]]",
            ),
            (
                "[router]\nwatchdog = \"on\"\n",
                "config.toml line 2: router.watchdog must be true, false or \"auto\", not a string",
                "write true, false or \"auto\"",
            ),
        ] {
            let e = load(text).expect_err(text);
            assert_eq!((e.message.as_str(), e.hint.as_deref()), (message, Some(hint)), "{text}");
        }
    }
}
