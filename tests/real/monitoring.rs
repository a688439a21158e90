//! What monitoring systems make of the metrics file: Prometheus' own checker, a real node_exporter
//! on loopback, and the alert rules of the examples with their tests.

use crate::{
    bench::{is_root, missing, ready, run, skip},
    hub::Hub,
    netns::Net,
    router::Router,
};
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// Tests of one process fetch one after the other.
static FETCH: Mutex<()> = Mutex::new(());

/// A program of Debian's packages. They are unpacked and not installed: installed, they would start
/// services on the machine.
fn program(name: &str) -> Result<PathBuf, String> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus");
    let place = cache.join("usr/bin").join(name);
    let _alone = FETCH.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if place.exists() {
        return Ok(place);
    }
    if let Some(reason) = missing(&["apt-get", "dpkg-deb"]) {
        return Err(reason);
    }
    let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("temporary directory");
    let download = |dir: &Path| {
        let mut command = Command::new("apt-get");
        command.args(["download", "-q", "prometheus", "prometheus-node-exporter"]);
        command.current_dir(dir).output().expect("start apt-get").status.success()
    };
    // The package lists of a fresh container are empty.
    if !download(work.path()) {
        run(Command::new("apt-get").args(["update", "-q"]));
        assert!(download(work.path()), "cannot download the packages of Prometheus");
    }
    let tree = work.path().join("tree");
    for entry in fs::read_dir(work.path()).expect("directory") {
        let package = entry.expect("entry").path();
        if package.extension().is_some_and(|e| e == "deb") {
            run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&tree));
        }
    }
    let _ = fs::remove_dir_all(&cache);
    // Another process may have been faster, with the same result.
    let _ = fs::rename(&tree, &cache);
    Ok(place)
}

#[test]
fn the_metrics_are_what_promtool_and_a_node_exporter_want() {
    let Some(backend) = ready() else { return };
    let (promtool, exporter) = match (program("promtool"), program("prometheus-node-exporter")) {
        (Ok(promtool), Ok(exporter)) => (promtool, exporter),
        (Err(reason), _) | (_, Err(reason)) => return skip(&reason),
    };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    hub.ok("location add kiosk --expires 2099-01-01");
    hub.ok("location add tower --no-provision");
    assert!(router.is_heard());
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("iwas-wg.prom");
    hub.ok(&format!("heartbeat --metrics-file {}", file.display()));

    let mut check = Command::new(&promtool);
    let check = check.args(["check", "metrics"]).stdin(fs::File::open(&file).expect("metrics")).output();
    let check = check.expect("start promtool");
    let said = String::from_utf8_lossy(&check.stdout) + String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success() && said.trim().is_empty(), "promtool finds fault:\n{said}");

    let text = scrape(&exporter, dir.path());
    for line in [
        "iwas_wg_peer_up{location=\"cafe\"} 1",
        "iwas_wg_peer_up{location=\"kiosk\"} 0",
        "iwas_wg_location_expires_timestamp_seconds{location=\"kiosk\"} 4.0709088e+09",
        "iwas_wg_peers{state=\"online\"} 1",
        "iwas_wg_peers{state=\"unprovisioned\"} 1",
        "iwas_wg_drift 0",
        "node_textfile_scrape_error 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    for family in [
        "peer_last_handshake_timestamp_seconds",
        "peer_receive_bytes_total",
        "peer_key_created_timestamp_seconds",
    ] {
        assert!(text.contains(&format!("\niwas_wg_{family}{{location=\"cafe\"}} ")), "{family}\n{text}");
    }
}

/// A program that ends with its guard.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a node_exporter on loopback serves of a directory.
fn scrape(exporter: &Path, dir: &Path) -> String {
    // A port that was free a moment ago; whoever else takes it is noticed by the answer.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let mut command = Command::new(exporter);
    command.args(["--collector.disable-defaults", "--collector.textfile"]);
    command.arg(format!("--collector.textfile.directory={}", dir.display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let _running =
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start node_exporter"));
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let asked = stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n");
            let mut text = String::new();
            if asked.is_ok() && stream.read_to_string(&mut text).is_ok() && text.contains("200 OK") {
                return text;
            }
        }
        assert!(Instant::now() < deadline, "node_exporter does not answer");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_alert_rules_alarm_when_they_should() {
    if !is_root() {
        return skip("needs root to fetch packages");
    }
    let promtool = match program("promtool") {
        Ok(promtool) => promtool,
        Err(reason) => return skip(&reason),
    };
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/prometheus");
    let mut check = Command::new(&promtool);
    let said = run(check.args(["check", "rules", "--lint-fatal", "rules.yml"]).current_dir(&rules));
    assert!(said.contains("7 rules found"), "{said}");
    run(Command::new(&promtool).args(["test", "rules", "rules_test.yml"]).current_dir(&rules));
}
