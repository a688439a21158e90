//! `iwas-wg init`: everything a new hub needs, or nothing at all.

use super::{
    Context, Outcome, adopt,
    making::{DEFAULT_INTERFACE, Making, make, refuse_existing, refuse_foreign, warn_of_neighbours},
};
use crate::{
    error::Error,
    model::{Endpoint, InterfaceName, Pool},
    output::json::{Envelope, HubChange},
    settings::Backend,
    wgconf::Conf,
};
use std::path::PathBuf;

/// Make the settings, the store, the hub's keys and its conf
///
/// Never overwrites anything: where a hub exists already, or an interface of that name runs, it
/// says what it found and stops with exit 4. If a step fails, what was made is taken away again.
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
    /// Name of the WireGuard interface, wg0 unless said
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// UDP port to listen on, 51820 unless said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    listen_port: Option<u16>,
    /// Who carries the interface: auto, kernel, userspace or none
    #[arg(long, value_name = "B", default_value = "auto")]
    backend: String,
    /// Take over a hub that already runs, with its key, port, address and peers
    ///
    /// Nothing on the interface changes and no session drops. Each peer with an address of its own
    /// becomes a location whose key stays on its router. Its name is what its comments call it,
    /// without the marks of the tool that wrote them, else its address; all that a person wrote there
    /// is its description. The conf gets the names, and the peers that only the interface has; every
    /// other line stays byte for byte. A line that wg or wg-quick would refuse, a peer that is there
    /// twice and the hub's own key among the peers are refused with their lines. The addresses of
    /// peers that are commented out are given to no location.
    #[arg(long)]
    adopt: bool,
    /// Adopt from this file: a wg-quick conf, "wg showconf" or dsnet's JSON
    #[arg(long, value_name = "FILE", requires = "adopt")]
    from: Option<PathBuf>,
    /// Names for adopted peers: a line PUBLIC-KEY,NAME for each, or with a semicolon or tab
    #[arg(long, value_name = "FILE", requires = "adopt")]
    names: Option<PathBuf>,
    /// Say what would be made, and make nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let interface: Option<InterfaceName> = args.interface.as_deref().map(str::parse).transpose()?;
    let endpoint: Option<Endpoint> = args.endpoint.as_deref().map(str::parse).transpose()?;
    let backend: Backend = args.backend.parse()?;
    ctx.enter_hub("init")?;
    if args.adopt {
        let wish = adopt::Wish {
            interface: interface.as_ref(),
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
    let interface = interface.map_or_else(|| DEFAULT_INTERFACE.parse(), Ok)?;
    let pool = Pool::new(args.network.as_deref().unwrap_or("10.0.0.0/24"), &[])?;
    let places = ctx.places();
    let (identity, conf) = (places.new_identity(), places.default_conf(&interface));
    let targets = [&places.config, &places.database, &identity, &conf];
    refuse_existing(&targets)?;
    let key = ctx.new_key()?;
    refuse_foreign(ctx, &interface, backend, key.public())?;
    warn_of_neighbours(ctx, backend, &interface, key.public(), pool.network());
    let address = pool.with_prefix(pool.hub());
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
            conf: Some(Conf::new_hub(&key, address, listen_port)),
        };
        let deed = ctx.deed(None);
        make(ctx, &made, |store, _, _| Ok(store.record(&deed)?))?;
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
            conflicts: Vec::new(),
        };
        ctx.ui.json(&Envelope::new(report))?;
        return Ok(Outcome::Done);
    }
    let would = if args.dry_run { "would " } else { "" };
    for step in &steps {
        ctx.ui.say(&format!("{would}{step}"));
    }
    if !args.dry_run {
        ctx.ui.say(&format!("hub {} with address {address} is ready", key.public()));
        let next = if backend == Backend::None { "" } else { "\"iwas-wg up\", then " };
        ctx.ui.say(&format!("next: {next}\"iwas-wg location add NAME -o NAME.rsc\""));
    }
    if endpoint.is_none() {
        let config = places.config.display();
        ctx.ui.warn(&format!("hub.endpoint is empty; set it in {config} before you add a location"));
    }
    Ok(Outcome::Done)
}
