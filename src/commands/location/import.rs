//! `iwas-wg location import`: a whole fleet from one file, or nothing of it.

use crate::model::text::count;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        batch::{self, Batch, Entry, Summary},
        occupied::Occupied,
        provisioning::{KeyRequest, check_recipients, endpoint, refuse_taken_key},
        sheet::{self, PeerWish, Row, fault},
    },
    error::{Error, Fault, Kind},
    model::{KeyMode, Location, LocationName, PublicKey, Scope},
    settings::Settings,
    store::Store,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeSet, HashMap, hash_map},
    hash::Hash,
    net::Ipv4Addr,
    path::PathBuf,
};

/// Add the locations of a CSV or JSON file, all of them or none
///
/// A file may have 128 MiB, and a row 256 KiB.
/// Every row is checked before anything is done, and every bad one is told with its line. Then
/// all are committed at once, conf and interface are changed once, and with --scripts-dir each
/// router's script lies in that directory, 0600. Control-C changes nothing, or comes too late.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Columns, of which only name must be there:
  name         1 to 63 of a-z 0-9 . _ -
  org          organization that owns it
  description  free text
  tags         key=value;key=value, or a JSON object
  vpn_ip       empty: the next free address
  public_key   of a router that made its own key, or of a key that was shown once
  key_mode     stored, once or router; empty: keys.mode of the settings
  expires      30d, 2027-01-31 or 2027-01-31T18:00:00Z
  peer         enabled, disabled, or none for a location without keys; empty: enabled

With --update a column that the file does not have stays as it is, and an empty cell of org,
description, tags or expires takes the value away. Addresses and keys of peers are never changed.

Examples:
  iwas-wg location import fleet.csv --scripts-dir scripts
  iwas-wg location import fleet.csv --dry-run
  iwas-wg location export | sed s/vienna/graz/ | iwas-wg location import - --update")]
pub(super) struct Args {
    /// CSV with a header, or JSON; - is standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: String,
    /// Write NAME.rsc files into this directory
    #[arg(long, value_name = "DIR")]
    scripts_dir: Option<PathBuf>,
    /// Change what differs of locations that are there already
    #[arg(long)]
    update: bool,
    /// Check every row, say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let needs = [Permission::LocationWrite];
    let settings = batch::enter(ctx, "location import", &needs, args.scripts_dir.as_deref())?;
    let bytes = sheet::open(ctx, &args.file)?;
    let sheet = sheet::read(&bytes, ctx.now())?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let hub = store.hub()?;
    let occupied = Occupied::read_all(ctx, &settings, &store, &hub)?;
    let there = store.locations(&Scope::All)?.into_iter().map(|l| (l.name.clone(), l)).collect();
    let mut planner = Planner {
        settings: &settings,
        store: &store,
        occupied: &occupied,
        scope: &ctx.scope,
        args,
        there,
        lines: Lines::default(),
        now: ctx.now(),
        faults: sheet.faults,
    };
    let entries: Vec<Entry> = sheet.rows.into_iter().filter_map(|row| planner.row(row)).collect();
    refuse(planner.faults, sheet.count, &args.file)?;
    let requests: Vec<KeyRequest> = entries.iter().filter_map(|e| e.key).collect();
    if !requests.is_empty() {
        ctx.check_interface(&settings, &hub)?;
        endpoint(&settings)?;
    }
    // One look at each kind of request is enough.
    let kinds = [KeyMode::Stored, KeyMode::Once, KeyMode::Router];
    for kind in kinds.iter().filter_map(|mode| requests.iter().find(|k| k.mode == *mode)) {
        check_recipients(&settings, *kind)?;
    }
    let batch = Batch::plan(&store, occupied.pool().clone(), entries)?;
    let summary = Summary { action: "imported", dry_run: args.dry_run, entries: batch.entries() };
    let mut report = batch::sort(&summary, Vec::new());
    let (created, updated, same) = (report.created.len(), report.updated.len(), report.unchanged.len());
    let any_created = created > 0;
    let created = count(created, "location");
    if args.dry_run {
        for e in batch.entries().iter().filter(|e| e.is_changed()) {
            ctx.ui.say(&promise(e));
        }
        let said = format!("would add {created}, change {updated}, and leave {same} as they are");
        batch::tell(ctx, report, &said)?;
        return Ok(Outcome::Done);
    }
    let written = batch.carry_out(ctx, &settings, &mut store, &hub, args.scripts_dir.as_deref())?;
    let scripts = match &args.scripts_dir {
        Some(dir) => format!("; wrote {} to {}", count(written.scripts.len(), "script"), dir.display()),
        None if any_created => {
            "; \"iwas-wg script render --all --scripts-dir DIR\" writes their scripts".to_owned()
        }
        None => String::new(),
    };
    let said = format!("added {created}, changed {updated}, left {same} as they were{scripts}");
    report.scripts = written.scripts;
    let printed = batch::tell(ctx, report, &said);
    written.projected.and(printed).map(|()| Outcome::Done)
}

fn promise(e: &Entry) -> String {
    let (verb, name) = (if e.before.is_none() { "add" } else { "change" }, &e.after.name);
    match (e.after.vpn_ip, e.key) {
        (Some(ip), Some(key)) => format!("would {verb} {name} at {ip} (key mode {})", key.mode),
        (Some(ip), None) if e.before.is_none() => format!("would {verb} {name} at {ip} without a peer"),
        (None, _) if e.before.is_none() => format!("would {verb} {name} without a peer"),
        _ => format!("would {verb} {name}"),
    }
}

/// One error for all that is wrong with a file.
fn refuse(mut faults: Vec<Fault>, rows: usize, file: &str) -> Result<(), Error> {
    if faults.is_empty() {
        return Ok(());
    }
    faults.sort_by_key(|f| f.line);
    let bad = faults.iter().map(|f| f.line).collect::<BTreeSet<_>>().len();
    let kind = [Kind::Usage, Kind::Denied].into_iter().find(|k| faults.iter().any(|f| f.kind == *k));
    let place = if file == "-" { "standard input" } else { file };
    let mut e = Error::new(
        kind.unwrap_or(Kind::Conflict),
        format!("{bad} of {} of {place} cannot be imported; nothing was changed", count(rows, "row")),
    )
    .hint("correct these rows and import the file again");
    e.faults = faults;
    Err(e)
}

/// Which line of the file has what, so that no two have the same.
#[derive(Default)]
struct Lines {
    names: HashMap<LocationName, u64>,
    addresses: HashMap<Ipv4Addr, u64>,
    keys: HashMap<PublicKey, u64>,
}

/// Remembers a value, or says where it was before.
fn once<T: Eq + Hash>(seen: &mut HashMap<T, u64>, value: T, line: u64, what: &str) -> Result<(), Error> {
    match seen.entry(value) {
        hash_map::Entry::Vacant(entry) => {
            entry.insert(line);
            Ok(())
        }
        hash_map::Entry::Occupied(entry) => {
            let message = format!("{what} is also in line {}", entry.get());
            Err(Error::new(Kind::Usage, message).hint("each row has its own"))
        }
    }
}

/// Turns rows into what is to be done, against each other and the store.
struct Planner<'a> {
    settings: &'a Settings,
    store: &'a Store,
    occupied: &'a Occupied<'a>,
    scope: &'a Scope,
    args: &'a Args,
    there: HashMap<LocationName, Location>,
    lines: Lines,
    now: Timestamp,
    faults: Vec<Fault>,
}

impl Planner<'_> {
    fn row(&mut self, row: Row) -> Option<Entry> {
        let (line, name) = (row.line, row.name.clone());
        let before = self.there.remove(&name);
        let mut wrong = self.twice(&row);
        if row.org.as_ref().is_some_and(|org| org.is_some() && !self.scope.covers(org.as_ref())) {
            wrong.push(not_yours());
        }
        let planned = match before {
            // A name that is there twice was taken out by its first row.
            _ if !wrong.is_empty() => Err(Vec::new()),
            Some(before) => self.known(row, before),
            None => self.unknown(row),
        };
        let entry = planned.map_err(|e| wrong.extend(e)).ok();
        self.faults.extend(wrong.into_iter().map(|e| fault(line, Some(name.as_str()), e)));
        entry
    }

    /// What other rows have as well.
    fn twice(&mut self, row: &Row) -> Vec<Error> {
        let (line, lines) = (row.line, &mut self.lines);
        let name = format!("name {:?}", row.name.as_str());
        let mut wrong = vec![once(&mut lines.names, row.name.clone(), line, &name)];
        if let Some(ip) = row.vpn_ip {
            wrong.push(once(&mut lines.addresses, ip, line, &format!("address {ip}")));
        }
        if let Some(key) = row.public_key {
            wrong.push(once(&mut lines.keys, key, line, &format!("public key {key}")));
        }
        wrong.into_iter().filter_map(Result::err).collect()
    }

    /// A location that is not there yet.
    fn unknown(&self, row: Row) -> Result<Entry, Vec<Error>> {
        let mut wrong = Vec::new();
        // Who has one organization means it.
        let org = row.org.flatten().or_else(|| self.scope.only_org().and_then(|o| o.parse().ok()));
        if !self.scope.covers(org.as_ref()) {
            wrong.push(not_yours());
        }
        let key = match row.peer {
            Some(PeerWish::None) if row.public_key.is_some() => {
                let e = Error::new(Kind::Usage, "a public key does not go with peer \"none\"");
                wrong.push(e.hint("leave one of them empty"));
                None
            }
            Some(PeerWish::None) => None,
            Some(PeerWish::Enabled | PeerWish::Disabled) | None => {
                let default = self.settings.key_mode;
                self.key(row.key_mode, row.public_key, default).map_err(|e| wrong.push(e)).ok()
            }
        };
        // What has ended already can only be kept as it is.
        let expires = row.expires.flatten();
        let may_have_ended = row.peer.is_some_and(|p| p != PeerWish::Enabled);
        let past = expires.as_ref().filter(|_| !may_have_ended).and_then(|e| e.past.clone());
        wrong.extend(past.map(Error::from));
        if let Some(ip) = row.vpn_ip {
            let chosen = self.occupied.check(self.store, self.scope, ip, None);
            wrong.extend(
                chosen.err().map(|e| e.hint("choose another, or leave it empty for the next free one")),
            );
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mode = key.map_or(row.key_mode.unwrap_or(self.settings.key_mode), |k| k.mode);
        let after = Location {
            org,
            description: row.description.flatten(),
            tags: row.tags.unwrap_or_default(),
            vpn_ip: row.vpn_ip,
            enabled: row.peer != Some(PeerWish::Disabled),
            expires_at: expires.map(|e| e.at),
            ..Location::new(row.name, mode, self.now)
        };
        Ok(Entry { before: None, after, key })
    }

    /// A location that is there: the row says how it shall be, as far as that can be changed here.
    fn known(&self, row: Row, before: Location) -> Result<Entry, Vec<Error>> {
        let name = &before.name;
        let at = before.vpn_ip.map_or_else(String::new, |ip| format!(" ({ip})"));
        let exists =
            || Error::new(Kind::Conflict, format!("location {:?} already exists{at}", name.as_str()));
        if !self.scope.covers(before.org.as_ref()) {
            let e = Error::new(Kind::Conflict, format!("location name {:?} is taken", name.as_str()));
            return Err(vec![e.hint("choose another name")]);
        }
        if !self.args.update {
            return Err(vec![exists().hint("use --update to change what differs")]);
        }
        let mut wrong = Vec::new();
        let mut differs = |what: String, remedy: String| {
            wrong.push(
                Error::new(Kind::Conflict, format!("location {:?} {what}", name.as_str())).hint(remedy),
            );
        };
        let has_peer = before.public_key.is_some();
        let mut request = None;
        match (row.peer, row.public_key, before.public_key) {
            (_, Some(wanted), Some(is)) if wanted != is => {
                differs(
                    format!("has the public key {is}"),
                    format!("\"iwas-wg peer rotate {name}\" changes it"),
                );
            }
            (Some(PeerWish::None), _, Some(_)) => {
                differs("has a peer".into(), format!("\"iwas-wg peer revoke {name}\" takes it away"));
            }
            (None, Some(_), None) | (Some(PeerWish::Enabled), _, None) => request = Some(()),
            (Some(PeerWish::Disabled), _, None) => {
                differs("has no peer".into(), format!("\"iwas-wg peer provision {name}\" makes one"));
            }
            (Some(wish), _, Some(_)) if (wish == PeerWish::Enabled) != before.enabled => {
                let (is, verb) = if before.enabled { ("enabled", "disable") } else { ("disabled", "enable") };
                differs(
                    format!("has a peer that is {is}"),
                    format!("\"iwas-wg peer {verb} {name}\" changes it"),
                );
            }
            _ => {}
        }
        if let Some(mode) = row.key_mode.filter(|m| *m != before.key_mode && request.is_none()) {
            let remedy = if has_peer { "rotate" } else { "provision" };
            differs(
                format!("has the key mode {:?}", before.key_mode.as_str()),
                format!("\"iwas-wg peer {remedy} {name} --key-mode {mode}\" changes it"),
            );
        }
        let moves = row.vpn_ip.filter(|ip| before.vpn_ip != Some(*ip));
        if moves.is_some() && (request.is_none() || before.vpn_ip.is_some()) {
            let is = before.vpn_ip.map_or_else(|| "no address".to_owned(), |ip| format!("the address {ip}"));
            differs(format!("has {is}"), format!("\"iwas-wg peer move {name}\" changes it"));
        }
        let mut after = before.clone();
        if let Some(org) = row.org {
            after.org = org;
        }
        if !self.scope.covers(after.org.as_ref()) {
            wrong.push(not_yours());
        }
        if let Some(text) = row.description.filter(|t| t.is_some() || !is_blank(&before)) {
            after.description = text;
        }
        if let Some(tags) = row.tags {
            after.tags = tags;
        }
        if let Some(expires) = row.expires {
            let at = expires.as_ref().map(|e| e.at);
            wrong.extend(expires.filter(|_| at != before.expires_at).and_then(|e| e.past).map(Error::from));
            after.expires_at = at;
        }
        let mut key = None;
        if request.is_some() && wrong.is_empty() {
            match self.key(row.key_mode, row.public_key, before.key_mode) {
                Ok(KeyRequest { mode: KeyMode::Router, public_key: None, .. }) => {}
                Ok(request) => key = Some(request),
                Err(e) => wrong.push(e),
            }
            if let Some(ip) = moves {
                let chosen = self.occupied.check(self.store, self.scope, ip, None);
                wrong.extend(chosen.err());
                after.vpn_ip = Some(ip);
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        after.key_mode = key.map_or(before.key_mode, |k: KeyRequest| k.mode);
        if key.is_some() || after != before {
            after.updated_at = self.now;
        }
        Ok(Entry { before: Some(before), after, key })
    }

    /// The key that a row asks for.
    fn key(
        &self,
        mode: Option<KeyMode>,
        public_key: Option<PublicKey>,
        default: KeyMode,
    ) -> Result<KeyRequest, Error> {
        let mode = match (mode, public_key) {
            (Some(KeyMode::Stored), Some(_)) => {
                return Err(Error::new(Kind::Usage, "a public key does not go with the key mode \"stored\"")
                    .hint("leave public_key empty for a new key, or use the mode router or once"));
            }
            (Some(mode), _) => mode,
            (None, Some(_)) => KeyMode::Router,
            (None, None) => default,
        };
        let request = KeyRequest { mode, public_key, preshared: false };
        refuse_taken_key(self.store, self.scope, request)?;
        if mode == KeyMode::Once && public_key.is_none() && self.args.scripts_dir.is_none() {
            return Err(Error::new(Kind::Usage, "a key of the mode \"once\" is in the script alone")
                .hint("give a --scripts-dir for it"));
        }
        Ok(request)
    }
}

fn not_yours() -> Error {
    Error::new(Kind::Denied, "the organization is not one of yours").hint("put one of yours into org")
}

/// A cell cannot tell an empty text from none.
fn is_blank(l: &Location) -> bool {
    l.description.as_ref().is_none_or(|d| d.as_str().is_empty())
}
