//! Which argument takes which values.
//!
//! Arguments are known by their names, as people know them: what is called `--org` takes an
//! organization in every command, also in one that is yet to be written.

use crate::{
    access::Permission,
    commands::Context,
    model::{KeyMode, Location, Org, State},
    script::Kind,
    settings::Backend,
};
use clap::ValueHint;
use clap_complete::{ArgValueCandidates, CompletionCandidate as Candidate};
use std::{collections::BTreeSet, sync::Arc};

/// What can be offered to the caller.
pub(super) struct Known {
    /// The locations that the caller may see; none if anything is in the way.
    fleet: Arc<[Location]>,
    /// Root's eyes see the name of every file, and are not lent to whoever may not use them.
    hides_files: bool,
}

impl Known {
    pub(super) fn read(ctx: &mut Context<'_>) -> Self {
        let settings = ctx.enter("completions", Permission::LocationRead).ok();
        let is_lent = ctx.env.is_root && !ctx.env.caller.is_root();
        let hides_files = is_lent && (settings.is_none() || !ctx.may(Permission::HubAdmin, None));
        let store = settings.and_then(|s| Context::store_to_read(&s).ok());
        let fleet = store.and_then(|s| s.locations(&ctx.scope).ok()).unwrap_or_default().into();
        Self { fleet, hides_files }
    }

    /// The command and all below it with candidates for their arguments. `path` is the command in
    /// words, without the program's name.
    pub(super) fn attach(&self, command: clap::Command, path: &str) -> clap::Command {
        let is_new = path == "location add";
        command.mut_args(|arg| self.complete(arg, is_new)).mut_subcommands(|sub| {
            let path = format!("{path} {}", sub.get_name());
            self.attach(sub, path.trim_start())
        })
    }

    fn complete(&self, arg: clap::Arg, is_new: bool) -> clap::Arg {
        let from = |list: fn(&[Location]) -> Vec<Candidate>| {
            let fleet = Arc::clone(&self.fleet);
            ArgValueCandidates::new(move || list(&fleet))
        };
        let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        let candidates = match (arg.get_long(), value.as_deref()) {
            (Some("org"), _) => from(orgs),
            (Some("tag"), _) => from(tags),
            (Some("untag"), _) => from(tag_keys),
            (Some("state"), _) => ArgValueCandidates::new(|| words(&State::ALL.map(State::as_str))),
            (Some("key-mode"), _) => ArgValueCandidates::new(|| words(&KeyMode::ALL.map(KeyMode::as_str))),
            (Some("kind"), _) => ArgValueCandidates::new(|| words(&Kind::ALL.map(Kind::as_str))),
            (Some("backend"), _) => ArgValueCandidates::new(|| words(&Backend::ALL.map(Backend::as_str))),
            (_, Some("PERMISSION")) => {
                ArgValueCandidates::new(|| words(&Permission::ALL.map(Permission::as_str)))
            }
            (_, Some("NAME" | "OLD")) if !is_new => from(names),
            _ if self.hides_files && arg.get_value_hint() != ValueHint::Unknown => {
                return arg.value_hint(ValueHint::Other);
            }
            _ => return arg,
        };
        arg.add(candidates)
    }
}

fn words(all: &[&'static str]) -> Vec<Candidate> {
    all.iter().map(Candidate::new).collect()
}

/// Names with their address.
fn names(fleet: &[Location]) -> Vec<Candidate> {
    let address = |l: &Location| l.vpn_ip.map(|a| a.to_string().into());
    fleet.iter().map(|l| Candidate::new(l.name.as_str()).help(address(l))).collect()
}

fn orgs(fleet: &[Location]) -> Vec<Candidate> {
    let all: BTreeSet<&str> = fleet.iter().filter_map(|l| l.org.as_ref().map(Org::as_str)).collect();
    all.into_iter().map(Candidate::new).collect()
}

fn tags(fleet: &[Location]) -> Vec<Candidate> {
    let all: BTreeSet<_> = fleet.iter().flat_map(|l| &l.tags).collect();
    all.into_iter().map(|(k, v)| Candidate::new(format!("{k}={v}"))).collect()
}

fn tag_keys(fleet: &[Location]) -> Vec<Candidate> {
    let all: BTreeSet<_> = fleet.iter().flat_map(|l| l.tags.keys()).collect();
    all.into_iter().map(Candidate::new).collect()
}
