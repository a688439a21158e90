//! Nobody waits for a person or a reader with the lock in hand.

use crate::support::{Hub, Run};
use iwas_wg::fsx::Lock;
use std::{
    cell::RefCell,
    fs,
    io::{self, Read, Write},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

/// Requires that the lock is free now.
fn require_free(lock: &std::path::Path, when: &str) {
    let free = Lock::acquire(lock, Duration::ZERO, "the test", &mut |_| {});
    assert!(free.is_ok(), "{when}: {free:?}");
}

/// A reader of the streams that takes its time.
struct Reader(PathBuf, Rc<RefCell<Vec<u8>>>);

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        require_free(&self.0, &format!("writing {:?}", String::from_utf8_lossy(bytes)));
        self.1.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Deed = Box<dyn FnMut()>;

/// A person who thinks, sees to it that something happens meanwhile, and says yes.
struct Person(PathBuf, Option<Deed>, io::Cursor<&'static str>);

impl Read for Person {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        require_free(&self.0, "asking");
        if let Some(mut deed) = self.1.take() {
            deed();
        }
        self.2.read(buf)
    }
}

fn run(hub: &Hub, words: &[&str], meanwhile: Option<Deed>) -> Run {
    let lock = hub.path("var/lib/iwas-wg/iwas-wg.lock");
    let said = Rc::new(RefCell::new(Vec::new()));
    let mut run = hub.run_in(words, |env| {
        (env.terminal.stdin, env.terminal.stderr) = (true, true);
        env.stdin = Box::new(Person(lock.clone(), meanwhile, io::Cursor::new("y\n")));
        env.stdout = Box::new(Reader(lock.clone(), Rc::clone(&said)));
        env.stderr = Box::new(Reader(lock.clone(), Rc::clone(&said)));
    });
    run.stdout = String::from_utf8(said.take()).expect("UTF-8");
    run
}

#[test]
fn the_lock_is_free_while_a_person_decides_or_reads() {
    let hub = Hub::up();
    let path = |name: &str| hub.path(name).to_str().expect("path").to_owned();
    let (sheet, backup, scripts) = (path("sheet.csv"), path("backup.db"), path("scripts"));
    fs::write(&sheet, "name\nbatch-1\nbatch-2\n").expect("sheet");
    for words in [
        &["location", "add", "cafe"][..],
        &["location", "add", "once", "--key-mode", "once"],
        &["--json", "location", "add", "kiosk"],
        &["location", "add", "later", "--no-provision"],
        &["peer", "provision", "later"],
        &["location", "set", "cafe", "--tag", "a=b"],
        &["location", "rename", "later", "late"],
        &["location", "import", &sheet],
        &["peer", "rotate", "cafe"],
        &["peer", "rotate", "cafe"],
        &["peer", "rotate", "cafe", "--abort"],
        &["peer", "move", "kiosk", "--vpn-ip", "10.0.0.77"],
        &["peer", "move", "kiosk", "--done"],
        &["peer", "rotate", "--all", "--scripts-dir", &scripts],
        &["peer", "disable", "kiosk"],
        &["peer", "enable", "kiosk"],
        &["peer", "reset", "kiosk"],
        &["peer", "revoke", "kiosk"],
        &["secrets", "reseal"],
        &["script", "render", "cafe"],
        &["heartbeat", "-v"],
        &["sync"],
        &["sync", "--prune"],
        &["backup", &backup],
        &["restore", &backup],
        &["location", "remove", "batch-1"],
        &["down"],
        &["up"],
    ] {
        let run = run(&hub, words, None);
        assert_eq!(run.code, 0, "{words:?}: {run:#?}");
        assert!(!run.stdout.is_empty() || words[0] == "heartbeat", "{words:?} said nothing");
    }
}

#[test]
fn what_was_agreed_to_is_done_only_if_it_is_still_the_same() {
    let hub = Rc::new(Hub::up());
    hub.add("cafe");
    hub.add("kiosk");
    for words in [&["location", "remove", "cafe"][..], &["peer", "revoke", "cafe"]] {
        let other = Rc::clone(&hub);
        let deed = move || drop(other.run(&["location", "set", "cafe", "--tag", "seen=yes"]).ok());
        hub.run(&["location", "set", "cafe", "--untag", "seen"]).ok();
        let run = run(&hub, words, Some(Box::new(deed)));
        assert_eq!(run.code, 4, "{run:#?}");
        assert!(run.stdout.contains("iwas-wg: cafe was changed while you were asked\n"), "{run:#?}");
        assert!(run.stdout.ends_with("hint: look at it, and run the command again\n"), "{run:#?}");
        hub.run(&["peer", "show", "cafe"]).ok();
    }
    // A reading is no change, and another location's is none of this one's.
    for name in ["cafe", "kiosk"] {
        let other = Rc::clone(&hub);
        let deed = move || {
            other.run(&["heartbeat"]).ok();
            other.run(&["location", "add", &format!("{name}-2")]).ok();
        };
        let run = run(&hub, &["location", "remove", name], Some(Box::new(deed)));
        assert_eq!(run.code, 0, "{run:#?}");
    }
}

#[test]
fn heartbeats_that_are_skipped_again_and_again_are_told() {
    let hub = Hub::up();
    hub.add("cafe");
    let metrics = hub.path("wg.prom");
    let beat = ["--lock-timeout", "0", "heartbeat", "--skip-if-busy", "--metrics-file"];
    let beat: Vec<&str> = beat.into_iter().chain([metrics.to_str().expect("path")]).collect();
    let number = || {
        let text = fs::read_to_string(&metrics).expect("metrics");
        let line = text.lines().find(|l| l.starts_with("iwas_wg_heartbeats_skipped ")).expect("line");
        line.rsplit(' ').next().expect("number").to_owned()
    };
    hub.run(&beat).ok();
    assert_eq!(number(), "0");
    let lock = hub.path("var/lib/iwas-wg/iwas-wg.lock");
    let held =
        Lock::acquire(&lock, Duration::ZERO, "location import, since then", &mut |_| {}).expect("lock");
    hub.run(&beat).ok();
    hub.run(&beat).ok();
    assert_eq!(hub.run(&["check"]).code, 0);
    let run = hub.run(&beat).code(8);
    let said = "iwas-wg: 3 heartbeats in a row were skipped since 2026-11-23T10:00:00Z: another iwas-wg is at work (pid ";
    assert!(run.error().0.starts_with(said), "{run:?}");
    assert!(run.error().0.ends_with(", location import, since then)"), "{run:?}");
    assert_eq!(number(), "3");
    let doctor = hub.run(&["doctor"]).code(5).stdout;
    assert!(doctor.contains("fault    heartbeat  3 heartbeats in a row were skipped since"), "{doctor}");
    assert!(doctor.contains("ok       lock       another iwas-wg is at work (pid "), "{doctor}");
    let check = hub.run(&["check"]).code(1).stdout;
    assert!(check.contains("3 heartbeats in a row were skipped"), "{check}");
    drop(held);
    hub.run(&beat).ok();
    assert_eq!(number(), "0");
    hub.run(&["check"]).ok();
}

#[test]
fn a_stopped_holder_of_the_lock_is_named() {
    let hub = Hub::up();
    let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
    let pid = child.id();
    let signal = |name: &str| {
        let sent = std::process::Command::new("kill").args([name, &pid.to_string()]).status();
        assert!(sent.expect("kill").success());
    };
    signal("-STOP");
    let stat = || fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
    while !stat().contains(") T ") {
        std::thread::yield_now();
    }
    let path = hub.path("var/lib/iwas-wg/iwas-wg.lock");
    let held = fs::File::options().write(true).open(&path).expect("lock file");
    held.lock().expect("lock");
    let since = "2026-11-23T09:00:00Z";
    fs::write(&path, format!("pid {pid}, location import, since {since}\n")).expect("note");
    let busy = hub.run(&["--lock-timeout", "0", "sync"]).code(8);
    let doctor = hub.run(&["doctor"]).stdout;
    signal("-KILL");
    child.wait().expect("wait");
    let who = format!("another iwas-wg is at work (pid {pid}, location import, since {since}, stopped)");
    assert_eq!(busy.error().0, format!("iwas-wg: {who}"));
    assert!(doctor.contains(&format!("fault    lock       {who}\n")), "{doctor}");
    assert!(doctor.contains(&format!("mend: kill -CONT {pid}, or kill {pid}\n")), "{doctor}");
}

#[test]
fn a_lock_timeout_beyond_all_clocks_is_for_ever() {
    let hub = Hub::up();
    hub.run(&["--lock-timeout", "18446744073709551615", "location", "add", "cafe"]).ok();
}
