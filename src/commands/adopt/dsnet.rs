//! dsnet's own file, `/etc/dsnetconfig.json`: JSON with the hub and all its peers.

use super::source::{Found, FoundPeer};
use crate::{
    error::{Error, Kind},
    model::{InterfaceName, PresharedKey, PrivateKey, PublicKey},
    wgconf::Conf,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;
use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::Path,
};
use zeroize::Zeroizing;

/// The parts of the file that matter here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dsnet {
    private_key: String,
    listen_port: Option<u16>,
    interface_name: Option<String>,
    network: Option<String>,
    network6: Option<String>,
    #[serde(rename = "IP")]
    ip: Option<Ipv4Addr>,
    #[serde(rename = "IP6")]
    ip6: Option<String>,
    external_hostname: Option<String>,
    #[serde(rename = "ExternalIP")]
    external_ip: Option<String>,
    post_up: Option<String>,
    post_down: Option<String>,
    peers: Option<Vec<DsnetPeer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DsnetPeer {
    hostname: Option<String>,
    description: Option<String>,
    #[serde(rename = "IP")]
    ip: Option<Ipv4Addr>,
    #[serde(rename = "IP6")]
    ip6: Option<String>,
    public_key: String,
    preshared_key: Option<String>,
    networks: Option<Vec<String>>,
}

/// Reads a hub from the file's content.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Found, Error> {
    let bad = |why: String| {
        Error::new(Kind::BadState, format!("{}: {why}", path.display()))
            .hint("adopt a wg-quick conf, the output of \"wg showconf\", or dsnet's own file")
    };
    // The library's message would repeat a value, which may be a key: only the place is told.
    let mut d: Dsnet = serde_json::from_slice(bytes)
        .map_err(|e| bad(format!("line {} is not what dsnet writes", e.line())))?;
    let private_key = Zeroizing::new(std::mem::take(&mut d.private_key));
    let key = PrivateKey::from_base64(&private_key).map_err(|why| bad(format!("the PrivateKey {why}")))?;
    let address = d.ip.zip(prefix::<Ipv4Net>(d.network.as_deref()).map(|n| n.prefix_len()));
    let address = address.and_then(|(ip, len)| Ipv4Net::new(ip, len).ok());
    let address6 =
        host(d.ip6.as_deref()).zip(prefix::<Ipv6Net>(d.network6.as_deref()).map(|n| n.prefix_len()));
    let address6 = address6.and_then(|(ip, len)| Ipv6Net::new(ip, len).ok());

    let dsnet_peers = d.peers.take().unwrap_or_default();
    // Sized at once: a buffer that grows leaves keys behind where it was.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() + 1024 + 128 * dsnet_peers.len()));
    let mut line = |key: &str, value: &str| {
        text.push_str(key);
        text.push_str(value);
        text.push('\n');
    };
    line("[Interface]", "");
    line("PrivateKey = ", &private_key);
    for net in address.map(IpNet::V4).into_iter().chain(address6.map(IpNet::V6)) {
        line("Address = ", &net.to_string());
    }
    if let Some(port) = d.listen_port {
        line("ListenPort = ", &port.to_string());
    }
    for (word, hook) in [("PostUp = ", &d.post_up), ("PostDown = ", &d.post_down)] {
        if let Some(hook) = hook.as_deref().filter(|h| !h.is_empty() && !h.contains(['\n', '\r'])) {
            line(word, hook);
        }
    }
    let mut peers = Vec::with_capacity(dsnet_peers.len());
    for mut p in dsnet_peers {
        let public_key: PublicKey =
            p.public_key.parse().map_err(|e: crate::model::Invalid| bad(e.to_string()))?;
        line("\n[Peer]\nPublicKey = ", &public_key.to_string());
        let preshared = Zeroizing::new(p.preshared_key.take().unwrap_or_default());
        if !preshared.is_empty() {
            PresharedKey::from_base64(&preshared)
                .map_err(|why| bad(format!("the PresharedKey of the peer {public_key} {why}")))?;
            line("PresharedKey = ", &preshared);
        }
        let own = p.ip.map(|ip| IpNet::V4(Ipv4Net::from(ip)));
        let own6 = host(p.ip6.as_deref()).map(|ip| IpNet::V6(Ipv6Net::from(ip)));
        let more = p.networks.take().unwrap_or_default();
        let more = more.iter().filter_map(|n| n.parse().ok());
        let allowed_ips: Vec<IpNet> = own.into_iter().chain(own6).chain(more).collect();
        let words: Vec<String> = allowed_ips.iter().map(ToString::to_string).collect();
        if !words.is_empty() {
            line("AllowedIPs = ", &words.join(", "));
        }
        peers.push(FoundPeer {
            public_key,
            allowed_ips,
            name: p.hostname.filter(|h| !h.is_empty()),
            note: p.description.filter(|d| !d.is_empty()),
            line: None,
        });
    }
    // What is said of the file is what is said of the conf that becomes of it.
    let conf = Conf::parse(text.as_bytes())?;
    Ok(Found {
        private_key: Some(key),
        has_key_hook: false,
        only_wg_quick: conf.only_wg_quick(),
        listen_port: d.listen_port,
        addresses: address.into_iter().collect(),
        endpoint: [d.external_hostname, d.external_ip].into_iter().flatten().find_map(|e| e.parse().ok()),
        peers,
        disabled: Vec::new(),
        overwriting: None,
        interface: d.interface_name.and_then(|name| name.parse::<InterfaceName>().ok()),
        text: Zeroizing::new(text.as_bytes().to_vec()),
    })
}

/// dsnet leaves a network that it does not use empty, and an address likewise.
fn prefix<N: std::str::FromStr>(text: Option<&str>) -> Option<N> {
    text?.parse().ok()
}

fn host(text: Option<&str>) -> Option<Ipv6Addr> {
    text?.parse().ok()
}
