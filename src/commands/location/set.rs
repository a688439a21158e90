//! `iwas-wg location set`.

use super::{parse_tags, report};
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        context::require,
        projection::{check_targets, project},
    },
    error::{Error, Kind},
    model::{
        Description, LocationName, NewOrg, Org,
        expiry::parse_expiry,
        location::check_tag_key,
        plan::{Plan, WantedPeer},
    },
    store::Edit,
};

/// Change what is said of a location; its key and address stay
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg location set cafe-central --org acme --tag city=graz
  iwas-wg location set cafe-central --untag city --no-description
  iwas-wg location set builders --expires 2027-01-31")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
    /// Organization that owns it
    #[arg(long, value_name = "O")]
    org: Option<String>,
    /// No organization
    #[arg(long, conflicts_with = "org")]
    no_org: bool,
    /// Free text
    #[arg(long, value_name = "T")]
    description: Option<String>,
    /// No text
    #[arg(long, conflicts_with = "description")]
    no_description: bool,
    /// Set this tag, keeping the others (can be repeated)
    #[arg(long = "tag", value_name = "K=V")]
    tags: Vec<String>,
    /// Remove this tag (can be repeated)
    #[arg(long = "untag", value_name = "K")]
    untags: Vec<String>,
    /// Disable the peer by itself at that time: 30d, 2027-01-31 or 2027-01-31T18:00:00Z
    #[arg(long, value_name = "T")]
    expires: Option<String>,
    /// Never disable the peer by itself
    #[arg(long, conflicts_with = "expires")]
    no_expires: bool,
    /// End what an adopted peer may speak for besides its own address
    #[arg(long, value_name = "WHAT")]
    allowed_ips: Option<AllowedIps>,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum AllowedIps {
    /// Its own address and nothing else
    VpnIpOnly,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let org: Option<Org> = args.org.as_deref().map(|o| o.parse().map(|NewOrg(o)| o)).transpose()?;
    let description: Option<Description> = args.description.as_deref().map(str::parse).transpose()?;
    let tags = parse_tags(&args.tags)?;
    for key in &args.untags {
        check_tag_key(key).map_err(|reason| {
            Error::new(Kind::Usage, format!("tag {key:?} {reason}"))
                .hint("name the key alone, such as --untag city")
        })?;
    }
    if let Some(both) = args.untags.iter().find(|k| tags.contains_key(*k)) {
        return Err(Error::new(Kind::Usage, format!("tag {both:?} is to be set and removed at once"))
            .hint("use either --tag or --untag"));
    }
    let asked = org.is_some() || args.no_org || description.is_some() || args.no_description;
    let asked = asked || args.allowed_ips.is_some() || args.expires.is_some() || args.no_expires;
    if !asked && tags.is_empty() && args.untags.is_empty() {
        return Err(Error::new(Kind::Usage, "there is nothing to set")
            .hint("see \"iwas-wg location set --help\" for what can be set"));
    }
    let now = ctx.now();
    let expires_at = args.expires.as_deref().map(|t| parse_expiry(t, now)).transpose()?;
    let settings = ctx.enter("location set", Permission::LocationWrite)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let before = require(&store, &ctx.scope, &name)?;

    let mut after = before.clone();
    // Out of the caller's reach is not where a location can be put.
    if args.no_org {
        ctx.require(Permission::LocationWrite, None)?;
    } else if let Some(org) = &org {
        ctx.require(Permission::LocationWrite, Some(org))?;
    }
    if args.no_org || org.is_some() {
        after.org = org;
    }
    if args.no_description || description.is_some() {
        after.description = description;
    }
    if args.no_expires || expires_at.is_some() {
        after.expires_at = expires_at;
    }
    after.tags.retain(|k, _| !args.untags.contains(k));
    after.tags.extend(tags);
    // The peer as it is now, if it is to be narrowed and is not narrow already.
    let peer = if args.allowed_ips.is_some() { store.wanted_peer(&name)? } else { None };
    let wide = peer.filter(|p| !p.wider.is_empty());
    if after == before && wide.is_none() {
        report(ctx, "unchanged", args.dry_run, &before, None, &format!("{name} is so already"))?;
        return Ok(Outcome::Done);
    }
    if wide.is_some() {
        check_targets(ctx, &settings, &store, &store.hub()?)?;
    }
    after.updated_at = now;
    if args.dry_run {
        report(ctx, "updated", true, &after, None, &format!("would change {name}"))?;
        return Ok(Outcome::Done);
    }
    let change = store.change()?;
    change.edit_location(&name, &Edit::between(&before, &after), after.updated_at)?;
    if wide.is_some() {
        change.set_wider_allowed(&name, &[])?;
    }
    change.commit(&ctx.deed(Some(&after)))?;
    if let Some(peer) = wide {
        let narrow = WantedPeer { wider: Vec::new(), ..peer };
        let difference = Plan { set_peers: vec![narrow], ..Plan::default() };
        let projected = project(ctx, &settings, &store, &difference);
        let printed = report(ctx, "updated", false, &after, None, &format!("changed {name}"));
        return projected.and(printed).map(|()| Outcome::Done);
    }
    report(ctx, "updated", false, &after, None, &format!("changed {name}"))?;
    Ok(Outcome::Done)
}
