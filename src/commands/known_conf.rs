//! What is known of the conf without reading it, so that one location more on a hub of a hundred
//! thousand costs what it costs on an empty one.
//!
//! The store remembers which file it was that was last found to be as wanted, and counts the
//! changes that were committed since. While that very file lies there and nothing was committed,
//! it is still as wanted; and if peers were added by the one change that was, it lacks exactly
//! those, and they go to its end. In every other case the conf is read, as ever. Whatever is
//! unusual in a conf (another's line endings, something to warn of) is not remembered at all.

use super::{conf_plan::ConfPlan, hub_address::hub_address};
use crate::{
    fsx::{self, FsError, Mark},
    model::{LinkSettings, plan::Extras},
    settings::Settings,
    store::{ConfSeen, Hub, Store},
    wgconf::{self, ConfPeerWanted, Secrets},
};
use std::thread;

/// More peers of others than this are looked up in the conf itself.
const FOREIGN_MOST: usize = 1000;

/// What an `[Interface]` is compared with.
fn purpose(settings: &Settings, hub: &Hub) -> String {
    // What peers hold of the network was looked for in this one.
    let network = settings.pool.network();
    format!("{} {} {} {network}", hub.public_key, hub_address(settings, hub), settings.listen_port)
}

/// The conf, if it is still the one that was found to be as wanted, so many changes ago.
pub(super) fn known(settings: &Settings, store: &Store, hub: &Hub, behind: u64) -> Option<ConfSeen> {
    let (seen, commits) = store.conf_seen().ok()??;
    let still = commits == behind
        && seen.purpose == purpose(settings, hub)
        && Mark::of(&settings.conf) == Some(seen.mark);
    still.then_some(seen)
}

/// Remembers that the file of this mark is as wanted. Nothing fails if it cannot be: the next one
/// to ask reads the conf.
pub(super) fn note(settings: &Settings, store: &Store, hub: &Hub, plan: &ConfPlan, mark: Option<Mark>) {
    let rewrite = &plan.rewrite;
    let usual = plan.plain
        && plan.overwriting.is_none()
        && plan.clashes.is_empty()
        && rewrite.foreign.len() <= FOREIGN_MOST;
    match mark.filter(|_| usual) {
        Some(mark) => {
            let seen = ConfSeen {
                mark,
                purpose: purpose(settings, hub),
                link: plan.link.clone(),
                claimed: plan.claimed.clone(),
                addresses: plan.addresses.clone(),
                foreign: rewrite.foreign.clone(),
                spare: None,
            };
            remember(store, &seen);
        }
        None => drop(store.forget_conf()),
    }
}

fn remember(store: &Store, seen: &ConfSeen) {
    let there = store.conf_seen().ok().flatten();
    if there.is_none_or(|(there, behind)| behind > 0 || there.mark != seen.mark) {
        let _ = store.note_conf(seen);
    }
}

/// After a commit that added these peers and changed nothing else in the conf: puts them at its
/// end, and does something else, which is told what the conf says of the link, while the disk is at
/// work. `false` if the conf has to be read for
/// that; whether the other thing was done by then, the caller sees.
///
/// # Errors
/// Those of the file, which then is as it was; the other thing was done.
pub(super) fn append_while(
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    added: &[ConfPeerWanted],
    fresh: &Extras,
    meanwhile: impl FnOnce(&LinkSettings),
) -> Result<bool, FsError> {
    let Some(seen) = known(settings, store, hub, 1) else {
        return Ok(false);
    };
    let mut secrets = Secrets::new();
    for w in added {
        // A block of somebody else's has this key already.
        if seen.foreign.contains(&w.peer.public_key) {
            return Ok(false);
        }
        if w.peer.preshared {
            match fresh.get(&w.peer.public_key).and_then(|e| e.preshared_key.as_ref()) {
                Some(secret) => drop(secrets.insert(w.peer.public_key, secret.expose())),
                None => return Ok(false),
            }
        }
    }
    let tail = wgconf::appended(added, &secrets);
    let (mark, spare) = (seen.mark, seen.spare);
    let done = thread::scope(|scope| {
        let writer = scope.spawn(move || fsx::append(&settings.conf, &mark, spare.as_ref(), &tail));
        meanwhile(&seen.link);
        writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let Some(done) = done? else {
        return Ok(false);
    };
    remember(store, &ConfSeen { mark: done.mark, spare: done.spare, ..seen });
    Ok(true)
}
