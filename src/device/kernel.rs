//! `WireGuard` in the kernel: reading an interface and changing it, by linux/wireguard.h.

use super::{
    Secrets,
    netlink::{Attributes, Channel, Message, number},
    sockaddr::{AF_INET, AF_INET6, socket_address, socket_bytes},
};
use crate::model::{
    InterfaceName, LivePeer, PresharedKey, PrivateKey, PublicKey,
    plan::{Extras, Plan, Said, WantedPeer},
};
use ipnet::IpNet;
use jiff::Timestamp;
use std::{io, net::IpAddr};
use zeroize::Zeroizing;

const FAMILY: &str = "wireguard";
const GET_DEVICE: u8 = 0;
const SET_DEVICE: u8 = 1;

mod device {
    pub(super) const IFNAME: u16 = 2;
    pub(super) const PRIVATE_KEY: u16 = 3;
    pub(super) const PUBLIC_KEY: u16 = 4;
    pub(super) const LISTEN_PORT: u16 = 6;
    pub(super) const FWMARK: u16 = 7;
    pub(super) const PEERS: u16 = 8;
}

mod peer {
    pub(super) const PUBLIC_KEY: u16 = 1;
    pub(super) const PRESHARED_KEY: u16 = 2;
    pub(super) const FLAGS: u16 = 3;
    pub(super) const ENDPOINT: u16 = 4;
    pub(super) const KEEPALIVE: u16 = 5;
    pub(super) const LAST_HANDSHAKE: u16 = 6;
    pub(super) const RX_BYTES: u16 = 7;
    pub(super) const TX_BYTES: u16 = 8;
    pub(super) const ALLOWED_IPS: u16 = 9;

    pub(super) const REMOVE: u32 = 1;
    pub(super) const REPLACE_ALLOWED_IPS: u32 = 2;
}

mod allowed_ip {
    pub(super) const FAMILY: u16 = 1;
    pub(super) const ADDRESS: u16 = 2;
    pub(super) const PREFIX: u16 = 3;
}

const NONE: u16 = 0;

/// Attributes of one message that changes: the peers are one attribute, which holds 64 KiB.
const ROOM: usize = 32 * 1024;
/// The most that a peer takes besides its allowed IPs, and that one of those takes.
const PEER_MAX: usize = 160;
const ALLOWED_IP_MAX: usize = 40;

/// What the interface says of itself and its peers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) public_key: Option<PublicKey>,
    pub(super) listen_port: Option<u16>,
    pub(super) fwmark: u32,
    pub(super) peers: Vec<LivePeer>,
}

/// A channel and the question for an interface.
fn question(name: &InterfaceName) -> io::Result<(Channel, Message)> {
    let mut request = Message::new(GET_DEVICE, 64);
    interface_name(&mut request, name);
    Ok((Channel::open(FAMILY)?, request))
}

/// How much of an interface is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// The interface itself and whether it has peers.
    Head,
}

/// Reads an interface.
///
/// # Errors
/// The kernel's.
pub(super) fn read(name: &InterfaceName, extent: Extent) -> io::Result<Seen> {
    let (mut channel, mut request) = question(name)?;
    match extent {
        Extent::Whole => channel.dump(&mut request, Seen::default, hear),
        Extent::Head => channel.begin_dump(&mut request, Seen::default(), hear),
    }
}

/// Reads the private key of an interface.
///
/// # Errors
/// The kernel's.
pub(super) fn private_key(name: &InterfaceName) -> io::Result<Option<PrivateKey>> {
    let (mut channel, mut request) = question(name)?;
    channel.dump(
        &mut request,
        || None,
        |key, attributes| {
            if let Some(bytes) = attributes.find(device::PRIVATE_KEY).and_then(number) {
                *key = PrivateKey::from_device(Zeroizing::new(bytes));
            }
        },
    )
}

/// Reads the preshared keys of all peers that have one.
///
/// # Errors
/// The kernel's.
pub(super) fn preshared_keys(name: &InterfaceName) -> io::Result<Secrets> {
    let (mut channel, mut request) = question(name)?;
    channel.dump(&mut request, Secrets::new, |all, attributes| {
        for (_, one) in attributes.find(device::PEERS).into_iter().flat_map(Attributes) {
            let peer = Attributes(one);
            let public_key = peer.find(peer::PUBLIC_KEY).and_then(number).map(PublicKey::from_bytes);
            let key = peer.find(peer::PRESHARED_KEY).and_then(preshared).filter(|key| key.digest().is_some());
            all.extend(public_key.zip(key));
        }
    })
}

/// Takes one message of a dump in.
fn hear(seen: &mut Seen, attributes: Attributes<'_>) {
    for (kind, value) in attributes {
        match kind {
            device::PUBLIC_KEY => seen.public_key = number(value).map(PublicKey::from_bytes),
            device::LISTEN_PORT => seen.listen_port = number(value).map(u16::from_ne_bytes),
            device::FWMARK => seen.fwmark = number(value).map_or(0, u32::from_ne_bytes),
            device::PEERS => {
                for (_, one) in Attributes(value) {
                    hear_peer(&mut seen.peers, Attributes(one));
                }
            }
            _ => {}
        }
    }
}

fn hear_peer(peers: &mut Vec<LivePeer>, attributes: Attributes<'_>) {
    let Some(public_key) = attributes.find(peer::PUBLIC_KEY).and_then(number).map(PublicKey::from_bytes)
    else {
        return;
    };
    // A peer whose allowed IPs do not fit goes on in the next message, without all the rest.
    if peers.last().is_none_or(|last| last.public_key != public_key) {
        peers.push(LivePeer::new(public_key));
    }
    let Some(last) = peers.last_mut() else { return };
    for (kind, value) in attributes {
        match kind {
            peer::PRESHARED_KEY => last.preshared = preshared(value).and_then(|key| key.digest()),
            peer::KEEPALIVE => last.keepalive = number(value).map_or(0, u16::from_ne_bytes),
            peer::ENDPOINT => last.endpoint = socket_address(value),
            peer::LAST_HANDSHAKE => last.last_handshake = moment(value),
            peer::RX_BYTES => last.rx_bytes = number(value).map_or(0, u64::from_ne_bytes),
            peer::TX_BYTES => last.tx_bytes = number(value).map_or(0, u64::from_ne_bytes),
            peer::ALLOWED_IPS => {
                last.allowed_ips.extend(Attributes(value).filter_map(|(_, one)| allowed_ip(Attributes(one))));
            }
            _ => {}
        }
    }
}

/// A preshared key.
fn preshared(value: &[u8]) -> Option<PresharedKey> {
    number(value).map(|bytes| PresharedKey::from_random(Zeroizing::new(bytes)))
}

fn allowed_ip(attributes: Attributes<'_>) -> Option<IpNet> {
    let (mut address, mut prefix) = (None, None);
    for (kind, value) in attributes {
        match kind {
            allowed_ip::ADDRESS => {
                let v4 = number::<4>(value).map(IpAddr::from);
                address = v4.or_else(|| number::<16>(value).map(IpAddr::from));
            }
            allowed_ip::PREFIX => prefix = value.first().copied(),
            _ => {}
        }
    }
    IpNet::new(address?, prefix?).ok()
}

/// A `struct __kernel_timespec`; zero is never.
fn moment(value: &[u8]) -> Option<Timestamp> {
    let seconds = i64::from_ne_bytes(*value.first_chunk()?);
    if seconds == 0 { None } else { Timestamp::from_second(seconds).ok() }
}

/// Sends key, port, firewall mark and peers of a plan.
///
/// # Errors
/// The kernel's; what went before the message that it refused is done.
pub(super) fn configure(
    name: &InterfaceName,
    plan: &Plan,
    private_key: Option<&PrivateKey>,
    extras: &Extras,
) -> io::Result<()> {
    let mut channel = Channel::open(FAMILY)?;
    let mut change = Change::begin(name, |message| channel.change(message));
    if let (true, Some(key)) = (plan.set_key, private_key) {
        change.set(device::PRIVATE_KEY, key.expose_bytes());
    }
    if let Some(port) = plan.set_port {
        change.set(device::LISTEN_PORT, &port.to_ne_bytes());
    }
    if let Some(mark) = plan.set_fwmark {
        change.set(device::FWMARK, &mark.to_ne_bytes());
    }
    for key in plan.remove_first() {
        change.remove(key)?;
    }
    for wanted in &plan.set_peers {
        change.add(wanted, &wanted.said(extras.get(&wanted.public_key)))?;
    }
    for key in plan.remove_last() {
        change.remove(key)?;
    }
    change.send()
}

/// A change in as many messages as it needs; `deliver` gets each of them.
struct Change<'a, D: FnMut(&mut Message) -> io::Result<()>> {
    deliver: D,
    name: &'a InterfaceName,
    message: Message,
    /// Where the list of peers begins, once it has.
    peers: Option<usize>,
    /// Whether the message says anything but the interface's name.
    says: bool,
}

impl<'a, D: FnMut(&mut Message) -> io::Result<()>> Change<'a, D> {
    fn begin(name: &'a InterfaceName, deliver: D) -> Self {
        let mut message = Message::new(SET_DEVICE, ROOM);
        interface_name(&mut message, name);
        Self { deliver, name, message, peers: None, says: false }
    }

    /// A value of the interface itself: before all peers.
    fn set(&mut self, kind: u16, value: &[u8]) {
        self.message.attribute(kind, value);
        self.says = true;
    }

    fn remove(&mut self, key: &PublicKey) -> io::Result<()> {
        let at = self.begin_peer(key, peer::REMOVE)?;
        self.message.close(at);
        Ok(())
    }

    fn add(&mut self, wanted: &WantedPeer, said: &Said<'_>) -> io::Result<()> {
        let mut at = self.begin_peer(&wanted.public_key, peer::REPLACE_ALLOWED_IPS)?;
        if let Some(key) = said.preshared {
            self.message.attribute(peer::PRESHARED_KEY, key);
        }
        if let Some(endpoint) = said.endpoint {
            self.message.attribute(peer::ENDPOINT, &socket_bytes(endpoint));
        }
        if let Some(seconds) = said.keepalive {
            self.message.attribute(peer::KEEPALIVE, &seconds.to_ne_bytes());
        }
        let mut list = self.message.nest(peer::ALLOWED_IPS);
        for net in wanted.allowed_ips() {
            if self.message.left() < ALLOWED_IP_MAX {
                // The rest goes on in another message, without replacing what is there by then.
                self.message.close(list);
                self.message.close(at);
                self.send()?;
                at = self.begin_peer(&wanted.public_key, 0)?;
                list = self.message.nest(peer::ALLOWED_IPS);
            }
            self.allow(net);
        }
        self.message.close(list);
        self.message.close(at);
        Ok(())
    }

    fn allow(&mut self, net: IpNet) {
        let at = self.message.nest(NONE);
        let family = if net.addr().is_ipv4() { AF_INET } else { AF_INET6 };
        self.message.attribute(allowed_ip::FAMILY, &family.to_ne_bytes());
        match net.addr() {
            IpAddr::V4(ip) => self.message.attribute(allowed_ip::ADDRESS, &ip.octets()),
            IpAddr::V6(ip) => self.message.attribute(allowed_ip::ADDRESS, &ip.octets()),
        }
        self.message.attribute(allowed_ip::PREFIX, &[net.prefix_len()]);
        self.message.close(at);
    }

    /// Begins a peer, in a new message if this one is full.
    fn begin_peer(&mut self, key: &PublicKey, flags: u32) -> io::Result<usize> {
        if self.message.left() < PEER_MAX + ALLOWED_IP_MAX {
            self.send()?;
        }
        if self.peers.is_none() {
            self.peers = Some(self.message.nest(device::PEERS));
        }
        self.says = true;
        let at = self.message.nest(NONE);
        self.message.attribute(peer::PUBLIC_KEY, key.as_bytes());
        if flags != 0 {
            self.message.attribute(peer::FLAGS, &flags.to_ne_bytes());
        }
        Ok(at)
    }

    /// Sends what was said so far, if anything was.
    fn send(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.says) {
            return Ok(());
        }
        if let Some(at) = self.peers.take() {
            self.message.close(at);
        }
        (self.deliver)(&mut self.message)?;
        self.message.clear();
        interface_name(&mut self.message, self.name);
        Ok(())
    }
}

fn interface_name(message: &mut Message, name: &InterfaceName) {
    let mut bytes = name.as_str().as_bytes().to_vec();
    bytes.push(0);
    message.attribute(device::IFNAME, &bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::PeerExtras;
    use std::net::Ipv4Addr;

    fn name() -> InterfaceName {
        "wg0".parse().expect("name")
    }

    /// The attributes of every message of a change.
    fn messages(
        fill: impl FnOnce(&mut Change<'_, &mut dyn FnMut(&mut Message) -> io::Result<()>>),
    ) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut deliver = |message: &mut Message| {
            all.push(message.attributes().0.to_vec());
            Ok(())
        };
        let name = name();
        let mut change = Change::begin(&name, &mut deliver as &mut dyn FnMut(&mut Message) -> io::Result<()>);
        fill(&mut change);
        change.send().expect("the last");
        all
    }

    /// As the kernel would show what it was told.
    fn shown(messages: &[Vec<u8>]) -> Seen {
        let mut seen = Seen::default();
        for m in messages {
            hear(&mut seen, Attributes(m));
        }
        seen
    }

    #[test]
    fn a_change_of_nothing_sends_nothing() {
        assert!(messages(|_| {}).is_empty());
    }

    #[test]
    fn more_peers_than_one_message_holds_all_go_out() {
        let key = |n: u32| {
            let mut bytes = [9; 32];
            bytes[..4].copy_from_slice(&n.to_ne_bytes());
            PublicKey::from_bytes(bytes)
        };
        let ip = |n: u32| Ipv4Addr::from(0x0a00_0000 + n);
        let all = messages(|change| {
            change.set(device::LISTEN_PORT, &7_u16.to_ne_bytes());
            for n in 0..2000 {
                change.add(&WantedPeer::new(key(n), ip(n)), &Said::default()).expect("added");
            }
        });
        assert!(all.len() > 1 && all.iter().all(|m| m.len() <= ROOM), "{} messages", all.len());
        let seen = shown(&all);
        assert_eq!((seen.listen_port, seen.peers.len()), (Some(7), 2000));
        for (n, peer) in (0..).zip(&seen.peers) {
            assert_eq!(
                (peer.public_key, peer.allowed_ips.as_slice()),
                (key(n), [IpAddr::from(ip(n)).into()].as_slice())
            );
        }
    }

    #[test]
    fn a_peer_with_more_allowed_ips_than_one_message_holds_is_one_peer() {
        let mut wanted = WantedPeer::new(PublicKey::from_bytes([1; 32]), Ipv4Addr::new(10, 0, 0, 2));
        wanted.wider =
            (0..3000).map(|n| IpNet::from(IpAddr::from(Ipv4Addr::from(0x0b00_0000 + n)))).collect();
        wanted.wider.push("fd00::/64".parse().expect("net"));
        let all = messages(|change| change.add(&wanted, &Said::default()).expect("added"));
        assert!(all.len() > 2);
        let peers = shown(&all).peers;
        assert_eq!(peers.len(), 1);
        assert!(wanted.has_exactly(&peers[0].allowed_ips));
        let flags = |m: &Vec<u8>| {
            let (_, first) =
                Attributes(Attributes(m).find(device::PEERS).expect("peers")).next().expect("peer");
            Attributes(first).find(peer::FLAGS).and_then(number).map(u32::from_ne_bytes)
        };
        let expected: Vec<_> =
            (0..all.len()).map(|i| (i == 0).then_some(peer::REPLACE_ALLOWED_IPS)).collect();
        assert_eq!(
            all.iter().map(flags).collect::<Vec<_>>(),
            expected,
            "a later part would replace an earlier"
        );
    }

    #[test]
    fn what_is_said_of_a_peer_arrives() {
        let preshared = PresharedKey::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").ok();
        let wanted = WantedPeer::new(PublicKey::from_bytes([1; 32]), Ipv4Addr::new(10, 0, 0, 2));
        for endpoint in ["203.0.113.9:51820", "[2001:db8::1]:7"] {
            let said = Said { endpoint: endpoint.parse().ok(), keepalive: Some(25), preshared: None };
            let all = messages(|change| change.add(&wanted, &said).expect("added"));
            let peer = &shown(&all).peers[0];
            assert_eq!((peer.endpoint, peer.keepalive, peer.preshared), (said.endpoint, 25, None));
        }
        let digest = preshared.as_ref().and_then(PresharedKey::digest);
        let extras = PeerExtras { preshared_key: preshared, ..PeerExtras::default() };
        let all = messages(|change| change.add(&wanted, &wanted.said(Some(&extras))).expect("added"));
        assert!(digest.is_some() && shown(&all).peers[0].preshared == digest);
        let none = WantedPeer { clear_preshared: true, ..wanted.clone() };
        let all = messages(|change| change.add(&none, &none.said(Some(&extras))).expect("added"));
        assert!(shown(&all).peers[0].preshared.is_none() && all[0].windows(32).any(|w| w == [0; 32]));
        let gone = messages(|change| change.remove(&wanted.public_key).expect("removed"));
        assert!(gone[0].windows(4).any(|w| w == peer::REMOVE.to_ne_bytes()));
    }

    #[test]
    fn a_peer_that_goes_on_in_the_next_message_keeps_what_the_first_said() {
        let part = |ip: &str, rx: Option<u64>| {
            let mut m = Message::new(0, 512);
            let peers = m.nest(device::PEERS);
            let one = m.nest(NONE);
            m.attribute(peer::PUBLIC_KEY, &[5; 32]);
            if let Some(rx) = rx {
                m.attribute(peer::RX_BYTES, &rx.to_ne_bytes());
                m.attribute(peer::LAST_HANDSHAKE, &[1_700_000_000_i64.to_ne_bytes(), [0; 8]].concat());
            }
            let list = m.nest(peer::ALLOWED_IPS);
            let allowed = m.nest(NONE);
            m.attribute(allowed_ip::ADDRESS, &ip.parse::<Ipv4Addr>().expect("address").octets());
            m.attribute(allowed_ip::PREFIX, &[32]);
            for at in [allowed, list, one, peers] {
                m.close(at);
            }
            m.attributes().0.to_vec()
        };
        let peers = shown(&[part("10.0.0.2", Some(7)), part("10.0.0.3", None)]).peers;
        assert_eq!((peers.len(), peers[0].allowed_ips.len(), peers[0].rx_bytes), (1, 2, 7));
        assert_eq!(peers[0].last_handshake.map(Timestamp::as_second), Some(1_700_000_000));
        assert_eq!(moment(&[0; 16]), None, "never is no time");
    }
}
