//! The settings file that `init` writes.

use super::Backend;
use crate::model::{Endpoint, InterfaceName, Pool};
use std::path::Path;

/// What the first settings file says.
#[derive(Debug)]
pub struct Initial<'a> {
    /// The interface.
    pub interface: &'a InterfaceName,
    /// What the routers dial, if it is known already.
    pub endpoint: Option<&'a Endpoint>,
    /// UDP port of the hub.
    pub listen_port: u16,
    /// The VPN network.
    pub pool: &'a Pool,
    /// Path of the conf.
    pub conf: &'a Path,
    /// Who carries the interface.
    pub backend: Backend,
    /// The recipient of the hub's own identity.
    pub recipient: &'a str,
    /// Path of the identity.
    pub identity: &'a Path,
}

/// The file's text, with every setting and its meaning.
pub fn text(i: &Initial<'_>) -> String {
    let quote = |s: &str| toml::Value::from(s).to_string();
    let endpoint = i.endpoint.map(ToString::to_string).unwrap_or_default();
    let address = quote(&i.pool.with_prefix(i.pool.hub()).to_string());
    format!(
        r#"# Settings of iwas-wg. A line that begins with # shows a default.

[hub]
interface   = {interface}
# Name or address that the routers dial; with :PORT where it is not listen_port.
endpoint    = {endpoint}
listen_port = {listen_port}
# Routers get the addresses of this network.
network     = {network}
# The hub's own. Another network leaves it as it is; "sync --move-hub" changes it.
address     = [{address}]
# Addresses, ranges and blocks that are never handed out.
# reserved  = ["10.0.0.2-10.0.0.9", "10.0.0.128/28"]
conf        = {conf}
# auto | kernel | userspace | none (store, conf and scripts only)
backend     = {backend}
# self | wg-quick (which also runs the hooks of the conf)
# bring_up  = "self"

[router]
# What a rendered script puts on the router.
# interface       = "wireguard-iwas"
listen_port       = 0                 # 0 leaves it to the router
# keepalive       = 25                # seconds; 0 turns it off
# allowed_address = ["0.0.0.0/0"]     # what the router accepts from the hub
# mtu             = 1420
# management      = ["icmp", "ssh", "winbox", "api", "api-ssl"]   # [] leaves its firewall alone
# routes          = []                # networks behind the hub
# reach           = "any"             # any | network | hub
# watchdog        = "auto"            # revive a dark tunnel from the router's side: true | false | auto
# The same for some locations only, by tag or org; the later come over the earlier.
# [[router.for]]
# tag = "uplink=lte"
# mtu = 1380

[keys]
# stored (sealed with age) | once (shown once, never stored) | router (made on the router)
mode       = "stored"
# Who can open stored keys. Whoever is added here opens the keys that are sealed from then on.
recipients = [{recipient}]
identity   = {identity}
# A preshared key with every new key, as a margin against quantum computers.
# preshared      = false
# How long the next key of "peer rotate" may wait for its first handshake.
# rotate_timeout = "24h"

[heartbeat]
# A site is online while its last handshake is younger than this, in seconds.
offline_after = 180
# Prometheus textfile; off while empty.
metrics_file  = ""
# Program and arguments, run after each heartbeat that saw a change: JSON on its standard input,
# counts in its environment, again at the next heartbeat until it succeeds. Never a shell.
# on_change         = ["/usr/local/bin/iwas-wg-mail", "noc@example.com"]
# on_change_timeout = 30              # seconds
# confirm           = 1               # heartbeats that must see a change before it is announced
# keep_history      = 400             # days

# Who may do what. As soon as there is a grant or a role here, only root itself and those who are
# granted something can use this hub; "iwas-wg access whoami" says what that is. Built-in roles:
# admin, org-admin, location-manager, viewer. A grant with an org is for its locations only.
# [access]
# syslog = "/dev/log"                 # a copy of every record; off while empty
# [access.roles]
# night-shift = ["net:location:read", "net:peer:write"]
# [[access.grants]]
# group = "noc"
# role  = "night-shift"
# [[access.grants]]
# user = "anna"
# role = "org-admin"
# org  = "acme"
"#,
        interface = quote(i.interface.as_str()),
        endpoint = quote(&endpoint),
        listen_port = i.listen_port,
        network = quote(&i.pool.network().to_string()),
        address = address,
        conf = quote(&i.conf.display().to_string()),
        backend = quote(i.backend.as_str()),
        recipient = quote(i.recipient),
        identity = quote(&i.identity.display().to_string()),
    )
}
