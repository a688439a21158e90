//! What the templates are told of a site: the names of placeholders and flags.

use super::{
    Kind, Site,
    expand::{Value, Values},
    quote::Quoted,
};
use crate::model::{
    KeyMode,
    router::{Reach, Service, Watchdog},
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::IpAddr;

/// Comment of every object that belongs to a location.
pub(super) fn tag(site: &Site<'_>) -> String {
    format!("iwas-wg:{}", site.location.router_tag())
}

/// The router's address as it stands on the interface.
pub(super) fn address(site: &Site<'_>) -> String {
    match site.options.reach {
        Reach::Any | Reach::Network => format!("{}/{}", site.vpn_ip, site.network.prefix_len()),
        Reach::Hub => format!("{}/32", site.vpn_ip),
    }
}

/// The network behind the interface: the whole VPN, or the hub alone.
pub(super) fn reachable(site: &Site<'_>) -> Ipv4Net {
    match site.options.reach {
        Reach::Any | Reach::Network => site.network.trunc(),
        Reach::Hub => Ipv4Net::from(site.hub_ip),
    }
}

/// Sources accepted from the hub, which also are the destinations it is sent: what the reach
/// says, the hub itself, and the networks routed to it, each only if not covered already.
pub(super) fn allowed(site: &Site<'_>) -> Vec<IpNet> {
    let mut nets: Vec<IpNet> = match site.options.reach {
        Reach::Any => site.options.allowed_address.iter().map(IpNet::trunc).collect(),
        Reach::Network | Reach::Hub => vec![reachable(site).into()],
    };
    let hub = IpNet::from(IpAddr::V4(site.hub_ip));
    for net in std::iter::once(hub).chain(site.options.routes.iter().map(IpNet::trunc)) {
        if !nets.iter().any(|n| n.contains(&net)) {
            nets.push(net);
        }
    }
    nets
}

/// An endpoint as the router would write it back.
pub(super) fn endpoint_host(site: &Site<'_>) -> String {
    site.endpoint_host.parse::<IpAddr>().map_or_else(|_| site.endpoint_host.to_owned(), |a| a.to_string())
}

fn joined<T: ToString>(items: &[T], separator: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

/// The routes of one family, those the VPN address brings along left out.
fn routes(site: &Site<'_>) -> (Vec<Ipv4Net>, Vec<Ipv6Net>) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for net in &site.options.routes {
        match net.trunc() {
            IpNet::V4(net) if net != reachable(site) && !v4.contains(&net) => v4.push(net),
            IpNet::V6(net) if !v6.contains(&net) => v6.push(net),
            _ => {}
        }
    }
    (v4, v6)
}

/// What people know of the site, for comment lines.
pub(super) fn about(site: &Site<'_>) -> Vec<(String, Quoted)> {
    let location = site.location;
    let mut about = Vec::new();
    if let Some(org) = &location.org {
        about.push(("org".to_owned(), Quoted::new(org.as_str())));
    }
    if let Some(text) = &location.description {
        about.push(("description".to_owned(), Quoted::new(text.as_str())));
    }
    for (key, value) in &location.tags {
        about.push((format!("tag {key}"), Quoted::new(value)));
    }
    about
}

/// Name of the interface on which a router makes its next key; not longer than the longest that is
/// given to an interface.
fn next_interface(interface: &str) -> String {
    let stem = interface.get(..10).unwrap_or(interface).trim_end_matches(['-', '.', '_']);
    let name = format!("{stem}-next");
    if name == interface { "iwas-next-key".to_owned() } else { name }
}

/// Name of the global variable by which a run of the watchdog knows that a younger one has begun:
/// letters and digits, another one for each tag.
fn watchdog_mark(tag: &str) -> String {
    let hash =
        tag.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("iwDog{hash:016x}")
}

/// The names a script of this kind may use.
pub(super) fn of_script(site: &Site<'_>, kind: Kind) -> Values {
    let options = &*site.options;
    let (routes4, routes6) = routes(site);
    let allowed = allowed(site);
    let reachable = reachable(site);
    let uses_keys = matches!(kind, Kind::Install | Kind::Rotate);
    let private_key = site.private_key.filter(|_| uses_keys);
    let preshared_key = site.preshared_key.filter(|_| uses_keys);
    let made_here = kind == Kind::Rotate && private_key.is_none();
    let next_key = site.next_public_key.filter(|_| made_here);
    let known_key =
        next_key.or(site.private_key.map(crate::model::PrivateKey::public)).or(site.location.public_key);
    let tcp =
        || Service::ALL.into_iter().filter(|s| s.tcp_port().is_some() && options.management.contains(s));
    let ports: Vec<u16> = tcp().filter_map(Service::tcp_port).collect();
    let services: Vec<&str> = tcp().map(Service::as_str).collect();
    let icmp = options.management.contains(&Service::Icmp);
    let snmp = options.management.contains(&Service::Snmp);
    let rules = u32::from(icmp) + u32::from(!ports.is_empty()) + u32::from(snmp);
    let endpoint = endpoint_host(site);

    let watchdog = match options.watchdog {
        Watchdog::On => true,
        Watchdog::Off => false,
        Watchdog::Auto => endpoint.parse::<IpAddr>().is_err(),
    };

    let mut v = Values::default();
    v.set("version", Value::text(site.version));
    v.set("kind", Value::text(kind.as_str()));
    v.set("name", Value::text(site.location.name.as_str()));
    v.set("revision", Value::text(&site.location.updated_at.to_string()));
    v.set("about", Value::Remarks(about(site)));
    v.set("file", Value::text(&super::script_name(site.location.name.as_str(), kind)));
    v.set("tag", Value::text(&tag(site)));
    v.set("interface", Value::text(&options.interface));
    if let Some(key) = private_key {
        v.set("private_key", Value::text(&key.expose()));
    }
    if let Some(key) = known_key {
        v.set("public_key", Value::text(&key.to_string()));
    }
    v.set("hub_public_key", Value::text(&site.hub_public_key.to_string()));
    v.set("next_interface", Value::text(&next_interface(&options.interface)));
    if let Some(key) = preshared_key {
        v.set("preshared_key", Value::text(key));
    }
    v.set("endpoint", Value::text(&endpoint));
    v.set("endpoint_port", Value::Number(site.endpoint_port.into()));
    v.set("allowed_address", Value::text(&joined(&allowed, ",")));
    v.set("allowed_list", Value::text(&joined(&allowed, ";")));
    v.set("address", Value::text(&address(site)));
    v.set("address_network", Value::quoted_address(reachable.addr()));
    v.set("network_ip", Value::Address(reachable.addr()));
    v.set("netmask", Value::Address(reachable.netmask()));
    v.set("hub", Value::quoted_address(site.hub_ip));
    v.set("hub_ip", Value::Address(site.hub_ip));
    v.set("call_hub", Value::text(&format!("/ping {} count=2", site.hub_ip)));
    v.set("watchdog_mark", Value::Word(watchdog_mark(&tag(site))));
    v.set("listen_port", Value::Number(options.listen_port.into()));
    v.set("mtu", Value::Number(options.mtu.into()));
    v.set("keepalive", Value::Seconds(options.keepalive.into()));
    v.set("routes", Value::text(&joined(&routes4, ",")));
    v.set("routes6", Value::text(&joined(&routes6, ",")));
    v.set("routes_marked", Value::text(&format!(",{},", joined(&routes4, ","))));
    v.set("routes6_marked", Value::text(&format!(",{},", joined(&routes6, ","))));
    v.set("management_ports", Value::text(&joined(&ports, ",")));
    v.set("management_list", Value::text(&joined(&ports, ";")));
    v.set("management_services", Value::text(&services.join(",")));
    v.set("management_rules", Value::Number(rules));
    v.flags = vec![
        ("install", kind == Kind::Install),
        ("rotate", kind == Kind::Rotate),
        ("only_ours", matches!(kind, Kind::Rotate | Kind::Remove)),
        ("check", kind == Kind::Check),
        ("private_key", private_key.is_some()),
        ("known_key", known_key.is_some()),
        ("keep_key", private_key.is_none() && site.location.key_mode != KeyMode::Router),
        ("psk", preshared_key.is_some()),
        ("psk_alone", preshared_key.is_some() && private_key.is_none()),
        ("secret", site.holds_secret(kind)),
        ("made_here", made_here),
        ("first_step", made_here && next_key.is_none()),
        ("next_known", next_key.is_some()),
        ("listen_port", options.listen_port != 0),
        ("keepalive", options.keepalive != 0),
        ("routes", !routes4.is_empty()),
        ("routes6", !routes6.is_empty()),
        ("management", rules > 0),
        ("management_icmp", icmp),
        ("management_tcp", !ports.is_empty()),
        ("management_snmp", snmp),
        ("host_name", endpoint.parse::<IpAddr>().is_err()),
        ("watchdog", watchdog),
    ];
    if watchdog {
        // A script within the script: quoted once for itself, once more as a string.
        let inner = super::fill(include_str!("templates/watchdog.rsc"), &v);
        v.set("watchdog", Value::text(&inner));
    }
    v
}
