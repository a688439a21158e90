//! What people use instead: the loop that everybody writes, and the tools that a registry serves.

use crate::{
    fleet,
    inside::Interface,
    process::{Sample, in_turn, missing, run, timed},
    report::Row,
    say,
    works::{Scene, fresh},
};
use std::{fs, path::Path, process::Command};

/// The loop, these turns of it, each for the next address: a key, its public half, the interface, a
/// line in a file. `then` is done to the file after each.
pub(crate) fn naive(interface: &Interface, dir: &Path, from: usize, turns: usize, then: &str) -> Sample {
    const LOOP: &str = r#"
        i=$1; while [ $i -lt $2 ]; do
            ip=10.65.$((i / 250)).$((i % 250 + 1))
            priv=$(wg genkey); pub=$(printf %s "$priv" | wg pubkey)
            wg set "$3" peer "$pub" allowed-ips "$ip/32" persistent-keepalive 25 || exit 1
            printf '\n[Peer]\n# site\nPublicKey = %s\nAllowedIPs = %s/32\n' "$pub" "$ip" >> "$4/naive.conf"
            $5 "$4/naive.conf"
            i=$((i + 1))
        done"#;
    let mut command = Command::new("sh");
    command.args(["-c", LOOP, "naive", &from.to_string(), &(from + turns).to_string(), &interface.name]);
    timed(command.arg(dir).arg(then))
}

/// A thousand routers, and one more, by each of them.
pub(crate) fn all(scene: &Scene, import: &[Sample]) {
    let of = (scene.backend.as_str(), fleet::RIVALS_GET);
    let work = ("location import", import);
    let interface = Interface::new(&scene.backend, 6);
    // Twenty times as many take twenty times as long, and in the emulated machine a quarter of an hour.
    let (turns, name) = if scene.is_emulated() {
        (fleet::RIVALS_GET / 20, "the naive loop, 50 turns, x 20")
    } else {
        (fleet::RIVALS_GET, "the naive loop, 1,000 turns")
    };
    let loops: Vec<Sample> = import
        .iter()
        .take(3)
        .map(|_| {
            interface.create();
            let sample = naive(&interface, &scene.fleet, 0, turns, ":");
            assert_eq!(interface.peers(), turns, "the naive loop lost peers");
            interface.delete();
            #[expect(clippy::cast_precision_loss, reason = "20 or 1")]
            let times = (fleet::RIVALS_GET / turns) as f64;
            Sample { seconds: sample.seconds * times, ..sample }
        })
        .collect();
    Row::new(of, work, (name, &loops), Some(0.1)).tell();
    if scene.is_emulated() {
        return;
    }
    if absent("innernet-server", "cargo install --locked innernet-server") {
        return wgpl(scene, work);
    }
    let (one, thousand) = innernet(scene);
    Row::new(of, work, ("innernet-server add-peer, 1,000 times", &[thousand]), Some(0.05)).tell();
    let empty = scene.hub("work", 7);
    fresh(&scene.fleet.join("empty"), &empty);
    let mut n = 0;
    let mut add = || {
        n += 1;
        timed(&mut empty.program(&format!("location add rival-{n} -q")))
    };
    let [adds] = in_turn(one.len(), [&mut add]);
    Row::new(of, ("location add, empty hub", &adds), ("innernet-server add-peer", &one), Some(0.5)).tell();
    wgpl(scene, work);
}

/// Says aloud what is not compared.
fn absent(program: &str, remedy: &str) -> bool {
    let absent = missing(&[program]).is_some();
    if absent {
        say(&format!("skipped: {program} is not installed ({remedy})"));
    }
    absent
}

/// The first twenty peers, and all thousand.
fn innernet(scene: &Scene) -> (Vec<Sample>, Sample) {
    let name = Interface::new(&scene.backend, 8);
    let dir = scene.fleet.join("innernet");
    fs::create_dir_all(dir.join("invites")).expect("directory");
    let server = |words: &str| {
        let mut command = Command::new("innernet-server");
        command.arg("-c").arg(dir.join("c")).arg("-d").arg(dir.join("d"));
        command
            .args(["--backend", "userspace"])
            .args(words.split(' ').map(|w| if w == "IF" { &name.name } else { w }));
        command.current_dir(&dir);
        command
    };
    run(&mut server(
        "new --network-name IF --network-cidr 10.78.0.0/16 --external-endpoint 127.0.0.1:51998 --listen-port 51998",
    ));
    // Once it is there, each new peer is put on it.
    name.create();
    run(&mut server("add-cidr IF --name sites --cidr 10.78.64.0/18 --parent IF --yes"));
    let all: Vec<Sample> = (0..fleet::RIVALS_GET)
        .map(|n| {
            timed(&mut server(&format!(
                "add-peer IF --name site-{n} --cidr sites --auto-ip --admin false --save-config invites/{n}.toml --invite-expires 30d --yes"
            )))
        })
        .collect();
    assert_eq!(name.peers(), fleet::RIVALS_GET, "innernet-server left peers out");
    let seconds = all.iter().map(|s| s.seconds).sum();
    (all[..20].to_vec(), Sample { seconds, peak_mib: 0.0 })
}

/// Fifty peers, counted twenty times: it takes half a second for each.
fn wgpl(scene: &Scene, import: (&str, &[Sample])) {
    if absent("wgpl", "pip install wgpl, with Python 3.12") {
        return;
    }
    let dir = scene.fleet.join("wgpl");
    fs::create_dir_all(&dir).expect("directory");
    let key = run(Command::new("sh").args(["-c", "wg genkey | wg pubkey"]));
    let wgpl = |words: &str| {
        let mut command = Command::new("wgpl");
        command.env("WGPL_DB_PATH", dir.join("wgpl.db")).args(words.split(' '));
        command
    };
    let add =
        format!("interface add wg0 hub.example.com {} 10.77.0.0/16 --port 51999 --keepalive 25", key.trim());
    run(&mut wgpl(&add));
    let fifty: f64 = (0..50).map(|n| timed(&mut wgpl(&format!("peer add site-{n} -i wg0"))).seconds).sum();
    let thousand = Sample { seconds: fifty * 20.0, peak_mib: 0.0 };
    let of = (scene.backend.as_str(), fleet::RIVALS_GET);
    Row::new(of, import, ("wgpl peer add, 50 times, x 20", &[thousand]), Some(0.01)).tell();
}
