//! What a running hub can be read from: a wg-quick(8) conf, the output of `wg showconf`, or
//! dsnet's own file.

use super::dsnet;
use crate::{
    error::{Error, Kind},
    fsx,
    model::{Endpoint, InterfaceName, PrivateKey, PublicKey},
    wgconf::{Conf, Overwriting},
};
use ipnet::{IpNet, Ipv4Net};
use std::path::Path;
use zeroize::Zeroizing;

/// A hub as it was found.
pub(super) struct Found {
    pub(super) private_key: Option<PrivateKey>,
    /// Whether a hook brings the private key, so that the file has none.
    pub(super) has_key_hook: bool,
    /// What only wg-quick(8) does of it.
    pub(super) only_wg_quick: Vec<String>,
    pub(super) listen_port: Option<u16>,
    pub(super) addresses: Vec<Ipv4Net>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) peers: Vec<FoundPeer>,
    /// Networks of peers that are commented out.
    pub(super) disabled: Vec<Ipv4Net>,
    /// What makes wg-quick(8) overwrite the file.
    pub(super) overwriting: Option<Overwriting>,
    /// The interface that the file says it is for.
    pub(super) interface: Option<InterfaceName>,
    /// The hub as a conf, with all that its peers need to be heard after a reboot: preshared keys,
    /// endpoints, keepalives.
    pub(super) text: Zeroizing<Vec<u8>>,
}

/// A peer as it was found.
pub(super) struct FoundPeer {
    pub(super) public_key: PublicKey,
    pub(super) allowed_ips: Vec<IpNet>,
    /// What people call it.
    pub(super) name: Option<String>,
    /// All that they wrote of it.
    pub(super) note: Option<String>,
    /// Where it is in the file.
    pub(super) line: Option<usize>,
}

/// Reads a hub from a file.
pub(super) fn read(path: &Path) -> Result<Found, Error> {
    let bytes = fsx::read(path)?.map(Zeroizing::new).ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no file {} to adopt", path.display()))
            .hint("name one with --from, such as the output of \"wg showconf wg0\"")
    })?;
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return dsnet::read(path, &bytes);
    }
    let conf = Conf::parse(&bytes).map_err(|e| Error::of_conf(path, e))?;
    Ok(Found {
        private_key: conf.private_key(),
        has_key_hook: conf.has_key_hook(),
        only_wg_quick: conf.only_wg_quick(),
        listen_port: conf.listen_port(),
        addresses: conf.addresses().into_iter().filter_map(v4).collect(),
        endpoint: None,
        overwriting: conf.overwriting(),
        disabled: conf.commented_out().into_iter().flat_map(|c| c.networks).filter_map(v4).collect(),
        interface: None,
        peers: conf
            .peers()
            .into_iter()
            .map(|p| FoundPeer {
                public_key: p.public_key,
                allowed_ips: p.allowed_ips,
                name: p.name,
                note: p.note,
                line: Some(p.line),
            })
            .collect(),
        text: bytes,
    })
}

pub(super) fn v4(net: IpNet) -> Option<Ipv4Net> {
    match net {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    }
}
