//! stub
use crate::model::{Invalid, Location, PrivateKey, PublicKey, RouterOptions};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use zeroize::Zeroizing;
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Install,
    Rotate,
    Remove,
    Check,
}
impl std::str::FromStr for Kind {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Invalid> {
        if s == "install" {
            Ok(Kind::Install)
        } else {
            Err(Invalid {
                what: "kind",
                value: s.into(),
                reason: "is no kind".into(),
                hint: "install".into(),
            })
        }
    }
}
pub struct Site<'a> {
    pub location: &'a Location,
    pub vpn_ip: Ipv4Addr,
    pub network: Ipv4Net,
    pub hub_ip: Ipv4Addr,
    pub hub_public_key: PublicKey,
    pub endpoint_host: &'a str,
    pub endpoint_port: u16,
    pub private_key: Option<&'a PrivateKey>,
    pub preshared_key: Option<&'a str>,
    pub options: &'a RouterOptions,
    pub version: &'a str,
}
pub fn render(site: &Site<'_>, _k: Kind) -> Zeroizing<String> {
    Zeroizing::new(format!("# {}\n", site.location.name))
}
pub fn render_wg_quick(_s: &Site<'_>) -> Zeroizing<String> {
    Zeroizing::new(String::new())
}
