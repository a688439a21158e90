//! The named acts on the hub's address, and what of the addresses an administrator should look at.

use crate::{
    commands::{
        Context,
        hub_address::{self, hub_address, note_fallback},
        occupied::Occupied,
    },
    error::{Error, Kind},
    model::text::count,
    settings::Settings,
    store::{AddressHolder, Hub, Store},
};
use std::net::Ipv4Addr;

/// How many locations are named at most.
const NAMED: usize = 10;

/// `--move-hub`: gives the hub the address of the settings. The former one stays on interface and in
/// conf, so that routers that know it go on reaching the hub. Returns the hub as it is then, and what
/// was done.
///
/// # Errors
/// [`Kind::Conflict`] if the address is held or outside of the network.
pub(super) fn move_hub(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &mut Store,
    hub: Hub,
    dry_run: bool,
) -> Result<(Hub, Option<String>), Error> {
    let Some(to) = hub_address::pending(settings, &hub) else {
        return Ok((hub, None));
    };
    Occupied::read_all(ctx, settings, store, &hub)?.check_hub(store, to.addr())?;
    let from = hub_address(settings, &hub);
    if !dry_run {
        note_fallback(store, &hub, from)?;
        let change = store.change()?;
        change.move_hub(to)?;
        change.commit(&ctx.deed(None))?;
    }
    let step = format!("move the hub from {} to {}", from.addr(), to.addr());
    Ok((Hub { address: Some(to), ..hub }, Some(step)))
}

/// Whether `--release` may let this address go.
///
/// # Errors
/// [`Kind::NotFound`] if it is no former address of the hub.
pub(super) fn check_release(
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    address: Ipv4Addr,
) -> Result<(), Error> {
    let former = store.former_hub_addresses()?;
    if former.iter().any(|net| net.addr() == address) {
        return Ok(());
    }
    if hub_address(settings, hub).addr() == address {
        return Err(Error::new(Kind::Conflict, format!("{address} is the address that the hub has"))
            .hint("give it another in hub.address, and run \"iwas-wg sync --move-hub\" first"));
    }
    let all = former.iter().map(|net| net.addr().to_string()).collect::<Vec<_>>().join(", ");
    let hint = if all.is_empty() { "it has none".to_owned() } else { format!("those are: {all}") };
    Err(Error::new(Kind::NotFound, format!("{address} is no former address of the hub")).hint(hint))
}

/// What two have, as far as the store knows, and what the settings say that is not so.
///
/// # Errors
/// Those of the store.
pub(in crate::commands) fn conflicts(
    settings: &Settings,
    store: &Store,
    hub: &Hub,
) -> Result<Vec<String>, Error> {
    let (address, network) = (hub_address(settings, hub).addr(), settings.pool.network());
    let mut all = Vec::new();
    if let Some(to) = hub_address::pending(settings, hub) {
        all.push(format!(
            "hub.address is {}, and the hub has {address}; \"iwas-wg sync --move-hub\" moves it",
            to.addr()
        ));
    }
    if let Some(AddressHolder::Location(name)) = store.holder_of_address(address, network, None)? {
        all.push(format!(
            "{name} has the hub's address {address}; \"iwas-wg peer move {name} --vpn-ip ADDRESS\" gives it another"
        ));
    }
    for c in store.contested()? {
        all.push(format!(
            "{} and {} both had {}, which is {}'s now; \"iwas-wg location set {} --allowed-ips vpn-ip-only\" ends that",
            c.location, c.holder, c.net, c.holder, c.location
        ));
    }
    for o in store.overlaps(network)? {
        all.push(format!(
            "{} may speak for {}, where {} has {}; \"iwas-wg location set {} --allowed-ips vpn-ip-only\" ends that",
            o.location, o.net, o.inside, o.address, o.location
        ));
    }
    Ok(all)
}

/// What a changed network left outside.
///
/// # Errors
/// Those of the store.
pub(in crate::commands) fn left_outside(
    ctx: &Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
) -> Result<Option<(String, String)>, Error> {
    if let Some(e) = hub_address::outside(settings, hub) {
        return Ok(Some((e.message, e.hint.unwrap_or_default())));
    }
    let network = settings.pool.network();
    let names = store.outside(network, &ctx.scope)?;
    let Some(first) = names.first() else {
        return Ok(None);
    };
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    let verb = if names.len() == 1 { "has an address" } else { "have addresses" };
    let message =
        format!("{} {verb} outside the VPN network {network}: {shown}{more}", count(names.len(), "location"));
    let remedy = format!("iwas-wg peer move {first} --vpn-ip ADDRESS, or put hub.network back");
    Ok(Some((message, remedy)))
}
