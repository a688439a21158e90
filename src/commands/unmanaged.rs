//! What is said of peers that the store does not know yet: it stays so when one is taken over.
//!
//! A preshared key is on the interface, in the conf, or in both. Whoever takes the peer over
//! without it cuts its router off.

use super::{Context, projection::extras};
use crate::{
    device::{Device, Secrets},
    error::Error,
    model::{
        LivePeer, PeerSettings, Preshared, PresharedKey, PublicKey,
        plan::{Extras, PeerExtras},
    },
    settings::Settings,
    store::Hub,
};
use std::collections::HashMap;

/// What conf and interface say of their peers.
#[derive(Default)]
pub(super) struct Unmanaged {
    in_conf: Extras,
    on_interface: HashMap<PublicKey, LivePeer>,
    secrets: Secrets,
}

impl Unmanaged {
    /// From what was read.
    pub(super) fn new(in_conf: Extras, on_interface: &[LivePeer], secrets: Secrets) -> Self {
        let on_interface = on_interface.iter().map(|p| (p.public_key, p.clone())).collect();
        Self { in_conf, on_interface, secrets }
    }

    /// Reads conf and interface.
    ///
    /// # Errors
    /// Those of the conf. An interface that cannot be read now says nothing.
    pub(super) fn read(ctx: &Context<'_>, settings: &Settings, hub: &Hub) -> Result<Self, Error> {
        let in_conf = extras(settings)?;
        let read = ctx.device(settings, hub).and_then(|mut device| {
            let live = device.read().ok().flatten()?;
            Some((live.peers, device.preshared_keys().ok()?))
        });
        let (peers, secrets) = read.unwrap_or_default();
        Ok(Self::new(in_conf, &peers, secrets))
    }

    /// What is said of one peer; nothing if it is nowhere.
    pub(super) fn take(&mut self, key: &PublicKey) -> Option<(Option<PresharedKey>, PeerSettings)> {
        let (said, live) = (self.in_conf.remove(key), self.on_interface.remove(key));
        if said.is_none() && live.is_none() {
            return None;
        }
        let PeerExtras { preshared_key, endpoint, keepalive } = said.unwrap_or_default();
        // A handshake proves that the router has what the interface has, be it no preshared key at all.
        let is_proven = live.as_ref().is_some_and(|live| live.last_handshake.is_some());
        let preshared = self.secrets.remove(key).or(preshared_key.filter(|_| !is_proven));
        let settings = PeerSettings {
            preshared: Preshared::of(preshared.as_ref().and_then(PresharedKey::digest)),
            keepalive: keepalive.or(live.as_ref().map(|live| live.keepalive)).or(Some(0)),
            // That of a peer that has spoken is where it is now, not where it was said to be.
            endpoint: endpoint
                .or(live.filter(|_| !is_proven).and_then(|l| l.endpoint).map(|at| at.to_string())),
        };
        Some((preshared, settings))
    }
}
