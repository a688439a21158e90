//! Whether any peer may speak for an address, asked of the kernel without reading its peers.
//!
//! A kernel interface looks up the peer of each packet that is sent through it, and refuses one that
//! is nobody's with an error of its own. So one empty datagram is the question. Only that error is an
//! answer: everything else (a peer, an address of this machine, no route, a firewall, a program in
//! userspace, which takes every packet) leaves the question open. A peer that the datagram reaches
//! drops it: nothing listens on the discard port.

use crate::model::InterfaceName;
use nix::sys::socket::{setsockopt, sockopt::BindToDevice};
use std::{
    ffi::OsString,
    net::{Ipv4Addr, UdpSocket},
};

const ENOKEY: i32 = 126;
const DISCARD: u16 = 9;

/// Whether it is certain that no peer of the interface may speak for this address.
pub(super) fn is_nobodys(name: &InterfaceName, address: Ipv4Addr) -> bool {
    let asked = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        // Another interface may lead to the same network.
        setsockopt(&socket, BindToDevice, &OsString::from(name.as_str()))?;
        socket.send_to(&[], (address, DISCARD))
    });
    asked.is_err_and(|e| e.raw_os_error() == Some(ENOKEY))
}
