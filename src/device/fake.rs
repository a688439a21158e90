//! An interface in memory, for tests of the whole program.

use super::{Applied, Carrier, Device, DeviceError, Devices, Secrets};
use crate::model::{
    InterfaceName, LiveInterface, LivePeer, PresharedDigest, PresharedKey, PrivateKey, PublicKey, Route,
    plan::{Extras, Plan},
};
use ipnet::IpNet;
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};
use zeroize::Zeroizing;

/// What the fake interface holds and how it behaves.
#[derive(Debug, Default)]
pub struct FakeState {
    /// The interface, if it exists.
    pub interface: Option<LiveInterface>,
    /// Its routes, but for those of its addresses.
    pub routes: Vec<Route>,
    /// Where wg-quick is.
    pub wg_quick: Option<PathBuf>,
    /// The private key that can be read off it.
    pub private_key: Option<[u8; 32]>,
    /// Addresses of the machine's other interfaces.
    pub others: Vec<(String, IpNet)>,
    /// Makes every read fail.
    pub unreadable: bool,
    /// The name belongs to another kind of interface.
    pub other_kind: bool,
    /// Makes every change fail.
    pub broken: bool,
    /// Nothing on this machine can carry an interface.
    pub uncarried: bool,
    /// Keys of the peers that were set with something from the conf.
    pub with_extras: Vec<PublicKey>,
    /// Preshared keys that can be read off the interface.
    pub preshared_keys: HashMap<PublicKey, [u8; 32]>,
    /// Addresses at which something answers.
    pub answering: Vec<IpAddr>,
    /// Each plan that was applied, in order.
    pub applied: Vec<Plan>,
}

/// Opens the one fake interface, whatever its name.
#[derive(Debug, Clone, Default)]
pub struct FakeDevices {
    /// Shared with the test.
    pub state: Rc<RefCell<FakeState>>,
}

impl Devices for FakeDevices {
    fn open(&self, name: &InterfaceName, _: Carrier) -> Box<dyn Device> {
        Box::new(FakeDevice { name: name.clone(), state: Rc::clone(&self.state) })
    }

    fn wg_quick(&self) -> Option<(PathBuf, BTreeMap<String, String>)> {
        let path = BTreeMap::from([("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())]);
        Some((self.state.borrow().wg_quick.clone()?, path))
    }
}

struct FakeDevice {
    name: InterfaceName,
    state: Rc<RefCell<FakeState>>,
}

impl Device for FakeDevice {
    fn read(&mut self) -> Result<Option<LiveInterface>, DeviceError> {
        let state = self.state.borrow();
        if state.unreadable {
            return Err(DeviceError::Denied { name: self.name.clone(), action: "read" });
        }
        if state.other_kind {
            return Err(DeviceError::NotWireguard { name: self.name.clone() });
        }
        Ok(state.interface.clone())
    }

    fn preshared_keys(&mut self) -> Result<Secrets, DeviceError> {
        let state = self.state.borrow();
        let all = state.preshared_keys.iter();
        Ok(all.map(|(key, bytes)| (*key, PresharedKey::from_random(Zeroizing::new(*bytes)))).collect())
    }

    fn apply(
        &mut self,
        plan: &Plan,
        private_key: Option<&PrivateKey>,
        extras: &Extras,
    ) -> Result<Applied, DeviceError> {
        let mut state = self.state.borrow_mut();
        if state.broken {
            return Err(DeviceError::Denied { name: self.name.clone(), action: "change" });
        }
        state.applied.push(plan.clone());
        let with_extras = plan.set_peers.iter().filter(|p| extras.contains_key(&p.public_key));
        state.with_extras.extend(with_extras.map(|p| p.public_key));
        if state.interface.is_none() {
            if !plan.create {
                return Err(DeviceError::Missing { name: self.name.clone() });
            }
            state.interface = Some(LiveInterface {
                userspace: false,
                up: false,
                public_key: None,
                listen_port: None,
                fwmark: 0,
                mtu: 1420,
                addresses: Vec::new(),
                age_seconds: Some(0),
                peers: Vec::new(),
            });
        }
        let FakeState { interface, preshared_keys, .. } = &mut *state;
        let Some(live) = interface.as_mut() else {
            return Ok(Applied::default());
        };
        if plan.set_key {
            live.public_key = private_key.map(PrivateKey::public);
        }
        live.listen_port = plan.set_port.or(live.listen_port);
        live.fwmark = plan.set_fwmark.unwrap_or(live.fwmark);
        live.mtu = plan.set_mtu.unwrap_or(live.mtu);
        live.addresses.extend(&plan.add_addresses);
        live.addresses.retain(|address| !plan.remove_addresses.contains(address));
        live.up |= plan.bring_up;
        live.peers.retain(|p| !plan.remove_peers.contains(&p.public_key));
        for wanted in &plan.set_peers {
            let nets: Vec<_> = wanted.allowed_ips().collect();
            // As the kernel does it: an allowed IP moves to the peer that was given it last.
            for other in &mut live.peers {
                other.allowed_ips.retain(|a| !nets.contains(a));
            }
            let at = live.peers.iter().position(|p| p.public_key == wanted.public_key).unwrap_or_else(|| {
                live.peers.push(LivePeer::new(wanted.public_key));
                live.peers.len() - 1
            });
            let peer = &mut live.peers[at];
            let said = wanted.said(extras.get(&wanted.public_key));
            peer.allowed_ips = nets;
            if let Some(bytes) = said.preshared {
                preshared_keys.insert(wanted.public_key, *bytes);
            }
            peer.preshared = said.preshared.map_or(peer.preshared, PresharedDigest::of);
            peer.keepalive = said.keepalive.unwrap_or(peer.keepalive);
            peer.endpoint = said.endpoint.or(peer.endpoint);
        }
        state.routes.retain(|r| !plan.remove_routes.contains(r));
        state.routes.extend(plan.add_routes.iter().copied());
        Ok(Applied::default())
    }

    fn routes(&mut self, table: u32) -> Result<Vec<IpNet>, DeviceError> {
        let state = self.state.borrow();
        Ok(state.routes.iter().filter(|r| r.table == table).map(|r| r.net).collect())
    }

    fn private_key(&mut self) -> Result<Option<PrivateKey>, DeviceError> {
        let state = self.state.borrow();
        let bytes = state.private_key.filter(|_| state.interface.is_some());
        Ok(bytes.map(|bytes| PrivateKey::from_random(Zeroizing::new(bytes))))
    }

    fn others(&mut self) -> Result<Vec<(String, IpNet)>, DeviceError> {
        Ok(self.state.borrow().others.clone())
    }

    fn answers(&mut self, at: SocketAddr, _: Duration) -> bool {
        self.state.borrow().answering.contains(&at.ip())
    }

    fn delete(&mut self) -> Result<bool, DeviceError> {
        let mut state = self.state.borrow_mut();
        state.routes.clear();
        Ok(state.interface.take().is_some())
    }

    fn carrier(&self) -> Result<String, DeviceError> {
        if self.state.borrow().uncarried {
            return Err(DeviceError::NoProgram { program: "wireguard-go".to_owned(), kernel_tried: true });
        }
        Ok("the kernel".to_owned())
    }
}
