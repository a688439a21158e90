//! The conf of a hub that was just adopted: what is written into it, and what is said of it.

use super::{
    super::{
        Context,
        projection::{plan_conf, steps},
    },
    source::Found,
};
use crate::{
    error::{Error, Kind},
    model::{Pool, plan::Plan},
};
use ipnet::IpNet;
use std::{collections::HashSet, path::Path};

/// Gives the conf what `sync` would: names, and peers that only the interface had. Every other line
/// stays as it is.
///
/// # Errors
/// [`Kind::Device`]: the hub is adopted all the same.
pub(super) fn write(ctx: &mut Context<'_>) -> Result<(), Error> {
    let settings = ctx.settings()?;
    let store = Context::store(&settings)?;
    let hub = store.hub()?;
    let plan = plan_conf(&settings, &store, &hub, &HashSet::new());
    let saved = plan.and_then(|plan| plan.save(&settings, &store, &hub).map(|()| plan));
    let plan = saved.map_err(|e| {
        let message = format!("the hub is adopted, but its conf is not written: {}", e.message);
        Error::new(Kind::Device, message).hint("\"iwas-wg sync\" writes it")
    })?;
    for step in steps(&settings, &Plan::default(), Some(&plan.rewrite)) {
        ctx.ui.say(&format!("{step}; every other line is as it was"));
    }
    Ok(())
}

/// Who took a peer out with a `#` may put it back, so that its address is not free.
pub(super) fn warn_of_disabled(ctx: &mut Context<'_>, found: &Found, pool: &Pool, from: &Path) {
    let network = pool.network();
    let inside = found.disabled.iter().filter(|net| network.contains(&net.addr()) && **net != network);
    let mut held: Vec<String> = inside.map(|net| written(IpNet::V4(*net))).collect();
    held.dedup();
    if !held.is_empty() {
        ctx.ui.warn(&format!(
            "{} has peers that are commented out: {} stay theirs and are given to no location",
            from.display(),
            held.join(", ")
        ));
    }
}

/// A network as people write it: a single address without its prefix length.
pub(super) fn written(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}
