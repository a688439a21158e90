//! Scripts for the routers: RouterOS and, for other spokes, wg-quick(8).
//!
//! A pure room: from a [`Site`] to text. It knows the router's language and what a good script
//! does in the field; it must not know the store, files, the terminal or the clock.
//!
//! Strings reach a template only through `quote::Quoted`. The templates are files that read as
//! RouterOS; `expand` fills them in.

mod expand;
mod parts;
mod quote;
mod template;
mod values;
mod wg_quick;

use crate::model::{Invalid, Location, PrivateKey, PublicKey, RouterOptions, router::Reach};
use expand::{Directives, Values, expand};
use ipnet::{IpNet, Ipv4Net};
use std::{borrow::Cow, fmt, net::Ipv4Addr, str::FromStr};
use zeroize::Zeroizing;

pub use template::{PLACEHOLDERS, render_template};
pub use wg_quick::render_wg_quick;

/// What a script does on the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Makes the router a spoke, or makes it as the hub now wants it; safe to run again.
    Install,
    /// Gives the router a new key without losing it.
    Rotate,
    /// Takes everything of ours off the router.
    Remove,
    /// Looks and reports, changes nothing.
    Check,
}

impl Kind {
    /// All kinds, in the order `--kind` lists them.
    pub const ALL: [Self; 4] = [Self::Install, Self::Rotate, Self::Remove, Self::Check];

    /// The word used with `--kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Rotate => "rotate",
            Self::Remove => "remove",
            Self::Check => "check",
        }
    }

    fn template(self) -> String {
        parts::assemble(match self {
            Self::Install => include_str!("templates/install.rsc"),
            Self::Rotate => include_str!("templates/rotate.rsc"),
            Self::Remove => include_str!("templates/remove.rsc"),
            Self::Check => include_str!("templates/check.rsc"),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|k| k.as_str() == s).ok_or_else(|| {
            Invalid::new("script kind", s, "is not a kind of script", "use install, rotate, remove or check")
        })
    }
}

/// Everything a script is made of.
pub struct Site<'a> {
    /// The location the router stands at. Without a private key, its public key is the one the hub
    /// expects.
    pub location: &'a Location,
    /// The router's VPN address.
    pub vpn_ip: Ipv4Addr,
    /// The VPN network; gives the prefix length.
    pub network: Ipv4Net,
    /// The hub's VPN address.
    pub hub_ip: Ipv4Addr,
    /// The hub's public key.
    pub hub_public_key: PublicKey,
    /// Host name or address the router dials; an IPv6 address without brackets.
    pub endpoint_host: &'a str,
    /// UDP port the router dials.
    pub endpoint_port: u16,
    /// The router's private key; `None` where the hub has none to give or the kind needs none.
    pub private_key: Option<&'a PrivateKey>,
    /// For `rotate` on a router that makes its own keys: the next one, once the hub knows it. The
    /// script then takes it over; without it, the script has the router make one.
    pub next_public_key: Option<PublicKey>,
    /// Preshared key of the pair, 44 characters of base64; for `rotate`, that of the new key.
    pub preshared_key: Option<&'a str>,
    /// What the operator wants on every router.
    pub options: Cow<'a, RouterOptions>,
    /// Version of the program, for the header.
    pub version: &'a str,
}

impl Site<'_> {
    /// Whether what is rendered from this holds a private or preshared key. A wg-quick file is an
    /// `install`.
    pub fn holds_secret(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Install | Kind::Rotate)
            && (self.private_key.is_some() || self.preshared_key.is_some())
    }
}

/// Renders a RouterOS script: printable ASCII, LF, no line over 250 characters.
///
/// Only `install` and `rotate` contain keys, each on one line.
pub fn render(site: &Site<'_>, kind: Kind) -> Zeroizing<String> {
    let values = values::of_script(site, kind);
    let parts = [fill(include_str!("templates/header.rsc"), &values), fill(&kind.template(), &values)];
    let mut out = Zeroizing::new(String::with_capacity(parts.iter().map(|p| p.len()).sum()));
    for part in &parts {
        out.push_str(part);
    }
    out
}

/// What the router accepts from the hub, and the prefix length of its address: the same values as
/// in its script, for programs that configure it otherwise.
pub fn reach_of(site: &Site<'_>) -> (Vec<IpNet>, u8) {
    let prefix_len = match site.options.reach {
        Reach::Hub => 32,
        Reach::Any | Reach::Network => site.network.prefix_len(),
    };
    (values::allowed(site), prefix_len)
}

/// Fills in one of our own templates, which the tests of this room do for every one of them.
fn fill(template: &str, values: &Values) -> Zeroizing<String> {
    expand(template, values, Directives::On).unwrap_or_else(|flaw| unreachable!("template: {flaw:?}"))
}

/// The name of a location's script. What looks or removes has a name of its own: uploaded under the
/// other name it would take the place of the script that installs.
pub fn script_name(location: &str, kind: Kind) -> String {
    match kind {
        Kind::Install | Kind::Rotate => file_name(location, "rsc"),
        Kind::Remove | Kind::Check => file_name(&format!("{location}-{kind}"), "rsc"),
    }
}

/// The name of a location's file, on the hub and in the header alike. A router runs `*.auto.rsc` by
/// itself as soon as it is uploaded: no file of ours is called so.
pub fn file_name(location: &str, ending: &str) -> String {
    let runs_by_itself = location.rsplit('.').next() == Some("auto");
    let mark = if runs_by_itself { "-iwas" } else { "" };
    format!("{location}{mark}.{ending}")
}

#[cfg(test)]
mod tests;
