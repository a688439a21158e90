//! Defects put into a good script on purpose: each must be noticed. The first eight are those
//! that the independent linter is known to miss.

use super::{Spoke, TAG, key, routers};
use crate::routeros::{Router, lint};
use iwas_wg::script::Kind::Install;

/// Everything our own checks have to say about a script.
fn complaints(script: &str) -> Vec<String> {
    let mut complaints = lint(script);
    for (n, mut router) in routers().into_iter().enumerate() {
        let first = router.import(script);
        let installed = router.export();
        let second = router.import(script);
        for outcome in [&first, &second] {
            if let Some((line, text)) = &outcome.error {
                complaints.push(format!("router {n}, line {line}: {text}"));
            } else if !outcome.last().starts_with("iwas-wg: OK") {
                complaints.push(format!("router {n}: {}", outcome.last()));
            }
        }
        for line in first.undecided.iter().chain(&second.undecided) {
            complaints.push(format!("router {n}, line {line}: the condition is nil"));
        }
        if second.writes > 0 || router.export() != installed {
            complaints.push(format!("router {n}: the second run changed something"));
        }
        match router.wireguard(TAG) {
            Some(made) if made.keepalive == 25 => {}
            Some(_) => complaints.push(format!("router {n}: no keepalive")),
            None => complaints.push(format!("router {n}: not one interface, peer and address")),
        }
        let mut taken = Router::bare();
        taken
            .given("ip address", &[("address", "10.0.0.7/24"), ("interface", "bridge"), ("disabled", "yes")]);
        if taken.import(script).writes > 0 {
            complaints.push("a taken address is not noticed".into());
        }
    }
    complaints
}

#[test]
fn the_script_itself_is_without_fault() {
    assert_eq!(complaints(&Spoke::new().render(Install)), Vec::<String>::new());
}

#[test]
fn every_defect_is_noticed() {
    let good = Spoke::new().render(Install);
    let defects: [(&str, &str, &str, &str); 27] = [
        // What the linter misses.
        ("inverted match", "\"^iwas-wg:\"", "\"^iwas-wg:\"", ""),
        (
            "bare prefix in where",
            "find where address=$iwAddr",
            "find where address=10.0.0.7/24",
            "needs quotes",
        ),
        ("variable like a property", "iwTag", "comment", "named like a property"),
        ("port out of range", "listen-port=51820\n", "listen-port=99999\n", "invalid value"),
        ("mtu no number", "mtu=1420 comment", "mtu=abc comment", "invalid value"),
        ("keepalive no time", "persistent-keepalive=25s", "persistent-keepalive=foo", "invalid value"),
        ("misspelt action", "action=accept", "action=acept", "input does not match"),
        (
            "disabled neither yes nor no",
            "set $iwPeer disabled=no",
            "set $iwPeer disabled=maybe",
            "invalid value",
        ),
        // What it finds too.
        (
            "unknown parameter",
            "allowed-address=$iwAllow \\\n",
            "allowed-ips=$iwAllow \\\n",
            "expected end of command",
        ),
        (
            "parameter of a later version",
            "comment=$iwTag\n    :put \"iwas-wg: peer added\"",
            "name=x comment=$iwTag\n    :put \"iwas-wg: peer added\"",
            "expected end of command",
        ),
        (
            "missing parameter",
            "public-key=$iwPub allowed-address=$iwAllow \\\n",
            "public-key=$iwPub \\\n",
            "missing value(s)",
        ),
        ("unknown menu", "/ip address add", "/ip adress add", "bad command name"),
        ("missing brace", " } on-error={ }\n", " } on-error={ \n", ""),
        ("extra brace", "  :log info $iwSay\n", "  :log info $iwSay }\n", ""),
        ("unclosed quote", "\"iwas-wg: peer added\"", "\"iwas-wg: peer added", ""),
        ("raw dollar", "iwas-wg: peer added\"", "iwas-wg: peer added$\"", "bad variable name"),
        // What a router makes of nil is not settled: the old text of the script leaned on it.
        (
            "comparison with nil",
            "(\"\" . [/interface wireguard peers get $iwPeer preshared-key])",
            "[:tostr [/interface wireguard peers get $iwPeer preshared-key]]",
            "is nil",
        ),
        ("unknown escape", "iwas-wg: peer added", "iwas-wg: \\q added", "bad escape"),
        ("lower-case escape", "iwas-wg: peer added", "iwas-wg: \\c3 added", "bad escape"),
        ("unquoted key", ":local iwPub \"", ":local iwPub ", ""),
        (
            "comment after a command",
            ":local iwDid false\n",
            ":local iwDid false # no\n",
            "expected end of command",
        ),
        ("two equal signs", "($iwOld = $iwTag)", "($iwOld == $iwTag)", ""),
        (
            "else on its own line",
            " else={ :put \"iwas-wg: no firewall",
            "\n  else={ :put \"iwas-wg: no firewall",
            "expected command name",
        ),
        ("condition over two lines", "and (!$iwBare)) do", "and\n (!$iwBare)) do", "parenthesis"),
        ("no block", "\n{\n", "\n", ""),
        ("underscore in a variable", "iwDid", "iw_did", ""),
        ("text outside of quotes", ":local iwDid false", ":local iwDid f\u{e4}lse", ""),
    ];
    for (defect, from, to, expected) in defects {
        let bad = if defect == "inverted match" {
            good.replace("$iwHas ~ \"^iwas-wg:\"", "$iwHas !~ \"^iwas-wg:\"")
        } else {
            good.replace(from, to)
        };
        assert!(bad != good, "{defect} was not put in");
        let found = if defect == "inverted match" { inverted_match(&bad) } else { complaints(&bad) };
        assert!(!found.is_empty(), "{defect} was not noticed");
        assert!(found.iter().any(|c| c.contains(expected)), "{defect}: {found:#?}");
    }
}

/// The peer that is made without endpoint and keepalive, and a comparison with what it then lacks.
#[test]
fn a_keepalive_that_hangs_on_a_comparison_with_nil_is_noticed() {
    let good = Spoke::new().render(Install);
    let (before, rest) = good.split_once("  :local iwKeep 0s\n").expect("the keepalive");
    let (_, after) = rest.split_once("  :if ($iwKeep != 25s)").expect("its comparison");
    let read = "[/interface wireguard peers get $iwPeer persistent-keepalive]";
    let bad = format!("{before}  :local iwKeep [:totime {read}]\n  :if ($iwKeep != 25s){after}");
    let bad = bad
        .replace("endpoint-address=$iwEp endpoint-port=$iwPort persistent-keepalive=25s comment", "comment");
    assert_eq!(bad.matches("persistent-keepalive=25s").count(), 1);
    let found = complaints(&bad);
    assert!(found.iter().any(|c| c.ends_with("no keepalive")), "{found:#?}");
    assert!(found.iter().any(|c| c.ends_with("the condition is nil")), "{found:#?}");
}

/// It only shows where the branch runs: on a router that was renamed on the hub.
fn inverted_match(script: &str) -> Vec<String> {
    let [mut router, _] = routers();
    let ours = key(7).expose();
    router.given(
        "interface wireguard",
        &[("name", "wireguard-iwas"), ("comment", "iwas-wg:other"), ("private-key", ours.as_str())],
    );
    let outcome = router.import(script);
    outcome.error.into_iter().map(|(_, text)| text).filter(|t| t.contains("cannot invert string")).collect()
}

/// The interpreter against what was measured on routers.
#[test]
fn the_model_behaves_as_measured() {
    let run = |text: &str| {
        let mut router = Router::stock();
        let outcome = router.import(text);
        (outcome.writes, outcome.last().to_owned())
    };
    let member = "/interface list member add list=X interface=bridge\n";
    // Syntax and unknown parameters lose the whole file, a later error only the rest.
    assert_eq!(run(&format!("{member}:put \"a")).0, 0);
    assert_eq!(run(&format!("{member}/ip address add address=10.9.0.1/24 interface=bridge foo=1\n")).0, 0);
    assert_eq!(run(&format!("{member}/interface list member add list=X interface=nope\n{member}")).0, 1);
    assert_eq!(run(&format!("{member}/no such menu\n{member}")), (1, "bad command name no".into()));
    // From 7.23 on an unknown parameter fails when its statement runs.
    let mut router = Router::stock();
    router.version = "7.23.1".into();
    let outcome =
        router.import(&format!("{member}/ip address add address=10.9.0.1/24 interface=bridge foo=1\n"));
    assert_eq!((outcome.writes, outcome.last()), (1, "bad parameter foo"));
    // `find`, `get`, `remove` and `set` on nothing.
    assert_eq!(run(":put [:len [/ip address find where address=192.168.88.1/24]]").1, "0");
    assert_eq!(run(":put [:len [/ip address find where address=\"192.168.88.1/24\"]]").1, "1");
    assert_eq!(run(":put [/ip address get [find where comment=\"x\"] address]").1, "no such item");
    assert_eq!(run("/ip address remove [find where comment=\"x\"]\n:put \"ok\"").1, "ok");
    // A comparison with nil is neither true nor false, whatever it was made of; only a string stays.
    for nil in ["[:tostr $iwX]", "[:tonum $iwX]", "\"$iwX\"", "(!$iwX)", "($iwX and true)", "[:len $iwX]"] {
        let text = format!(
            "{{\n:local iwX [:find \"a\" \"b\"]\n:put \"neither\"\n:if ({nil} = \"\") do={{ :put \"do\" }} else={{ :put \"else\" }}\n}}"
        );
        assert_eq!(run(&text).1, "neither", "{nil}");
    }
    assert_eq!(run("{\n:local iwX\n:if ((\"\" . $iwX) = \"\") do={ :put \"do\" }\n}").1, "do");
    assert_eq!(
        run(":put [:typeof [/ip address get [find where address=\"203.0.113.77/24\"] comment]]").1,
        "nil"
    );
    // A variable named like a property makes every row match.
    assert_eq!(run("{\n:local name \"x\"\n:put [:len [/ip service find where name=$name]]\n}").1, "6");
    // Locals do not survive the line; a block is one scope.
    assert_eq!(run(":local iwX \"a\"\n:put \"<$iwX>\"").1, "<>");
    // The fasttrack rule cannot be moved before; keys must be keys; parameters may be required.
    let add = "/ip firewall filter add chain=input place-before=[:pick [/ip firewall filter find] 0]";
    assert_eq!(run(add), (0, "failure: cannot move builtin".into()));
    assert_eq!(run("/interface wireguard add private-key=\"abc\"").1, "failure: invalid private key");
    assert_eq!(
        run("/interface wireguard peers add public-key=\"x\"").1,
        "missing value(s) of argument(s) interface allowed-address"
    );
    assert_eq!(
        run("/interface wireguard add name=bridge").1,
        "failure: already have interface with such name"
    );
    assert!(run("\u{feff}:put \"x\"").1.contains("expected"), "a byte order mark is refused");
}
