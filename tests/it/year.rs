//! A simulated year, whose availability is known beforehand.

use crate::support::Hub;
use iwas_wg::{
    model::{KeyMode, Location, PeerSettings, PublicKey, Reading, Record, State},
    store::{NewPeer, Store},
};
use jiff::Timestamp;
use serde_json::Value;
use std::{env, net::Ipv4Addr, path::PathBuf};

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
const WEEKS: i64 = 52;
/// A site counts as online for twelve hours and heartbeats are eight hours apart, so that a year takes
/// seconds; what is reckoned is the same as with minutes.
const OFFLINE_AFTER: i64 = 12 * 3600;
const EVERY: i64 = 8 * 3600;

fn site<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["sites"].as_array().expect("sites").iter().find(|s| s["name"] == name).expect("site")
}

#[test]
fn a_year_is_as_available_as_it_was() {
    let hub = Hub::up();
    hub.edit_settings("offline_after = 180", "offline_after = 43200");
    let (steady, weekly, gone) = (hub.add("steady"), hub.add("weekly"), hub.add("gone"));
    hub.add("never");
    let start = hub.now.get();
    // Every week it is silent from the fifth day on and comes back a day and 1,000 seconds later.
    let (silent, back) = (5 * DAY, 6 * DAY + 1000);
    // In the eleventh week the hub itself is off for three days.
    let (off, on) = (start + 10 * WEEK + DAY, start + 10 * WEEK + 4 * DAY);
    hub.device().interface.as_mut().expect("interface").age_seconds = None;
    let mut now = start;
    while now <= start + WEEKS * WEEK {
        hub.now.set(now);
        let (week, within) = ((now - start) / WEEK, (now - start) % WEEK);
        hub.shake(&steady, 0);
        let dark = (silent..back).contains(&within);
        // Until it is silent it shakes hands all the time; once back, from that very second on.
        let last = if dark { start + week * WEEK + silent } else { now };
        // The first heartbeat that sees it back sees the handshake with which it came.
        let last =
            if !dark && within >= back && within - back < EVERY { start + week * WEEK + back } else { last };
        hub.shake(&weekly, now - last);
        hub.shake(&gone, now - start);
        {
            let mut device = hub.device();
            for peer in &mut device.interface.as_mut().expect("interface").peers {
                // The counters begin anew after the hub was off.
                let since = if now >= on { on } else { start };
                peer.rx_bytes = u64::try_from((now - since) * 10).expect("bytes");
            }
        }
        hub.run(&["heartbeat"]).ok();
        now += EVERY;
        if (off..on).contains(&now) {
            now = on;
        }
    }
    hub.now.set(start + WEEKS * WEEK);
    let since = Timestamp::from_second(start).expect("start").to_string();
    let report = hub.run(&["--json", "report", "--since", &since]).ok().json();
    let year = WEEKS * WEEK;
    // The last heartbeat before the hub went off was the last multiple of eight hours.
    let unwatched = on - (off - EVERY);
    let outage = back - silent - OFFLINE_AFTER;
    let expected = [
        ("steady", year - unwatched, 0, 0, unwatched),
        ("weekly", year - unwatched - WEEKS * outage, WEEKS * outage, WEEKS, unwatched),
        ("gone", OFFLINE_AFTER, year - OFFLINE_AFTER - unwatched, 1, unwatched),
        ("never", 0, 0, 0, 0),
    ];
    for (name, online, offline, outages, unknown) in expected {
        let s = site(&report, name);
        let got = ["online_seconds", "offline_seconds", "outages", "unknown_seconds"].map(|k| s[k].as_i64());
        assert_eq!(got, [online, offline, outages, unknown].map(Some), "{name}: {s}");
    }
    let percent = |name| site(&report, name)["availability_percent"].as_f64();
    assert_eq!((percent("steady"), percent("never")), (Some(100.0), None));
    // 44,200 of 604,800 seconds a week, over what was watched of the year.
    let seconds = |s: i64| f64::from(u32::try_from(s).expect("a year of seconds"));
    let known = seconds(year - unwatched);
    let exact = (known - seconds(WEEKS * outage)) * 100.0 / known;
    assert!((percent("weekly").expect("percent") - exact).abs() < 0.001, "{:?} {exact}", percent("weekly"));
    let s = site(&report, "weekly");
    assert_eq!((s["longest_outage_seconds"].as_i64(), s["is_out"].as_bool()), (Some(outage), Some(false)));
    let bytes = u64::try_from(((off - EVERY - start) + (year - (on - start))) * 10).expect("bytes");
    assert_eq!(s["rx_bytes"].as_u64(), Some(bytes), "bytes before and after the counters began anew");
    assert_eq!(site(&report, "gone")["is_out"], true);

    // Three of the last four weeks of the same, to the second.
    let report = hub.run(&["--json", "report", "--since", "21d"]).ok().json();
    let s = site(&report, "weekly");
    assert_eq!((s["offline_seconds"].as_i64(), s["outages"].as_i64()), (Some(3 * outage), Some(3)), "{s}");
    let day = 21 * DAY * 10;
    assert!((day..=day + DAY * 10).contains(&s["rx_bytes"].as_i64().expect("bytes")), "{s}");

    let outages = hub.run(&["--json", "history", "weekly", "--since", "364d"]).ok().json()["outages"].clone();
    let first = &outages.as_array().expect("outages")[0];
    let at = |t: i64| Timestamp::from_second(t).expect("time").to_string();
    assert_eq!(first["from"], at(start + silent + OFFLINE_AFTER));
    assert_eq!(first["until"], at(start + back));

    // A shorter memory forgets what is older and nothing else.
    hub.edit_settings("metrics_file  = \"\"", "metrics_file  = \"\"\nkeep_history = 21");
    let before = hub.run(&["--json", "report", "--since", "20d"]).ok().json();
    let steps = || {
        hub.run(&["--json", "history", "--since", "364d"]).ok().json()["changes"]
            .as_array()
            .expect("list")
            .len()
    };
    let all = steps();
    hub.now.set(hub.now.get() + DAY);
    for key in [&steady, &weekly] {
        hub.shake(key, 0);
    }
    hub.run(&["heartbeat"]).ok();
    assert!(all > 100 && (5..12).contains(&steps()), "{all}, then {}", steps());
    let after = hub.run(&["--json", "report", "--since", "20d"]).ok().json();
    for name in ["weekly", "gone"] {
        assert_eq!(site(&before, name)["outages"], site(&after, name)["outages"], "{name}");
    }
}

/// With `IWAS_WG_YEAR_PEERS` and `IWAS_WG_YEAR_ROOT` this makes the store that the figures in the
/// README were measured on.
#[test]
fn a_fleet_that_flaps_for_a_year_fills_no_disk() {
    let hub = Hub::with_network("10.0.0.0/16");
    let peers: u32 = env::var("IWAS_WG_YEAR_PEERS").map_or(40, |n| n.parse().expect("a number"));
    let path = hub.path("var/lib/iwas-wg/iwas-wg.db");
    let start = hub.now.get();
    let at = |t: i64| Timestamp::from_second(t).expect("time");
    let mut store = Store::open(&path).expect("store");
    let change = store.change().expect("change");
    for n in 0..peers {
        let name = format!("site-{n:05}").parse().expect("name");
        let vpn_ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 1, 0)) + n);
        let mut key = [7; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        let location = Location::new(name, KeyMode::Once, at(start));
        let location = Location { vpn_ip: Some(vpn_ip), ..location };
        change.insert_location(&location).expect("location");
        let public_key = PublicKey::from_bytes(key);
        let peer = NewPeer {
            public_key,
            sealed_key: None,
            sealed_preshared: None,
            key_mode: KeyMode::Once,
            settings: PeerSettings::default(),
        };
        change.insert_peer(&location.name, vpn_ip, &peer, at(start)).expect("peer");
    }
    change.commit_readings().expect("commit");
    let watched = store.watched().expect("peers");
    // Each site goes dark once a day, at a time of its own.
    for day in 0..365 {
        let begin = start + day * DAY;
        let change = store.change().expect("change");
        change.begin_day(at(begin), Some(400)).expect("day");
        let mut readings = change.readings().expect("statements");
        for (n, peer) in (0_i64..).zip(&watched) {
            let dark = begin + (n * 7919 + day * 104_729) % (DAY - 7200) + 60;
            let bytes = u64::try_from((day + 1) * (1_000_000 + n * 1000)).expect("bytes");
            let reading = Reading {
                last_handshake: Some(at(dark + 3600)),
                endpoint: Some("203.0.113.9:51820".into()),
                rx_bytes: bytes,
                tx_bytes: bytes,
                is_online: true,
                is_unknown: false,
            };
            let record = Record {
                state: State::Online,
                since: at(dark + 3600),
                announced: State::Online,
                pending: 0,
                rx_total: bytes,
                tx_total: bytes,
            };
            readings.write(peer.id, day == 0, &reading, &record).expect("reading");
            change.write_transition(peer.id, at(dark), State::Offline).expect("transition");
            change.write_transition(peer.id, at(dark + 3600), State::Online).expect("transition");
        }
        drop(readings);
        change.write_heartbeat(at(begin + DAY)).expect("heartbeat");
        change.commit_readings().expect("commit");
    }
    drop(store);
    hub.now.set(start + 365 * DAY);
    let report = hub.run(&["--json", "report", "--since", "364d"]).ok().json();
    assert_eq!(report["fleet"]["outages"].as_u64(), Some(364 * u64::from(peers)));
    // What 10,000 peers would need is in proportion to these.
    let bytes = std::fs::metadata(&path).expect("store").len();
    if let Ok(root) = env::var("IWAS_WG_YEAR_ROOT") {
        let root = PathBuf::from(root);
        for (file, bytes) in crate::support::tree(&hub.path("")) {
            let to = root.join(file.strip_prefix(hub.path("")).expect("below"));
            std::fs::create_dir_all(to.parent().expect("directory")).expect("directory");
            std::fs::write(to, bytes).expect("copy");
        }
    }
    assert!(bytes / u64::from(peers) < 50_000, "{} bytes a peer", bytes / u64::from(peers));
}
