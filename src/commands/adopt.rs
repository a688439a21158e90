//! `iwas-wg init --adopt`: a hub that already runs becomes ours without its routers noticing.
//!
//! Every peer becomes a location with the address and allowed IPs it has, its private key staying
//! where it is. The conf gets the names and what only the interface knew, as `sync` would write it;
//! all its other lines stay, and the interface is read and not written.

mod clashes;
mod conf;
mod dsnet;
mod names;
mod source;

use super::{
    Context, Outcome,
    making::{DEFAULT_INTERFACE, Making, in_the_way, make, refuse_existing, warn_of_neighbours},
    unmanaged::Unmanaged,
    wg_quick,
};
use crate::model::{name::NAME_MAX, text::count};
use crate::{
    device::{Device, DeviceError, Secrets},
    error::{Error, Kind},
    fsx,
    model::{
        Deed, Endpoint, InterfaceName, KeyMode, LiveInterface, Location, LocationName, PeerSettings, Pool,
        Preshared, PresharedKey, PrivateKey, PublicKey, held_inside,
    },
    output::json::{AdoptReport, Envelope},
    settings::{Backend, BringUp},
    store::{NewPeer, Store},
    vault::Recipients,
    wgconf::{Conf, InterfaceWanted},
};
use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;
use source::{Found, FoundPeer};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::Ipv4Addr,
    path::Path,
};
use zeroize::Zeroizing;

/// The port of a hub that names none and is not up.
const DEFAULT_PORT: u16 = 51820;

/// What `init --adopt` was told.
pub(super) struct Wish<'a> {
    pub(super) interface: Option<&'a InterfaceName>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) network: Option<&'a str>,
    pub(super) listen_port: Option<u16>,
    pub(super) backend: Backend,
    pub(super) from: Option<&'a Path>,
    pub(super) names: Option<&'a Path>,
    pub(super) dry_run: bool,
}

/// A peer on its way to become a location.
struct Adopted {
    location: Location,
    public_key: PublicKey,
    wider: Vec<IpNet>,
    settings: PeerSettings,
    preshared: Option<PresharedKey>,
}

pub(super) fn run(wish: &Wish<'_>, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let places = ctx.places();
    let default: InterfaceName = DEFAULT_INTERFACE.parse()?;
    let default_conf = places.default_conf(wish.interface.unwrap_or(&default));
    let from = wish.from.unwrap_or(&default_conf);
    refuse_existing(&[&places.config, &places.database, &places.new_identity()])?;
    let mut found = source::read(from)?;
    let interface =
        wish.interface.cloned().or(found.interface.take()).or_else(|| named_by(from, &default_conf));
    let interface = interface.unwrap_or(default);
    let conf_path = places.default_conf(&interface);
    let key = private_key(ctx, wish, &interface, &mut found, from)?;
    clashes::refuse(&found, key.public(), from)?;
    let live = read_live(ctx, wish, &interface, &key, from)?;
    let (live, secrets) = live.map_or((None, Secrets::new()), |(live, secrets)| (Some(live), secrets));
    if let Some(live) = &live {
        add_live_peers(&mut found, live);
    }
    let pool = pool(wish, &found, live.as_ref(), from)?;
    // What routers dial is what runs; the conf follows, and that is said.
    let running = live.as_ref().and_then(|l| l.listen_port).filter(|port| *port != 0);
    let known_port = wish.listen_port.or(running).or(found.listen_port);
    let listen_port = known_port.unwrap_or(DEFAULT_PORT);
    let names = wish.names.map(names::read).transpose()?.unwrap_or_default();
    let (mut adopted, left) = locations(&found, &names, &pool, ctx.now())?;
    record_settings(&mut adopted, &found, live.as_ref(), secrets)?;
    let address = pool.with_prefix(pool.hub());
    let wanted = InterfaceWanted { public_key: key.public(), address, listen_port };
    let conf = if conf_path.exists() {
        same_hub(&conf_path, from, &found, &key)?;
        None
    } else {
        Some(as_conf(&found, &wanted)?)
    };

    let endpoint = wish.endpoint.clone().or_else(|| found.endpoint.clone());
    if !wish.dry_run {
        let made = Making {
            interface: &interface,
            endpoint: endpoint.as_ref(),
            pool: &pool,
            listen_port,
            backend: wish.backend,
            key: &key,
            conf,
        };
        let deed = ctx.deed(None);
        make(ctx, &made, |store, _, recipients| fill(store, &deed, &adopted, recipients))?;
        conf::write(ctx)?;
    }
    conf::warn_of_disabled(ctx, &found, &pool, from);
    if let Some(what) = found.overwriting {
        let from = from.display();
        ctx.ui.warn(&format!("{from} has {what}: wg-quick will overwrite it; remove that line"));
    }
    if known_port.is_none() {
        ctx.ui.warn(&format!(
            "{} has no ListenPort, and {interface} is not up: the port is {DEFAULT_PORT} from now on; \
             --listen-port names another",
            from.display()
        ));
    }
    let conf_name = conf_path.display().to_string();
    if let Some(what) = wg_quick::passed_over(&found.only_wg_quick, BringUp::default(), &conf_name) {
        ctx.ui.warn(&format!("{what}; {}", wg_quick::REMEDY));
    }
    warn_of_neighbours(ctx, wish.backend, &interface, key.public(), pool.network());
    let known: BTreeSet<PublicKey> = found.peers.iter().map(|p| p.public_key).collect();
    let mut strangers: Vec<_> = names.iter().filter(|(key, _)| !known.contains(key)).collect();
    strangers.sort_by(|a, b| a.1.cmp(b.1));
    for (key, name) in strangers {
        ctx.ui.warn(&format!("the name {name} was not used: no peer has the public key {key}"));
    }
    report(ctx, wish, &interface, &key, &adopted, &left, endpoint.is_none())
}

/// The hub's private key: that of the file, else, where a hook brings it, that of the interface.
fn private_key(
    ctx: &Context<'_>,
    wish: &Wish<'_>,
    interface: &InterfaceName,
    found: &mut Found,
    from: &Path,
) -> Result<PrivateKey, Error> {
    if let Some(key) = found.private_key.take() {
        return Ok(key);
    }
    let missing = format!("{} has no PrivateKey", from.display());
    if !found.has_key_hook {
        return Err(Error::new(Kind::BadState, missing)
            .hint("adopt the conf that wg-quick or \"wg showconf\" gives, as root"));
    }
    ctx.key_on(wish.backend, interface).map_err(|e| in_the_way(e, interface))?.ok_or_else(|| {
        let message = format!("{missing}: a hook brings it, and {interface} is not up to take it from");
        Error::new(Kind::BadState, message)
            .hint(format!("bring {interface} up with wg-quick, and adopt it then"))
    })
}

/// The interface as it runs, if it does and may be read. It must be that of the file.
fn read_live(
    ctx: &Context<'_>,
    wish: &Wish<'_>,
    interface: &InterfaceName,
    key: &PrivateKey,
    from: &Path,
) -> Result<Option<(LiveInterface, Secrets)>, Error> {
    let Some(mut device) = ctx.device_of(wish.backend, interface, key.public()) else {
        return Ok(None);
    };
    let read = device.read().and_then(|live| match live {
        Some(live) if live.peers.iter().any(|p| p.preshared.is_some()) => {
            Ok(Some((live, device.preshared_keys()?)))
        }
        live => Ok(live.map(|live| (live, Secrets::new()))),
    });
    read.map_err(|e| match e {
        DeviceError::Foreign { .. } => {
            let message = format!("{} has another private key than the running interface: {e}", from.display());
            Error::new(Kind::Conflict, message).hint(
                "adopt the conf that belongs to the interface, or name the interface of this one with --interface",
            )
        }
        e => in_the_way(e, interface),
    })
}

/// wg-quick(8) names the interface after its conf.
fn named_by(from: &Path, default_conf: &Path) -> Option<InterfaceName> {
    let is_conf = from.parent() == default_conf.parent() && from.extension().is_some_and(|e| e == "conf");
    from.file_stem().filter(|_| is_conf)?.to_str()?.parse().ok()
}

/// A conf that is there already stays as it is, so it must be this hub's and hold what its peers
/// need: a preshared key that is nowhere else would be gone with the next reboot.
fn same_hub(conf_path: &Path, from: &Path, found: &Found, key: &PrivateKey) -> Result<(), Error> {
    let bytes = fsx::read_trusted(conf_path)?.map(Zeroizing::new).unwrap_or_default();
    let is_its_key = |c: &Conf| c.private_key().map_or(c.has_key_hook(), |k| k.public() == key.public());
    let conf = Conf::parse(&bytes).ok().filter(is_its_key);
    let path = conf_path.display();
    let Some(conf) = conf else {
        let message = format!("{path} is there already and is not the hub of {}", from.display());
        return Err(Error::new(Kind::Conflict, message)
            .hint("move it away, or name another interface with --interface"));
    };
    let there: BTreeSet<PublicKey> = conf.peers().into_iter().map(|p| p.public_key).collect();
    let extras = Conf::parse(&found.text)?.extras();
    let mut lost = extras.iter().filter(|(key, e)| e.preshared_key.is_some() && !there.contains(key));
    match lost.next() {
        None => Ok(()),
        Some((peer, _)) => Err(Error::new(
            Kind::Conflict,
            format!("{path} lacks the peer {peer}, which has a preshared key in {}", from.display()),
        )
        .hint("copy its [Peer] there, or move that conf away")),
    }
}

/// What was read as the conf that will be ours, with all that its peers need after a reboot.
fn as_conf(found: &Found, wanted: &InterfaceWanted) -> Result<Zeroizing<Vec<u8>>, Error> {
    let corrected = Conf::parse(&found.text)?.with_interface(wanted, None);
    Ok(corrected.unwrap_or_else(|| found.text.clone()))
}

/// Peers and allowed IPs that somebody added with `wg set` and never wrote down.
fn add_live_peers(found: &mut Found, live: &LiveInterface) {
    let known: HashMap<PublicKey, usize> =
        found.peers.iter().enumerate().map(|(i, p)| (p.public_key, i)).collect();
    for peer in &live.peers {
        let allowed_ips = peer.allowed_ips.clone();
        match known.get(&peer.public_key) {
            Some(&i) => found.peers[i].allowed_ips.extend(allowed_ips),
            None => found.peers.push(FoundPeer {
                public_key: peer.public_key,
                allowed_ips,
                name: None,
                note: None,
                line: None,
            }),
        }
    }
}

/// The VPN network: the one that was named, else that of the hub's own address.
fn pool(wish: &Wish<'_>, found: &Found, live: Option<&LiveInterface>, from: &Path) -> Result<Pool, Error> {
    let live = live.map(|l| l.addresses.clone()).unwrap_or_default();
    let addresses: Vec<Ipv4Net> =
        found.addresses.iter().copied().chain(live.into_iter().filter_map(source::v4)).collect();
    let wide = addresses.iter().find(|a| a.prefix_len() < 32);
    let network = wish.network.map(str::to_owned).or_else(|| wide.map(|a| a.trunc().to_string()));
    let network = network.ok_or_else(|| {
        Error::new(Kind::Usage, format!("{} names no VPN network", from.display()))
            .hint("name it with --network, such as --network 10.0.0.0/24")
    })?;
    let pool = Pool::new(&network, &[])?;
    // Also one without its network: it is the hub's all the same.
    match addresses.iter().find(|a| pool.network().contains(&a.addr())) {
        Some(address) if !pool.has_host(address.addr()) => {
            let message = format!("the hub's address {} is no host of {network}", address.addr());
            Err(Error::new(Kind::Conflict, message).hint("name the network with --network"))
        }
        Some(address) => Ok(pool.with_hub(address.addr())),
        None => Ok(pool),
    }
}

/// Locations for all peers that have an address of the pool, and the keys of those that have not.
fn locations(
    found: &Found,
    names: &HashMap<PublicKey, LocationName>,
    pool: &Pool,
    now: Timestamp,
) -> Result<(Vec<Adopted>, Vec<PublicKey>), Error> {
    let (mut adopted, mut left) = (Vec::new(), Vec::new());
    let mut taken_names: BTreeSet<String> = names.values().map(ToString::to_string).collect();
    let mut taken: BTreeMap<IpNet, PublicKey> = BTreeMap::new();
    for peer in &found.peers {
        // As WireGuard takes them: without host bits, each once.
        let mut nets: Vec<IpNet> = Vec::with_capacity(peer.allowed_ips.len());
        for net in peer.allowed_ips.iter().map(IpNet::trunc) {
            if !nets.contains(&net) {
                nets.push(net);
            }
        }
        let own = nets.iter().find_map(|net| match net {
            IpNet::V4(n) if n.prefix_len() == 32 && pool.admits(n.addr()).is_ok() => Some(n.addr()),
            _ => None,
        });
        let Some(vpn_ip) = own else {
            left.push(peer.public_key);
            continue;
        };
        let own = IpNet::V4(Ipv4Net::from(vpn_ip));
        for net in &nets {
            if let Some(other) = taken.insert(*net, peer.public_key) {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("the peers {other} and {} both have {}", peer.public_key, conf::written(*net)),
                )
                .hint("only one of them is heard; remove the other first"));
            }
        }
        let name = match names.get(&peer.public_key) {
            Some(name) => name.clone(),
            None => free_name(peer, vpn_ip, &mut taken_names)?,
        };
        let description = peer.note.as_ref().filter(|n| n.as_str() != name.as_str());
        let wider: Vec<IpNet> = nets.into_iter().filter(|net| *net != own).collect();
        adopted.push(Adopted {
            location: Location {
                description: description.and_then(|d| names::description(d)),
                vpn_ip: Some(vpn_ip),
                public_key: Some(peer.public_key),
                ..Location::new(name, KeyMode::Router, now)
            },
            public_key: peer.public_key,
            wider,
            settings: PeerSettings::default(),
            preshared: None,
        });
    }
    refuse_overlaps(&adopted, pool)?;
    Ok((adopted, left))
}

/// Refuses a peer that may speak for the address of another, or of the hub.
fn refuse_overlaps(adopted: &[Adopted], pool: &Pool) -> Result<(), Error> {
    let hint = "a location may not speak for the address of another; correct AllowedIPs first";
    let conflict = |message: String| Err(Error::new(Kind::Conflict, message).hint(hint));
    let own: BTreeMap<Ipv4Addr, PublicKey> =
        adopted.iter().filter_map(|a| Some((a.location.vpn_ip?, a.public_key))).collect();
    for a in adopted {
        for net in held_inside(pool.network(), &a.wider) {
            let inside = own.range(net.network()..=net.broadcast()).find(|(_, key)| **key != a.public_key);
            if let Some((ip, other)) = inside {
                return conflict(format!(
                    "the peer {} has {net}, where the peer {other} has {ip}",
                    a.public_key
                ));
            }
            if net == Ipv4Net::from(pool.hub()) {
                return conflict(format!("the peer {} has the hub's address {}", a.public_key, pool.hub()));
            }
        }
    }
    Ok(())
}

/// The name that people gave the peer, made to fit, else one from its address; never one twice.
fn free_name(
    peer: &FoundPeer,
    vpn_ip: Ipv4Addr,
    taken: &mut BTreeSet<String>,
) -> Result<LocationName, Error> {
    // A word that means something else elsewhere is no name either.
    let base = peer.name.as_deref().map(names::fitted).filter(|n| n.parse::<LocationName>().is_ok());
    let base = base.unwrap_or_else(|| format!("peer-{vpn_ip}"));
    let mut name = base.clone();
    for n in 2.. {
        if taken.insert(name.clone()) {
            break;
        }
        name = format!("{}-{n}", &base[..base.len().min(NAME_MAX - 8)]);
    }
    Ok(name.parse()?)
}

/// What is said of each peer by the interface, where it runs, and by the file. A preshared key that is
/// on the interface alone would be lost with it.
fn record_settings(
    adopted: &mut [Adopted],
    found: &Found,
    live: Option<&LiveInterface>,
    secrets: Secrets,
) -> Result<(), Error> {
    let peers = live.map_or(&[][..], |live| live.peers.as_slice());
    let mut said = Unmanaged::new(Conf::parse(&found.text)?.extras(), peers, secrets);
    for a in adopted {
        let nothing =
            || (None, PeerSettings { preshared: Preshared::None, keepalive: Some(0), endpoint: None });
        (a.preshared, a.settings) = said.take(&a.public_key).unwrap_or_else(nothing);
        a.location.preshared = a.preshared.is_some();
    }
    Ok(())
}

/// Writes all locations in one transaction.
fn fill(store: &mut Store, deed: &Deed, adopted: &[Adopted], recipients: &Recipients) -> Result<(), Error> {
    let change = store.change()?;
    for a in adopted {
        let sealed = a.preshared.as_ref().map(|key| recipients.seal_preshared(key)).transpose()?;
        let l = &a.location;
        change.insert_location(l)?;
        let peer = NewPeer {
            public_key: a.public_key,
            sealed_key: None,
            sealed_preshared: sealed.as_deref(),
            key_mode: l.key_mode,
            settings: a.settings.clone(),
        };
        if let Some(vpn_ip) = l.vpn_ip {
            change.insert_peer(&l.name, vpn_ip, &peer, l.created_at)?;
        }
        if !a.wider.is_empty() {
            change.set_wider_allowed(&l.name, &a.wider)?;
        }
    }
    Ok(change.commit(deed)?)
}

fn report(
    ctx: &mut Context<'_>,
    wish: &Wish<'_>,
    interface: &InterfaceName,
    key: &PrivateKey,
    adopted: &[Adopted],
    left: &[PublicKey],
    endpoint_missing: bool,
) -> Result<Outcome, Error> {
    let wider: Vec<&Adopted> = adopted.iter().filter(|a| !a.wider.is_empty()).collect();
    if ctx.ui.is_json() {
        let names = |all: &mut dyn Iterator<Item = &Adopted>| -> Vec<String> {
            let mut names: Vec<String> = all.map(|a| a.location.name.to_string()).collect();
            names.sort();
            names
        };
        ctx.ui.json(&Envelope::new(AdoptReport {
            changed: !wish.dry_run,
            action: "adopted",
            dry_run: wish.dry_run,
            interface: interface.to_string(),
            public_key: key.public().to_string(),
            adopted: names(&mut adopted.iter()),
            wider: names(&mut wider.into_iter()),
            left: left.iter().map(ToString::to_string).collect(),
        }))?;
        return Ok(Outcome::Done);
    }
    let verb = if wish.dry_run { "would adopt" } else { "adopted" };
    for a in adopted {
        let at = a.location.vpn_ip.map(|ip| ip.to_string()).unwrap_or_default();
        ctx.ui.say(&format!("{verb} {} at {at}", a.location.name));
    }
    for a in wider {
        let nets = a.wider.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let name = &a.location.name;
        ctx.ui.warn(&format!(
            "{name} may also speak for {nets}; \"iwas-wg location set {name} --allowed-ips vpn-ip-only\" ends that"
        ));
    }
    for peer in left {
        ctx.ui.warn(&format!(
            "the peer {peer} has no address of its own in the VPN network; it was left alone"
        ));
    }
    ctx.ui.say(&format!("{verb} the hub {} with {}", key.public(), count(adopted.len(), "location")));
    if endpoint_missing {
        ctx.ui.warn("hub.endpoint is empty; set it in the settings before you add a location");
    }
    Ok(Outcome::Done)
}
