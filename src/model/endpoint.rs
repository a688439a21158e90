//! The name or address the routers dial, with an optional port of its own.

use super::Invalid;
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// `host`, `host:port`, `192.0.2.1`, `192.0.2.1:51820`, `2001:db8::1` or `[2001:db8::1]:51820`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: Option<u16>,
}

impl Endpoint {
    /// Host name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port the routers dial: its own, else the hub's listen port.
    pub fn port_or(&self, listen_port: u16) -> u16 {
        self.port.unwrap_or(listen_port)
    }

    /// `host:port` as wg(8) writes it, an IPv6 address in brackets.
    pub fn with_port(&self, listen_port: u16) -> String {
        let port = self.port_or(listen_port);
        if self.host.contains(':') {
            format!("[{}]:{port}", self.host)
        } else {
            format!("{}:{port}", self.host)
        }
    }
}

impl FromStr for Endpoint {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        let refuse = |reason: &str| {
            Invalid::new(
                "endpoint",
                s,
                reason,
                "write a host name or address, with :PORT if it is not the listen port, such as \
                 \"vpn.example.com\" or \"[2001:db8::1]:51820\"",
            )
        };
        if s.is_empty() {
            return Err(refuse("is empty"));
        }
        if s.contains("://") {
            return Err(refuse("is a URL, not a host name or address"));
        }
        if s.contains('/') {
            return Err(refuse("has a path or a prefix length, which an endpoint does not"));
        }
        if s.contains('%') && s.contains(':') {
            return Err(refuse("has a zone, which means something on this machine only"));
        }
        if s.parse::<Ipv6Addr>().is_ok() {
            check_host(s).map_err(|reason| refuse(&reason))?;
            return Ok(Self { host: s.to_owned(), port: None });
        }
        if let Some(rest) = s.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(|| refuse("lacks the closing bracket"))?;
            host.parse::<Ipv6Addr>().map_err(|_| refuse("has no IPv6 address in its brackets"))?;
            check_host(host).map_err(|reason| refuse(&reason))?;
            let port = match rest.strip_prefix(':') {
                None if rest.is_empty() => None,
                Some(p) => {
                    Some(port(p).ok_or_else(|| refuse("has no port between 1 and 65535 after the colon"))?)
                }
                None => return Err(refuse("has text after the bracket that is not a port")),
            };
            return Ok(Self { host: host.to_owned(), port });
        }
        if s.matches(':').count() > 1 {
            return Err(refuse("is not an IPv6 address; with a port, one stands in brackets"));
        }
        let (host, port) = match s.split_once(':') {
            None => (s, None),
            Some((host, p)) => {
                let p = port(p).ok_or_else(|| refuse("has no port between 1 and 65535 after the colon"))?;
                (host, Some(p))
            }
        };
        check_host(host).map_err(|reason| refuse(&reason))?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.host.contains(':')) {
            (Some(p), true) => write!(f, "[{}]:{p}", self.host),
            (Some(p), false) => write!(f, "{}:{p}", self.host),
            (None, _) => f.write_str(&self.host),
        }
    }
}

fn port(s: &str) -> Option<u16> {
    // `parse` would accept "+1".
    s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse().ok()).flatten().filter(|&p| p != 0)
}

/// Whether this has the form of an address or host name.
///
/// # Errors
/// The reason, as the end of a sentence.
pub(crate) fn check_host(host: &str) -> Result<(), String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        if address.is_unspecified() || address.is_multicast() {
            return Err("is an address that no router can dial".into());
        }
        return Ok(());
    }
    if host.is_empty() {
        return Err("has no host".into());
    }
    if host.len() > 253 {
        return Err("is longer than 253 characters".into());
    }
    if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err("is not an IPv4 address".into());
    }
    for label in host.strip_suffix('.').unwrap_or(host).split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err("is not a host name".into());
        }
        if let Some(c) = label.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
            return Err(format!("contains {c:?}, which no host name does"));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("is not a host name".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_keep_their_own_port_or_take_the_listen_port() {
        for (text, host, with_port) in [
            ("vpn.example.com", "vpn.example.com", "vpn.example.com:51820"),
            ("vpn.example.com:443", "vpn.example.com", "vpn.example.com:443"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.1:51820"),
            ("2001:db8::1", "2001:db8::1", "[2001:db8::1]:51820"),
            ("[2001:db8::1]", "2001:db8::1", "[2001:db8::1]:51820"),
            ("[2001:db8::1]:7", "2001:db8::1", "[2001:db8::1]:7"),
            ("hub", "hub", "hub:51820"),
        ] {
            let e: Endpoint = text.parse().expect(text);
            assert_eq!(e.host(), host);
            assert_eq!(e.with_port(51820), with_port);
            assert_eq!(e.to_string().parse::<Endpoint>().expect("round trip"), e);
        }
    }

    #[test]
    fn what_looks_like_an_endpoint_gets_the_reason_why_it_is_none() {
        for (text, reason) in [
            ("https://vpn.example.com", "is a URL, not a host name or address"),
            ("https://vpn.example.com:443/x", "is a URL, not a host name or address"),
            ("udp://192.0.2.1:51820", "is a URL, not a host name or address"),
            ("vpn.example.com/x", "has a path or a prefix length, which an endpoint does not"),
            ("192.0.2.1/24", "has a path or a prefix length, which an endpoint does not"),
            ("fe80::1%eth0", "has a zone, which means something on this machine only"),
            ("[fe80::1%eth0]:51820", "has a zone, which means something on this machine only"),
            ("2001:db8::g", "is not an IPv6 address; with a port, one stands in brackets"),
            ("host:1:2", "is not an IPv6 address; with a port, one stands in brackets"),
            ("::", "is an address that no router can dial"),
            ("[ff02::1]:1", "is an address that no router can dial"),
            ("host:99999", "has no port between 1 and 65535 after the colon"),
        ] {
            let e = text.parse::<Endpoint>().expect_err(text);
            assert_eq!(e.to_string(), format!("endpoint {text:?} {reason}"));
        }
    }

    #[test]
    fn anything_that_could_inject_a_command_is_refused() {
        for bad in [
            "",
            " ",
            "a b",
            "a;b",
            "a\"b",
            "a'b",
            "$x",
            "a[b]",
            "host:",
            "host:0",
            "host:65536",
            "host:+1",
            "host:x",
            "host:1:2",
            "[::1",
            "[x]:1",
            "[::1]x",
            "-a.com",
            "a..b",
            "http://x",
            "1.2.3",
            "1.2.3.4.5",
            "0.0.0.0",
            "::x",
            "a\nb",
            "ü.example",
            ":51820",
            "256.1.1.1",
        ] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad:?} was accepted");
        }
    }
}
