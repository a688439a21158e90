//! What a running hub can be read from: a wg-quick(8) conf, the output of `wg showconf`, or the
//! report file of dsnet.

use crate::{
    error::{Error, Kind},
    fsx,
    model::{Endpoint, LocationName, PrivateKey, PublicKey},
    wgconf::Conf,
};
use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;
use std::{collections::HashMap, net::Ipv4Addr, path::Path};
use zeroize::Zeroizing;

/// A hub as it was found.
pub(super) struct Found {
    pub(super) private_key: Option<PrivateKey>,
    pub(super) listen_port: Option<u16>,
    pub(super) addresses: Vec<Ipv4Net>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) peers: Vec<FoundPeer>,
    /// wg-quick(8) will overwrite the file when it goes down.
    pub(super) save_config: bool,
}

/// A peer as it was found.
pub(super) struct FoundPeer {
    pub(super) public_key: PublicKey,
    pub(super) allowed_ips: Vec<IpNet>,
    /// What people call it.
    pub(super) name: Option<String>,
    /// What else they say of it.
    pub(super) note: Option<String>,
}

/// Reads a hub from a file.
pub(super) fn read(path: &Path) -> Result<Found, Error> {
    let bytes = fsx::read(path)?.map(Zeroizing::new).ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no file {} to adopt", path.display()))
            .hint("name one with --from, such as the output of \"wg showconf wg0\"")
    })?;
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return dsnet(path, &bytes);
    }
    let conf = Conf::parse(&bytes).map_err(|e| {
        let error = Error::from(e);
        Error { message: format!("{}: {}", path.display(), error.message), ..error }
    })?;
    Ok(Found {
        private_key: conf.private_key(),
        listen_port: conf.listen_port(),
        addresses: conf.addresses().into_iter().filter_map(v4).collect(),
        endpoint: None,
        save_config: conf.save_config(),
        peers: conf
            .peers()
            .into_iter()
            .map(|p| FoundPeer {
                public_key: p.public_key,
                allowed_ips: p.allowed_ips,
                name: p.friendly_name.clone().or_else(|| p.comment_above.clone()),
                note: p.comment_above.or(p.friendly_name),
            })
            .collect(),
    })
}

fn v4(net: IpNet) -> Option<Ipv4Net> {
    match net {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    }
}

/// The parts of dsnet's file that matter here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dsnet {
    private_key: String,
    listen_port: Option<u16>,
    network: Option<String>,
    #[serde(rename = "IP")]
    ip: Option<Ipv4Addr>,
    external_hostname: Option<String>,
    #[serde(rename = "ExternalIP")]
    external_ip: Option<String>,
    #[serde(default)]
    peers: Vec<DsnetPeer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DsnetPeer {
    hostname: Option<String>,
    description: Option<String>,
    #[serde(rename = "IP")]
    ip: Option<Ipv4Addr>,
    public_key: String,
    #[serde(default)]
    networks: Option<Vec<String>>,
}

fn dsnet(path: &Path, bytes: &[u8]) -> Result<Found, Error> {
    let bad = |why: String| {
        Error::new(Kind::BadState, format!("{}: {why}", path.display()))
            .hint("adopt a wg-quick conf, the output of \"wg showconf\", or dsnet's own file")
    };
    // The library's message would repeat a value, which may be a key: only the place is told.
    let mut d: Dsnet = serde_json::from_slice(bytes)
        .map_err(|e| bad(format!("line {} is not what dsnet writes", e.line())))?;
    let text = Zeroizing::new(std::mem::take(&mut d.private_key));
    let key = PrivateKey::from_base64(&text).map_err(|why| bad(format!("the PrivateKey {why}")))?;
    let prefix = d.network.as_deref().and_then(|n| n.parse::<Ipv4Net>().ok()).map(|n| n.prefix_len());
    let address = d.ip.zip(prefix).and_then(|(ip, prefix)| Ipv4Net::new(ip, prefix).ok());
    let endpoint = [d.external_hostname, d.external_ip].into_iter().flatten().find_map(|e| e.parse().ok());
    let mut peers = Vec::with_capacity(d.peers.len());
    for p in d.peers {
        let own = p.ip.map(|ip| IpNet::V4(Ipv4Net::from(ip)));
        let more = p.networks.unwrap_or_default();
        let more = more.iter().filter_map(|n| n.parse().ok());
        peers.push(FoundPeer {
            public_key: p.public_key.parse()?,
            allowed_ips: own.into_iter().chain(more).collect(),
            name: p.hostname.filter(|h| !h.is_empty()),
            note: p.description.filter(|d| !d.is_empty()),
        });
    }
    Ok(Found {
        private_key: Some(key),
        listen_port: d.listen_port,
        addresses: address.into_iter().collect(),
        endpoint,
        peers,
        save_config: false,
    })
}

/// Reads `PUBLIC-KEY,NAME` lines; a first line that is no key is a heading.
pub(super) fn read_names(path: &Path) -> Result<HashMap<PublicKey, LocationName>, Error> {
    let wrong = |line: usize, why: &str| {
        Error::new(Kind::Usage, format!("{} line {line}: {why}", path.display()))
            .hint("write PUBLIC-KEY,NAME on each line")
    };
    let text = fsx::read(path)?.ok_or_else(|| wrong(1, "there is no such file"))?;
    let text = String::from_utf8(text).map_err(|_| wrong(1, "is not UTF-8 text"))?;
    let (mut names, mut seen) = (HashMap::new(), HashMap::new());
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let (key, name) = line.split_once(',').ok_or_else(|| wrong(n + 1, "has no comma"))?;
        let (key, name) = (key.trim().trim_matches('"'), name.trim().trim_matches('"'));
        let Ok(key) = key.parse::<PublicKey>() else {
            if n == 0 {
                continue;
            }
            return Err(wrong(n + 1, "does not begin with a public key"));
        };
        let name: LocationName =
            name.parse().map_err(|e: crate::model::Invalid| wrong(n + 1, &e.to_string()))?;
        if let Some(before) = seen.insert(name.clone(), n + 1) {
            return Err(wrong(n + 1, &format!("gives the name of line {before} again")));
        }
        names.insert(key, name);
    }
    Ok(names)
}
