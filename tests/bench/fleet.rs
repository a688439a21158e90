//! The hubs that are measured: made outside, because it is quicker there than in an emulated machine.

use crate::{PROGRAM, process::run};
use std::{
    fmt::Write as _,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) const NETWORK: &str = "10.64.0.0/14";
/// 198.18.0.0 and up is for benchmarks; nothing is ever sent there.
const ENDPOINTS: u32 = 0xC612_0000;
/// UDP ports of the hub with the fleet, of the empty one and of the one that is filled.
const PORTS: [u16; 3] = [51820, 51821, 51822];
/// More rows than that are not imported again and again.
pub(crate) const BULK_MOST: usize = 10_000;
/// How many routers the other tools get.
pub(crate) const RIVALS_GET: usize = 1_000;

/// wireguard-go refuses more than 65,536 peers; some are added to the full hub.
const USERSPACE_MOST: usize = 65_000;
/// From this size on a hub is a large one.
pub(crate) const LARGE: usize = USERSPACE_MOST;

/// Makes a directory for each size; in it the roots `hub`, `empty` and `bulk`, what `wg setconf`
/// wants for the same peers (`wg.conf`), an endpoint for each (`endpoints.conf`), and a list to
/// import (`sites.csv`).
pub(crate) fn make(work: &Path, sizes: &[usize], backend: &str) -> Result<Vec<PathBuf>, String> {
    let most = if backend == "userspace" { USERSPACE_MOST } else { usize::MAX };
    let mut all = Vec::new();
    for size in sizes.iter().map(|&size| size.min(most)) {
        let dir = work.join(format!("fleet/{size}"));
        if !dir.exists() {
            one(&dir, size).map_err(|e| format!("cannot make a fleet: {e}"))?;
        }
        all.push(dir);
    }
    Ok(all)
}

fn one(dir: &Path, size: usize) -> std::io::Result<()> {
    for (name, port) in ["hub", "empty", "bulk"].into_iter().zip(PORTS) {
        let root = dir.join(name);
        fs::create_dir_all(&root)?;
        let port = port.to_string();
        iwas_wg(
            &root,
            &["init", "--endpoint", "vpn.example.com", "--network", NETWORK, "--listen-port", &port],
        );
    }
    let hub = dir.join("hub");
    let sites =
        |n: usize| (0..n).fold("name,org\n".to_owned(), |all, i| all + &format!("site-{i:06},acme\n"));
    fs::write(dir.join("sites.csv"), sites(size.min(BULK_MOST)))?;
    fs::write(dir.join("rivals.csv"), sites(RIVALS_GET))?;
    fill(&hub, size)?;

    // As `wg-quick strip` does it.
    let conf = fs::read_to_string(hub.join("etc/wireguard/wg0.conf"))?;
    let plain =
        |line: &&str| !line.starts_with(['#']) && !line.starts_with("Address") && !line.starts_with("Table");
    let stripped = conf.lines().filter(plain).fold(String::with_capacity(conf.len()), |t, l| t + l + "\n");
    fs::write(dir.join("wg.conf"), &stripped)?;
    let bulk = stripped.match_indices("[Peer]").nth(BULK_MOST).map_or(stripped.len(), |(at, _)| at);
    fs::write(dir.join("bulk.conf"), &stripped[..bulk])?;
    // wg(8) takes a peer without allowed IPs for one that shall have none.
    let mut endpoints = String::with_capacity(stripped.len() * 2);
    let mut peers = 0;
    for line in stripped.split_inclusive('\n').skip_while(|l| *l != "[Peer]\n") {
        endpoints.push_str(line);
        if line == "[Peer]\n" {
            let _ = writeln!(endpoints, "Endpoint = {}:51820", address(ENDPOINTS, peers));
            peers += 1;
        }
    }
    fs::write(dir.join("endpoints.conf"), endpoints)?;
    Ok(())
}

/// The address this far above a base.
fn address(base: u32, n: usize) -> Ipv4Addr {
    Ipv4Addr::from(base + u32::try_from(n).expect("few enough"))
}

fn iwas_wg(root: &Path, words: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.env_clear().arg("--root").arg(root).args(words).args(["-q"]);
    run(command.env("IWAS_WG_BACKEND", "none"))
}

/// Gives a hub its routers: as a hub of somebody else's that is adopted, which needs no keys.
fn fill(hub: &Path, size: usize) -> std::io::Result<()> {
    let conf = hub.join("etc/wireguard/wg0.conf");
    let mut text = fs::read_to_string(&conf)?;
    for i in 0..size {
        let key = iwas_wg::model::PrivateKey::from_random(zeroize::Zeroizing::new(seed(i))).public();
        let ip = address(0x0A40_0002, i);
        let _ = write!(
            text,
            "\n[Peer]\n# friendly_name = site-{i:06}\nPublicKey = {key}\nAllowedIPs = {ip}/32\n"
        );
    }
    fs::remove_dir_all(hub.join("etc/iwas-wg"))?;
    fs::remove_dir_all(hub.join("var"))?;
    fs::write(&conf, text)?;
    iwas_wg(hub, &["init", "--adopt", "--endpoint", "vpn.example.com", "--network", NETWORK]);
    // Rows as large as those of keys that were made and sealed here.
    let store = rusqlite::Connection::open(hub.join("var/lib/iwas-wg/iwas-wg.db")).expect("the store");
    store.execute("UPDATE peer SET sealed_key = randomblob(270)", []).expect("fill the store");
    store.execute("UPDATE location SET key_mode = 'stored', org = 'acme'", []).expect("fill the store");
    Ok(())
}

fn seed(i: usize) -> [u8; 32] {
    let mut bytes = [7; 32];
    bytes[8..16].copy_from_slice(&i.to_le_bytes());
    bytes
}
