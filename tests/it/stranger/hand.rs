//! What the stranger does: `wg set` on the interface and an editor on the conf.

use super::{MARK, World};
use iwas_wg::model::{LiveInterface, LivePeer, PublicKey};
use proptest::{prelude::*, sample::Index};
use std::fs;

/// One thing that the stranger does. The hub's key stays: with another one, the interface and the
/// conf are another hub's.
#[derive(Debug, Clone)]
pub(super) enum Theirs {
    PeerAway(Index),
    AllowedIps(Index, Allowed),
    /// The key of a location that was removed comes back, as from an old conf.
    PeerBack(Index),
    PeerNew {
        claims: Option<Index>,
    },
    Port,
    LinkDown,
    AddressAway,
    BlockAway(Index),
    BlockWider(Index),
    BlockTwice(Index),
    BlockRenamed(Index),
    BlockBack(Index),
    BlockNew {
        claims: Option<Index>,
    },
    Comment(Index),
    Hook,
    ConfAway,
}

#[derive(Debug, Clone)]
pub(super) enum Allowed {
    Empty,
    Wider,
    Steal(Index),
}

pub(super) fn theirs() -> impl Strategy<Value = Theirs> {
    let allowed =
        prop_oneof![Just(Allowed::Empty), Just(Allowed::Wider), any::<Index>().prop_map(Allowed::Steal)];
    prop_oneof![
        2 => any::<Index>().prop_map(Theirs::PeerAway),
        3 => (any::<Index>(), allowed).prop_map(|(i, a)| Theirs::AllowedIps(i, a)),
        1 => any::<Index>().prop_map(Theirs::PeerBack),
        2 => any::<Option<Index>>().prop_map(|claims| Theirs::PeerNew { claims }),
        1 => Just(Theirs::Port),
        1 => Just(Theirs::LinkDown),
        1 => Just(Theirs::AddressAway),
        2 => any::<Index>().prop_map(Theirs::BlockAway),
        2 => any::<Index>().prop_map(Theirs::BlockWider),
        1 => any::<Index>().prop_map(Theirs::BlockTwice),
        1 => any::<Index>().prop_map(Theirs::BlockRenamed),
        1 => any::<Index>().prop_map(Theirs::BlockBack),
        2 => any::<Option<Index>>().prop_map(|claims| Theirs::BlockNew { claims }),
        3 => any::<Index>().prop_map(Theirs::Comment),
        1 => Just(Theirs::Hook),
        1 => Just(Theirs::ConfAway),
    ]
}

impl World {
    /// A new number for something that the stranger makes.
    fn number(&self) -> u8 {
        self.made.set(self.made.get() + 1);
        self.made.get()
    }

    /// An address that the stranger claims: a location's, or one that is none of ours.
    fn claimed(&self, claims: Option<Index>, number: u8) -> String {
        let sites = self.provisioned();
        match claims {
            Some(index) if !sites.is_empty() => format!("{}/32", index.get(&sites).2),
            _ => format!("192.168.{number}.0/24"),
        }
    }

    /// Does it.
    pub(super) fn interfere(&self, theirs: &Theirs) {
        match theirs {
            Theirs::PeerAway(_)
            | Theirs::AllowedIps(..)
            | Theirs::PeerBack(_)
            | Theirs::PeerNew { .. }
            | Theirs::Port
            | Theirs::LinkDown
            | Theirs::AddressAway => {
                if let Some(mut live) = self.live() {
                    self.wg_set(theirs, &mut live);
                    self.hub.device().interface = Some(live);
                }
            }
            Theirs::ConfAway => drop(fs::remove_file(self.hub.path("etc/wireguard/wg0.conf"))),
            _ => {
                if let Some(text) = self.conf() {
                    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                    self.edit(theirs, &mut lines);
                    let mut text = lines.join("\n");
                    // Some editors end the last line, some do not.
                    if !lines.len().is_multiple_of(3) {
                        text.push('\n');
                    }
                    fs::write(self.hub.path("etc/wireguard/wg0.conf"), text).expect("conf");
                }
            }
        }
    }

    fn wg_set(&self, theirs: &Theirs, live: &mut LiveInterface) {
        let number = self.number();
        let seen = jiff::Timestamp::from_second(crate::support::START - i64::from(number)).expect("time");
        let peer = |public_key: PublicKey, allowed: &str| LivePeer {
            allowed_ips: vec![allowed.parse().expect("net")],
            last_handshake: Some(seen),
            rx_bytes: 1,
            tx_bytes: 1,
            ..LivePeer::new(public_key)
        };
        match theirs {
            Theirs::PeerAway(i) if !live.peers.is_empty() => {
                drop(live.peers.remove(i.index(live.peers.len())));
            }
            Theirs::AllowedIps(i, allowed) if !live.peers.is_empty() => {
                let i = i.index(live.peers.len());
                live.peers[i].last_handshake = Some(seen);
                match allowed {
                    Allowed::Empty => live.peers[i].allowed_ips.clear(),
                    Allowed::Wider => live.peers[i].allowed_ips.push("0.0.0.0/0".parse().expect("net")),
                    Allowed::Steal(from) => {
                        let from = from.index(live.peers.len());
                        let mut taken = std::mem::take(&mut live.peers[from].allowed_ips);
                        live.peers[i].allowed_ips.append(&mut taken);
                    }
                }
            }
            Theirs::PeerBack(i) if !self.gone.is_empty() => {
                let (key, ip) = i.get(&self.gone);
                let key: PublicKey = key.parse().expect("key");
                live.peers.retain(|p| p.public_key != key);
                live.peers.push(peer(key, &format!("{ip}/32")));
            }
            Theirs::PeerNew { claims } => {
                let claimed = self.claimed(*claims, number);
                let new = peer(PublicKey::from_bytes([number; 32]), &claimed);
                for other in &mut live.peers {
                    other.allowed_ips.retain(|a| *a != new.allowed_ips[0]);
                }
                live.peers.push(new);
            }
            Theirs::Port => live.listen_port = Some(4500),
            Theirs::LinkDown => live.up = false,
            Theirs::AddressAway => live.addresses.clear(),
            _ => {}
        }
    }

    fn edit(&self, theirs: &Theirs, lines: &mut Vec<String>) {
        let number = self.number();
        let mark = format!("{MARK} {number}");
        let append = |lines: &mut Vec<String>, key: &str, allowed: &str, mark: &str| {
            let block = format!("\n[Peer] {mark}\nPublicKey = {key} {mark}\nAllowedIPs = {allowed} {mark}");
            lines.extend(block.lines().map(str::to_owned));
        };
        let blocks = our_blocks(lines);
        match theirs {
            Theirs::BlockAway(i) if !blocks.is_empty() => {
                let (start, end) = *i.get(&blocks);
                let mut at = 0;
                lines.retain(|l| {
                    at += 1;
                    !(start..end).contains(&(at - 1)) || l.contains(MARK)
                });
            }
            Theirs::BlockWider(i) if !blocks.is_empty() => {
                let (start, end) = *i.get(&blocks);
                for line in lines[start..end].iter_mut().filter(|l| l.starts_with("AllowedIPs")) {
                    *line = format!("AllowedIPs = 0.0.0.0/0, 10.0.{number}.0/24");
                }
            }
            Theirs::BlockTwice(i) if !blocks.is_empty() => {
                let (start, end) = *i.get(&blocks);
                let copy: Vec<String> =
                    lines[start..end].iter().filter(|l| !l.contains(MARK)).cloned().collect();
                lines.push(String::new());
                lines.extend(copy);
            }
            Theirs::BlockRenamed(i) if !blocks.is_empty() => {
                let (start, end) = *i.get(&blocks);
                for line in lines[start..end].iter_mut().filter(|l| l.starts_with("# friendly_name")) {
                    *line = format!("# friendly_name = site-{}", number % 20);
                }
            }
            // Not marked: an own peer that was removed is ours to take out, wherever it came from.
            Theirs::BlockBack(i) if !self.gone.is_empty() => {
                let (key, ip) = i.get(&self.gone);
                append(lines, key, &format!("{ip}/32"), "");
            }
            Theirs::BlockNew { claims } => {
                let key = PublicKey::from_bytes([number; 32]).to_string();
                append(lines, &key, &self.claimed(*claims, number), &mark);
            }
            Theirs::Comment(i) => lines.insert(i.index(lines.len() + 1), mark),
            Theirs::Hook => {
                if let Some(at) = lines.iter().position(|l| l == "[Interface]") {
                    lines.insert(at + 1, format!("PostUp = echo {number} {mark}"));
                }
            }
            _ => {}
        }
    }
}

/// Where the blocks without the stranger's mark begin and end.
pub(super) fn our_blocks(lines: &[String]) -> Vec<(usize, usize)> {
    let ends = |l: &String| l.is_empty() || l.starts_with('[');
    let starts = (0..lines.len()).filter(|&i| lines[i].trim_end() == "[Peer]");
    starts.map(|i| (i, lines[i + 1..].iter().position(ends).map_or(lines.len(), |n| i + 1 + n))).collect()
}
