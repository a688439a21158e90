//! Golden files, and what must hold for every script whatever the site.

use super::*;
use crate::model::{
    KeyMode,
    router::{Reach, Service, Watchdog},
};
use std::{collections::BTreeMap, fs, path::PathBuf};

const PRIVATE: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
const HUB: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const PSK: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

fn cafe() -> Location {
    Location {
        org: Some("Käffchen & \"Söhne\" $1".parse().expect("org")),
        description: Some("zwei\nZeilen; /system reboot\\".parse().expect("description")),
        tags: BTreeMap::from([("city".into(), "wien?".into())]),
        vpn_ip: Some(Ipv4Addr::new(10, 0, 0, 7)),
        ..Location::new(
            "cafe-central".parse().expect("name"),
            KeyMode::Stored,
            "2026-11-22T11:14:05Z".parse().expect("time"),
        )
    }
}

/// A site with the defaults, changed by `change`, given to `then`.
fn with_site<T>(
    change: impl FnOnce(&mut Location, &mut RouterOptions),
    then: impl FnOnce(&mut Site<'_>) -> T,
) -> T {
    let key = PrivateKey::from_base64(PRIVATE).expect("key");
    let mut location = cafe();
    let mut options = RouterOptions::default();
    change(&mut location, &mut options);
    let mut site = Site {
        location: &location,
        vpn_ip: Ipv4Addr::new(10, 0, 0, 7),
        network: "10.0.0.0/24".parse().expect("network"),
        hub_ip: Ipv4Addr::new(10, 0, 0, 1),
        hub_public_key: HUB.parse().expect("key"),
        endpoint_host: "vpn.example.com",
        endpoint_port: 51820,
        private_key: Some(&key),
        next_public_key: None,
        preshared_key: None,
        options: std::borrow::Cow::Borrowed(&options),
        version: "0.1.0",
    };
    then(&mut site)
}

fn everything(_: &mut Location, options: &mut RouterOptions) {
    options.routes = vec!["192.168.50.0/24".parse().expect("net"), "fd00:50::/64".parse().expect("net")];
    options.watchdog = Watchdog::On;
    options.allowed_address = vec!["10.0.0.0/24".parse().expect("net")];
}

fn minimal(location: &mut Location, options: &mut RouterOptions) {
    location.key_mode = KeyMode::Router;
    location.org = None;
    location.description = None;
    location.tags.clear();
    options.listen_port = 0;
    options.keepalive = 0;
    options.management.clear();
    options.reach = Reach::Hub;
}

/// Compares with the file of this name, or writes it when `IWAS_BLESS` is set.
fn golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/script").join(name);
    if std::env::var_os("IWAS_BLESS").is_some() {
        fs::write(&path, actual).expect("write golden file");
    }
    let expected = fs::read_to_string(&path).expect(name);
    assert!(expected == actual, "{name} differs: look at it with IWAS_BLESS=1 and git diff\n{actual}");
}

#[test]
fn scripts_are_as_reviewed() {
    for kind in Kind::ALL {
        let text = with_site(|_, _| {}, |site| render(site, kind));
        golden(&format!("{kind}.rsc"), &text);
        let text = with_site(everything, |site| {
            site.preshared_key = Some(PSK);
            site.endpoint_host = "2001:DB8:0::1";
            render(site, kind)
        });
        golden(&format!("{kind}-everything.rsc"), &text);
        let text = with_site(minimal, |site| {
            site.private_key = None;
            site.endpoint_host = "192.0.2.1";
            render(site, kind)
        });
        golden(&format!("{kind}-router-key.rsc"), &text);
    }
    let text = with_site(minimal, |site| {
        site.private_key = None;
        site.next_public_key = Some(HUB.parse().expect("key"));
        site.preshared_key = Some(PSK);
        render(site, Kind::Rotate)
    });
    golden("rotate-router-next.rsc", &text);
    golden("cafe.conf", &with_site(|_, _| {}, |site| render_wg_quick(site)));
    let text = with_site(everything, |site| {
        site.preshared_key = Some(PSK);
        site.endpoint_host = "2001:db8::1";
        render_wg_quick(site)
    });
    golden("everything.conf", &text);
    let text = with_site(minimal, |site| {
        site.private_key = None;
        render_wg_quick(site)
    });
    golden("router-key.conf", &text);
}

/// Calls `look` with every kind and a wide choice of options.
fn each_script(mut look: impl FnMut(Kind, &Site<'_>, &str)) {
    for n in 0..64_u32 {
        let bit = |b: u32| n & (1 << b) != 0;
        for kind in Kind::ALL {
            with_site(
                |location, options| {
                    if bit(0) {
                        everything(location, options);
                    }
                    if bit(1) {
                        location.key_mode = KeyMode::Router;
                        location.public_key = bit(2).then(|| HUB.parse().expect("key"));
                    }
                    options.reach = [Reach::Any, Reach::Network, Reach::Hub][(n as usize + 1) % 3];
                    options.management =
                        if bit(3) { Vec::new() } else { Service::ALL[(n as usize) % 4..].to_vec() };
                    if bit(4) {
                        options.listen_port = 0;
                        options.keepalive = 0;
                    }
                    location.description =
                        Some("\u{fc}\"\\$?\n/system reboot;{}[]".repeat(20).parse().expect("text"));
                },
                |site| {
                    if bit(1) || bit(5) {
                        site.private_key = None;
                    }
                    site.next_public_key = bit(4).then(|| HUB.parse().expect("key"));
                    site.preshared_key = bit(3).then_some(PSK);
                    site.endpoint_host = ["vpn.example.com", "2001:db8::1", "192.0.2.1"][n as usize % 3];
                    look(kind, site, &render(site, kind));
                },
            );
        }
    }
}

#[test]
fn every_script_is_short_printable_ascii_lines() {
    each_script(|kind, _, text| {
        assert!(text.ends_with('\n') && !text.contains("\n\n"), "{kind}");
        for line in text.lines() {
            assert!(line.len() <= 250, "{kind}: {} characters: {line}", line.len());
            assert!(line.bytes().all(|b| (0x20..0x7f).contains(&b)), "{kind}: {line}");
            assert!(!line.contains("{{") && !line.starts_with("#if") && !line.starts_with("#-"), "{line}");
        }
    });
}

#[test]
fn a_description_never_leaves_its_comment() {
    each_script(|_, _, text| {
        for line in text.lines().filter(|l| l.contains("reboot")) {
            assert!(line.starts_with("# "), "{line}");
        }
    });
}

#[test]
fn the_private_key_stands_on_its_own_line_only() {
    each_script(|kind, site, text| {
        let expected =
            usize::from(site.private_key.is_some() && matches!(kind, Kind::Install | Kind::Rotate));
        assert_eq!(text.matches(PRIVATE).count(), expected, "{kind}");
        if expected == 1 {
            assert!(text.contains(&format!("  :local iwKey \"{PRIVATE}\"\n")));
            assert!(text.contains("# CONTAINS A PRIVATE KEY"));
        }
        let psk = site.preshared_key.is_some() && matches!(kind, Kind::Install | Kind::Rotate);
        assert_eq!(text.matches(PSK).count(), usize::from(psk), "{kind}");
        assert_eq!(psk && expected == 0, text.contains("# CONTAINS A PRESHARED KEY"), "{kind}");
        assert_eq!(site.holds_secret(kind), text.contains("/console clear-history"), "{kind}");
    });
}

#[test]
fn parameters_younger_than_7_1_are_never_used() {
    each_script(|_, _, text| {
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            for young in
                ["responder", "client-", "vrf=", "available-from", "src-address=$iwS", ":onerror", ":retry"]
            {
                assert!(!line.contains(young), "{line}");
            }
            assert!(!line.contains("wireguard peers add") || !line.contains(" name="), "{line}");
            assert!(!line.contains("netwatch add") || !line.contains(" type="), "{line}");
        }
    });
}

#[test]
fn a_hub_only_router_has_a_point_to_point_address() {
    let text = with_site(|_, o| o.reach = Reach::Hub, |site| render(site, Kind::Install));
    assert!(text.contains(":local iwAddr \"10.0.0.7/32\"\n"));
    assert!(text.contains(":local iwNet \"10.0.0.1\"\n"));
    assert!(text.contains(":local iwAllow \"10.0.0.1/32\"\n"));
}

#[test]
fn what_is_routed_to_the_hub_is_also_allowed_there() {
    let routes = |o: &mut RouterOptions, reach| {
        o.reach = reach;
        o.routes = vec!["10.0.0.0/24".parse().expect("net"), "192.168.50.9/24".parse().expect("net")];
    };
    for (reach, allowed) in [
        (Reach::Any, "0.0.0.0/0"),
        (Reach::Network, "10.0.0.0/24,192.168.50.0/24"),
        (Reach::Hub, "10.0.0.1/32,10.0.0.0/24,192.168.50.0/24"),
    ] {
        let text = with_site(|_, o| routes(o, reach), |site| render(site, Kind::Install));
        assert!(text.contains(&format!(":local iwAllow \"{allowed}\"\n")), "{reach}");
    }
    // An allowed address that leaves the hub out would be a tunnel to nowhere.
    let text = with_site(
        |_, o| o.allowed_address = vec!["172.16.0.0/12".parse().expect("net")],
        |site| render(site, Kind::Install),
    );
    assert!(text.contains(":local iwAllow \"172.16.0.0/12,10.0.0.1/32\"\n"));
}

#[test]
fn a_file_is_never_named_so_that_the_router_runs_it_by_itself() {
    let text =
        with_site(|l, _| l.name = "site.auto".parse().expect("name"), |site| render(site, Kind::Install));
    assert!(!text.contains(".auto.rsc"));
}

#[test]
fn a_phone_never_loses_its_default_route() {
    let conf = with_site(|_, _| {}, |site| render_wg_quick(site));
    assert!(conf.contains("AllowedIPs = 10.0.0.0/24\n"));
}

#[test]
fn an_operators_template_is_filled_in_with_the_same_quoting() {
    let text = "\u{feff}# {{ name }}: {{description}}\r\n/snmp set location={{tag.city}} contact={{org}}\r\n\
                /ip firewall nat add chain=srcnat src-address={{vpn_ip}} comment={{comment}}\r\n";
    let filled = with_site(|_, _| {}, |site| render_template(site, text)).expect("template");
    assert_eq!(
        filled.as_str(),
        "# \"cafe-central\": \"zwei\\0AZeilen; /system reboot\\\\\"\n\
         /snmp set location=\"wien\\3F\" contact=\"K\\C3\\A4ffchen & \\\"S\\C3\\B6hne\\\" \\$1\"\n\
         /ip firewall nat add chain=srcnat src-address=10.0.0.7 comment=\"iwas-wg:cafe-central\"\n"
    );
}

#[test]
fn every_documented_placeholder_has_a_value_and_no_key_is_among_them() {
    for name in PLACEHOLDERS {
        let text =
            with_site(everything, |site| render_template(site, &format!("{{{{{name}}}}}"))).expect(name);
        assert!(!text.contains("{{") && !text.contains(PRIVATE), "{name}");
    }
}

#[test]
fn an_unknown_placeholder_is_refused_with_line_and_remedy() {
    let refused = |text| with_site(|_, _| {}, |site| render_template(site, text)).expect_err("refused");
    let e = refused("\n:put {{nmae}}");
    assert_eq!(e.to_string(), "placeholder \"{{nmae}}\" is unknown (line 2 of the template)");
    assert!(e.hint.starts_with("use one of address,") && e.hint.ends_with("vpn_ip, tag.city"), "{}", e.hint);
    assert!(refused("{{private_key}}").reason.starts_with("is unknown"));
    assert!(refused("{{tag.town}}").reason.starts_with("is unknown"));
    assert_eq!(refused("x=\"{{name}}\"").reason, "stands between quotes (line 1 of the template)");
    assert_eq!(refused("{{name").reason, "is not closed (line 1 of the template)");
}

#[test]
fn kinds_are_read_as_they_are_written() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert!("Install".parse::<Kind>().is_err());
}
