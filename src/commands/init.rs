//! `iwas-wg init`: everything a new hub needs, or nothing at all.

use super::{Context, Outcome, adopt};
use crate::{
    device::Carrier,
    error::{Error, Kind},
    fsx,
    model::{Endpoint, InterfaceName, Pool, PrivateKey},
    output::json::{Envelope, HubChange},
    settings::{Backend, Initial, initial_text},
    store::{Hub, Store},
    vault::{Recipients, new_identity},
    wgconf::Conf,
};
use ipnet::Ipv4Net;
use std::path::{Path, PathBuf};

/// Make the settings, the store, the hub's keys and its conf
///
/// Never overwrites anything: where a hub exists already, it says what it found and stops with
/// exit 4. If a step fails, what was made is taken away again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg init --endpoint vpn.example.com
  iwas-wg init --endpoint 203.0.113.5:443 --network 10.20.0.0/16 --interface wg1
  iwas-wg init --root /tmp/try --backend none --endpoint vpn.example.com
  iwas-wg init --adopt --endpoint vpn.example.com --dry-run")]
pub struct Args {
    /// Name or address that the routers dial
    #[arg(long, value_name = "H[:P]")]
    endpoint: Option<String>,
    /// VPN network, 10.0.0.0/24 unless said; the hub takes its first address
    #[arg(long, value_name = "CIDR")]
    network: Option<String>,
    /// Name of the WireGuard interface
    #[arg(long, value_name = "IF", default_value = "wg0")]
    interface: String,
    /// UDP port to listen on, 51820 unless said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    listen_port: Option<u16>,
    /// Who carries the interface: auto, kernel, userspace or none
    #[arg(long, value_name = "B", default_value = "auto")]
    backend: String,
    /// Take over a hub that already runs, with its key, port, address and peers
    ///
    /// Nothing on the interface changes and no session drops. Each peer becomes a location whose
    /// key stays on its router, named by the comment above it, else by its address.
    #[arg(long)]
    adopt: bool,
    /// Adopt from this file: a wg-quick conf, "wg showconf" or dsnet's JSON
    #[arg(long, value_name = "FILE", requires = "adopt")]
    from: Option<PathBuf>,
    /// Names for adopted peers: a line PUBLIC-KEY,NAME for each
    #[arg(long, value_name = "FILE", requires = "adopt")]
    names: Option<PathBuf>,
    /// Say what would be made, and make nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Files that this call made, to be taken away if it fails half-way.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    fn create(&mut self, path: &Path, bytes: &[u8], mode: u32, dir_mode: u32) -> Result<(), Error> {
        if let Some(dir) = path.parent() {
            fsx::create_dir(dir, dir_mode)?;
        }
        fsx::create(path, bytes, mode)?;
        self.0.push(path.to_owned());
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A hub to be made.
pub(super) struct Making<'a> {
    pub(super) interface: &'a InterfaceName,
    pub(super) endpoint: Option<&'a Endpoint>,
    pub(super) pool: &'a Pool,
    pub(super) listen_port: u16,
    pub(super) backend: Backend,
    pub(super) key: &'a PrivateKey,
    /// Whether there is no conf that already serves.
    pub(super) write_conf: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let interface: InterfaceName = args.interface.parse()?;
    let endpoint: Option<Endpoint> = args.endpoint.as_deref().map(str::parse).transpose()?;
    let backend: Backend = args.backend.parse()?;
    if args.adopt {
        let wish = adopt::Wish {
            interface: &interface,
            endpoint,
            network: args.network.as_deref(),
            listen_port: args.listen_port,
            backend,
            from: args.from.as_deref(),
            names: args.names.as_deref(),
            dry_run: args.dry_run,
        };
        return adopt::run(&wish, ctx);
    }
    let pool = Pool::new(args.network.as_deref().unwrap_or("10.0.0.0/24"), &[])?;
    let places = ctx.places();
    let (identity, conf) = (places.default_identity(), places.default_conf(&interface));
    let targets = [&places.config, &places.database, &identity, &conf];
    refuse_existing(&targets)?;
    let key = ctx.new_key()?;
    let steps: Vec<String> = targets.iter().map(|p| format!("create {}", p.display())).collect();
    if !args.dry_run {
        let listen_port = args.listen_port.unwrap_or(51820);
        let made = Making {
            interface: &interface,
            endpoint: endpoint.as_ref(),
            pool: &pool,
            listen_port,
            backend,
            key: &key,
            write_conf: true,
        };
        make(ctx, &made, |_, _| Ok(()))?;
    }

    if ctx.ui.is_json() {
        let report = HubChange {
            changed: !args.dry_run,
            action: "created",
            dry_run: args.dry_run,
            interface: interface.to_string(),
            public_key: key.public().to_string(),
            steps,
            foreign_peers: Vec::new(),
        };
        ctx.ui.json(&Envelope::new(report))?;
        return Ok(Outcome::Done);
    }
    let would = if args.dry_run { "would " } else { "" };
    for step in &steps {
        ctx.ui.say(&format!("{would}{step}"));
    }
    if !args.dry_run {
        let address = Ipv4Net::new_assert(pool.hub(), pool.prefix_len());
        ctx.ui.say(&format!("hub {} with address {address} is ready", key.public()));
        let next = if backend == Backend::None { "" } else { "\"iwas-wg up\", then " };
        ctx.ui.say(&format!("next: {next}\"iwas-wg location add NAME > NAME.rsc\""));
    }
    if endpoint.is_none() {
        let config = places.config.display();
        ctx.ui.warn(&format!("hub.endpoint is empty; set it in {config} before you add a location"));
    }
    Ok(Outcome::Done)
}

/// Says which of the files are there already.
pub(super) fn refuse_existing(targets: &[&PathBuf]) -> Result<(), Error> {
    let found: Vec<String> =
        targets.iter().filter(|p| p.symlink_metadata().is_ok()).map(|p| p.display().to_string()).collect();
    if found.is_empty() {
        return Ok(());
    }
    let verb = if found.len() == 1 { "exists" } else { "exist" };
    Err(Error::new(Kind::Conflict, format!("a hub is here already: {} {verb}", found.join(", "))).hint(
        "nothing was changed; use --root for another hub, --adopt for a conf that is in use, or move the files away",
    ))
}

/// Who carries an interface of this backend; `None` for none.
pub(super) fn carrier(backend: Backend) -> Option<Carrier> {
    match backend {
        Backend::None => None,
        Backend::Auto => Some(Carrier::Auto),
        Backend::Kernel => Some(Carrier::Kernel),
        Backend::Userspace => Some(Carrier::Userspace),
    }
}

/// Makes all files of a hub, the store last and filled; if a step fails, none of them stays.
pub(super) fn make(
    ctx: &Context<'_>,
    m: &Making<'_>,
    fill: impl FnOnce(&mut Store, &Hub) -> Result<(), Error>,
) -> Result<(), Error> {
    let places = ctx.places();
    let (identity_path, conf_path) = (places.default_identity(), places.default_conf(m.interface));
    let identity = new_identity();
    let sealed = Recipients::parse(std::slice::from_ref(&identity.recipient))?.seal(m.key)?;
    let hub = Hub { public_key: m.key.public(), sealed_key: Some(sealed) };
    let address = Ipv4Net::new_assert(m.pool.hub(), m.pool.prefix_len());
    let config = initial_text(&Initial {
        interface: m.interface,
        endpoint: m.endpoint,
        listen_port: m.listen_port,
        pool: m.pool,
        conf: &places.written(&conf_path),
        backend: m.backend,
        recipient: &identity.recipient,
        identity: &places.written(&identity_path),
    });
    let mut made = Made::default();
    made.create(&identity_path, identity.file.as_bytes(), 0o600, 0o755)?;
    if m.write_conf {
        let conf = Conf::new_hub(m.key, address, m.listen_port);
        made.create(&conf_path, &conf, 0o600, 0o700)?;
    }
    made.create(&places.config, config.as_bytes(), 0o644, 0o755)?;
    // The store comes last: with it the hub exists.
    if let Some(dir) = places.database.parent() {
        fsx::create_dir(dir, 0o700)?;
    }
    let filled = Store::create(&places.database, &hub, ctx.now())
        .map_err(Error::from)
        .and_then(|mut store| fill(&mut store, &hub));
    if let Err(e) = filled {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = places.database.clone().into_os_string();
            name.push(suffix);
            made.0.push(name.into());
        }
        return Err(e);
    }
    made.0.clear();
    Ok(())
}
