//! `watch` on real handshakes: the table on a terminal that is driven by keys and read back from
//! its screen, and the lines in a pipe.

use crate::{
    bench::{missing, ready, run, skip},
    hub::Hub,
    netns::Net,
    router::Router,
};
use iwas_wg::env::{Clock, Env};
use jiff::Timestamp;
use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const WITHIN: Duration = Duration::from_secs(40);

/// A terminal of its own in tmux, with a shell in it. Gone when dropped.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn open(name: &str) -> Self {
        let terminal = Self { socket: format!("iwas-wg-{name}-{}", std::process::id()) };
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "110",
            "-y",
            "12",
            "env PS1='ready> ' sh",
        ]);
        terminal
    }

    #[track_caller]
    fn tmux(&self, words: &[&str]) -> String {
        run(Command::new("tmux").args(["-L", &self.socket]).args(words))
    }

    /// Types this text, and nothing after it.
    fn text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    fn shows(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + WITHIN;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return;
            }
            assert!(Instant::now() < deadline, "not seen: {what}\n{screen}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

fn row<'a>(screen: &'a str, name: &str) -> Option<&'a str> {
    screen.lines().find(|l| l.starts_with(&format!("{name} ")))
}

#[test]
fn the_table_lives_and_gives_the_terminal_back() {
    let Some(backend) = ready() else { return };
    if let Some(reason) = missing(&["tmux"]) {
        return skip(&reason);
    }
    let net = Net::new();
    let mut hub = Hub::up(&net, backend);
    hub.vars.push(("IWAS_WG_OFFLINE_AFTER", "15".to_owned()));
    hub.vars.push(("TERM", "tmux".to_owned()));
    let router = Router::of_new_location(&net, &hub, "cafe");
    hub.ok("location add bar --org acme");
    hub.ok("location add tower");

    let terminal = Terminal::open("watch");
    terminal.shows("the shell", |s| s.contains("ready>"));
    // As Debug writes a command it can be typed.
    terminal.text(&format!("echo before; {:?}; echo ended with $?", hub.program("watch --interval 0.5")));
    terminal.key("Enter");
    let is = |name, state| move |s: &str| row(s, name).is_some_and(|r: &str| r.contains(state));
    terminal.shows("cafe online", is("cafe", " online "));
    let screen = terminal.screen();
    assert!(!screen.contains("before"), "not a screen of its own:\n{screen}");
    assert!(screen.contains("1 online  0 offline  2 never  read "), "{screen}");
    assert!(screen.lines().last().is_some_and(|l| l.starts_with("q quit")), "{screen}");

    // The router goes dark: it becomes the first row, and the counts follow.
    router.stop();
    terminal.shows("cafe offline", is("cafe", " offline "));
    let first = |s: &str, name: &str| s.lines().nth(2).is_some_and(|l| l.starts_with(name));
    assert!(first(&terminal.screen(), "cafe "), "{}", terminal.screen());
    assert!(terminal.screen().contains("0 online  1 offline"), "{}", terminal.screen());
    terminal.key("n");
    terminal.shows("sorted by name", |s| first(s, "bar ") && s.contains("NAMEv"));
    terminal.key("n");
    terminal.shows("turned around", |s| first(s, "tower ") && s.contains("NAME^"));
    // Letters of a filter are no commands.
    terminal.text("/acq");
    terminal.shows("the filter", |s| s.lines().last().is_some_and(|l| l.starts_with("/acq_")));
    assert!(row(&terminal.screen(), "bar").is_none());
    terminal.key("BSpace");
    terminal.shows("one row", |s| row(s, "bar").is_some() && row(s, "cafe").is_none());
    terminal.key("Escape");
    terminal.shows("all rows", |s| row(s, "cafe").is_some() && row(s, "tower").is_some());
    // A narrow terminal keeps what matters, one line a site.
    terminal.tmux(&["resize-window", "-x", "48", "-y", "8"]);
    terminal.shows("a narrow table", |s| is("cafe", " offline ")(s) && !s.contains("ADDRESS"));
    // A location that another process adds is there with the next reading.
    hub.ok("location add new-one");
    terminal.shows("the new location", |s| row(s, "new-one").is_some());
    router.start();
    terminal.shows("cafe online again", is("cafe", " online "));

    terminal.key("q");
    terminal.shows("the old screen", |s| s.contains("before") && s.contains("ended with 0"));
    terminal.tmux(&["resize-window", "-x", "110", "-y", "12"]);
    terminal.text("echo typed");
    terminal.shows("what is typed", |s| s.contains("ready> echo typed"));
    terminal.key("Enter");

    // A signal ends it as well as a key does.
    for signal in ["TERM", "INT"] {
        let watch = hub.program("watch");
        terminal.text(&format!("clear; {watch:?}; echo {signal} ended with $?"));
        terminal.key("Enter");
        terminal.shows("the table", |s| s.contains("q quit"));
        let watches: Vec<String> = hub.space.processes().into_iter().filter(|p| is_watch(p)).collect();
        assert_eq!(watches.len(), 1, "{watches:?}");
        run(Command::new("kill").arg(format!("-{signal}")).arg(&watches[0]));
        terminal.shows("the old screen", |s| {
            s.contains(&format!("{signal} ended with 0")) && !s.contains("q quit")
        });
    }
}

/// Whether a process of the hub's namespace is `watch`.
fn is_watch(process: &str) -> bool {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|b| *b == 0).collect();
    words.first().is_some_and(|w| w.ends_with(b"iwas-wg")) && words.contains(&&b"watch"[..])
}

#[test]
fn a_pipe_gets_a_line_for_each_change() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let mut hub = Hub::up(&net, backend);
    hub.vars.push(("IWAS_WG_OFFLINE_AFTER", "15".to_owned()));
    let router = Router::of_new_location(&net, &hub, "cafe");
    assert!(router.is_heard());
    let mut watch = hub.program("--json watch --interval 0.5").stdout(Stdio::piped()).spawn().expect("watch");
    let mut lines = BufReader::new(watch.stdout.take().expect("its output")).lines();
    let mut line = || -> serde_json::Value {
        serde_json::from_str(&lines.next().expect("a line").expect("a line")).expect("JSON")
    };
    let start = line();
    assert_eq!((&start["event"], &start["counts"]["online"]), (&"start".into(), &1.into()), "{start}");
    router.stop();
    let dark = line();
    assert_eq!(
        (&dark["name"], &dark["from"], &dark["to"]),
        (&"cafe".into(), &"online".into(), &"offline".into())
    );
    router.start();
    assert!(router.is_heard());
    let back = line();
    assert_eq!((&back["name"], &back["to"]), (&"cafe".into(), &"online".into()), "{back}");
    // The very times that the record has.
    hub.ok("heartbeat");
    let history = hub.json("history cafe --since 1h");
    let changes = history["changes"].as_array().expect("changes");
    assert_eq!(changes.last().expect("one")["at"], back["at"], "{history}");
    // A signal ends it, and that is no failure.
    let watches: Vec<String> = hub.space.processes().into_iter().filter(|p| is_watch(p)).collect();
    run(Command::new("kill").arg("-TERM").args(&watches));
    assert!(watch.wait().expect("its end").success());
}

/// A clock that breaks once a file is there.
struct Breaking(PathBuf);

impl Clock for Breaking {
    fn now(&self) -> Timestamp {
        assert!(!self.0.exists(), "the clock is broken");
        Timestamp::now()
    }
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_says_anything() {
    const ROOT: &str = "IWAS_WG_PANICS_BELOW";
    // This very test on a terminal: the whole program, with a clock of ours.
    if let Some(root) = env::var_os(ROOT) {
        let clock = Box::new(Breaking(Path::new(&root).join("break")));
        let words = ["iwas-wg".into(), "--root".into(), root, "watch".into()];
        let interval = ["--interval".into(), "0.1".into()];
        let code = iwas_wg::run(words.into_iter().chain(interval), &mut Env { clock, ..Env::real() });
        panic!("watch ended with {code}");
    }
    if let Some(reason) = missing(&["tmux"]) {
        return skip(&reason);
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let (root, seen) = (dir.path(), dir.path().join("seen"));
    for words in ["init --endpoint vpn.example.com --backend none", "location add cafe"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iwas-wg"));
        run(command.arg("--root").arg(root).args(words.split(' ')));
    }
    let terminal = Terminal::open("panic");
    terminal.shows("the shell", |s| s.contains("ready>"));
    // Room for all that a test says when it fails.
    terminal.tmux(&["resize-window", "-x", "110", "-y", "50"]);
    terminal.tmux(&["pipe-pane", &format!("cat > '{}'", seen.display())]);
    let mut this = Command::new("env");
    this.arg(format!("{ROOT}={}", root.display()))
        .arg("RUST_BACKTRACE=0")
        .arg(env::current_exe().expect("this program"));
    this.args(["--exact", "watch::a_panic_gives_the_terminal_back_before_it_says_anything", "--nocapture"]);
    terminal.text(&format!("stty -g > '{0}/before'; {this:?}; stty -g > '{0}/after'", root.display()));
    terminal.key("Enter");
    terminal.shows("the table", |s| row(s, "cafe").is_some());
    fs::write(root.join("break"), "").expect("file");
    terminal.shows("the panic on the old screen", |s| {
        s.contains("the clock is broken") && s.trim_end().ends_with("ready>") && row(s, "cafe").is_none()
    });
    let modes = |name| fs::read_to_string(root.join(name)).expect("modes");
    assert_eq!(modes("before"), modes("after"), "keys are still read one by one, or are not shown");
    // Once, and before the message: a second time would put the cursor back onto it.
    let seen = String::from_utf8_lossy(&fs::read(seen).expect("what the terminal got")).into_owned();
    assert_eq!(
        (seen.matches("\x1b[?1049h").count(), seen.matches("\x1b[?1049l").count()),
        (1, 1),
        "{seen:?}"
    );
    let (left, said) = (seen.find("\x1b[?1049l"), seen.find("the clock is broken"));
    assert!(left < said && seen.rfind("\x1b[?25h") < said, "{seen:?}");
}

#[test]
fn a_terminal_that_is_gone_ends_it() {
    if let Some(reason) = missing(&["tmux"]) {
        return skip(&reason);
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path();
    run(Command::new(env!("CARGO_BIN_EXE_iwas-wg")).arg("--root").arg(root).args([
        "init",
        "--endpoint",
        "vpn.example.com",
        "--backend",
        "none",
    ]));
    let terminal = Terminal::open("gone");
    terminal.shows("the shell", |s| s.contains("ready>"));
    // In place of the shell: nobody else is there to end it.
    let mut watch = Command::new(env!("CARGO_BIN_EXE_iwas-wg"));
    watch.arg("--root").arg(root).args(["watch", "--interval", "3600"]);
    terminal.text(&format!("echo $$ > '{}/pid'; exec {watch:?}", root.display()));
    terminal.key("Enter");
    terminal.shows("the table", |s| s.contains("q quit"));
    let pid = fs::read_to_string(root.join("pid")).expect("its number").trim().to_owned();
    let runs = || is_watch(&pid);
    assert!(runs(), "{pid} is not watch");
    drop(terminal);
    let deadline = Instant::now() + WITHIN;
    while runs() {
        if Instant::now() > deadline {
            run(Command::new("kill").arg("-KILL").arg(&pid));
            panic!("it goes on without a terminal");
        }
        thread::sleep(Duration::from_millis(100));
    }
}
