//! `iwas-wg access`: who somebody is to this hub, and why they may or may not.

use super::{Context, Outcome};
use crate::{
    access::{self, Permission},
    error::{Error, Kind},
    model::{Caller, Org, Scope, deed::Decision},
    output::json::{Check, Envelope, Right, Whoami},
};

/// Explain who may do what
///
/// [access] in the settings grants roles to users and groups, for the whole hub or for one org.
/// Without grants everybody who gets as far as running the program may do everything.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg access whoami
  iwas-wg access check anna net:router:script --org acme")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Whoami(WhoamiArgs),
    Check(CheckArgs),
}

/// Say who you are to this hub and what you may do
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  sudo iwas-wg access whoami
  sudo iwas-wg --json access whoami | jq '.permissions[] | select(.granted)'")]
struct WhoamiArgs {}

/// Say whether a user has a permission, and why
///
/// Exit 0 if so, 7 if not. Others than yourself take net:hub:admin.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Permissions:
  net:location:read   see locations, states and history
  net:location:write  add, change and remove locations
  net:peer:write      provision, rotate, disable and reset peers
  net:router:script   see private and preshared keys, scripts included
  net:hub:admin       the hub itself: init, up, down, sync, backup, restore, prune
  net:audit:read      read the record of who did what

Examples:
  iwas-wg access check anna net:router:script --org acme
  iwas-wg access check bob net:hub:admin || echo no")]
struct CheckArgs {
    /// User name
    #[arg(value_name = "USER")]
    user: String,
    /// Permission
    #[arg(value_name = "PERMISSION")]
    permission: String,
    /// On the locations of this organization
    #[arg(long, value_name = "O")]
    org: Option<String>,
}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    match args.verb {
        Verb::Whoami(WhoamiArgs {}) => whoami(ctx),
        Verb::Check(args) => check(&args, ctx),
    }
}

fn whoami(ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    ctx.settings()?;
    let caller = ctx.env.caller.clone();
    let decisions = Permission::ALL.map(|p| access::decide(&ctx.rules, &caller, p));
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(Whoami::new(&caller, decisions.into())))?;
        return Ok(Outcome::Done);
    }
    let via = caller.via.map_or_else(String::new, |via| format!(", through {via}"));
    let groups = caller.groups.join(", ");
    ctx.ui.data(&format!("{} (uid {}{via}), in the groups {groups}\n", caller.user, caller.uid))?;
    for d in decisions {
        ctx.ui.data(&format!("{:<18} {:<14} {}\n", d.permission.as_str(), reach(&d), d.because))?;
    }
    Ok(Outcome::Done)
}

fn reach(d: &Decision) -> String {
    match &d.scope {
        None => "no".to_owned(),
        Some(Scope::All) => "everywhere".to_owned(),
        Some(Scope::Orgs(orgs)) => orgs.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}

fn check(args: &CheckArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let permission: Permission = args.permission.parse()?;
    let org: Option<Org> = args.org.as_deref().map(str::parse).transpose()?;
    ctx.action = "access check";
    ctx.settings()?;
    let asked: Caller = if args.user == ctx.env.caller.user {
        ctx.env.caller.clone()
    } else {
        // What others may do says which orgs there are.
        access::scope(&ctx.rules, &ctx.env.caller, Permission::HubAdmin)?;
        (ctx.env.find_user)(&args.user).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("this machine has no user {:?}", args.user))
                .hint("\"getent passwd\" shows all")
        })?
    };
    let decision = access::decide(&ctx.rules, &asked, permission);
    let allowed = match (&decision.scope, &org) {
        (None, _) => false,
        (Some(scope), Some(org)) => scope.covers(Some(org)),
        (Some(_), None) => true,
    };
    let on = org.as_ref().map_or_else(String::new, |o| format!(" on locations of {:?}", o.as_str()));
    let answer = if allowed { "yes" } else { "no" };
    let name = permission.as_str();
    let text = format!("{answer}: {} {} {name}{on}: {}\n", asked.user, verb(allowed), decision.because);
    if ctx.ui.is_json() {
        let org = org.as_ref().map(Org::as_str);
        ctx.ui.json(&Envelope::new(Check {
            user: &asked.user,
            org,
            allowed,
            right: Right::from(decision),
        }))?;
    } else {
        ctx.ui.data(&text)?;
    }
    Ok(if allowed { Outcome::Done } else { Outcome::Forbidden })
}

fn verb(allowed: bool) -> &'static str {
    if allowed { "has" } else { "lacks" }
}
