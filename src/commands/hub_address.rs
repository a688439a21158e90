//! The hub's own address: the store has it, the settings say which one it shall be, and conf and
//! interface follow.
//!
//! Routers know the hub by it, so nothing but `sync --move-hub` changes it: not another network, not
//! another line in the settings, not a conf or store of an older version.

use crate::{
    error::{Error, Kind},
    fsx,
    model::Pool,
    settings::Settings,
    store::{Hub, Store, StoreError},
    wgconf::Conf,
};
use ipnet::{IpNet, Ipv4Net};
use zeroize::Zeroizing;

/// The address that the hub has. Inside the network its prefix length is the network's, so that the
/// interface has a route to every router.
pub(super) fn hub_address(settings: &Settings, hub: &Hub) -> Ipv4Net {
    let pool = &settings.pool;
    let address = hub.address.or(settings.address).unwrap_or_else(|| pool.with_prefix(pool.hub()));
    if pool.has_host(address.addr()) { pool.with_prefix(address.addr()) } else { address }
}

/// The pool of the settings, with the hub where it is.
pub(super) fn pool(settings: &Settings, hub: &Hub) -> Pool {
    settings.pool.clone().with_hub(hub_address(settings, hub).addr())
}

/// The address that the settings give the hub, if it has another one now.
pub(super) fn pending(settings: &Settings, hub: &Hub) -> Option<Ipv4Net> {
    settings.address.filter(|wanted| wanted.addr() != hub_address(settings, hub).addr())
}

/// Remembers the address of a hub whose store is of a version that did not: it is the one that the
/// hub has in its conf, whatever the settings say by now.
pub(super) fn remember(settings: &Settings, store: &Store) -> Result<(), StoreError> {
    let hub = store.hub()?;
    if hub.address.is_some() {
        return Ok(());
    }
    in_conf(settings).map_or(Ok(()), |address| note_fallback(store, &hub, address))
}

/// Remembers an address for a hub that has none in the store.
pub(super) fn note_fallback(store: &Store, hub: &Hub, address: Ipv4Net) -> Result<(), StoreError> {
    if hub.address.is_some() {
        return Ok(());
    }
    match store.note_hub_address(address) {
        // A location got it from an older version: `sync` and the doctor tell.
        Err(StoreError::Taken { .. }) => Ok(()),
        other => other,
    }
}

/// Which address of the conf is the hub's: the one of the settings, else the first host of the
/// network, else another one inside, else the first of all. Nothing if the conf cannot be read now.
fn in_conf(settings: &Settings) -> Option<Ipv4Net> {
    let bytes = fsx::read(&settings.conf).ok().flatten().map(Zeroizing::new)?;
    let all = Conf::parse(&bytes).ok()?.addresses();
    let all: Vec<Ipv4Net> =
        all.into_iter().filter_map(|net| if let IpNet::V4(net) = net { Some(net) } else { None }).collect();
    let pool = &settings.pool;
    // With no address in the settings, the pool's hub is the first host.
    let named = all.iter().find(|net| net.addr() == pool.hub());
    let inside = || all.iter().find(|net| pool.has_host(net.addr()));
    named.or_else(inside).or_else(|| all.first()).copied()
}

/// What is said of a hub that is outside of the network.
pub(super) fn outside(settings: &Settings, hub: &Hub) -> Option<Error> {
    let (address, network) = (hub_address(settings, hub).addr(), settings.pool.network());
    if settings.pool.has_host(address) {
        return None;
    }
    let error = Error::new(
        Kind::Conflict,
        format!("the hub's address {address} is outside the VPN network {network}"),
    );
    Some(error.hint(match pending(settings, hub) {
        Some(to) if settings.pool.has_host(to.addr()) => {
            format!("\"iwas-wg sync --move-hub\" moves it to {}", to.addr())
        }
        _ => "put hub.network back, or give the hub another hub.address and run \"iwas-wg sync --move-hub\""
            .to_owned(),
    }))
}
