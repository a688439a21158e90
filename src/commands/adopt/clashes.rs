//! What in a conf cannot be a fleet: one peer twice, the hub among its own peers.

use super::source::Found;
use crate::{
    error::{Error, Kind},
    model::PublicKey,
};
use std::{
    collections::{HashMap, hash_map::Entry},
    path::Path,
};

/// Refuses peers that share a key, or have the hub's.
///
/// # Errors
/// [`Kind::Conflict`] with the lines.
pub(super) fn refuse(found: &Found, hub: PublicKey, from: &Path) -> Result<(), Error> {
    let from = from.display();
    let mut first: HashMap<PublicKey, Option<usize>> = HashMap::with_capacity(found.peers.len());
    for peer in &found.peers {
        if peer.public_key == hub {
            let at = peer.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let message = format!("{from}: {at}the hub's own key {hub} is among the peers");
            return Err(Error::new(Kind::Conflict, message)
                .hint("remove that peer: a router with the hub's key is never heard; nothing was changed"));
        }
        match first.entry(peer.public_key) {
            Entry::Vacant(free) => {
                free.insert(peer.line);
            }
            Entry::Occupied(there) => {
                let lines = there.get().zip(peer.line);
                let lines = lines.map(|(a, b)| format!(", in line {a} and in line {b}")).unwrap_or_default();
                let message = format!("{from}: the peer {} is there twice{lines}", peer.public_key);
                return Err(Error::new(Kind::Conflict, message).hint(
                    "remove one of the two: WireGuard takes the allowed IPs of the second; nothing was changed",
                ));
            }
        }
    }
    Ok(())
}
