//! `iwas-wg doctor`: what is wrong on this hub, and the command that mends it.

mod files;

use super::{
    Context, Outcome,
    conf_plan::{Desired, twice},
    heartbeat::Skipped,
    hub_address::hub_address,
    making, projection,
    sync::address,
    upkeep, wg_quick,
};
use crate::model::{
    text::{count, plural},
    time::span,
};
use crate::{
    access::Permission,
    device::{Device, DeviceError},
    error::{Error, Kind},
    fsx,
    model::{LiveInterface, Scope, State, Table},
    output::json::{CheckReport, DoctorReport, Envelope, state_of},
    settings::{Backend, Settings},
    store::{Hub, Store},
    vault::Opener,
    wgconf::Overwriting,
};
use ipnet::IpNet;
use std::{collections::HashSet, net::IpAddr, path::Path};

/// Say what is wrong on this hub and how to mend it
///
/// Changes nothing. Exit 0 if there is no fault, 5 if there is one; a warning is no fault.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg doctor
  iwas-wg --json doctor | jq '.checks[] | select(.verdict != \"ok\")'")]
pub struct Args {}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warning,
    Fault,
}

/// All checks so far.
#[derive(Default)]
struct Findings(Vec<(Verdict, CheckReport)>);

impl Findings {
    fn note(&mut self, verdict: Verdict, check: &'static str, message: String, remedy: Option<&str>) {
        let word = match verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Fault => "fault",
        };
        let remedy = remedy.map(str::to_owned);
        self.0.push((verdict, CheckReport { check, verdict: word, message, remedy }));
    }

    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.note(Verdict::Ok, check, message.into(), None);
    }

    fn warning(&mut self, check: &'static str, message: impl Into<String>, remedy: &str) {
        self.note(Verdict::Warning, check, message.into(), Some(remedy));
    }

    fn fault(&mut self, check: &'static str, message: impl Into<String>, remedy: &str) {
        self.note(Verdict::Fault, check, message.into(), Some(remedy));
    }

    /// A failure that ends other commands, with its own remedy where it has one.
    fn error(&mut self, check: &'static str, e: Error, remedy: &str) {
        let remedy = e.hint.unwrap_or_else(|| remedy.to_owned());
        self.note(Verdict::Fault, check, e.message, Some(&remedy));
    }
}

pub(super) fn run(_: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let mut found = Findings::default();
    // What keeps every other command from working is a finding here.
    match ctx.enter("doctor", Permission::LocationRead) {
        Err(e) if e.kind == Kind::Denied => return Err(e),
        // Not before it is known that somebody may see anything at all.
        Err(e) if ctx.fixed.is_some() => return Err(e),
        Err(e) => found.error("settings", e, "iwas-wg init"),
        Ok(settings) => {
            endpoint(&mut found, &settings);
            // The files are the whole hub's.
            if ctx.scope.is_all() {
                lock(&mut found, &settings);
                files::files(&mut found, &settings, &ctx.env.vars);
            }
            if let Err(e) = store_and_projections(ctx, &mut found, &settings) {
                found.error("store", e, "iwas-wg restore FILE");
            }
            backend(ctx, &mut found, &settings);
        }
    }
    clock(ctx, &mut found);
    tell(ctx, found)
}

fn tell(ctx: &mut Context<'_>, found: Findings) -> Result<Outcome, Error> {
    let faults = found.0.iter().filter(|(v, _)| *v == Verdict::Fault).count();
    if ctx.ui.is_json() {
        let checks = found.0.into_iter().map(|(_, check)| check).collect();
        ctx.ui.json(&Envelope::new(DoctorReport { healthy: faults == 0, checks }))?;
    } else {
        for (_, c) in &found.0 {
            ctx.ui.data(&format!("{:<8} {:<10} {}\n", c.verdict, c.check, c.message))?;
            if let Some(remedy) = &c.remedy {
                ctx.ui.data(&format!("{:<20}mend: {remedy}\n", ""))?;
            }
        }
    }
    Ok(if faults == 0 { Outcome::Done } else { Outcome::Differs })
}

/// All that needs a store that can be read.
fn store_and_projections(ctx: &Context<'_>, found: &mut Findings, settings: &Settings) -> Result<(), Error> {
    let store = Context::store_to_read(settings)?;
    let hub = store.hub()?;
    store.check()?;
    found.ok("store", "the store is whole");
    // What is the hub's as a whole says how many others there are.
    if !ctx.scope.is_all() {
        sites(found, &store, &ctx.scope)?;
        return heartbeat(ctx, found, settings, &store);
    }
    identity(found, settings, &store)?;
    pool(found, settings, &store)?;
    addresses(ctx, found, settings, &store, &hub)?;
    conf(found, settings, &store, &hub);
    let live = interface(ctx, found, settings, &store, &hub)?;
    if let Some(live) = live {
        port(found, live.listen_port.unwrap_or(settings.listen_port));
        heartbeat(ctx, found, settings, &store)?;
        forwarding(found, settings);
    }
    sites(found, &store, &ctx.scope)
}

/// Who holds the lock now: a stopped process does so until it is continued or killed.
fn lock(found: &mut Findings, settings: &Settings) {
    let Some(holder) = fsx::Holder::of(&settings.places.lock()) else {
        return;
    };
    let message = format!("another iwas-wg is at work ({holder})");
    match holder.stopped {
        Some(pid) => found.fault("lock", message, &format!("kill -CONT {pid}, or kill {pid}")),
        None => found.ok("lock", message),
    }
}

/// Who could carry the interface, and whether this call may change it.
fn backend(ctx: &Context<'_>, found: &mut Findings, settings: &Settings) {
    let Some(carrier) = ctx.carrier(settings) else {
        return;
    };
    match carrier {
        Ok(who) => found.ok("backend", format!("{who} can carry an interface")),
        Err(e) => found.error("backend", e.into(), "modprobe wireguard"),
    }
    // Bit 12 of the effective set is CAP_NET_ADMIN.
    let status = fsx::read(Path::new("/proc/self/status")).ok().flatten().unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or_default();
    if effective & (1 << 12) == 0 {
        let remedy = "run iwas-wg as root or with CAP_NET_ADMIN";
        found.warning("capability", "this call may not change interfaces (no CAP_NET_ADMIN)", remedy);
    } else {
        found.ok("capability", "this call may change interfaces (CAP_NET_ADMIN)");
    }
}

fn endpoint(found: &mut Findings, settings: &Settings) {
    let config = settings.places.config.display();
    match &settings.endpoint {
        Some(e) => found.ok("endpoint", format!("routers dial {}", e.with_port(settings.listen_port))),
        None => found.fault(
            "endpoint",
            "hub.endpoint is empty: no script can be rendered",
            &format!("edit {config}"),
        ),
    }
}

/// The identity must open a key that the store keeps.
fn identity(found: &mut Findings, settings: &Settings, store: &Store) -> Result<(), Error> {
    let path = settings.identity.display();
    let opener = match Opener::from_file(&settings.identity) {
        Ok(opener) => opener,
        Err(e) => {
            let remedy = format!("put the identity back at {path} if scripts are to be rendered here again");
            found.warning("identity", e.to_string(), &remedy);
            return Ok(());
        }
    };
    match store.any_sealed_key()? {
        None => found.ok("identity", "no key is stored yet"),
        Some((name, sealed)) => match opener.open(&sealed) {
            Ok(_) => found.ok("identity", format!("it opens stored keys (tried {name})")),
            Err(e) => found.fault("identity", format!("{name}: {e}"), "name the right one in keys.identity"),
        },
    }
    Ok(())
}

fn pool(found: &mut Findings, settings: &Settings, store: &Store) -> Result<(), Error> {
    let (room, _) = settings.pool.capacity();
    let (held, _) = store.held_addresses(&settings.pool)?;
    let network = settings.pool.network();
    let message = format!("{held} of {room} addresses of {network} are held");
    if room == 0 || held * 10 >= room * 9 {
        found.warning("pool", message, "widen hub.network, or shorten hub.reserved");
    } else {
        found.ok("pool", message);
    }
    Ok(())
}

/// The hub's address, its former ones, and what a changed network or another hand made of the rest.
fn addresses(
    ctx: &Context<'_>,
    found: &mut Findings,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
) -> Result<(), Error> {
    let mut all_well = true;
    if let Some((message, remedy)) = address::left_outside(ctx, settings, store, hub)? {
        all_well = false;
        found.fault("addresses", message, &remedy);
    }
    for conflict in address::conflicts(settings, store, hub)? {
        all_well = false;
        let (message, remedy) = conflict.split_once("; ").unwrap_or((&conflict, "iwas-wg sync"));
        found.fault("addresses", message, remedy);
    }
    for former in store.former_hub_addresses()? {
        let ip = former.addr();
        let message = format!("{ip} was the hub's address, and is kept for routers that know it");
        found.warning("addresses", message, &format!("iwas-wg sync --release {ip}, once no router uses it"));
    }
    if all_well {
        found.ok(
            "addresses",
            format!("the hub has {}, and no two have one", hub_address(settings, hub).addr()),
        );
    }
    Ok(())
}

fn conf(found: &mut Findings, settings: &Settings, store: &Store, hub: &Hub) {
    let path = settings.conf.display();
    let plan = match projection::plan_conf(settings, store, hub, &HashSet::new()) {
        Ok(plan) => plan,
        Err(e) => {
            let remedy = e.hint.unwrap_or_else(|| format!("look at {path}"));
            return found.fault("conf", e.message, &remedy);
        }
    };
    if let Some(what) = plan.overwriting {
        let remedy = match what {
            Overwriting::SaveConfig => format!("sed -i '/^[[:space:]]*SaveConfig/Id' {path}"),
            Overwriting::Hook => format!("remove that line from {path}"),
        };
        found.fault("conf", format!("{path} has {what}: wg-quick will overwrite it"), &remedy);
    }
    if let Some(what) = plan.passed_over(settings) {
        found.warning("conf", what, wg_quick::REMEDY);
    }
    if plan.link.table != Table::Off && !plan.needs_routes {
        let message =
            format!("{path} lacks Table = off: wg-quick looks for a route for each peer, which is slow");
        found.warning("conf", message, "add \"Table = off\" below [Interface]");
    }
    for duplicate in &plan.duplicates {
        let message = format!("{path}: {}", twice(duplicate));
        found.fault("conf", message, "remove one of the two: WireGuard takes the allowed IPs of the second");
    }
    if plan.rewrite.changed {
        found.fault("conf", format!("{path} differs from the store"), "iwas-wg sync");
    } else {
        found.ok("conf", format!("{path} is as the store wants it"));
    }
    if !plan.rewrite.foreign.is_empty() {
        let message =
            format!("{path} has {} that the store does not know", count(plan.rewrite.foreign.len(), "peer"));
        found.warning("conf", message, "iwas-wg sync --prune, if they are nobody's");
    }
}

fn interface(
    ctx: &Context<'_>,
    found: &mut Findings,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
) -> Result<Option<LiveInterface>, Error> {
    let name = &settings.interface;
    if settings.backend == Backend::None {
        found.ok("interface", "hub.backend is \"none\": there is none by choice");
        return Ok(None);
    }
    let Some(mut device) = ctx.device(settings, hub) else {
        return Ok(None);
    };
    let live = match device.read() {
        Ok(live) => live,
        Err(e @ DeviceError::Denied { .. }) => {
            found.fault("interface", e.to_string(), "run the doctor as root or with CAP_NET_ADMIN");
            return Ok(None);
        }
        Err(e) => {
            found.error("interface", e.into(), "iwas-wg down && iwas-wg up");
            return Ok(None);
        }
    };
    let Some(live) = live else {
        found.fault("interface", format!("{name} is not there"), "iwas-wg up");
        return Ok(None);
    };
    let carrier = if live.userspace { "a program in userspace" } else { "the kernel" };
    let plan = projection::difference(&mut device, &projection::wanted(settings, store, hub)?, Some(&live))?;
    if plan.is_empty() {
        found.ok("interface", format!("{name} is carried by {carrier} and as the store wants it"));
    } else {
        let steps = projection::steps(settings, &plan, None);
        let first = projection::summary(&steps).unwrap_or_default();
        let message = format!("{name} differs from the store: {first}");
        found.fault("interface", message, "iwas-wg sync");
    }
    if !plan.foreign.is_empty() {
        let message =
            format!("{name} has {} that the store does not know", count(plan.foreign.len(), "peer"));
        found.warning("interface", message, "iwas-wg sync --prune, if they are nobody's");
        for clash in projection::clashes_of(settings, &Desired::read(store)?, Some(&live)) {
            found.fault(
                "interface",
                format!("{name}: {clash}"),
                "give that peer another address, or remove it",
            );
        }
    }
    for other in making::neighbours(&mut device, settings.pool.network()) {
        let remedy = "give one of them another network: what is sent to it goes to one interface alone";
        found.warning("network", format!("{} overlaps with {other}", settings.pool.network()), remedy);
    }
    for address in &plan.foreign_addresses {
        let message = format!("{name} has the address {address}, which its conf does not name");
        let remedy = format!(
            "add it to Address in {}, or: ip address del {address} dev {name}",
            settings.conf.display()
        );
        found.warning("interface", message, &remedy);
    }
    Ok(Some(live))
}

/// The kernel's list of UDP sockets must have the hub's port.
fn port(found: &mut Findings, port: u16) {
    let suffix = format!(":{port:04X}");
    let lists = ["/proc/net/udp", "/proc/net/udp6"].map(|p| fsx::read(Path::new(p)).ok().flatten());
    let bound = lists.into_iter().flatten().any(|list| {
        let text = String::from_utf8_lossy(&list);
        text.lines().any(|l| l.split_whitespace().nth(1).is_some_and(|a| a.ends_with(&suffix)))
    });
    if bound {
        found.ok("port", format!("UDP port {port} is bound; a firewall may still close it to the outside"));
    } else {
        let remedy = "iwas-wg down && iwas-wg up";
        found.warning("port", format!("nothing on this machine listens on UDP port {port}"), remedy);
    }
}

/// Sites that were there and are not, and peers that may do more than they should.
fn sites(found: &mut Findings, store: &Store, scope: &Scope) -> Result<(), Error> {
    let names = |all: Vec<String>| match all.len() {
        0..=3 => all.join(", "),
        n => format!("{} and {} more", all[..3].join(", "), n - 3),
    };
    let all = store.locations(scope)?;
    let dark: Vec<String> =
        all.iter().filter(|l| state_of(l) == State::Offline).map(|l| l.name.to_string()).collect();
    if let Some(first) = dark.first().cloned() {
        let message = format!(
            "{} {} offline: {}",
            count(dark.len(), "site"),
            plural(dark.len(), "is", "are"),
            names(dark)
        );
        let remedy = format!("iwas-wg peer reset {first}, if its router's clock went backwards");
        found.warning("sites", message, &remedy);
    }
    let wider: Vec<String> = store
        .wanted_peers()?
        .into_iter()
        .filter(|(name, peer)| {
            // The next address of a peer that moves is its own.
            let own = all.binary_search_by(|l| l.name.cmp(name)).ok().map(|i| &all[i]);
            let next = own.and_then(|l| l.moving.as_ref()).map(|m| IpNet::from(IpAddr::V4(m.vpn_ip)));
            own.is_some() && peer.wider.iter().any(|net| Some(*net) != next)
        })
        .map(|(name, _)| name.to_string())
        .collect();
    if let Some(first) = wider.first().cloned() {
        let message = format!(
            "{} may speak for more than {} own address: {}",
            count(wider.len(), "adopted peer"),
            plural(wider.len(), "its", "their"),
            names(wider)
        );
        found.warning("sites", message, &format!("iwas-wg location set {first} --allowed-ips vpn-ip-only"));
    }
    Ok(())
}

fn heartbeat(
    ctx: &Context<'_>,
    found: &mut Findings,
    settings: &Settings,
    store: &Store,
) -> Result<(), Error> {
    if let Some(skipped) = Skipped::many(&settings.places) {
        let message = format!("{}: another iwas-wg was at work", skipped.words());
        found.fault("heartbeat", message, "see what holds the lock, and end it");
    }
    let remedy = "run \"iwas-wg heartbeat\" from cron every 2 minutes (examples/iwas-wg.cron)";
    if let Some(jump) = ctx.judge_clock(store)?.jump() {
        found.fault("clock", upkeep::jump_warning(jump), "timedatectl set-ntp true");
    }
    match store.heartbeat_at()? {
        None => found.warning("heartbeat", "there never was one", remedy),
        Some(at) => {
            let age = ctx.now().as_second() - at.as_second();
            if age < -600 {
                let message = format!("the last one was {} ahead of the clock", span(-age));
                found.fault("heartbeat", message, "timedatectl set-ntp true");
            } else if age > 600 {
                found.fault("heartbeat", format!("the last one was {} ago", span(age)), remedy);
            } else {
                found.ok("heartbeat", format!("the last one was {} ago", span(age)));
            }
        }
    }
    Ok(())
}

/// A hub that forwards lets routers reach each other unless its firewall says no.
fn forwarding(found: &mut Findings, settings: &Settings) {
    let forwards = fsx::read(Path::new("/proc/sys/net/ipv4/ip_forward"))
        .is_ok_and(|v| v.is_some_and(|v| v.starts_with(b"1")));
    if forwards {
        let i = &settings.interface;
        found.warning(
            "isolation",
            format!("this machine forwards: routers reach each other over {i} unless a firewall forbids it"),
            &format!("iptables -I FORWARD -i {i} -o {i} -j REJECT, if they shall not"),
        );
    } else {
        found.ok("isolation", "this machine does not forward: routers reach the hub only");
    }
}

/// Handshakes carry the time: a clock that jumps locks routers out.
fn clock(ctx: &Context<'_>, found: &mut Findings) {
    let synchronized = Path::new("/run/systemd/timesync/synchronized").exists()
        || Path::new("/run/chrony/chronyd.pid").exists()
        || Path::new("/run/ntpd.pid").exists();
    if ctx.now().as_second() < 1_700_000_000 {
        let message = format!("the clock says {}", ctx.now());
        found.fault("clock", message, "timedatectl set-ntp true");
    } else if synchronized {
        found.ok("clock", "a time service keeps it");
    } else {
        found.warning("clock", "no time service was found", "timedatectl set-ntp true");
    }
}
