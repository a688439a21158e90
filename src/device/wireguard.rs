//! The real interface, wherever it is: in the kernel or in a program.
//!
//! wireguard-control makes it in the kernel. Peers go past that library, which opens a socket and
//! looks the family up for each message and clones what it hears: with 100,000 of them that was most of the time.

use super::{
    Applied, Carrier, Device, DeviceError, Devices, Secrets, failure, kernel, link, probe, route, uapi,
    userspace,
};
use crate::model::{
    InterfaceName, LiveInterface, PrivateKey,
    plan::{Extras, Plan},
};
use ipnet::IpNet;
use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use wireguard_control::DeviceUpdate;

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

    fn wg_quick(&self) -> Option<(PathBuf, BTreeMap<String, String>)> {
        // It starts programs by name itself: none from anybody's working directory.
        let is_fixed = |dir: &&str| dir.starts_with('/');
        let path = self.vars.get("PATH").map_or(FIXED_PATH, String::as_str);
        let path = path.split(':').filter(is_fixed).collect::<Vec<_>>().join(":");
        let program = crate::fsx::find_program("wg-quick", &path)?;
        let mut vars = BTreeMap::from([("PATH".to_owned(), path)]);
        if let Some(userspace) = self.vars.get("WG_USERSPACE_IMPLEMENTATION") {
            vars.insert("WG_QUICK_USERSPACE_IMPLEMENTATION".to_owned(), userspace.clone());
        }
        Some((program, vars))
    }

    fn distrust_environment(&mut self) {
        self.vars = BTreeMap::from([("PATH".to_owned(), FIXED_PATH.to_owned())]);
    }
}

/// Where an interface is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Kernel,
    Userspace,
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

    /// Makes the link.
    fn create(&self) -> Result<(Backend, Applied), DeviceError> {
        if userspace::is_alive(&self.name) {
            let socket = userspace::socket_path(&self.name);
            return Err(DeviceError::Elsewhere { name: self.name.clone(), socket });
        }
        if self.carrier != Carrier::Userspace {
            match DeviceUpdate::new().apply(&self.library_name()?, wireguard_control::Backend::Kernel) {
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
        kernel::configure(&self.name, plan, private_key, extras).map_err(|e| {
            match (e.raw_os_error(), plan.set_port) {
                (Some(EADDRINUSE), Some(port)) => DeviceError::PortTaken { port },
                _ => failure(&self.name, "change", e),
            }
        })
    }

    /// What there is to be seen.
    fn look(&self, extent: kernel::Extent) -> Result<Option<LiveInterface>, DeviceError> {
        let Some((found, backend)) = self.locate()? else {
            return Ok(None);
        };
        let seen = match backend {
            Backend::Kernel => kernel::read(&self.name, extent),
            Backend::Userspace => uapi::read(&self.name, extent),
        };
        let seen = seen.map_err(self.fail("read"))?;
        let (addresses, age_seconds) =
            link::addresses(found.index).map_err(self.fail("read the addresses of"))?;
        Ok(Some(LiveInterface {
            userspace: backend == Backend::Userspace,
            up: found.up,
            public_key: seen.public_key,
            listen_port: seen.listen_port,
            fwmark: seen.fwmark,
            mtu: found.mtu,
            addresses,
            age_seconds,
            peers: seen.peers,
        }))
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
        let links = plan.bring_up || plan.set_mtu.is_some() || !plan.add_addresses.is_empty();
        let links = links || !plan.remove_addresses.is_empty();
        if !links && plan.add_routes.is_empty() && plan.remove_routes.is_empty() {
            return Ok(());
        }
        let found = link::find(self.name.as_str()).map_err(self.fail("find"))?;
        let index = found.ok_or_else(|| DeviceError::Missing { name: self.name.clone() })?.index;
        for address in &plan.add_addresses {
            link::add_address(index, *address).map_err(self.fail("give an address to"))?;
        }
        let computed = || {
            let endpoints = plan.set_peers.iter().filter_map(|p| p.said(extras.get(&p.public_key)).endpoint);
            route::computed_mtu(endpoints.map(|e| e.ip()))
        };
        if let Some(mtu) = plan.set_mtu.or_else(|| plan.create.then(computed)) {
            link::set_mtu(index, mtu).map_err(self.fail("set the MTU of"))?;
        }
        for address in &plan.remove_addresses {
            link::remove_address(index, *address).map_err(self.fail("take an address from"))?;
        }
        if plan.bring_up {
            // The kernel binds its socket only now.
            link::set_up(index).map_err(|e| match (e.raw_os_error(), plan.set_port) {
                (Some(EADDRINUSE), Some(port)) => DeviceError::PortTaken { port },
                _ => failure(&self.name, "set up", e),
            })?;
        }
        for route in &plan.remove_routes {
            route::remove(index, route).map_err(self.fail("take a route from"))?;
        }
        for route in &plan.add_routes {
            route::add(index, route).map_err(self.fail("add a route to"))?;
        }
        Ok(())
    }
}

impl Device for SystemDevice {
    fn read_while(&mut self, meanwhile: &mut dyn FnMut()) -> Result<Option<LiveInterface>, DeviceError> {
        let reader: &Self = self;
        thread::scope(|scope| {
            let live = scope.spawn(|| reader.look(kernel::Extent::Whole));
            meanwhile();
            live.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn read(&mut self) -> Result<Option<LiveInterface>, DeviceError> {
        self.look(kernel::Extent::Whole)
    }

    fn preshared_keys(&mut self) -> Result<Secrets, DeviceError> {
        match self.locate()? {
            None => Ok(Secrets::new()),
            Some((_, Backend::Kernel)) => kernel::preshared_keys(&self.name).map_err(self.fail("read")),
            Some((_, Backend::Userspace)) => uapi::preshared_keys(&self.name).map_err(self.fail("read")),
        }
    }

    fn peek(&mut self) -> Result<Option<LiveInterface>, DeviceError> {
        self.look(kernel::Extent::Head)
    }

    fn apply(
        &mut self,
        plan: &Plan,
        private_key: Option<&PrivateKey>,
        extras: &Extras,
    ) -> Result<Applied, DeviceError> {
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

    fn routes(&mut self, table: u32) -> Result<Vec<IpNet>, DeviceError> {
        match link::find(self.name.as_str()).map_err(self.fail("find"))? {
            None => Ok(Vec::new()),
            Some(found) => route::through(found.index, table).map_err(self.fail("read the routes of")),
        }
    }

    fn private_key(&mut self) -> Result<Option<PrivateKey>, DeviceError> {
        let key = match self.locate()? {
            None => return Ok(None),
            Some((_, Backend::Kernel)) => kernel::private_key(&self.name),
            Some((_, Backend::Userspace)) => uapi::private_key(&self.name),
        };
        key.map_err(self.fail("read"))
    }

    fn others(&mut self) -> Result<Vec<(String, IpNet)>, DeviceError> {
        link::other_addresses(self.name.as_str()).map_err(self.fail("read the addresses beside"))
    }

    fn is_nobodys(&mut self, address: Ipv4Addr) -> bool {
        probe::is_nobodys(&self.name, address)
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
