//! The network link below `WireGuard`: does it exist, is it up, which addresses has it.
//!
//! Spoken over netlink directly, so no helper program has to be found or trusted.

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};
use netlink_request::netlink_request_rtnl;
use std::{collections::HashMap, io};

const ENODEV: i32 = 19;
const EEXIST: i32 = 17;
const EADDRNOTAVAIL: i32 = 99;

/// A network interface of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) up: bool,
    pub(super) mtu: u32,
    pub(super) kind: Kind,
}

/// What drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Wireguard,
    Tun,
    Other,
}

/// Finds a link by name; `None` if there is none.
pub(super) fn find(name: &str) -> io::Result<Option<Link>> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    found(message)
}

/// Finds a link by index; `None` if there is none.
pub(super) fn find_index(index: u32) -> io::Result<Option<Link>> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    found(message)
}

fn found(message: LinkMessage) -> io::Result<Option<Link>> {
    // Acknowledged, so that the end of the answer is known without a dump of all links.
    let answers =
        match netlink_request_rtnl(RouteNetlinkMessage::GetLink(message), Some(NLM_F_REQUEST | NLM_F_ACK)) {
            Err(e) if e.raw_os_error() == Some(ENODEV) => return Ok(None),
            other => other?,
        };
    for answer in answers {
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = answer.payload else {
            continue;
        };
        let kind = link.attributes.iter().find_map(|a| match a {
            LinkAttribute::LinkInfo(infos) => infos.iter().find_map(|i| match i {
                LinkInfo::Kind(InfoKind::Wireguard) => Some(Kind::Wireguard),
                LinkInfo::Kind(InfoKind::Tun) => Some(Kind::Tun),
                _ => None,
            }),
            _ => None,
        });
        let mtu = link.attributes.iter().find_map(|a| match a {
            LinkAttribute::Mtu(mtu) => Some(*mtu),
            _ => None,
        });
        return Ok(Some(Link {
            mtu: mtu.unwrap_or(0),
            index: link.header.index,
            up: link.header.flags.contains(LinkFlags::Up),
            kind: kind.unwrap_or(Kind::Other),
        }));
    }
    Ok(None)
}

/// The addresses of a link, each with the prefix length of its network, and for how many seconds
/// the oldest has been there.
///
/// A link has no birthday of its own that one could ask for. An address has, and a hub's interface
/// is given its address when it is made.
pub(super) fn addresses(index: u32) -> io::Result<(Vec<IpNet>, Option<u64>)> {
    let (mut found, mut oldest) = (Vec::new(), None);
    for address in all_addresses()?.into_iter().filter(|a| a.header.index == index) {
        let age = address.attributes.iter().find_map(|a| match a {
            AddressAttribute::CacheInfo(info) => Some(age(info.cstamp)),
            _ => None,
        });
        oldest = oldest.max(age);
        found.extend(net_of(&address));
    }
    Ok((found, oldest))
}

/// The addresses of all links but this one, each with its link's name.
pub(super) fn other_addresses(name: &str) -> io::Result<Vec<(String, IpNet)>> {
    let answers = netlink_request_rtnl(
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
        Some(NLM_F_REQUEST | NLM_F_DUMP),
    )?;
    let mut names = HashMap::new();
    for answer in answers {
        if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = answer.payload {
            for attribute in link.attributes {
                if let LinkAttribute::IfName(name) = attribute {
                    names.insert(link.header.index, name);
                }
            }
        }
    }
    let with_link = |a: AddressMessage| Some((names.get(&a.header.index)?.clone(), net_of(&a)?));
    Ok(all_addresses()?.into_iter().filter_map(with_link).filter(|(other, _)| other != name).collect())
}

/// The addresses of this machine: IPv4 first, as two questions.
fn all_addresses() -> io::Result<Vec<AddressMessage>> {
    let mut all = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = AddressMessage::default();
        message.header.family = family;
        let answers =
            netlink_request_rtnl(RouteNetlinkMessage::GetAddress(message), Some(NLM_F_REQUEST | NLM_F_DUMP));
        match answers {
            Ok(answers) => all.extend(answers.into_iter().filter_map(|answer| match answer.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(address)) => Some(address),
                _ => None,
            })),
            // A kernel without IPv6 has no such addresses.
            Err(_) if family == AddressFamily::Inet6 => {}
            Err(e) => return Err(e),
        }
    }
    Ok(all)
}

fn net_of(address: &AddressMessage) -> Option<IpNet> {
    // On a link between two, `Address` is the other end; IPv6 has no `Local` elsewhere.
    let local = address.attributes.iter().find_map(|a| match a {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    });
    let ip = local.or_else(|| {
        address.attributes.iter().find_map(|a| match a {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        })
    });
    IpNet::new(ip?, address.header.prefix_len).ok()
}

/// Seconds since a time stamp of the kernel: hundredths since the boot, which begin anew after
/// 497 days.
fn age(stamp: u32) -> u64 {
    const SPAN: u64 = 1 << 32;
    let boot = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now =
        u64::try_from(boot.tv_sec).unwrap_or(0) * 100 + u64::try_from(boot.tv_nsec).unwrap_or(0) / 10_000_000;
    // The kernel's stamp is a tick coarser than the clock and may be ahead of it.
    let hundredths = (now % SPAN + SPAN + 100 - u64::from(stamp)) % SPAN;
    hundredths.saturating_sub(100) / 100
}

/// What a request says of an address of a link.
fn of_address(index: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    let ip = address.addr();
    message.header.family = if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(ip));
    message
}

/// Adds an address to a link; one that is there already is no error.
pub(super) fn add_address(index: u32, address: IpNet) -> io::Result<()> {
    let mut message = of_address(index, address);
    message.attributes.push(AddressAttribute::Address(address.addr()));
    let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    match netlink_request_rtnl(RouteNetlinkMessage::NewAddress(message), Some(flags)) {
        Err(e) if e.raw_os_error() != Some(EEXIST) => Err(e),
        _ => Ok(()),
    }
}

/// Takes an address from a link; one that is not there is no error.
pub(super) fn remove_address(index: u32, address: IpNet) -> io::Result<()> {
    let message = of_address(index, address);
    match netlink_request_rtnl(RouteNetlinkMessage::DelAddress(message), Some(NLM_F_REQUEST | NLM_F_ACK)) {
        Err(e) if e.raw_os_error() != Some(EADDRNOTAVAIL) => Err(e),
        _ => Ok(()),
    }
}

/// Sets a link up.
pub(super) fn set_up(index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    netlink_request_rtnl(RouteNetlinkMessage::SetLink(message), Some(NLM_F_REQUEST | NLM_F_ACK)).map(drop)
}

/// Sets the MTU of a link.
pub(super) fn set_mtu(index: u32, mtu: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::Mtu(mtu));
    netlink_request_rtnl(RouteNetlinkMessage::SetLink(message), Some(NLM_F_REQUEST | NLM_F_ACK)).map(drop)
}

/// Takes a link away.
pub(super) fn delete(index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    netlink_request_rtnl(RouteNetlinkMessage::DelLink(message), Some(NLM_F_REQUEST | NLM_F_ACK)).map(drop)
}
