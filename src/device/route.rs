//! Routes: those through the interface, and the MTU that follows from those around it.
//!
//! They are what wg-quick(8) makes with ip(8), told to the kernel directly. A second process, or
//! somebody's hand, may have been first: a route that is there already is no error, nor is one that
//! is gone.

use super::link;
use crate::model::{Route, link::MAIN_TABLE};
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol, RouteScope,
        RouteType,
    },
};
use netlink_request::netlink_request_rtnl;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

const ESRCH: i32 = 3;
const EEXIST: i32 = 17;

/// What WireGuard adds to each packet at most: IPv6 and UDP header, and its own.
const OVERHEAD: u32 = 80;
const USUAL_MTU: u32 = 1500;

/// Where the routes of a table lead to that go through a link.
///
/// # Errors
/// The kernel's.
pub(super) fn through(index: u32, table: u32) -> io::Result<Vec<IpNet>> {
    let mut found = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let routes = match dump(family) {
            // A kernel without IPv6 has no such routes.
            Err(_) if family == AddressFamily::Inet6 => Vec::new(),
            other => other?,
        };
        let ours = routes.iter().filter(|r| {
            r.header.kind == RouteType::Unicast && table_of(r) == table && link_of(r) == Some(index)
        });
        found.extend(ours.filter_map(destination));
    }
    Ok(found)
}

/// Adds a route through a link.
///
/// # Errors
/// The kernel's.
pub(super) fn add(index: u32, route: &Route) -> io::Result<()> {
    let mut message = message(index, route);
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Link;
    let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    match netlink_request_rtnl(RouteNetlinkMessage::NewRoute(message), Some(flags)) {
        Err(e) if e.raw_os_error() != Some(EEXIST) => Err(e),
        _ => Ok(()),
    }
}

/// Takes a route through a link away.
///
/// # Errors
/// The kernel's.
pub(super) fn remove(index: u32, route: &Route) -> io::Result<()> {
    let mut message = message(index, route);
    message.header.scope = RouteScope::NoWhere;
    match netlink_request_rtnl(RouteNetlinkMessage::DelRoute(message), Some(NLM_F_REQUEST | NLM_F_ACK)) {
        Err(e) if e.raw_os_error() != Some(ESRCH) => Err(e),
        _ => Ok(()),
    }
}

fn message(index: u32, route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    let ip = route.net.addr();
    message.header.address_family = family_of(ip);
    message.header.destination_prefix_length = route.net.prefix_len();
    message.header.kind = RouteType::Unicast;
    if let Ok(table) = u8::try_from(route.table) {
        message.header.table = table;
    } else {
        message.header.table = RouteHeader::RT_TABLE_UNSPEC;
        message.attributes.push(RouteAttribute::Table(route.table));
    }
    if route.net.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(ip.into()));
    }
    message.attributes.push(RouteAttribute::Oif(index));
    message
}

/// The MTU that wg-quick(8) gives an interface whose conf says none: the largest of the routes to
/// its peers' endpoints, else that of the default route, less what WireGuard adds.
pub(super) fn computed_mtu(endpoints: impl Iterator<Item = IpAddr>) -> u32 {
    let largest = endpoints.filter_map(|ip| mtu_of(&towards(ip).ok()??)).max();
    let mtu = largest.or_else(|| mtu_of(&default_route().ok()??)).unwrap_or(USUAL_MTU);
    mtu.saturating_sub(OVERHEAD)
}

/// The route that the kernel takes to an address.
fn towards(ip: IpAddr) -> io::Result<Option<RouteMessage>> {
    let mut message = RouteMessage::default();
    message.header.address_family = family_of(ip);
    message.header.destination_prefix_length = if ip.is_ipv4() { 32 } else { 128 };
    message.attributes.push(RouteAttribute::Destination(ip.into()));
    let answers =
        netlink_request_rtnl(RouteNetlinkMessage::GetRoute(message), Some(NLM_F_REQUEST | NLM_F_ACK))?;
    Ok(routes_of(answers).next())
}

/// The first default route of IPv4.
fn default_route() -> io::Result<Option<RouteMessage>> {
    let mut defaults: Vec<RouteMessage> = dump(AddressFamily::Inet)?
        .into_iter()
        .filter(|r| r.header.destination_prefix_length == 0 && table_of(r) == MAIN_TABLE)
        .collect();
    defaults.sort_by_key(priority_of);
    Ok(defaults.into_iter().next())
}

/// The MTU that a route has by itself, else that of the link it goes through.
fn mtu_of(route: &RouteMessage) -> Option<u32> {
    let own = route.attributes.iter().find_map(|a| match a {
        RouteAttribute::Metrics(metrics) => metrics.iter().find_map(|m| match m {
            RouteMetric::Mtu(mtu) => Some(*mtu),
            _ => None,
        }),
        _ => None,
    });
    own.or_else(|| link::find_index(link_of(route)?).ok()?.map(|l| l.mtu)).filter(|mtu| *mtu > 0)
}

fn dump(family: AddressFamily) -> io::Result<Vec<RouteMessage>> {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    let answers =
        netlink_request_rtnl(RouteNetlinkMessage::GetRoute(message), Some(NLM_F_REQUEST | NLM_F_DUMP))?;
    Ok(routes_of(answers).collect())
}

fn routes_of(
    answers: Vec<netlink_packet_core::NetlinkMessage<RouteNetlinkMessage>>,
) -> impl Iterator<Item = RouteMessage> {
    answers.into_iter().filter_map(|answer| match answer.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) => Some(route),
        _ => None,
    })
}

fn family_of(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn destination(route: &RouteMessage) -> Option<IpNet> {
    let ip = route.attributes.iter().find_map(|a| match a {
        RouteAttribute::Destination(RouteAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        RouteAttribute::Destination(RouteAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    });
    // A default route names no destination.
    let ip = ip.unwrap_or(match route.header.address_family {
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    });
    IpNet::new(ip, route.header.destination_prefix_length).ok()
}

fn link_of(route: &RouteMessage) -> Option<u32> {
    route.attributes.iter().find_map(|a| if let RouteAttribute::Oif(index) = a { Some(*index) } else { None })
}

fn table_of(route: &RouteMessage) -> u32 {
    let whole =
        route.attributes.iter().find_map(|a| if let RouteAttribute::Table(t) = a { Some(*t) } else { None });
    whole.unwrap_or(u32::from(route.header.table))
}

fn priority_of(route: &RouteMessage) -> u32 {
    let found = route
        .attributes
        .iter()
        .find_map(|a| if let RouteAttribute::Priority(p) = a { Some(*p) } else { None });
    found.unwrap_or(0)
}
