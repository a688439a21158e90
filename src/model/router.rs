//! What the operator wants on every router, besides the tunnel itself.

use super::{Invalid, Location, Org};
use ipnet::IpNet;
use std::{fmt, str::FromStr};

/// How much of the VPN a router may reach and be reached from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// Address with the network's prefix, everything accepted from the hub (`allowed_address`).
    #[default]
    Any,
    /// Address with the network's prefix, the VPN network accepted.
    Network,
    /// Address and accepted source are the hub alone.
    Hub,
}

impl Reach {
    /// The word used in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Network => "network",
            Self::Hub => "hub",
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reach {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        [Self::Any, Self::Network, Self::Hub]
            .into_iter()
            .find(|r| r.as_str() == s)
            .ok_or_else(|| Invalid::new("reach", s, "is not a reach", "use any, network or hub"))
    }
}

/// A way to manage the router that its firewall shall let the hub use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// ICMP echo.
    Icmp,
    /// SSH.
    Ssh,
    /// Winbox.
    Winbox,
    /// API.
    Api,
    /// API over TLS.
    ApiSsl,
    /// Web pages and REST.
    Www,
    /// The same over TLS.
    WwwSsl,
    /// SNMP, UDP 161.
    Snmp,
}

impl Service {
    /// All services, in the order they are written.
    pub const ALL: [Self; 8] =
        [Self::Icmp, Self::Ssh, Self::Winbox, Self::Api, Self::ApiSsl, Self::Www, Self::WwwSsl, Self::Snmp];

    /// The services of a hub that does not say which.
    pub const DEFAULT: [Self; 5] = [Self::Icmp, Self::Ssh, Self::Winbox, Self::Api, Self::ApiSsl];

    /// The word used in settings, which is `RouterOS`'s own name of the service.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Ssh => "ssh",
            Self::Winbox => "winbox",
            Self::Api => "api",
            Self::ApiSsl => "api-ssl",
            Self::Www => "www",
            Self::WwwSsl => "www-ssl",
            Self::Snmp => "snmp",
        }
    }

    /// The TCP port that it has unless the router gives it another; `None` where it has no TCP port.
    pub const fn tcp_port(self) -> Option<u16> {
        match self {
            Self::Icmp | Self::Snmp => None,
            Self::Ssh => Some(22),
            Self::Winbox => Some(8291),
            Self::Api => Some(8728),
            Self::ApiSsl => Some(8729),
            Self::Www => Some(80),
            Self::WwwSsl => Some(443),
        }
    }
}

impl FromStr for Service {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|v| v.as_str() == s).ok_or_else(|| {
            Invalid::new(
                "management service",
                s,
                "is not a service",
                "use icmp, ssh, winbox, api, api-ssl, www, www-ssl or snmp",
            )
        })
    }
}

/// Whether a router revives a dark tunnel by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Watchdog {
    /// Where the endpoint is a name, which `RouterOS` does not resolve again by itself.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// The `[router]` settings: what a rendered script contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterOptions {
    /// Name of the `WireGuard` interface on the router, 1 to 15 of `A-Z a-z 0-9 . _ -`.
    pub interface: String,
    /// UDP port on the router; 0 leaves it to the router.
    pub listen_port: u16,
    /// Persistent keepalive in seconds; 0 turns it off.
    pub keepalive: u16,
    /// Sources accepted from the hub with [`Reach::Any`].
    pub allowed_address: Vec<IpNet>,
    /// MTU of the interface.
    pub mtu: u16,
    /// Services the firewall lets the hub use; empty leaves the firewall alone.
    pub management: Vec<Service>,
    /// Networks behind the hub that the router reaches through the tunnel.
    pub routes: Vec<IpNet>,
    /// How far the tunnel reaches.
    pub reach: Reach,
    /// Whether the router revives a dark tunnel by itself.
    pub watchdog: Watchdog,
}

/// What a section of the settings says of routers; what it does not say stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouterOverrides {
    /// `interface`
    pub interface: Option<String>,
    /// `listen_port`
    pub listen_port: Option<u16>,
    /// `keepalive`
    pub keepalive: Option<u16>,
    /// `allowed_address`
    pub allowed_address: Option<Vec<IpNet>>,
    /// `mtu`
    pub mtu: Option<u16>,
    /// `management`
    pub management: Option<Vec<Service>>,
    /// `routes`
    pub routes: Option<Vec<IpNet>>,
    /// `reach`
    pub reach: Option<Reach>,
    /// `watchdog`
    pub watchdog: Option<Watchdog>,
}

impl RouterOptions {
    /// Takes over what a section says.
    pub fn apply(&mut self, section: &RouterOverrides) {
        fn take<T: Clone>(to: &mut T, from: Option<&T>) {
            if let Some(value) = from {
                *to = value.clone();
            }
        }
        take(&mut self.interface, section.interface.as_ref());
        take(&mut self.listen_port, section.listen_port.as_ref());
        take(&mut self.keepalive, section.keepalive.as_ref());
        take(&mut self.allowed_address, section.allowed_address.as_ref());
        take(&mut self.mtu, section.mtu.as_ref());
        take(&mut self.management, section.management.as_ref());
        take(&mut self.routes, section.routes.as_ref());
        take(&mut self.reach, section.reach.as_ref());
        take(&mut self.watchdog, section.watchdog.as_ref());
    }
}

/// `[[router.for]]`: what holds for some locations only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterFor {
    /// Key and value of a tag that the location has.
    pub tag: Option<(String, String)>,
    /// The org that the location belongs to.
    pub org: Option<Org>,
    /// What it says.
    pub overrides: RouterOverrides,
}

impl RouterFor {
    /// Whether it holds for a location: for all that it names.
    pub fn matches(&self, location: &Location) -> bool {
        self.tag.as_ref().is_none_or(|(k, v)| location.tags.get(k) == Some(v))
            && self.org.as_ref().is_none_or(|org| location.org.as_ref() == Some(org))
    }
}

impl Default for RouterOptions {
    fn default() -> Self {
        Self {
            interface: "wireguard-iwas".into(),
            listen_port: 51820,
            keepalive: 25,
            allowed_address: vec![IpNet::V4(ipnet::Ipv4Net::default())],
            mtu: 1420,
            management: Service::DEFAULT.to_vec(),
            routes: Vec::new(),
            reach: Reach::Any,
            watchdog: Watchdog::Auto,
        }
    }
}
