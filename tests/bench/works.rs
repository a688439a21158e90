//! The works: each is measured in turn with what it is compared with, and then looked at.

use crate::{
    PROGRAM, fleet,
    inside::{Hub, Interface},
    process::{Sample, in_turn, occurrences, run, timed},
    report::Row,
    rivals, say,
};
use iwas_wg::{model::PrivateKey, vault};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Instant,
};
use zeroize::Zeroizing;

/// One size of hub on one kind of `WireGuard`.
pub(crate) struct Scene {
    pub(crate) backend: String,
    pub(crate) peers: usize,
    pub(crate) runs: usize,
    pub(crate) fleet: PathBuf,
}

/// The most that any command may hold in memory, in MiB, with the largest fleet.
const MEMORY_MIB: f64 = 150.0;

impl Scene {
    fn row(&self, work: (&str, &[Sample]), against: (&str, &[Sample]), target: f64, from_peers: usize) {
        let target = (self.peers >= from_peers).then_some(target);
        self.tell(work, against, target);
    }

    /// Of what takes a moment: the emulator translates the code of each process anew, and that is what
    /// would be measured.
    fn row_of_a_moment(&self, work: (&str, &[Sample]), against: (&str, &[Sample]), target: f64) {
        self.tell(work, against, (!self.is_emulated()).then_some(target));
    }

    fn tell(&self, work: (&str, &[Sample]), against: (&str, &[Sample]), target: Option<f64>) {
        Row::new((&self.backend, self.peers), work, against, target).tell();
    }

    /// Where a run takes a minute, three must do.
    fn few(&self) -> usize {
        if self.peers > 10_000 { self.runs.min(3) } else { self.runs }
    }

    /// Of what takes a moment, more: but in the emulated machine nothing does.
    fn many(&self) -> usize {
        if self.is_emulated() { self.runs } else { self.runs * 4 }
    }

    pub(crate) fn is_emulated(&self) -> bool {
        self.backend == "kernel"
    }

    pub(crate) fn hub(&self, name: &str, number: usize) -> Hub {
        Hub::new(self.fleet.join(name), &self.backend, number)
    }

    fn file(&self, name: &str) -> String {
        self.fleet.join(name).display().to_string()
    }
}

/// Works that do not depend on the number of routers.
pub(crate) fn of_no_size(scene: &Scene) {
    let mut ours = || timed(Command::new(PROGRAM).env_clear().arg("--version"));
    let mut wg = || timed(Command::new("wg").arg("--version"));
    let [ours, wg] = in_turn(scene.many(), [&mut ours, &mut wg]);
    scene.row_of_a_moment(("--version", &ours), ("wg --version", &wg), 2.0);
}

/// All others. The interfaces of one work are gone before the next.
pub(crate) fn of_a_size(scene: &Scene) {
    let hub = scene.hub("hub", 0);
    let mut largest = up(scene, &hub);
    run(&mut hub.interface.wg(&format!("addconf IF {}", scene.file("endpoints.conf"))));
    largest = largest.max(readings(scene, &hub)).max(sync(scene, &hub)).max(add(scene, &hub));
    hub.run("down");
    let imported = import(scene);
    largest = largest.max(peak([&imported]));
    if scene.peers >= fleet::LARGE {
        let memory = |mib| [Sample { seconds: mib, peak_mib: mib }];
        let of = "150 MiB (figures in MiB / 1000)";
        scene.row(("largest memory", &memory(largest / 1e3)), (of, &memory(MEMORY_MIB / 1e3)), 1.0, 0);
    }
    if scene.peers == fleet::RIVALS_GET {
        rivals::all(scene, &imported);
    }
}

fn peak<const N: usize>(all: [&[Sample]; N]) -> f64 {
    all.into_iter().flatten().map(|s| s.peak_mib).fold(0.0, f64::max)
}

/// A hub comes up with all its peers, beside `wg setconf` on an interface that is there.
fn up(scene: &Scene, hub: &Hub) -> f64 {
    let bare = Interface::new(&scene.backend, 1);
    let before = available_bytes();
    let mut setconf = || {
        // Both want the same UDP port.
        hub.run("down");
        bare.create();
        let sample = timed(&mut bare.wg(&format!("setconf IF {}", scene.file("wg.conf"))));
        bare.delete();
        sample
    };
    let mut up = || timed(&mut hub.program("up -q"));
    let [setconf, ours] = in_turn(scene.few(), [&mut setconf, &mut up]);
    assert_eq!(hub.interface.peers(), scene.peers, "up left peers out");
    if scene.is_emulated() {
        // Nothing else runs in that machine: what is missing with the peers is theirs.
        let each = before.saturating_sub(available_bytes()) / scene.peers;
        say(&format!("  {} peers: the kernel holds {each} bytes for each", scene.peers));
    }
    scene.row(("up", &ours), ("wg setconf", &setconf), 1.2, 10_000);
    peak([&ours])
}

/// Memory that programs could still have.
fn available_bytes() -> usize {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:")).expect("a line");
    line.trim_end_matches("kB").trim().parse::<usize>().expect("a number") * 1024
}

/// All handshakes into the store, every reading another than the last, and the whole fleet as JSON.
fn readings(scene: &Scene, hub: &Hub) -> f64 {
    // The rows are there from now on: a heartbeat changes them.
    hub.run("heartbeat -q");
    let mut dump = || timed(&mut hub.interface.wg("show IF dump"));
    let mut heartbeat = || {
        let changed = store(hub, "UPDATE reading SET rx_bytes = rx_bytes + 1, last_handshake = 1700000000");
        assert_eq!(changed, scene.peers, "not every peer has a reading");
        timed(&mut hub.program("heartbeat -q"))
    };
    let mut status = || timed(&mut hub.program("status --json"));
    let [beats, shown, dumps] = in_turn(scene.runs, [&mut heartbeat, &mut status, &mut dump]);

    let left = store(hub, "UPDATE reading SET rx_bytes = rx_bytes WHERE rx_bytes != 0");
    assert_eq!(left, 0, "a heartbeat left readings out");
    let shown_as = |what: &str| {
        let mut child = hub.program("status --json").stdout(Stdio::piped()).spawn().expect("start");
        let count = occurrences(child.stdout.take().expect("a pipe"), what);
        assert!(child.wait().expect("wait").success());
        count
    };
    assert_eq!(shown_as(r#""source":"live""#), 1);
    assert_eq!(shown_as(r#""endpoint":"198."#), scene.peers, "an endpoint is not shown");
    let against = ("wg show dump", dumps.as_slice());
    scene.row(("heartbeat, all changed", &beats), against, 1.5, 10_000);
    scene.row(("status --json", &shown), against, 1.5, 10_000);
    peak([&beats, &shown])
}

/// Runs one statement on the store, which nobody else has open now; returns how many rows it hit.
fn store(hub: &Hub, statement: &str) -> usize {
    let path = hub.root.join("var/lib/iwas-wg/iwas-wg.db");
    let connection = rusqlite::Connection::open(path).expect("open the store");
    connection.execute(statement, []).expect("change the store")
}

fn sync(scene: &Scene, hub: &Hub) -> f64 {
    let mut sync = || timed(&mut hub.program("sync -q"));
    let mut syncconf = || timed(&mut hub.interface.wg(&format!("syncconf IF {}", scene.file("wg.conf"))));
    let [ours, syncconf] = in_turn(scene.runs, [&mut sync, &mut syncconf]);
    assert_eq!(hub.json("sync")["action"], "unchanged");
    scene.row(("sync, nothing to do", &ours), ("wg syncconf, nothing to do", &syncconf), 1.5, fleet::LARGE);
    peak([&ours])
}

/// One more location, on the full hub, on an empty one, and by the loop that everybody writes.
fn add(scene: &Scene, hub: &Hub) -> f64 {
    let empty = scene.hub("empty", 2);
    empty.run("up -q");
    let naive = Interface::new(&scene.backend, 3);
    naive.create();
    let mut n = 0;
    let before = (hub.interface.peers(), empty.interface.peers());
    let count = scene.many().min(12);
    let mut at = |hub: &Hub| {
        n += 1;
        timed(&mut hub.program(&format!("location add bench-{n} -q")))
    };
    let [mut full, mut few, mut turns, mut safe] = [(); 4].map(|()| Vec::new());
    for i in 0..count {
        full.push(at(hub));
        few.push(at(&empty));
        turns.push(rivals::naive(&naive, &scene.fleet, 2 * i, 1, ":"));
        safe.push(rivals::naive(&naive, &scene.fleet, 2 * i + 1, 1, "sync"));
    }
    let after = (hub.interface.peers(), empty.interface.peers());
    assert_eq!(after, (before.0 + count, before.1 + count), "an added peer is not on the interface");
    assert_eq!(naive.peers(), 2 * count);
    let blocks = occurrences(fs::File::open(hub.conf()).expect("conf"), "\n[Peer]\n");
    assert_eq!(blocks, scene.peers + count, "an added peer is not in the conf");
    scene.row(("location add", &full), ("location add, empty hub", &few), 2.0, fleet::LARGE);
    scene.row_of_a_moment(("location add, empty hub", &few), ("one turn of the naive loop", &turns), 1.0);
    // What is added here survives a power cut; so it does there only then.
    scene.tell(("location add, empty hub", &few), ("one turn, its file synced", &safe), None);
    peak([&full, &few])
}

/// Many locations at once, beside what cannot be left out: the keys and the interface.
fn import(scene: &Scene) -> Vec<Sample> {
    let hub = scene.hub("work", 4);
    let bare = Interface::new(&scene.backend, 5);
    let rows = scene.peers.min(fleet::BULK_MOST);
    let mut import = || {
        fresh(&scene.fleet.join("bulk"), &hub);
        timed(&mut hub.program(&format!("location import {} -q", scene.file("sites.csv"))))
    };
    let mut least = || {
        let made = keys(&scene.fleet, rows);
        bare.create();
        let set = timed(&mut bare.wg(&format!("setconf IF {}", scene.file("bulk.conf"))));
        bare.delete();
        Sample { seconds: set.seconds + made, peak_mib: set.peak_mib }
    };
    let [ours, least] = in_turn(scene.few(), [&mut import, &mut least]);
    assert_eq!(hub.interface.peers(), rows, "not every peer is on the interface");
    let target = if rows == fleet::BULK_MOST { 1.3 } else { f64::INFINITY };
    let row = Row::new(
        (&scene.backend, rows),
        ("location import", &ours),
        ("wg setconf + bare keys, sealed", &least),
        target.is_finite().then_some(target),
    );
    row.tell();
    ours
}

/// An empty hub that is up.
pub(crate) fn fresh(template: &Path, hub: &Hub) {
    hub.interface.delete();
    let _ = fs::remove_dir_all(&hub.root);
    run(Command::new("cp").arg("-a").arg(template).arg(&hub.root));
    hub.run("up -q");
}

/// Makes and seals this many keys on all cores and throws them away; returns the seconds.
fn keys(fleet: &Path, count: usize) -> f64 {
    let config = fs::read_to_string(fleet.join("hub/etc/iwas-wg/config.toml")).expect("settings");
    let recipient = config.split('"').find(|w| w.starts_with("age1")).expect("a recipient").to_owned();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    thread::scope(|scope| {
        for core in 0..cores {
            let recipient = &recipient;
            scope.spawn(move || {
                let recipients =
                    vault::Recipients::parse(std::slice::from_ref(recipient)).expect("a recipient");
                for _ in (core..count).step_by(cores) {
                    let mut bytes = Zeroizing::new([0; 32]);
                    getrandom::fill(&mut *bytes).expect("randomness");
                    let key = PrivateKey::from_random(bytes);
                    std::hint::black_box((key.public(), recipients.seal(&key).expect("seal")));
                }
            });
        }
    });
    began.elapsed().as_secs_f64()
}
