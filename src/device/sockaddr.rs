//! Socket addresses as the kernel writes them in its messages.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

pub(super) const AF_INET: u16 = 2;
pub(super) const AF_INET6: u16 = 10;

/// A `struct sockaddr_in` or `sockaddr_in6`.
pub(super) fn socket_address(value: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = value.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let ip = match u16::from_ne_bytes(*family) {
        AF_INET => Ipv4Addr::from(*rest.first_chunk::<4>()?).into(),
        // Four bytes of flow information stand in between.
        AF_INET6 => Ipv6Addr::from(*rest.get(4..)?.first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// The same as it is sent.
pub(super) fn socket_bytes(address: SocketAddr) -> Vec<u8> {
    let family = if address.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut bytes = family.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            bytes.extend_from_slice(&v4.ip().octets());
            bytes.extend_from_slice(&[0; 8]);
        }
        SocketAddr::V6(v6) => {
            bytes.extend_from_slice(&v6.flowinfo().to_be_bytes());
            bytes.extend_from_slice(&v6.ip().octets());
            bytes.extend_from_slice(&v6.scope_id().to_ne_bytes());
        }
    }
    bytes
}
