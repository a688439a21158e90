//! `iwas-wg location add`: the whole of onboarding.

use super::{parse_tags, report};
use crate::commands::out::Out;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        occupied::Occupied,
        projection::project_added,
        provisioning::{
            KeyRequest, SCRIPT_KEPT, ScriptKeys, check_recipients, endpoint, install_script, lost_key,
            parse_address, prepare, refuse_taken_key, require_reader, shows_script,
        },
    },
    error::{Error, Kind},
    model::{
        Description, KeyMode, Location, LocationName, NewOrg, Org, Tags, expiry::parse_expiry, plan::Extras,
    },
    wgconf::ConfPeerWanted,
};
use std::net::Ipv4Addr;

/// Add a location, make its keys, and print its router's script
///
/// Takes the next free address, commits to the store, programs the interface, writes the conf,
/// and prints the script: the script alone on standard output, all else on standard error. If the
/// interface or conf cannot be brought in line, the location is there all the same, the script is
/// printed, and the exit code is 9.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg location add cafe-central -o cafe-central.rsc
  iwas-wg location add shop-12 --org acme --tag city=vienna --vpn-ip 10.0.0.12 -o shop-12.rsc
  iwas-wg location add tower-3 --key-mode once -o tower-3.rsc
  iwas-wg location add builders --expires 30d -o builders.rsc
  iwas-wg location add kiosk --no-provision
  iwas-wg --json location add cafe-central --if-not-exists")]
pub(super) struct Args {
    /// Name: 1 to 63 of a-z 0-9 . _ -
    #[arg(value_name = "NAME")]
    name: String,
    /// Organization that owns it
    #[arg(long, value_name = "O")]
    org: Option<String>,
    /// Free text
    #[arg(long, value_name = "T")]
    description: Option<String>,
    /// VPN address instead of the next free one
    #[arg(long, value_name = "A")]
    vpn_ip: Option<String>,
    /// Tag (can be repeated)
    #[arg(long = "tag", value_name = "K=V")]
    tags: Vec<String>,
    /// Where the private key lives: stored, once or router
    #[arg(long, value_name = "M")]
    key_mode: Option<String>,
    /// The router's own public key
    #[arg(long, value_name = "K", conflicts_with = "no_provision")]
    public_key: Option<String>,
    /// Give the pair a preshared key as well, even where keys.preshared does not
    #[arg(long, conflicts_with = "no_provision")]
    preshared: bool,
    /// Disable the peer by itself at that time: 30d, 2027-01-31 or 2027-01-31T18:00:00Z
    #[arg(long, value_name = "T")]
    expires: Option<String>,
    /// Make no keys yet; "peer provision" does it later
    #[arg(long)]
    no_provision: bool,
    /// Exit 0 if it is there as asked for
    #[arg(long)]
    if_not_exists: bool,
    #[command(flatten)]
    out: Out,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// The arguments as values.
struct Wish {
    name: LocationName,
    org: Option<Org>,
    description: Option<Description>,
    tags: Tags,
    vpn_ip: Option<Ipv4Addr>,
}

impl Wish {
    fn parse(args: &Args) -> Result<Self, Error> {
        Ok(Self {
            name: args.name.parse()?,
            org: args.org.as_deref().map(|o| o.parse().map(|NewOrg(o)| o)).transpose()?,
            description: args.description.as_deref().map(str::parse).transpose()?,
            tags: parse_tags(&args.tags)?,
            vpn_ip: args.vpn_ip.as_deref().map(parse_address).transpose()?,
        })
    }

    /// What of an existing location is not as wished, in words.
    fn differences(&self, l: &Location, key: &KeyRequest, args: &Args) -> Vec<String> {
        let mut all = Vec::new();
        let mut note = |what: &str, is: String| all.push(format!("{what} is {is}"));
        if self.org.is_some() && self.org != l.org {
            note("org", l.org.as_ref().map_or("none".into(), |o| format!("{:?}", o.as_str())));
        }
        if self.description.is_some() && self.description != l.description {
            note(
                "description",
                l.description.as_ref().map_or("none".into(), |d| format!("{:?}", d.as_str())),
            );
        }
        for (k, v) in &self.tags {
            if l.tags.get(k) != Some(v) {
                note(&format!("tag {k}"), l.tags.get(k).map_or("none".into(), |v| format!("{v:?}")));
            }
        }
        if self.vpn_ip.is_some() && self.vpn_ip != l.vpn_ip {
            note("address", l.vpn_ip.map_or("none".into(), |a| a.to_string()));
        }
        if args.key_mode.is_some() && key.mode != l.key_mode {
            note("key mode", l.key_mode.to_string());
        }
        if key.public_key.is_some() && key.public_key != l.public_key {
            note("public key", l.public_key.map_or("none".into(), |k| k.to_string()));
        }
        all
    }
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let mut wish = Wish::parse(args)?;
    let settings = ctx.enter("location add", Permission::LocationWrite)?;
    args.out.begin(ctx)?;
    let key =
        KeyRequest::from_flags(args.key_mode.as_deref(), args.public_key.as_deref(), settings.key_mode)?
            .with_preshared(args.preshared);
    let now = ctx.now();
    let expires_at = args.expires.as_deref().map(|t| parse_expiry(t, now)).transpose()?;
    wish.org = ctx.owner(wish.org.take(), Permission::LocationWrite)?;
    let mut shows = false;
    if !args.no_provision {
        ctx.require(Permission::PeerWrite, wish.org.as_ref())?;
        shows = shows_script(ctx, wish.org.as_ref(), key)?;
    }
    if !args.no_provision {
        require_reader(ctx, key)?;
    }
    let lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let name = &wish.name;

    if let Some(existing) = store.location(name)? {
        if !ctx.scope.covers(existing.org.as_ref()) {
            return Err(Error::new(Kind::Conflict, format!("location name {:?} is taken", name.as_str()))
                .hint("choose another name"));
        }
        return there_already(args, ctx, &wish, &key, &existing);
    }
    let hub = store.hub()?;
    if !args.no_provision {
        ctx.check_interface(&settings, &hub)?;
        endpoint(&settings)?;
        refuse_taken_key(&store, &ctx.scope, key)?;
    }
    let mut occupied = Occupied::read(&settings, &store, &hub)?;
    // A location without a peer has no address, unless one was chosen for it.
    let wants_address = !args.no_provision || wish.vpn_ip.is_some();
    let vpn_ip = if wants_address { Some(occupied.choose(ctx, &store, wish.vpn_ip, None)?) } else { None };
    if !args.no_provision {
        check_recipients(&settings, key)?;
    }
    let mut location = Location {
        expires_at,
        org: wish.org.clone(),
        description: wish.description.clone(),
        tags: wish.tags.clone(),
        vpn_ip,
        ..Location::new(name.clone(), key.mode, now)
    };
    let place = vpn_ip.map_or_else(|| "without a peer".to_owned(), |ip| format!("at {ip}"));
    if args.dry_run {
        let said = format!("would add {name} {place} (key mode {})", key.mode);
        report(ctx, "created", true, &location, None, &said)?;
        return Ok(Outcome::Done);
    }

    // Everything that can fail comes before the commit: the key, its sealing, the script.
    let prepared = if args.no_provision { None } else { prepare(ctx, &settings, &store, key)? };
    if let Some(prepared) = &prepared {
        location.public_key = Some(prepared.public_key);
        location.key_created_at = Some(now);
        location.preshared = prepared.keys.preshared.is_some();
    }
    let script = match vpn_ip {
        Some(ip) if !args.no_provision => {
            let none = ScriptKeys::default();
            let keys = prepared.as_ref().map_or(&none, |p| &p.keys);
            Some(install_script(&settings, &hub, &location, ip, keys)?)
        }
        _ => None,
    };

    let change = store.change()?;
    if let Some(ip) = vpn_ip {
        if wish.vpn_ip.is_some() {
            change.take_address(ip)?;
        } else {
            // The lock keeps others out, so this is the address that the script names.
            let taken = change.take_next_address(occupied.pool())?;
            if taken != ip {
                return Err(Error::new(Kind::Busy, format!("address {ip} was taken at the same moment"))
                    .hint("try again"));
            }
        }
    }
    change.insert_location(&location)?;
    let (mut added, mut extras) = (None, Extras::new());
    if let (Some(peer), Some(ip)) = (&prepared, vpn_ip) {
        change.insert_peer(name, ip, &peer.new_peer(), now)?;
        added = Some(ConfPeerWanted { name: name.clone(), peer: peer.wanted(ip) });
        extras = peer.extras();
    }
    change.commit(&ctx.deed(Some(&location)))?;

    let projected = match added {
        Some(added) => project_added(ctx, &settings, &store, &[added], extras),
        None => Ok(()),
    };
    let said = match &prepared {
        Some(_) => format!("added {name} {place}"),
        None if key.mode == KeyMode::Router && !args.no_provision => format!(
            "added {name} {place}; its router makes the key and prints the command that brings it here"
        ),
        None => format!("added {name} {place}; \"iwas-wg peer provision {name}\" makes its keys"),
    };
    let said = if shows || script.is_none() { said } else { said + SCRIPT_KEPT };
    let script = script.filter(|_| shows);
    if shows && prepared.as_ref().is_some_and(|p| p.keys.is_secret()) {
        ctx.warn_if_public();
    }
    drop(lock);
    // The script may hold the only copy of a key: it is printed even if the rest is not in line.
    let printed = report(ctx, "created", false, &location, script.as_ref().map(|s| s.as_str()), &said)
        .and_then(|()| ctx.ui.flush())
        .map_err(|e| lost_key(e, &location));
    projected.and(printed).map(|()| Outcome::Done)
}

fn there_already(
    args: &Args,
    ctx: &mut Context<'_>,
    wish: &Wish,
    key: &KeyRequest,
    existing: &Location,
) -> Result<Outcome, Error> {
    let name = &wish.name;
    let at = existing.vpn_ip.map_or_else(String::new, |ip| format!(" ({ip})"));
    let conflict = |reason: String| {
        Error::new(Kind::Conflict, format!("location {:?} already exists{at}{reason}", name.as_str()))
    };
    if !args.if_not_exists {
        return Err(
            conflict(String::new()).hint(format!("use --if-not-exists, or \"iwas-wg location set {name}\""))
        );
    }
    let differences = wish.differences(existing, key, args);
    if !differences.is_empty() {
        return Err(conflict(format!(", but {}", differences.join(", ")))
            .hint(format!(
                "\"iwas-wg location set {name}\" changes org, description and tags; for the rest remove and add it"
            )));
    }
    report(ctx, "unchanged", args.dry_run, existing, None, &format!("{name} is there already{at}"))?;
    Ok(Outcome::Done)
}
