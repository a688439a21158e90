//! What one option takes for a time, every option takes.

use crate::support::Hub;

const SPANS: &[&str] = &["90s", "5m", "36h", "7d", "2w", "1mo", "1y", "1h30m", "90 minutes", "PT1H30M"];

#[test]
fn every_option_that_takes_a_time_takes_every_form() {
    let hub = Hub::up();
    hub.add("cafe");
    let past: [&[&str]; 3] = [&["history", "--since"], &["report", "--since"], &["audit", "list", "--since"]];
    let ahead: [&[&str]; 2] =
        [&["location", "add", "kiosk", "-n", "--expires"], &["location", "set", "cafe", "-n", "--expires"]];
    let moments = |year: i32| {
        let of = |rest: &str| format!("{year}-01-31{rest}");
        ["", "T18:00", "T18:00:00Z", "T18:00:00+01:00", "T18:00[Europe/Vienna]"].map(of)
    };
    for (commands, year) in [(&past[..], 2026), (&ahead[..], 2027)] {
        for command in commands {
            for text in SPANS.iter().map(|s| (*s).to_owned()).chain(moments(year)) {
                hub.run(&[command, &[text.as_str()][..]].concat()).ok();
            }
            for wrong in ["soon", "30", "0d", "2026-02-30", ""] {
                let run = hub.run(&[command, &[wrong][..]].concat()).code(2);
                assert!(
                    run.error().1.starts_with("hint: write a span such as 7d or 1h30m, "),
                    "{}",
                    run.stderr
                );
            }
        }
    }
    let lengths: [&[&str]; 2] = [
        &["peer", "rotate", "--all", "-n", "--scripts-dir", "x", "--older-than"],
        &["check", "--heartbeat-critical"],
    ];
    for command in lengths {
        for span in SPANS {
            let run = hub.run(&[command, &[*span][..]].concat());
            assert!(!run.stderr.contains("hint") && !run.stdout.contains("UNKNOWN"), "{span}: {run:?}");
        }
    }
    for span in SPANS {
        hub.edit_settings("[keys]", &format!("[keys]\nrotate_timeout = {span:?}"));
        hub.run(&["status"]).ok();
        hub.edit_settings(&format!("\nrotate_timeout = {span:?}"), "");
    }
    hub.edit_settings("offline_after = 180", "offline_after = \"3m\"\non_change_timeout = \"1m30s\"");
    hub.run(&["status"]).ok();
}
