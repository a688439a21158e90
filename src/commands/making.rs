//! Making a hub: all its files or none, whether it is new or was there before.

use super::Context;
use crate::model::text::plural;
use crate::{
    device::{Device, DeviceError},
    error::{Error, Kind},
    fsx,
    model::{Endpoint, InterfaceName, Pool, PrivateKey, PublicKey},
    settings::{Backend, Initial, initial_text},
    store::{Hub, Store},
    vault::{Recipients, new_identity},
};
use ipnet::{IpNet, Ipv4Net};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The interface of a hub that names none.
pub(super) const DEFAULT_INTERFACE: &str = "wg0";

/// A hub to be made.
pub(super) struct Making<'a> {
    pub(super) interface: &'a InterfaceName,
    pub(super) endpoint: Option<&'a Endpoint>,
    pub(super) pool: &'a Pool,
    pub(super) listen_port: u16,
    pub(super) backend: Backend,
    pub(super) key: &'a PrivateKey,
    /// The conf to be written; none where one serves already.
    pub(super) conf: Option<Zeroizing<Vec<u8>>>,
}

/// Files that this call made, to be taken away if it fails half-way.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    fn create(&mut self, path: &Path, bytes: &[u8], mode: u32, dir_mode: u32) -> Result<(), Error> {
        if let Some(dir) = path.parent() {
            fsx::create_dir(dir, dir_mode)?;
        }
        fsx::create(path, bytes, mode)?;
        self.0.push(path.to_owned());
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Says which of the files are there already, or would be where another user can replace them.
pub(super) fn refuse_existing(targets: &[&PathBuf]) -> Result<(), Error> {
    let found: Vec<String> =
        targets.iter().filter(|p| p.symlink_metadata().is_ok()).map(|p| p.display().to_string()).collect();
    if found.is_empty() {
        return targets.iter().try_for_each(|path| Ok(fsx::trusted(path).map(drop)?));
    }
    let verb = plural(found.len(), "exists", "exist");
    Err(Error::new(Kind::Conflict, format!("a hub is here already: {} {verb}", found.join(", "))).hint(
        "nothing was changed; use --root for another hub, --adopt for a conf that is in use, or move the files away",
    ))
}

/// A new hub has a new key, so whatever runs below the name that it would have is another's.
pub(super) fn refuse_foreign(
    ctx: &Context<'_>,
    name: &InterfaceName,
    backend: Backend,
    key: PublicKey,
) -> Result<(), Error> {
    let Some(mut device) = ctx.device_of(backend, name, key) else {
        return Ok(());
    };
    match device.peek() {
        Ok(_) => Ok(()),
        Err(e @ DeviceError::Foreign { .. }) => Err(Error::from(e).hint(format!(
            "nothing was changed; adopt it (\"wg showconf {name} > FILE\" and \"iwas-wg init --adopt --interface \
             {name} --from FILE\"), choose another --interface, or remove it with \"ip link del {name}\""
        ))),
        Err(e) => Err(in_the_way(e, name)),
    }
}

/// A failure to read the interface of a hub that is not there yet, with the remedy that `init` has.
pub(super) fn in_the_way(e: DeviceError, name: &InterfaceName) -> Error {
    let is_foreign = e.is_foreign();
    let e = Error::from(e);
    if !is_foreign {
        return e;
    }
    e.hint(format!(
        "nothing was changed; choose another --interface, or remove it with \"ip link del {name}\""
    ))
}

/// Makes all files of a hub, the store last and filled; if a step fails, none of them stays.
pub(super) fn make(
    ctx: &Context<'_>,
    m: &Making<'_>,
    fill: impl FnOnce(&mut Store, &Hub, &Recipients) -> Result<(), Error>,
) -> Result<(), Error> {
    let places = ctx.places();
    let (identity_path, conf_path) = (places.new_identity(), places.default_conf(m.interface));
    let identity = new_identity();
    let recipients = Recipients::parse(std::slice::from_ref(&identity.recipient))?;
    let sealed = recipients.seal(m.key)?;
    let address = Some(m.pool.with_prefix(m.pool.hub()));
    let hub = Hub { public_key: m.key.public(), sealed_key: Some(sealed), address };
    let config = initial_text(&Initial {
        interface: m.interface,
        endpoint: m.endpoint,
        listen_port: m.listen_port,
        pool: m.pool,
        conf: &places.written(&conf_path),
        backend: m.backend,
        recipient: &identity.recipient,
        identity: &places.written(&identity_path),
    });
    let mut made = Made::default();
    made.create(&identity_path, identity.file.as_bytes(), 0o600, 0o755)?;
    if let Some(conf) = &m.conf {
        made.create(&conf_path, conf, 0o600, 0o700)?;
    }
    made.create(&places.config, config.as_bytes(), 0o644, 0o755)?;
    // The store comes last: with it the hub exists.
    if let Some(dir) = places.database.parent() {
        fsx::create_dir(dir, 0o700)?;
    }
    let filled = Store::create(&places.database, &hub, ctx.now())
        .map_err(Error::from)
        .and_then(|mut store| fill(&mut store, &hub, &recipients));
    if let Err(e) = filled {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = places.database.clone().into_os_string();
            name.push(suffix);
            made.0.push(name.into());
        }
        return Err(e);
    }
    made.0.clear();
    Ok(())
}

/// The networks of other interfaces inside a hub's network, in words: packets to what both have go
/// through one of them alone. Nothing where that cannot be read. A wider network around the hub's is
/// in nobody's way.
pub(super) fn neighbours(device: &mut dyn Device, network: Ipv4Net) -> Vec<String> {
    let others = device.others().unwrap_or_default();
    let overlaps = |net: &IpNet| match net {
        IpNet::V4(net) => network.contains(net),
        IpNet::V6(_) => false,
    };
    others
        .into_iter()
        .filter(|(_, net)| overlaps(net))
        .map(|(name, net)| format!("{net} of the interface {name}"))
        .collect()
}

/// Warns of them.
pub(super) fn warn_of_neighbours(
    ctx: &mut Context<'_>,
    backend: Backend,
    interface: &InterfaceName,
    key: PublicKey,
    network: Ipv4Net,
) {
    let Some(mut device) = ctx.device_of(backend, interface, key) else {
        return;
    };
    for other in neighbours(&mut device, network) {
        let remedy = "what is sent to it goes to one interface alone; --network names another network";
        ctx.ui.warn(&format!("{network} overlaps with {other}: {remedy}"));
    }
}
