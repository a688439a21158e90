//! The real interface, in the kernel or in userspace, through wireguard-control and netlink.
//!
//! Keys of the library print themselves in `Debug`; they are turned into ours at this door.

use super::{Applied, Carrier, Device, DeviceError, Devices, failure, link, userspace};
use crate::model::{
    InterfaceName, LiveInterface, LivePeer, PrivateKey, PublicKey,
    plan::{Extras, Plan},
};
use ipnet::IpNet;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, SystemTime},
};
use wireguard_control::{
    AllowedIp, Backend, Device as Control, DeviceUpdate, Key, PeerConfigBuilder, PeerInfo,
};

const ENOTSUP: i32 = 95;
const EADDRINUSE: i32 = 98;

/// Where programs are looked for on behalf of a person who is not root.
const FIXED_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Opens the interfaces of this machine.
#[derive(Debug)]
pub struct SystemDevices {
    vars: BTreeMap<String, String>,
}

impl SystemDevices {
    /// `vars` are the environment: PATH and `WG_USERSPACE_IMPLEMENTATION` are looked up in it.
    pub fn new(vars: BTreeMap<String, String>) -> Self {
        Self { vars }
    }
}

impl Devices for SystemDevices {
    fn open(&self, name: &InterfaceName, carrier: Carrier) -> Box<dyn Device> {
        Box::new(SystemDevice { name: name.clone(), carrier, vars: self.vars.clone() })
    }

    fn distrust_environment(&mut self) {
        self.vars = BTreeMap::from([("PATH".to_owned(), FIXED_PATH.to_owned())]);
    }
}

struct SystemDevice {
    name: InterfaceName,
    carrier: Carrier,
    vars: BTreeMap<String, String>,
}

impl SystemDevice {
    fn fail(&self, action: &'static str) -> impl Fn(io::Error) -> DeviceError + '_ {
        move |e| failure(&self.name, action, e)
    }

    /// The link and who carries it; `None` if there is no link.
    fn locate(&self) -> Result<Option<(link::Link, Backend)>, DeviceError> {
        let Some(found) = link::find(self.name.as_str()).map_err(self.fail("find"))? else {
            return Ok(None);
        };
        match found.kind {
            link::Kind::Wireguard => Ok(Some((found, Backend::Kernel))),
            link::Kind::Tun if userspace::is_alive(&self.name) => Ok(Some((found, Backend::Userspace))),
            _ if userspace::socket_path(&self.name).exists() && found.kind == link::Kind::Tun => {
                Err(DeviceError::Denied { name: self.name.clone(), action: "read" })
            }
            _ => Err(DeviceError::NotWireguard { name: self.name.clone() }),
        }
    }

    /// Makes the link, with its key and port already set where the kernel carries it.
    fn create(&self) -> Result<(Backend, Applied), DeviceError> {
        if userspace::is_alive(&self.name) {
            let socket = userspace::socket_path(&self.name);
            return Err(DeviceError::Elsewhere { name: self.name.clone(), socket });
        }
        if self.carrier != Carrier::Userspace {
            match DeviceUpdate::new().apply(&self.library_name()?, Backend::Kernel) {
                Ok(()) => return Ok((Backend::Kernel, Applied::default())),
                Err(e) if e.raw_os_error() == Some(ENOTSUP) => {
                    if self.carrier == Carrier::Kernel {
                        return Err(DeviceError::NoKernel);
                    }
                }
                Err(e) => return Err(failure(&self.name, "create", e)),
            }
        }
        let program = userspace::start(&self.name, &self.vars, self.carrier == Carrier::Auto)?;
        Ok((Backend::Userspace, Applied { started: Some(program) }))
    }

    fn library_name(&self) -> Result<wireguard_control::InterfaceName, DeviceError> {
        self.name.as_str().parse().map_err(|_| DeviceError::NotWireguard { name: self.name.clone() })
    }

    /// Key, port and peers.
    fn configure(
        &self,
        backend: Backend,
        plan: &Plan,
        private_key: Option<&PrivateKey>,
        extras: &Extras,
    ) -> Result<(), DeviceError> {
        if backend == Backend::Userspace {
            return userspace::configure(&self.name, plan, private_key, extras);
        }
        let mut update = DeviceUpdate::new();
        let mut empty = true;
        if let (true, Some(key)) = (plan.set_key, private_key) {
            update = update.set_private_key(Key(*key.expose_bytes()));
            empty = false;
        }
        if let Some(port) = plan.set_port {
            update = update.set_listen_port(port);
            empty = false;
        }
        let remove = |key: &PublicKey| PeerConfigBuilder::new(&Key(*key.as_bytes())).remove();
        let set = plan.set_peers.iter().map(|peer| {
            let allowed: Vec<AllowedIp> = peer
                .allowed_ips()
                .map(|net| AllowedIp { address: net.addr(), cidr: net.prefix_len() })
                .collect();
            let mut builder = PeerConfigBuilder::new(&Key(*peer.public_key.as_bytes()))
                .replace_allowed_ips()
                .add_allowed_ips(&allowed);
            if let Some(extra) = extras.get(&peer.public_key) {
                if let Some(key) = &extra.preshared_key {
                    builder = builder.set_preshared_key(Key(*key.expose_bytes()));
                }
                if let Some(endpoint) = extra.endpoint {
                    builder = builder.set_endpoint(endpoint);
                }
                if let Some(seconds) = extra.keepalive {
                    builder = builder.set_persistent_keepalive_interval(seconds);
                }
            }
            builder
        });
        let peers: Vec<PeerConfigBuilder> =
            plan.remove_first().map(remove).chain(set).chain(plan.remove_last().map(remove)).collect();
        if empty && peers.is_empty() {
            return Ok(());
        }
        match update.add_peers(&peers).apply(&self.library_name()?, Backend::Kernel) {
            Err(e) if e.raw_os_error() == Some(EADDRINUSE) => {
                Err(DeviceError::PortTaken { port: plan.set_port.unwrap_or_default() })
            }
            other => other.map_err(self.fail("change")),
        }
    }

    /// The part of a plan that comes after the link exists.
    fn finish(
        &self,
        backend: Backend,
        plan: &Plan,
        private_key: Option<&PrivateKey>,
        extras: &Extras,
    ) -> Result<(), DeviceError> {
        self.configure(backend, plan, private_key, extras)?;
        if plan.add_address.is_none() && !plan.bring_up {
            return Ok(());
        }
        let found = link::find(self.name.as_str()).map_err(self.fail("find"))?;
        let index = found.ok_or_else(|| DeviceError::Missing { name: self.name.clone() })?.index;
        if let Some(address) = plan.add_address {
            link::add_address(index, address).map_err(self.fail("give an address to"))?;
        }
        if plan.bring_up {
            // The kernel binds its socket only now.
            link::set_up(index).map_err(|e| match (e.raw_os_error(), plan.set_port) {
                (Some(EADDRINUSE), Some(port)) => DeviceError::PortTaken { port },
                _ => failure(&self.name, "set up", e),
            })?;
        }
        Ok(())
    }
}

impl Device for SystemDevice {
    fn read(&mut self) -> Result<Option<LiveInterface>, DeviceError> {
        let Some((found, backend)) = self.locate()? else {
            return Ok(None);
        };
        let seen = Control::get(&self.library_name()?, backend).map_err(self.fail("read"))?;
        let (addresses, age_seconds) =
            link::addresses(found.index).map_err(self.fail("read the addresses of"))?;
        Ok(Some(LiveInterface {
            userspace: backend == Backend::Userspace,
            up: found.up,
            public_key: seen.public_key.map(|k| PublicKey::from_bytes(k.0)),
            listen_port: seen.listen_port,
            addresses,
            age_seconds,
            peers: merge(seen.peers),
        }))
    }

    fn apply(
        &mut self,
        plan: &Plan,
        private_key: Option<&PrivateKey>,
        extras: &Extras,
    ) -> Result<Applied, DeviceError> {
        // The library would create a missing interface: only a plan may say so.
        match self.locate()? {
            Some((_, backend)) => {
                self.finish(backend, plan, private_key, extras).map(|()| Applied::default())
            }
            None if !plan.create => Err(DeviceError::Missing { name: self.name.clone() }),
            None => {
                let (backend, applied) = self.create()?;
                match self.finish(backend, plan, private_key, extras) {
                    Ok(()) => Ok(applied),
                    Err(e) => {
                        // Half an interface would look like a working one.
                        let _ = self.delete();
                        Err(e)
                    }
                }
            }
        }
    }

    fn answers(&mut self, at: SocketAddr, wait: Duration) -> bool {
        match TcpStream::connect_timeout(&at, wait) {
            Ok(_) => true,
            // Refused: nobody listens there, but somebody is there to say so.
            Err(e) => e.kind() == io::ErrorKind::ConnectionRefused,
        }
    }

    fn delete(&mut self) -> Result<bool, DeviceError> {
        let Some((found, backend)) = self.locate()? else {
            return Ok(false);
        };
        link::delete(found.index).map_err(self.fail("take away"))?;
        if backend == Backend::Userspace {
            userspace::wait_gone(&self.name);
        }
        Ok(true)
    }

    fn carrier(&self) -> Result<String, DeviceError> {
        if self.carrier != Carrier::Userspace {
            if kernel_has_wireguard() {
                return Ok("the kernel".to_owned());
            }
            if self.carrier == Carrier::Kernel {
                return Err(DeviceError::NoKernel);
            }
        }
        let (_, path) = userspace::program(&self.vars, self.carrier == Carrier::Auto)?;
        Ok(path.display().to_string())
    }
}

/// Whether the module is there, loaded or to be loaded. Only making an interface is a proof, so this
/// is for advice.
fn kernel_has_wireguard() -> bool {
    if Path::new("/sys/module/wireguard").exists() {
        return true;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = Path::new("/lib/modules").join(release.trim());
    ["modules.builtin", "modules.dep"]
        .iter()
        .any(|list| fs::read_to_string(modules.join(list)).is_ok_and(|text| text.contains("/wireguard.ko")))
}

/// One entry for each key. A peer with many allowed IPs may come in two netlink messages, the
/// second without handshake and counters.
fn merge(peers: Vec<PeerInfo>) -> Vec<LivePeer> {
    let mut merged: Vec<LivePeer> = Vec::with_capacity(peers.len());
    let mut place: HashMap<PublicKey, usize> = HashMap::with_capacity(peers.len());
    for peer in peers {
        let public_key = PublicKey::from_bytes(peer.config.public_key.0);
        let allowed = peer.config.allowed_ips.iter().filter_map(|a| IpNet::new(a.address, a.cidr).ok());
        if let Some(&i) = place.get(&public_key) {
            merged[i].allowed_ips.extend(allowed);
            continue;
        }
        place.insert(public_key, merged.len());
        merged.push(LivePeer {
            public_key,
            allowed_ips: allowed.collect(),
            endpoint: peer.config.endpoint,
            last_handshake: peer.stats.last_handshake_time.and_then(timestamp),
            rx_bytes: peer.stats.rx_bytes,
            tx_bytes: peer.stats.tx_bytes,
        });
    }
    merged
}

fn timestamp(t: SystemTime) -> Option<Timestamp> {
    let seconds = t.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_split_over_two_messages_is_one_peer() {
        let peer = |n: u8, allowed: &str, rx: u64| {
            let builder =
                PeerConfigBuilder::new(&Key([n; 32])).add_allowed_ip(allowed.parse().expect("address"), 32);
            let mut info = PeerInfo {
                config: builder.into_peer_config(),
                stats: wireguard_control::PeerStats::default(),
            };
            info.stats.rx_bytes = rx;
            info
        };
        let merged = merge(vec![peer(1, "10.0.0.2", 7), peer(2, "10.0.0.3", 8), peer(1, "10.0.0.4", 0)]);
        assert_eq!(merged.len(), 2);
        assert_eq!(merged[0].allowed_ips.len(), 2);
        assert_eq!(merged[0].rx_bytes, 7);
    }
}
