//! Keys and scripts for a location's router, shared by `location add` and `peer provision`.

use super::{Context, hub_address, occupied::seen, unmanaged::Unmanaged};
use crate::{
    access::Permission,
    error::{Error, Kind},
    model::{
        KeyMode, Location, Org, PeerSettings, Preshared, PresharedKey, PrivateKey, PublicKey, Rotation,
        Scope,
        plan::{Extras, PeerExtras, WantedPeer},
    },
    script::{Kind as ScriptKind, Site, render},
    settings::Settings,
    store::{Hub, NewPeer, Store},
    vault::{Recipients, VaultError},
};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use zeroize::Zeroizing;

/// Whose key it shall be.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyRequest {
    /// Where the private key lives.
    pub mode: KeyMode,
    /// The router's own key, where it made one.
    pub public_key: Option<PublicKey>,
    /// Whether a preshared key is asked for; the settings may ask for one as well.
    pub preshared: bool,
}

impl KeyRequest {
    /// From `--key-mode` and `--public-key`; a public key means that the router has the private one.
    pub(super) fn from_flags(
        key_mode: Option<&str>,
        public_key: Option<&str>,
        default: KeyMode,
    ) -> Result<Self, Error> {
        let asked = key_mode.map(str::parse::<KeyMode>).transpose()?;
        let public_key = public_key.map(str::parse::<PublicKey>).transpose()?;
        let mode = match (asked, public_key) {
            (None | Some(KeyMode::Router), Some(_)) => KeyMode::Router,
            (Some(mode), Some(_)) => {
                return Err(Error::new(
                    Kind::Usage,
                    format!("--public-key does not go with the key mode {:?}", mode.as_str()),
                )
                .hint("with a public key the private one is on the router: use --key-mode router"));
            }
            (asked, None) => asked.unwrap_or(default),
        };
        Ok(Self { mode, public_key, preshared: false })
    }

    /// With a preshared key, if that is asked for.
    pub(super) fn with_preshared(self, preshared: bool) -> Self {
        Self { preshared, ..self }
    }

    fn wants_preshared(self, settings: &Settings) -> bool {
        self.preshared || settings.preshared
    }
}

/// The secrets that a script gives to its router.
#[derive(Default)]
pub(super) struct ScriptKeys {
    /// The private key, where the hub has it.
    pub private: Option<PrivateKey>,
    /// The preshared key in base64, where there is one.
    pub preshared: Option<Zeroizing<String>>,
}

impl ScriptKeys {
    /// Whether there is any.
    pub(super) fn is_secret(&self) -> bool {
        self.private.is_some() || self.preshared.is_some()
    }
}

/// A key pair, or a public key alone, ready to be committed.
pub(super) struct Prepared {
    /// The peer's public key.
    pub public_key: PublicKey,
    /// What its script carries.
    pub keys: ScriptKeys,
    sealed: Option<Vec<u8>>,
    sealed_preshared: Option<Vec<u8>>,
    mode: KeyMode,
    settings: PeerSettings,
}

/// The secrets of a peer, not sealed yet.
pub(super) struct Drawn {
    mode: KeyMode,
    key: Key,
    preshared: Option<PresharedKey>,
    settings: PeerSettings,
}

enum Key {
    Own(PrivateKey),
    Given(PublicKey),
}

impl Drawn {
    /// Whether any of it is kept sealed.
    pub(super) fn is_sealed(&self) -> bool {
        self.preshared.is_some() || matches!((&self.key, self.mode), (Key::Own(_), KeyMode::Stored))
    }

    /// Makes the public key and seals what is kept. Sealing takes its time, and may be done on any thread.
    pub(super) fn seal(self, recipients: Option<&Recipients>) -> Result<Prepared, Error> {
        let recipients = || recipients.ok_or(VaultError::NoRecipients);
        let (public_key, private, sealed) = match self.key {
            Key::Given(key) => (key, None, None),
            Key::Own(key) => {
                let sealed =
                    if self.mode == KeyMode::Stored { Some(recipients()?.seal(&key)?) } else { None };
                (key.public(), Some(key), sealed)
            }
        };
        let sealed_preshared = match &self.preshared {
            Some(key) => Some(recipients()?.seal_preshared(key)?),
            None => None,
        };
        let keys = ScriptKeys { private, preshared: self.preshared.as_ref().map(PresharedKey::expose) };
        let digest = self.preshared.as_ref().and_then(PresharedKey::digest);
        let settings = PeerSettings { preshared: Preshared::of(digest), ..self.settings };
        Ok(Prepared { public_key, keys, sealed, sealed_preshared, mode: self.mode, settings })
    }
}

/// Draws the secrets that a request asks for; `None` in the mode `router` before the router has
/// made its key.
pub(super) fn draw(
    ctx: &mut Context<'_>,
    settings: &Settings,
    request: KeyRequest,
    unmanaged: &mut Unmanaged,
) -> Result<Option<Drawn>, Error> {
    let key = match (request.public_key, request.mode) {
        (Some(key), _) => Key::Given(key),
        (None, KeyMode::Router) => return Ok(None),
        (None, KeyMode::Stored | KeyMode::Once) => Key::Own(ctx.new_key()?),
    };
    // What its router knows already stays as it is, where the peer was there before its location.
    let (known, said) = request.public_key.and_then(|key| unmanaged.take(&key)).unwrap_or_default();
    let preshared = match known {
        None if request.wants_preshared(settings) => Some(ctx.new_preshared_key()?),
        known => known,
    };
    Ok(Some(Drawn { mode: request.mode, key, preshared, settings: said }))
}

impl Prepared {
    /// As the store takes it.
    pub(super) fn new_peer(&self) -> NewPeer<'_> {
        NewPeer {
            public_key: self.public_key,
            sealed_key: self.sealed.as_deref(),
            sealed_preshared: self.sealed_preshared.as_deref(),
            key_mode: self.mode,
            settings: self.settings.clone(),
        }
    }

    /// As interface and conf want it.
    pub(super) fn wanted(&self, vpn_ip: Ipv4Addr) -> WantedPeer {
        WantedPeer {
            preshared: self.keys.preshared.is_some(),
            settings: self.settings.clone(),
            ..WantedPeer::new(self.public_key, vpn_ip)
        }
    }

    /// The preshared key, for interface and conf.
    pub(super) fn extras(&self) -> Extras {
        let key = self.keys.preshared.as_ref().and_then(|k| PresharedKey::from_base64(k).ok());
        let extra = key.map(|key| PeerExtras { preshared_key: Some(key), ..PeerExtras::default() });
        extra.map(|extra| (self.public_key, extra)).into_iter().collect()
    }
}

/// Refuses a given key that is another's; also for a dry run, which must not promise too much.
pub(super) fn refuse_taken_key(store: &Store, scope: &Scope, request: KeyRequest) -> Result<(), Error> {
    let Some(public_key) = request.public_key else {
        return Ok(());
    };
    if public_key == store.hub()?.public_key {
        return Err(Error::new(Kind::Conflict, format!("public key {public_key} is the hub's own"))
            .hint("give the key that the router printed"));
    }
    if store.is_revoked(&public_key)? {
        return Err(Error::new(Kind::Conflict, format!("public key {public_key} was revoked"))
            .hint("a revoked key never comes back: have the router make another"));
    }
    if let Some(holder) = store.holder_of_key(&public_key)? {
        let named = seen(store, scope, &holder)?;
        let taken = if named { format!("belongs to {holder:?}") } else { "is taken".to_owned() };
        return Err(Error::new(Kind::Conflict, format!("public key {public_key} {taken}"))
            .hint("every router has a key of its own"));
    }
    Ok(())
}

/// What is said instead of a script.
pub(super) const SCRIPT_KEPT: &str = "; its script is for somebody with net:router:script";

/// Whether the caller gets the script with the key that is to be made. Without that right a stored
/// key can be made all the same: somebody else will render its script.
///
/// # Errors
/// [`Kind::Denied`] where this would be the only showing of the key.
pub(super) fn shows_script(ctx: &Context<'_>, org: Option<&Org>, request: KeyRequest) -> Result<bool, Error> {
    match ctx.require(Permission::RouterScript, org) {
        Err(e) if request.mode == KeyMode::Once => {
            Err(e.hint("use --key-mode stored, and leave the script to others"))
        }
        other => Ok(other.is_ok()),
    }
}

/// Whether the key can be sealed, before it is promised.
pub(super) fn check_recipients(settings: &Settings, request: KeyRequest) -> Result<(), Error> {
    let made_here = request.mode == KeyMode::Stored && request.public_key.is_none();
    if made_here || request.wants_preshared(settings) {
        let recipients = Recipients::parse(&settings.recipients)?;
        if recipients.is_empty() {
            return Err(VaultError::NoRecipients.into());
        }
    }
    Ok(())
}

/// What is said if the only copy of a key could not be written.
pub(super) fn lost_key(e: Error, location: &Location) -> Error {
    if location.key_mode != KeyMode::Once || e.kind == Kind::ClosedPipe {
        return e;
    }
    let name = &location.name;
    Error::new(e.kind, format!("{}; {name} is there, but its key is lost", e.message))
        .hint(format!("\"iwas-wg location remove {name}\" and add it again"))
}

/// Makes and seals the keys, or checks the given one. `None` in the mode `router` before the
/// router has made its key.
pub(super) fn prepare(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    request: KeyRequest,
) -> Result<Option<Prepared>, Error> {
    refuse_taken_key(store, &ctx.scope, request)?;
    let mut unmanaged = Unmanaged::default();
    if request.public_key.is_some() {
        unmanaged = Unmanaged::read(ctx, settings, &store.hub()?)?;
    }
    let Some(drawn) = draw(ctx, settings, request, &mut unmanaged)? else {
        return Ok(None);
    };
    let recipients = if drawn.is_sealed() { Some(Recipients::parse(&settings.recipients)?) } else { None };
    drawn.seal(recipients.as_ref()).map(Some)
}

/// Requires somebody to take the only copy of a key, before it is made.
pub(super) fn require_reader(ctx: &Context<'_>, request: KeyRequest) -> Result<(), Error> {
    let only_copy = request.mode == KeyMode::Once && request.public_key.is_none();
    if only_copy && ctx.env.terminal.stdout_is_gone {
        return Err(Error::new(
            Kind::Failed,
            "standard output is closed: the only copy of the key would be lost",
        )
        .hint("redirect it to a file"));
    }
    Ok(())
}

/// Parses `--vpn-ip`.
pub(super) fn parse_address(text: &str) -> Result<Ipv4Addr, Error> {
    text.parse().map_err(|_| {
        Error::new(Kind::Usage, format!("address {text:?} is not an IPv4 address"))
            .hint("write it without a prefix length, such as 10.0.0.7")
    })
}

/// The endpoint that scripts need, or the error that says it is not set.
pub(super) fn endpoint(settings: &Settings) -> Result<(&str, u16), Error> {
    let endpoint = settings.endpoint.as_ref().ok_or_else(|| {
        Error::new(Kind::BadState, format!("hub.endpoint is not set in {}", settings.places.config.display()))
            .hint("set it to the name or address that the routers dial")
    })?;
    Ok((endpoint.host(), endpoint.port_or(settings.listen_port)))
}

/// What a script is rendered from.
pub(super) fn site<'a>(
    settings: &'a Settings,
    hub: &Hub,
    location: &'a Location,
    vpn_ip: Ipv4Addr,
    keys: &'a ScriptKeys,
) -> Result<Site<'a>, Error> {
    let (endpoint_host, endpoint_port) = endpoint(settings)?;
    let network = settings.pool.network();
    if let Some(e) = hub_address::outside(settings, hub) {
        return Err(e);
    }
    if !settings.pool.has_host(vpn_ip) {
        return Err(outside(location, vpn_ip, network));
    }
    Ok(Site {
        location,
        vpn_ip,
        network,
        hub_ip: hub_address::hub_address(settings, hub).addr(),
        hub_public_key: hub.public_key,
        endpoint_host,
        endpoint_port,
        private_key: keys.private.as_ref(),
        next_public_key: None,
        preshared_key: keys.preshared.as_ref().map(|k| k.as_str()),
        options: std::borrow::Cow::Owned(settings.router_of(location)),
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// What is said of a location that a changed network left outside: a script would mix two networks.
fn outside(location: &Location, vpn_ip: Ipv4Addr, network: Ipv4Net) -> Error {
    let name = &location.name;
    let e = Error::new(
        Kind::Conflict,
        format!("the address {vpn_ip} of {name} is outside the VPN network {network}"),
    );
    e.hint(if location.public_key.is_some() {
        format!("\"iwas-wg peer move {name} --vpn-ip ADDRESS\" gives it one inside; or put hub.network back")
    } else {
        format!("\"iwas-wg location remove {name}\" and add it again; or put hub.network back")
    })
}

/// The install script of a location.
pub(super) fn install_script(
    settings: &Settings,
    hub: &Hub,
    location: &Location,
    vpn_ip: Ipv4Addr,
    keys: &ScriptKeys,
) -> Result<Zeroizing<String>, Error> {
    Ok(render(&site(settings, hub, location, vpn_ip, keys)?, ScriptKind::Install))
}

/// The script that gives a router its next key.
pub(super) fn rotate_script(
    settings: &Settings,
    hub: &Hub,
    location: &Location,
    vpn_ip: Ipv4Addr,
    next: &Rotation,
    keys: &ScriptKeys,
) -> Result<Zeroizing<String>, Error> {
    let site = site(settings, hub, location, vpn_ip, keys)?;
    Ok(render(&Site { next_public_key: Some(next.public_key), ..site }, ScriptKind::Rotate))
}
