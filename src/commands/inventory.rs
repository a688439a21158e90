//! `iwas-wg inventory`: the fleet for Ansible, `/etc/hosts` and ssh.

use super::{Context, Outcome, context::require, filter::Filter};
use crate::{
    access::Permission,
    error::{Error, Kind},
    model::{Location, LocationName},
    output::json::{Inventory, state_of},
};

/// Print the fleet for Ansible, for /etc/hosts or for ssh, as of the last heartbeat
///
/// Locations that have a peer, each with its VPN address. For Ansible they are in the groups org_ORG,
/// tag_KEY_VALUE and their state (online, offline, never, disabled), with every character that
/// a group cannot have as an underscore. What --list and --host print is Ansible's form, without
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
    let host: Option<LocationName> = args.host.as_deref().map(str::parse).transpose()?;
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
    for l in all {
        inventory.add(l, user, groups(l));
    }
    inventory
}

/// The groups of a location, each once.
fn groups(l: &Location) -> Vec<String> {
    let org = l.org.iter().map(|o| format!("org_{}", o.as_str()));
    let tags = l.tags.iter().map(|(key, value)| format!("tag_{key}_{value}"));
    let mut groups: Vec<String> = org.chain(tags).map(|g| group_name(&g)).collect();
    groups.push(state_of(l).as_str().to_owned());
    groups.sort();
    groups.dedup();
    groups
}

/// Ansible's groups are identifiers.
fn group_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn hosts(all: &[Location]) -> String {
    all.iter().filter_map(|l| Some(format!("{}\t{}\n", l.vpn_ip?, l.name))).collect::<Vec<_>>().concat()
}

fn ssh_config(all: &[Location], user: Option<&str>) -> String {
    let user = user.map_or_else(String::new, |u| format!("  User {u}\n"));
    let block = |l: &Location| Some(format!("Host {}\n  HostName {}\n{user}", l.name, l.vpn_ip?));
    all.iter().filter_map(block).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_names_are_identifiers() {
        assert_eq!(group_name("org_Käff & Söhne"), "org_K_ff___S_hne");
        assert_eq!(group_name("tag_city_vienna"), "tag_city_vienna");
        assert_eq!(group_name("tag_a.b-c_"), "tag_a_b_c_");
    }
}
