//! Which addresses of the VPN network are held, by whom, and which one a location gets.
//!
//! One notion for every way in which an address is given. Held are: the addresses and ranges of the
//! store's locations, moves included; the hub's address and its former ones; what peers hold that are
//! not in the store, on the interface as in the conf; and every other address of the interface, there
//! and in the conf. The store answers for its part with look-ups, the conf is remembered while it is
//! unchanged, and the interface is asked for one address, so that a location more costs the same on a
//! hub of ten as on one of a hundred thousand.

use super::{Context, conf_plan::held_in_conf, hub_address};
use crate::{
    device::Device,
    error::{Error, Kind},
    model::{LocationName, Pool, PublicKey, Refusal, Reserved, Scope, held_inside, plan::WantedPeer},
    settings::Settings,
    store::{AddressHolder, Exhausted, Hub, Store, StoreError},
};
use ipnet::{IpNet, Ipv4Net};
use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

/// Who else than the store's locations and the hub holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    ConfPeer,
    ConfAddress,
    LivePeer(PublicKey),
    LiveAddress,
}

/// What the store says of the allowed IPs of each peer.
pub(super) struct Managed {
    wanted: HashMap<PublicKey, WantedPeer>,
    retired: HashSet<PublicKey>,
}

impl Managed {
    /// Reads it.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn read(store: &Store) -> Result<Self, StoreError> {
        let wanted = store.wanted_peers()?.into_iter().map(|(_, peer)| (peer.public_key, peer)).collect();
        Ok(Self { wanted, retired: store.retired_keys()? })
    }

    /// What a peer holds of the network that the store does not know. Those that must be nowhere
    /// hold nothing: their addresses are in the store's queue.
    pub(super) fn unknown(&self, network: Ipv4Net, key: &PublicKey, allowed: &[IpNet]) -> Vec<Ipv4Net> {
        let Some(peer) = self.wanted.get(key) else {
            return if self.retired.contains(key) { Vec::new() } else { held_inside(network, allowed) };
        };
        let mut inside = held_inside(network, allowed);
        inside.retain(|net| peer.allowed_ips().all(|own| own != IpNet::V4(*net)));
        inside
    }
}

/// What is held besides what the store knows.
pub(super) struct Occupied<'a> {
    settings: &'a Settings,
    hub: &'a Hub,
    /// The settings' pool, with the hub where it is.
    own: Pool,
    /// The same without what is held by others.
    pool: Pool,
    held: Vec<(Ipv4Net, By)>,
    interface_is_read: bool,
}

impl<'a> Occupied<'a> {
    /// Looks at the conf, or remembers it; the interface is asked once an address is chosen.
    ///
    /// # Errors
    /// Those of conf and store.
    pub(super) fn read(settings: &'a Settings, store: &Store, hub: &'a Hub) -> Result<Self, Error> {
        let (peers, addresses) = held_in_conf(settings, store, hub)?;
        let own = hub_address::pool(settings, hub);
        let mut all =
            Self { settings, hub, pool: own.clone(), own, held: Vec::new(), interface_is_read: false };
        let addresses = addresses.into_iter().map(|ip| (Ipv4Net::from(ip), By::ConfAddress));
        // The address that the hub is to get is nobody else's either.
        let pending =
            hub_address::pending(settings, hub).map(|to| (Ipv4Net::from(to.addr()), By::ConfAddress));
        all.add(peers.into_iter().map(|net| (net, By::ConfPeer)).chain(addresses).chain(pending));
        Ok(all)
    }

    /// The same with the whole interface, for many addresses at once.
    ///
    /// # Errors
    /// Those of conf and store.
    pub(super) fn read_all(
        ctx: &Context<'_>,
        settings: &'a Settings,
        store: &Store,
        hub: &'a Hub,
    ) -> Result<Self, Error> {
        let mut all = Self::read(settings, store, hub)?;
        all.read_interface(ctx, store)?;
        Ok(all)
    }

    /// The pool of what can be given, as far as it is known outside of the store.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    fn add(&mut self, held: impl Iterator<Item = (Ipv4Net, By)>) {
        let network = self.own.network();
        let hub = self.own.hub();
        self.held.extend(held.filter(|(net, _)| network.contains(net) && *net != Ipv4Net::from(hub)));
        let ranges: Vec<Reserved> = self.held.iter().map(|(net, _)| Reserved::from(*net)).collect();
        self.pool = self.own.clone().without(&ranges);
    }

    /// Adds what the interface has. One that is not there or cannot be read holds nothing: what
    /// follows the commit tells.
    fn read_interface(&mut self, ctx: &Context<'_>, store: &Store) -> Result<(), Error> {
        self.interface_is_read = true;
        let live = ctx.device(self.settings, self.hub).and_then(|mut device| device.read().ok().flatten());
        let Some(live) = live else {
            return Ok(());
        };
        let (managed, network) = (Managed::read(store)?, self.own.network());
        let held = live.peers.iter().flat_map(|p| {
            let unknown = managed.unknown(network, &p.public_key, &p.allowed_ips).into_iter();
            unknown.map(|net| (net, By::LivePeer(p.public_key)))
        });
        let addresses = live.addresses.iter().filter_map(|net| match net {
            IpNet::V4(net) => Some((Ipv4Net::from(net.addr()), By::LiveAddress)),
            IpNet::V6(_) => None,
        });
        let all: Vec<_> = held.chain(addresses).collect();
        self.add(all.into_iter());
        Ok(())
    }

    /// Whether the interface has nobody at this address, asked as cheaply as can be.
    fn is_free_on_interface(
        &mut self,
        ctx: &Context<'_>,
        store: &Store,
        address: Ipv4Addr,
    ) -> Result<bool, Error> {
        if self.interface_is_read {
            return Ok(true);
        }
        if ctx.device(self.settings, self.hub).is_none_or(|mut device| device.is_nobodys(address)) {
            return Ok(true);
        }
        self.read_interface(ctx, store)?;
        Ok(self.pool.admits(address).is_ok())
    }

    /// The address that a location shall have: the wanted one if it may be had, else the next free.
    ///
    /// # Errors
    /// [`Kind::Conflict`] saying who holds it, or that there is none left.
    pub(super) fn choose(
        &mut self,
        ctx: &Context<'_>,
        store: &Store,
        wanted: Option<Ipv4Addr>,
        own: Option<&LocationName>,
    ) -> Result<Ipv4Addr, Error> {
        let Some(address) = wanted else {
            loop {
                let address = store.next_address(&self.pool).map_err(|e| self.none_left(e, &ctx.scope))?;
                if self.is_free_on_interface(ctx, store, address)? {
                    return Ok(address);
                }
            }
        };
        self.is_free_on_interface(ctx, store, address)?;
        self.check(store, &ctx.scope, address, own)?;
        Ok(address)
    }

    /// What is said once nothing is left: who has it all.
    fn none_left(&self, e: StoreError, scope: &Scope) -> Error {
        match e {
            // How many the others have is not for everybody.
            StoreError::Exhausted(Exhausted { network, .. }) if !scope.is_all() => {
                Error::new(Kind::Conflict, format!("no free address left in {network}"))
                    .hint("ask an admin of the hub for a wider network")
            }
            StoreError::Exhausted(e) => {
                let (free, reserved) = self.own.capacity();
                let otherwise = free.saturating_sub(e.used);
                StoreError::Exhausted(Exhausted { reserved, otherwise, ..e }).into()
            }
            e => e.into(),
        }
    }

    /// Whether the hub may have this address: another one that it has already, or one that nobody holds.
    ///
    /// # Errors
    /// [`Kind::Conflict`] saying who holds it.
    pub(super) fn check_hub(&self, store: &Store, to: Ipv4Addr) -> Result<(), Error> {
        let conflict = |reason: String| {
            Err(Error::new(Kind::Conflict, format!("{to} cannot be the hub's address: {reason}"))
                .hint("write another one into hub.address"))
        };
        let network = self.own.network();
        if !self.own.has_host(to) {
            return conflict(format!("it is outside the VPN network {network}"));
        }
        let is_peers = |by: &By| matches!(by, By::ConfPeer | By::LivePeer(_));
        match store.holder_of_address(to, network, None)? {
            Some(AddressHolder::Location(name)) => conflict(format!("{name:?} has it")),
            Some(AddressHolder::Range(name, net)) => conflict(format!("{name:?} may speak for {net}")),
            _ if self.held.iter().any(|(net, by)| is_peers(by) && net.contains(&to)) => {
                conflict("a peer that is not in the store holds it".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether a location may have this address.
    ///
    /// # Errors
    /// [`Kind::Conflict`] saying who holds it.
    pub(super) fn check(
        &self,
        store: &Store,
        scope: &Scope,
        address: Ipv4Addr,
        own: Option<&LocationName>,
    ) -> Result<(), Error> {
        let conflict = |reason: String| {
            Err(Error::new(Kind::Conflict, format!("address {address} {reason}"))
                .hint("choose another, or leave out --vpn-ip for the next free one"))
        };
        let network = self.own.network();
        if let Err(refusal) = self.own.admits(address) {
            return match refusal {
                Refusal::Outside => conflict(format!("is outside the VPN network {network}")),
                other => conflict(other.to_string()),
            };
        }
        let by = self.held.iter().find(|(net, _)| net.contains(&address)).map(|(_, by)| *by);
        let holder = store.holder_of_address(address, network, own)?;
        let taken = |named: bool, by: String| conflict(if named { by } else { "is taken".to_owned() });
        match (holder, by) {
            (None, None) => Ok(()),
            (Some(AddressHolder::FormerHub), _) => {
                let message = format!("address {address} is a former address of the hub");
                Err(Error::new(Kind::Conflict, message)
                    .hint(format!("choose another; \"iwas-wg sync --release {address}\" lets it go")))
            }
            (Some(AddressHolder::Hub), _) | (None, Some(By::ConfAddress | By::LiveAddress)) => {
                conflict("is an address of the hub".to_owned())
            }
            (Some(AddressHolder::Location(name)), _) => {
                taken(seen(store, scope, &name)?, format!("is held by {name:?}"))
            }
            (Some(AddressHolder::Range(name, net)), _) => {
                taken(seen(store, scope, &name)?, format!("is held by {name:?}, which may speak for {net}"))
            }
            (None, Some(By::ConfPeer)) => {
                let conf = self.settings.conf.display();
                taken(scope.is_all(), format!("is held by a peer of {conf} that is not in the store"))
            }
            (None, Some(By::LivePeer(key))) => {
                let interface = &self.settings.interface;
                taken(scope.is_all(), format!("is held by the peer {key} of {interface}"))
            }
        }
    }
}

/// Whether a location exists for the caller: what it holds is taken, but by whom is not told else.
pub(super) fn seen(store: &Store, scope: &Scope, name: &str) -> Result<bool, Error> {
    Ok(scope.is_all() || store.location(&name.parse()?)?.is_some_and(|l| scope.covers(l.org.as_ref())))
}
