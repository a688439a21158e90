//! `iwas-wg inventory`: the fleet for Ansible, `/etc/hosts` and ssh.

use super::{Context, Outcome, context::require, filter::Filter};
use crate::{
    access::Permission,
    error::{Error, Kind},
    fsx,
    model::{Location, LocationName, State},
    output::json::{Inventory, state_of},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::OnceLock,
};

/// Print the fleet for Ansible, for /etc/hosts or for ssh, as of the last heartbeat
///
/// Locations that have a peer, each with its VPN address. For Ansible they are in the groups org_ORG,
/// tag_KEY_VALUE and their state (online, offline, never, disabled), with every character that
/// a group cannot have as an underscore. A location whose name has a meaning of its own there (all,
/// localhost, org_..., an address, a name with a dot such as github.com) is called iwas-wg-NAME. What --list and --host print is Ansible's form, without
/// the schema_version of other commands.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg inventory --list
  iwas-wg inventory --host cafe-central
  iwas-wg inventory --format hosts > fleet.hosts
  iwas-wg inventory --format ssh-config --user admin > ~/.ssh/iwas-wg.conf")]
#[command(group = clap::ArgGroup::new("what").required(true).args(["list", "host", "format"]))]
pub struct Args {
    /// All hosts and groups, for Ansible
    #[arg(long)]
    list: bool,
    /// The variables of one host, for Ansible
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// For another program than Ansible
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// User to log in as: ansible_user, or User in ssh-config
    #[arg(long, value_name = "U")]
    user: Option<String>,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines of /etc/hosts
    Hosts,
    /// Host blocks of ssh_config(5)
    SshConfig,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let fits = args.filter.compile()?;
    let host: Option<LocationName> = args.host.as_deref().map(|name| inside(name).parse()).transpose()?;
    let user = args.user.as_deref();
    // It becomes a word of other programs' configuration.
    if user.is_some_and(|u| !u.chars().all(|c| c.is_alphanumeric() || "._-@+".contains(c)) || u.is_empty()) {
        return Err(Error::new(
            Kind::Usage,
            format!("user {:?} is not a user name", user.unwrap_or_default()),
        )
        .hint("use letters, digits and . _ - @ +"));
    }
    let settings = ctx.enter("inventory", Permission::LocationRead)?;
    let store = Context::store_to_read(&settings)?;
    if let Some(name) = host {
        let location = require(&store, &ctx.scope, &name)?;
        ctx.ui.json(&Inventory::variables(&location, user))?;
        return Ok(Outcome::Done);
    }
    let mut all = store.locations(&ctx.scope)?;
    args.filter.refuse_unknown_org(&all)?;
    all.retain(|l| fits(l) && l.public_key.is_some());
    match args.format {
        None => ctx.ui.json(&inventory(&all, user))?,
        Some(Format::Hosts) => ctx.ui.data(&hosts(&all))?,
        Some(Format::SshConfig) => ctx.ui.data(&ssh_config(&all, user))?,
    }
    Ok(Outcome::Done)
}

fn inventory(all: &[Location], user: Option<&str>) -> Inventory {
    let mut inventory = Inventory::default();
    // Two orgs whose names differ in what a group cannot have must not share one.
    let mut named: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for org in all.iter().filter_map(|l| l.org.as_ref()) {
        named.entry(group_name(org.as_str())).or_default().insert(org.as_str());
    }
    let org_group = |org: &str| match named.get(&group_name(org)) {
        Some(orgs) if orgs.len() > 1 && group_name(org) != org => format!("org_{}", distinct(org)),
        _ => format!("org_{}", group_name(org)),
    };
    for l in all {
        inventory.add(&outside(l.name.as_str()), l, user, groups(l, &org_group));
    }
    inventory
}

/// The groups of a location, each once.
fn groups(l: &Location, org_group: &dyn Fn(&str) -> String) -> Vec<String> {
    let org = l.org.iter().map(|o| org_group(o.as_str()));
    let tags = l.tags.iter().map(|(key, value)| group_name(&format!("tag_{key}_{value}")));
    let mut groups: Vec<String> = org.chain(tags).collect();
    groups.push(state_of(l).as_str().to_owned());
    groups.sort();
    groups.dedup();
    groups
}

/// Ansible's groups are identifiers.
fn group_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// A group's name that is no other text's.
fn distinct(text: &str) -> String {
    let spelled = |c: char| {
        if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:x}_", u32::from(c)) }
    };
    text.chars().map(spelled).collect()
}

/// What names with a meaning of their own begin with outside.
const PREFIX: &str = "iwas-wg-";

/// A location's name where other programs read it: with a prefix if it means something there.
fn outside(name: &str) -> Cow<'_, str> {
    if is_meaningful(name) { format!("{PREFIX}{name}").into() } else { name.into() }
}

/// The location that is called so outside.
fn inside(name: &str) -> &str {
    name.strip_prefix(PREFIX).filter(|inner| is_meaningful(inner)).unwrap_or(name)
}

/// Whether a name means something to Ansible, to ssh or to who looks hosts up: a group, this
/// machine, a number that is an address, or a host of another domain. Whoever may add locations
/// for one org must not get at the hosts of another by their names.
fn is_meaningful(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "all",
        "ungrouped",
        "localhost",
        "ip6-localhost",
        "ip6-loopback",
        "ip6-localnet",
        "ip6-mcastprefix",
        "ip6-allnodes",
        "ip6-allrouters",
        "broadcasthost",
        "gateway",
        "wpad",
    ];
    let is_number = name.starts_with("0x") || name.bytes().all(|b| b.is_ascii_digit());
    WORDS.contains(&name)
        || State::ALL.iter().any(|s| s.as_str() == name)
        || [PREFIX, "org_", "tag_"].iter().any(|prefix| name.starts_with(prefix))
        || name.contains('.')
        || is_number
        || own_name().as_deref() == Some(name)
}

/// What this machine is called.
fn own_name() -> Option<String> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    let read = || fsx::read(Path::new("/proc/sys/kernel/hostname")).ok().flatten();
    NAME.get_or_init(|| Some(String::from_utf8(read()?).ok()?.trim().to_lowercase())).clone()
}

fn hosts(all: &[Location]) -> String {
    all.iter()
        .filter_map(|l| Some(format!("{}\t{}\n", l.vpn_ip?, outside(l.name.as_str()))))
        .collect::<Vec<_>>()
        .concat()
}

fn ssh_config(all: &[Location], user: Option<&str>) -> String {
    let user = user.map_or_else(String::new, |u| format!("  User {u}\n"));
    let block =
        |l: &Location| Some(format!("Host {}\n  HostName {}\n{user}", outside(l.name.as_str()), l.vpn_ip?));
    all.iter().filter_map(block).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_means_something_outside_gets_a_prefix_and_is_found_by_it() {
        for name in [
            "all",
            "ungrouped",
            "localhost",
            "online",
            "offline",
            "never",
            "disabled",
            "org_umbrella",
            "tag_city_wien",
            "github.com",
            "deb.debian.org",
            "10.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "iwas-wg-all",
            "iwas-wg-cafe",
            "localhost.",
        ] {
            assert_eq!(outside(name), format!("iwas-wg-{name}"));
            assert_eq!(inside(&outside(name)), name);
        }
        for name in ["cafe", "shop-12", "1st", "alle", "org", "tags", "a_b"] {
            assert_eq!((outside(name).as_ref(), inside(name)), (name, name));
        }
        // Not a location's own name outside.
        assert_eq!(inside("all"), "all");
        assert_ne!(distinct("a b"), distinct("a-b"));
    }

    #[test]
    fn group_names_are_identifiers() {
        assert_eq!(group_name("org_Käff & Söhne"), "org_K_ff___S_hne");
        assert_eq!(group_name("tag_city_vienna"), "tag_city_vienna");
        assert_eq!(group_name("tag_a.b-c_"), "tag_a_b_c_");
    }
}
