//! The interface of one hub, and of no other.
//!
//! Every call first decides whose the interface is, and neither reads nor changes one that is
//! another's. A blank interface, as a crash between two steps of `up` leaves it, is this hub's to
//! finish. Who opens a device for a hub gets this one, so that no command can forget to ask.

use super::{Applied, Device, DeviceError, Secrets};
use crate::model::{
    InterfaceName, LiveInterface, PrivateKey, PublicKey,
    plan::{Extras, Plan},
};
use ipnet::IpNet;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// A device that belongs to the hub of one key.
pub struct OwnedDevice {
    device: Box<dyn Device>,
    name: InterfaceName,
    hub: PublicKey,
}

impl OwnedDevice {
    /// The device as the hub of this key may use it.
    pub fn new(device: Box<dyn Device>, name: &InterfaceName, hub: PublicKey) -> Self {
        Self { device, name: name.clone(), hub }
    }

    /// The interface, unless it is another's.
    fn own(&self, live: Option<LiveInterface>) -> Result<Option<LiveInterface>, DeviceError> {
        match live {
            Some(live) if !live.is_of(&self.hub) => Err(DeviceError::Foreign {
                name: self.name.clone(),
                hub: self.hub,
                key: live.public_key,
                port: live.listen_port,
                peers: live.peers.len(),
            }),
            own => Ok(own),
        }
    }
}

impl Device for OwnedDevice {
    fn read(&mut self) -> Result<Option<LiveInterface>, DeviceError> {
        let live = self.device.read()?;
        self.own(live)
    }

    fn read_while(&mut self, meanwhile: &mut dyn FnMut()) -> Result<Option<LiveInterface>, DeviceError> {
        let live = self.device.read_while(meanwhile)?;
        self.own(live)
    }

    fn peek(&mut self) -> Result<Option<LiveInterface>, DeviceError> {
        match self.device.peek()? {
            // Not all peers of it are known yet, and somebody wants to know how many there are.
            Some(live) if !live.is_of(&self.hub) => self.read(),
            own => Ok(own),
        }
    }

    fn preshared_keys(&mut self) -> Result<Secrets, DeviceError> {
        self.peek()?;
        self.device.preshared_keys()
    }

    fn apply(
        &mut self,
        plan: &Plan,
        private_key: Option<&PrivateKey>,
        extras: &Extras,
    ) -> Result<Applied, DeviceError> {
        self.peek()?;
        self.device.apply(plan, private_key, extras)
    }

    fn routes(&mut self, table: u32) -> Result<Vec<IpNet>, DeviceError> {
        self.peek()?;
        self.device.routes(table)
    }

    fn private_key(&mut self) -> Result<Option<PrivateKey>, DeviceError> {
        self.peek()?;
        self.device.private_key()
    }

    fn others(&mut self) -> Result<Vec<(String, IpNet)>, DeviceError> {
        self.device.others()
    }

    fn delete(&mut self) -> Result<bool, DeviceError> {
        self.peek()?;
        self.device.delete()
    }

    fn answers(&mut self, at: SocketAddr, wait: Duration) -> bool {
        self.device.answers(at, wait)
    }

    fn is_nobodys(&mut self, address: Ipv4Addr) -> bool {
        self.device.is_nobodys(address)
    }

    fn carrier(&self) -> Result<String, DeviceError> {
        self.device.carrier()
    }
}
