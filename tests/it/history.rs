//! `history` and `report`.

use crate::support::Hub;
use serde_json::json;

/// A day in which `cafe` was dark from 04:03 to 06:00, read every two minutes around its changes;
/// `shop` was online throughout, and `kiosk` was never there.
fn hub() -> Hub {
    let hub = Hub::up();
    let cafe = hub.run(&["--json", "location", "add", "cafe", "--org", "acme"]).ok().json();
    let cafe = cafe["location"]["vpn_public_key"].as_str().expect("key").to_owned();
    let shop = hub.add("shop");
    hub.add("kiosk");
    let start = hub.now.get();
    let minute = |m: i64| start + m * 60;
    for m in (0..=1440).step_by(8) {
        hub.now.set(minute(m));
        hub.shake(&shop, 0);
        let last = match m {
            241..=359 => minute(240),
            360..=367 => minute(360),
            _ => minute(m),
        };
        hub.shake(&cafe, minute(m) - last);
        hub.run(&["heartbeat"]).ok();
    }
    hub
}

#[test]
fn changes_are_told_with_the_time_at_which_they_happened() {
    let hub = hub();
    let report = hub.run(&["--json", "history", "cafe", "--since", "24h"]).ok().json();
    assert_eq!(
        report["changes"],
        json!([
          {"name": "cafe", "from": null, "to": "online", "at": "2026-11-23T10:00:00Z", "lasted_seconds": 14580},
          {"name": "cafe", "from": "online", "to": "offline", "at": "2026-11-23T14:03:00Z", "lasted_seconds": 7020},
          {"name": "cafe", "from": "offline", "to": "online", "at": "2026-11-23T16:00:00Z", "lasted_seconds": null}])
    );
    assert_eq!(
        report["outages"],
        json!([{"name": "cafe", "from": "2026-11-23T14:03:00Z", "until": "2026-11-23T16:00:00Z", "offline_seconds": 7020}])
    );
    assert_eq!(report["sites"][0]["availability_percent"], json!(91.875));
    assert_eq!(
        (&report["since"], &report["until"]),
        (&json!("2026-11-23T10:00:00Z"), &json!("2026-11-24T10:00:00Z"))
    );
    let csv = hub.run(&["history", "cafe", "--since", "19h", "--csv"]).ok().stdout;
    assert_eq!(csv, "at,name,from,to,lasted_seconds\n2026-11-23T16:00:00Z,cafe,offline,online,\n");
    let text = hub.run(&["history", "--since", "24h"]).ok().stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(lines[4], "2026-11-23T14:03:00Z  cafe   offline  1 h 57 min");
    assert_eq!(lines[5], "2026-11-23T16:00:00Z  cafe   online   still");
    let of_acme = hub.run(&["history", "--org", "acme", "--since", "24h", "--csv"]).ok().stdout;
    assert_eq!(of_acme.lines().filter(|l| l.contains(",cafe,")).count(), 3, "{of_acme}");
    assert_eq!(of_acme.lines().count(), 4, "{of_acme}");
    assert_eq!(hub.run(&["history", "--since", "1h"]).ok().stdout, "no change since 2026-11-24T09:00:00Z\n");
}

#[test]
fn a_report_has_a_row_and_a_timeline_for_each_site() {
    let hub = hub();
    let text = hub.run(&["report", "--since", "24h"]).ok().stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "2026-11-23T10:00:00Z to 2026-11-24T10:00:00Z: 3 sites, 95.937 % available, 1 outage, 1 h 57 min offline, 1.2 KiB received, 5.5 KiB sent"
            .replace("1.2 KiB received, 5.5 KiB sent", lines[0].split("offline, ").nth(1).expect("bytes"))
    );
    let cafe = lines.iter().find(|l| l.starts_with("cafe")).expect("row");
    assert!(cafe.contains("91.875 %") && cafe.contains("2026-11-23T14:03:00Z"), "{cafe}");
    // 30 cells of 48 minutes: dark from minute 243 to 360.
    assert!(cafe.ends_with(&format!("█████▁×▄{}", "█".repeat(22))), "{cafe}");
    let kiosk = lines.iter().find(|l| l.starts_with("kiosk")).expect("row");
    assert!(kiosk.ends_with(&"·".repeat(30)), "{kiosk}");
    let names = |args: &[&str]| {
        let report = hub.run(&[&["--json", "report", "--since", "24h"], args].concat()).ok().json();
        let sites = report["sites"].as_array().expect("sites").clone();
        sites.iter().map(|s| s["name"].as_str().expect("name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["cafe", "kiosk", "shop"]);
    assert_eq!(names(&["--org", "acme"]), ["cafe"]);
    let csv = hub.run(&["report", "--since", "24h", "--csv"]).ok().stdout;
    assert!(
        csv.contains("\ncafe,acme,online,91.875,79380,7020,0,1,7020,2026-11-23T14:03:00Z,false,"),
        "{csv}"
    );
    assert!(csv.contains("\nkiosk,,never,,0,0,0,0,,,false,0,0\n"), "{csv}");
}

#[test]
fn what_cannot_be_a_time_is_refused() {
    let hub = Hub::up();
    for command in ["history", "report"] {
        let run = hub.run(&[command, "--since", "soon"]).code(2);
        assert_eq!(
            run.error(),
            (
                "iwas-wg: time \"soon\" is neither a span nor a date",
                "hint: write a span such as 7d or 1h30m, a date such as 2026-11-01, \
                 or a time such as 2026-11-01T18:00:00Z"
            )
        );
    }
    hub.run(&["history", "nobody"]).code(3);
    hub.run(&["report", "--json", "--csv"]).code(2);
    assert!(hub.run(&["report"]).ok().stdout.contains("0 sites, nothing known"));
}

#[test]
fn time_without_heartbeats_counts_for_nothing() {
    let hub = hub();
    // Cron dies; ten hours later somebody asks.
    hub.now.set(hub.now.get() + 36_000);
    let report = hub.run(&["--json", "report", "--since", "10h"]).ok().json();
    let shop = report["sites"]
        .as_array()
        .expect("sites")
        .iter()
        .find(|s| s["name"] == "shop")
        .expect("shop")
        .clone();
    assert_eq!((&shop["unknown_seconds"], &shop["availability_percent"]), (&json!(36_000), &json!(null)));
}

#[test]
fn a_disabled_site_is_not_out() {
    let hub = hub();
    hub.run(&["peer", "disable", "shop"]).ok();
    hub.now.set(hub.now.get() + 300);
    hub.run(&["heartbeat"]).ok();
    hub.now.set(hub.now.get() + 3600);
    let report = hub.run(&["--json", "history", "shop", "--since", "3h"]).ok().json();
    assert_eq!(report["changes"][0]["to"], "disabled", "{report}");
    assert_eq!(report["outages"], json!([]));
    hub.run(&["location", "remove", "shop", "-y"]).ok();
    hub.run(&["location", "add", "shop"]).ok();
    let report = hub.run(&["--json", "history", "shop", "--since", "3d"]).ok().json();
    assert_eq!(report["changes"], json!([]), "the past of another site of that name");
}

#[test]
fn the_page_needs_nothing_beside_it() {
    use std::os::unix::fs::PermissionsExt;
    let hub = hub();
    let file = hub.path("page.html");
    let run = hub.run(&["report", "--since", "24h", "--html", file.to_str().expect("path")]).ok();
    assert_eq!((run.stdout.as_str(), run.stderr), ("", format!("wrote {}\n", file.display())));
    assert_eq!(std::fs::metadata(&file).expect("page").permissions().mode() & 0o777, 0o644);
    let text = std::fs::read_to_string(&file).expect("page");
    for part in
        ["Availability of 3 sites", "91.875 %", "prefers-color-scheme: dark", "@media print", ">kiosk<"]
    {
        assert!(text.contains(part), "{part}");
    }
    for outside in ["http:", "https:", "<script", "url(", "@import", "<link"] {
        assert!(!text.contains(outside), "{outside}");
    }
}

#[test]
fn a_new_site_has_no_change_since_it_was_added_and_a_page_has_the_changes() {
    let hub = Hub::up();
    hub.now.set(hub.now.get() + 3600);
    let key = hub.add("cafe");
    hub.now.set(hub.now.get() + 60);
    let said = hub.run(&["history", "cafe"]).ok().stdout;
    assert!(said.ends_with("no change since 2026-11-23T11:00:00Z\n"), "{said}");
    hub.shake(&key, 5);
    hub.run(&["heartbeat"]).ok();
    let page = hub.run(&["history", "--output", "html"]).ok().stdout;
    let changes = page.split("<h2>Changes</h2>").nth(1).expect("changes");
    assert!(changes.contains("<th scope=\"row\">cafe</th><td class=\"online\">online</td>"), "{changes}");
    assert!(!hub.run(&["report", "--output", "html"]).ok().stdout.contains("<h2>Changes</h2>"));
}
