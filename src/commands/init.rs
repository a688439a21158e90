//! `iwas-wg init`: everything a new hub needs, or nothing at all.

use super::{Context, Outcome};
use crate::{
    error::{Error, Kind},
    fsx,
    model::{Endpoint, InterfaceName, Pool},
    output::json::{Envelope, HubChange},
    settings::{Backend, Initial, initial_text},
    store::{Hub, Store},
    vault::{Recipients, new_identity},
    wgconf::Conf,
};
use std::path::{Path, PathBuf};

/// Make the settings, the store, the hub's keys and its conf
///
/// Never overwrites anything: where a hub exists already, it says what it found and stops with
/// exit 4. If a step fails, what was made is taken away again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg init --endpoint vpn.example.com
  iwas-wg init --endpoint 203.0.113.5:443 --network 10.20.0.0/16 --interface wg1
  iwas-wg init --root /tmp/try --backend none --endpoint vpn.example.com")]
pub struct Args {
    /// Name or address that the routers dial
    #[arg(long, value_name = "H[:P]")]
    endpoint: Option<String>,
    /// VPN network; the hub takes its first address
    #[arg(long, value_name = "CIDR", default_value = "10.0.0.0/24")]
    network: String,
    /// Name of the WireGuard interface
    #[arg(long, value_name = "IF", default_value = "wg0")]
    interface: String,
    /// UDP port to listen on
    #[arg(long, value_name = "N", default_value_t = 51820, value_parser = clap::value_parser!(u16).range(1..))]
    listen_port: u16,
    /// Who carries the interface: auto, kernel, userspace or none
    #[arg(long, value_name = "B", default_value = "auto")]
    backend: String,
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

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let interface: InterfaceName = args.interface.parse()?;
    let endpoint: Option<Endpoint> = args.endpoint.as_deref().map(str::parse).transpose()?;
    let pool = Pool::new(&args.network, &[])?;
    let backend: Backend = args.backend.parse()?;
    let places = ctx.places();
    let (identity_path, conf_path) = (places.default_identity(), places.default_conf(&interface));

    let targets = [&places.config, &places.database, &identity_path, &conf_path];
    let found: Vec<String> =
        targets.iter().filter(|p| p.symlink_metadata().is_ok()).map(|p| p.display().to_string()).collect();
    if !found.is_empty() {
        let verb = if found.len() == 1 { "exists" } else { "exist" };
        return Err(Error::new(
            Kind::Conflict,
            format!("a hub is here already: {} {verb}", found.join(", ")),
        )
        .hint("nothing was changed; use --root for another hub, or move the files away"));
    }

    let key = ctx.new_key()?;
    let identity = new_identity();
    let sealed = Recipients::parse(std::slice::from_ref(&identity.recipient))?.seal(&key)?;
    let hub = Hub { public_key: key.public(), sealed_key: Some(sealed) };
    let address = ipnet::Ipv4Net::new_assert(pool.hub(), pool.prefix_len());
    let conf = Conf::new_hub(&key, address, args.listen_port);
    let config = initial_text(&Initial {
        interface: &interface,
        endpoint: endpoint.as_ref(),
        listen_port: args.listen_port,
        pool: &pool,
        conf: &places.written(&conf_path),
        backend,
        recipient: &identity.recipient,
        identity: &places.written(&identity_path),
    });
    let steps: Vec<String> = targets.iter().map(|p| format!("create {}", p.display())).collect();

    if !args.dry_run {
        let mut made = Made::default();
        made.create(&identity_path, identity.file.as_bytes(), 0o600, 0o755)?;
        made.create(&conf_path, &conf, 0o600, 0o700)?;
        made.create(&places.config, config.as_bytes(), 0o644, 0o755)?;
        // The store comes last: with it the hub exists.
        if let Some(dir) = places.database.parent() {
            fsx::create_dir(dir, 0o700)?;
        }
        if let Err(e) = Store::create(&places.database, &hub, ctx.now()) {
            for suffix in ["", "-wal", "-shm"] {
                let mut name = places.database.clone().into_os_string();
                name.push(suffix);
                made.0.push(name.into());
            }
            return Err(e.into());
        }
        made.0.clear();
    }

    if ctx.ui.is_json() {
        let report = HubChange {
            changed: !args.dry_run,
            action: "created",
            dry_run: args.dry_run,
            interface: interface.to_string(),
            public_key: hub.public_key.to_string(),
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
        ctx.ui.say(&format!("hub {} with address {address} is ready", hub.public_key));
        let next = if backend == Backend::None { "" } else { "\"iwas-wg up\", then " };
        ctx.ui.say(&format!("next: {next}\"iwas-wg location add NAME > NAME.rsc\""));
    }
    if endpoint.is_none() {
        let config = places.config.display();
        ctx.ui.warn(&format!("hub.endpoint is empty; set it in {config} before you add a location"));
    }
    Ok(Outcome::Done)
}
