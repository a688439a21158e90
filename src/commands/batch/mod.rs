//! Many locations in one go: one transaction, one conf, one message to the interface.
//!
//! Nothing is seen of a batch until its commit, and everything after it. Scripts are on the disk
//! before the commit, since some of them hold the only copy of a key; if the commit does not
//! come, they go again.

mod cores;

use super::{
    Context,
    projection::project_added,
    provisioning::{Drawn, KeyRequest, Prepared, ScriptKeys, draw, install_script},
    unmanaged::Unmanaged,
};
use crate::model::text::plural;
use crate::script::file_name;
use crate::{
    access::Permission,
    env::signals::Stop,
    error::{Error, Kind},
    fsx::Stage,
    model::{Location, Pool, plan::Extras},
    output::json::{BatchReport, Envelope},
    settings::Settings,
    store::{Choice, Edit, Hub, Store},
    vault::Recipients,
    wgconf::ConfPeerWanted,
};
use std::{collections::HashSet, net::Ipv4Addr, path::Path};

/// One location of a batch.
#[derive(Debug)]
pub(super) struct Entry {
    /// As it is; `None` if it is new.
    pub before: Option<Location>,
    /// As it shall be, but for the key and the address that it gets.
    pub after: Location,
    /// The key that it gets now.
    pub key: Option<KeyRequest>,
}

impl Entry {
    /// Whether there is anything to do.
    pub(super) fn is_changed(&self) -> bool {
        self.key.is_some() || self.before.as_ref() != Some(&self.after)
    }

    /// Whether it gets a script: one that makes, brings or keeps the router's key.
    fn has_script(&self) -> bool {
        self.key.is_some()
    }
}

/// Locations and the addresses that were chosen for those that had none.
pub(super) struct Batch {
    entries: Vec<Entry>,
    pool: Pool,
    choices: Vec<Choice>,
}

/// What a batch led to.
pub(super) struct Written {
    /// Paths of the scripts, sorted.
    pub scripts: Vec<String>,
    /// Whether conf and interface are in line.
    pub projected: Result<(), Error>,
}

/// Begins a command that needs all of these permissions: it reaches what each of them does.
///
/// # Errors
/// Those of [`Context::enter`].
pub(super) fn enter(
    ctx: &mut Context<'_>,
    action: &'static str,
    needs: &[Permission],
    scripts_dir: Option<&Path>,
) -> Result<Settings, Error> {
    let mut settings = ctx.enter(action, Permission::PeerWrite)?;
    let shows_keys = scripts_dir.map(|_| Permission::RouterScript);
    for permission in needs.iter().copied().chain(shows_keys) {
        let scope = ctx.scope.clone();
        settings = ctx.enter(action, permission)?;
        ctx.scope = scope.within(&ctx.scope);
    }
    Ok(settings)
}

impl Batch {
    /// Chooses the addresses: the pool's next ones for those that get a key and have none.
    ///
    /// # Errors
    /// [`Kind::Conflict`] if there are not enough.
    pub(super) fn plan(store: &Store, pool: Pool, mut entries: Vec<Entry>) -> Result<Self, Error> {
        let chosen: HashSet<Ipv4Addr> = entries.iter().filter_map(|e| e.after.vpn_ip).collect();
        let mut needing: Vec<&mut Location> = entries
            .iter_mut()
            .filter(|e| e.key.is_some() && e.after.vpn_ip.is_none())
            .map(|e| &mut e.after)
            .collect();
        let choices = store.next_addresses(&pool, needing.len(), &chosen)?;
        if choices.len() < needing.len() {
            let (network, wanted, free) = (pool.network(), needing.len(), choices.len());
            return Err(Error::new(
                Kind::Conflict,
                format!(
                    "{} an address of {network}, and {free} {} free",
                    if wanted == 1 {
                        "1 location needs".to_owned()
                    } else {
                        format!("{wanted} locations need")
                    },
                    plural(free, "is", "are")
                ),
            )
            .hint("import fewer, remove locations, or choose a larger hub.network"));
        }
        for (location, choice) in needing.iter_mut().zip(&choices) {
            location.vpn_ip = Some(choice.address);
        }
        Ok(Self { entries, pool, choices })
    }

    /// The locations, with their addresses.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Makes the keys and scripts, commits all of it, and brings conf and interface in line.
    ///
    /// # Errors
    /// Any; nothing is changed then. What fails after the commit is in [`Written::projected`].
    pub(super) fn carry_out(
        mut self,
        ctx: &mut Context<'_>,
        settings: &Settings,
        store: &mut Store,
        hub: &Hub,
        scripts_dir: Option<&Path>,
    ) -> Result<Written, Error> {
        self.entries.retain(Entry::is_changed);
        let dir = scripts_dir.unwrap_or(Path::new(""));
        // Up to the commit Ctrl-C clears up and changes nothing, from there on it comes too late.
        ctx.hold_signals()?;
        let mut stage = scripts_dir.map(|dir| ctx.on_behalf(dir, || Stage::begin(dir))).transpose()?;
        let done = self.commit(ctx, settings, store, hub, stage.as_mut().map(|stage| (dir, stage)));
        // What is kept and what is taken away lies in the caller's directory, so it takes their rights.
        let settled: Result<(), Error> = ctx.on_behalf(dir, || -> Result<(), Error> {
            if let Some(stage) = stage {
                if done.is_ok() { stage.keep() } else { drop(stage) }
            }
            Ok(())
        });
        let (scripts, added, fresh) = done?;
        let projected =
            if added.is_empty() { Ok(()) } else { project_added(ctx, settings, store, &added, fresh) };
        let scripts = scripts.into_iter().map(|name| dir.join(name).display().to_string()).collect();
        Ok(Written { scripts, projected: projected.and(settled) })
    }

    /// All up to the commit: the names of the scripts, the peers that come to conf and interface, and the
    /// preshared keys for them.
    fn commit(
        &mut self,
        ctx: &mut Context<'_>,
        settings: &Settings,
        store: &mut Store,
        hub: &Hub,
        mut scripts_to: Option<(&Path, &mut Stage)>,
    ) -> Result<(Vec<String>, Vec<ConfPeerWanted>, Extras), Error> {
        let to = scripts_to.as_ref().map(|(dir, stage)| (*dir, &**stage));
        let peers = make(ctx, settings, hub, &mut self.entries, to)?;
        let (mut added, mut fresh) = (Vec::new(), Extras::new());
        let change = store.change()?;
        change.take_choices(&self.pool, &self.choices)?;
        for (entry, peer) in self.entries.iter().zip(&peers) {
            let l = &entry.after;
            match &entry.before {
                None => {
                    if let Some(ip) = l.vpn_ip {
                        change.take_address(ip)?;
                    }
                    change.insert_location(l)?;
                }
                Some(before) => change.edit_location(&l.name, &Edit::between(before, l), l.updated_at)?,
            }
            if let (Some(peer), Some(ip)) = (peer, l.vpn_ip) {
                change.take_address(ip)?;
                change.insert_peer(&l.name, ip, &peer.new_peer(), l.updated_at)?;
                if l.enabled {
                    added.push(ConfPeerWanted { name: l.name.clone(), peer: peer.wanted(ip) });
                    fresh.extend(peer.extras());
                } else {
                    change.set_enabled(l, false, l.updated_at)?;
                }
            }
            change.record(&ctx.deed(Some(l)))?;
        }
        not_stopped(&ctx.env.stop)?;
        let mut scripts = Vec::new();
        if let Some((dir, stage)) = &mut scripts_to {
            let given = self.entries.iter().filter(|e| e.has_script());
            scripts.extend(given.map(|e| file_name(e.after.name.as_str(), "rsc")));
            scripts.sort();
            ctx.on_behalf(dir, || stage.place(&scripts))?;
        }
        change.commit_recorded()?;
        Ok((scripts, added, fresh))
    }
}

fn not_stopped(stop: &Stop) -> Result<(), Error> {
    if stop.is_asked() {
        return Err(Error::new(Kind::Failed, "interrupted; nothing was changed")
            .hint("run the same command again whenever you like"));
    }
    Ok(())
}

/// Makes, seals and renders on all cores, and tells the locations their keys. Randomness is drawn
/// here: it has one source.
fn make(
    ctx: &mut Context<'_>,
    settings: &Settings,
    hub: &Hub,
    entries: &mut [Entry],
    scripts_to: Option<(&Path, &Stage)>,
) -> Result<Vec<Option<Prepared>>, Error> {
    let mut unmanaged = Unmanaged::default();
    if entries.iter().any(|e| e.key.is_some_and(|key| key.public_key.is_some())) {
        unmanaged = Unmanaged::read(ctx, settings, hub)?;
    }
    let mut drawn: Vec<(&mut Entry, Option<Drawn>)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let secrets = match entry.key {
            Some(request) => draw(ctx, settings, request, &mut unmanaged)?,
            None => None,
        };
        drawn.push((entry, secrets));
    }
    let progress = ctx.ui.progress("locations", drawn.len() as u64);
    let stop = ctx.env.stop.clone();
    let work = |part: Vec<(&mut Entry, Option<Drawn>)>| {
        let seals = part.iter().any(|(_, d)| d.as_ref().is_some_and(Drawn::is_sealed));
        let recipients = if seals { Some(Recipients::parse(&settings.recipients)?) } else { None };
        let mut made = Vec::with_capacity(part.len());
        for (entry, drawn) in part {
            not_stopped(&stop)?;
            let peer = drawn.map(|drawn| drawn.seal(recipients.as_ref())).transpose()?;
            if let Some(peer) = &peer {
                entry.after.public_key = Some(peer.public_key);
                entry.after.key_created_at = Some(entry.after.updated_at);
                entry.after.preshared = peer.keys.preshared.is_some();
            }
            if let (Some((_, stage)), Some(ip), true) = (scripts_to, entry.after.vpn_ip, entry.has_script()) {
                let none = ScriptKeys::default();
                let keys = peer.as_ref().map_or(&none, |p| &p.keys);
                let script = install_script(settings, hub, &entry.after, ip, keys)?;
                stage.add(&file_name(entry.after.name.as_str(), "rsc"), script.as_bytes())?;
            }
            progress.step();
            made.push(peer);
        }
        Ok(made)
    };
    match scripts_to {
        // The threads have the rights of the one that starts them.
        Some((dir, _)) => ctx.on_behalf(dir, || cores::on_all_cores(drawn, work)),
        None => cores::on_all_cores(drawn, work),
    }
}

/// What a batch did, or would do.
pub(super) struct Summary<'a> {
    pub action: &'static str,
    pub dry_run: bool,
    pub entries: &'a [Entry],
}

/// The names of what is created, updated and left as it is, each sorted.
pub(super) fn sort(summary: &Summary<'_>, scripts: Vec<String>) -> BatchReport {
    let names = |wanted: &dyn Fn(&Entry) -> bool| {
        let fitting = summary.entries.iter().filter(|e| wanted(e));
        let mut names: Vec<String> = fitting.map(|e| e.after.name.to_string()).collect();
        names.sort();
        names
    };
    let created = names(&|e| e.before.is_none());
    let updated = names(&|e| e.before.is_some() && e.is_changed());
    BatchReport {
        changed: !summary.dry_run && created.len() + updated.len() > 0,
        action: summary.action,
        dry_run: summary.dry_run,
        unchanged: names(&|e| e.before.is_some() && !e.is_changed()),
        created,
        updated,
        scripts,
    }
}

/// Tells what a batch did: in JSON as one object, else to people.
pub(super) fn tell(ctx: &mut Context<'_>, report: BatchReport, said: &str) -> Result<(), Error> {
    if ctx.ui.is_json() {
        return ctx.ui.json(&Envelope::new(report));
    }
    ctx.ui.say(said);
    Ok(())
}
