//! A simulated router: a namespace and a `WireGuard` interface set up from a rendered script.

use crate::{
    bench::{Backend, run},
    hub::{HUB_VPN_IP, Hub, SOON},
    netns::{Net, Space},
    routeros::Settings,
};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// A router that has run its script.
pub(crate) struct Router {
    pub(crate) space: Space,
    pub(crate) settings: Settings,
    backend: Backend,
}

impl Router {
    /// A router in a namespace of its own that runs this script.
    #[track_caller]
    pub(crate) fn new(net: &Net, backend: Backend, script: &str) -> Self {
        Self::with(net, backend, Settings::of_script(script))
    }

    /// A router with these settings.
    #[track_caller]
    pub(crate) fn with(net: &Net, backend: Backend, settings: Settings) -> Self {
        let router = Self { space: net.add_router(), settings, backend };
        router.start();
        router
    }

    /// Adds a location, runs its script on a new router, and waits until that router is heard.
    #[track_caller]
    pub(crate) fn of_new_location(net: &Net, hub: &Hub, name: &str) -> Self {
        let script = hub.ok(&format!("location add {name}"));
        let router = Self::new(net, hub.backend, &script);
        assert!(router.is_heard(), "{name} is not heard: {:#?}", hub.peers());
        router
    }

    /// Switches the interface on.
    #[track_caller]
    pub(crate) fn start(&self) {
        let (space, settings, name) = (&self.space, &self.settings, &self.space.interface);
        bare_interface(space, self.backend);
        set_conf(space, &settings.for_wg());
        // As on RouterOS: the address brings the route to its network, allowed-address brings none.
        // A /32 leads to the hub alone, as on a point-to-point link.
        let (address, to) = (&settings.address, &settings.network);
        let peer = if address.ends_with("/32") { format!("{address} peer {to}") } else { address.clone() };
        space.ip(&format!("address add {peer} dev {name}"));
        space.ip(&format!("link set {name} mtu {} up", settings.mtu));
    }

    /// Switches the interface off, as a router without power.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.space.ip(&format!("link delete {}", self.space.interface));
    }

    /// Speaks from another VPN address from now on.
    #[track_caller]
    pub(crate) fn take_address(&self, address: &str) {
        let name = &self.space.interface;
        self.space.ip(&format!("address flush dev {name}"));
        self.space.ip(&format!("address add {address} dev {name}"));
    }

    /// The VPN address without its prefix length.
    pub(crate) fn vpn_ip(&self) -> &str {
        self.settings.address.split('/').next().unwrap_or_default()
    }

    /// Whether the hub answers within the time that a handshake takes.
    pub(crate) fn is_heard(&self) -> bool {
        self.space.reaches(HUB_VPN_IP, SOON)
    }
}

/// Makes an interface without key, port, peers and address, by other means than the program's.
#[track_caller]
pub(crate) fn bare_interface(space: &Space, backend: Backend) {
    let name = &space.interface;
    match backend {
        Backend::Kernel => {
            space.ip(&format!("link add {name} type wireguard"));
        }
        Backend::Userspace => {
            // It goes into the background and would hold on to our pipes.
            let mut command = space.command("wireguard-go");
            command.arg(name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            assert!(command.status().expect("start wireguard-go").success(), "wireguard-go {name}");
        }
    }
}

/// `wg setconf` with this text, which holds a key and so goes through a pipe.
#[track_caller]
pub(crate) fn set_conf(space: &Space, text: &str) {
    let mut command: Command = space.command("wg");
    command
        .args(["setconf", &space.interface, "/proc/self/fd/0"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("start wg");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("write the conf");
    let output = child.wait_with_output().expect("wait for wg");
    assert!(output.status.success(), "wg setconf: {}", String::from_utf8_lossy(&output.stderr));
}

/// `wg-quick strip` of a conf.
#[track_caller]
pub(crate) fn strip(hub: &Hub) -> String {
    run(hub.space.command("wg-quick").arg("strip").arg(hub.conf_path()))
}

/// `wg-quick` with a conf. A userspace `WireGuard` that it starts stays in the background and must not
/// hold on to our pipes.
#[track_caller]
pub(crate) fn wg_quick(space: &Space, verb: &str, conf: &Path) {
    let mut command = space.command("wg-quick");
    command.arg(verb).arg(conf).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("start wg-quick").success(), "wg-quick {verb} {}", conf.display());
}
