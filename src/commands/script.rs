//! `iwas-wg script`: what the router is given.

use super::{
    Context, Outcome,
    context::{no_peer, require},
    provisioning::{ScriptKeys, rotate_script, site},
    unsealing::Vault,
};
use crate::commands::out::Out;
use crate::model::text::count;
use crate::{
    access::Permission,
    error::{Error, Kind},
    fsx,
    model::{KeyMode, Location, LocationName, PrivateKey, Rotation},
    output::json::{AllScriptsReport, Envelope, ScriptReport, ScriptsReport},
    script::{
        Kind as ScriptKind, file_name, reach_of, render, render_template, render_wg_quick, script_name,
    },
    settings::Settings,
    store::Hub,
};
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Render what a router is configured with
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg script render cafe-central -o cafe-central.rsc
  iwas-wg script render --all --scripts-dir scripts")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Render(RenderArgs),
}

/// Print the script of a location, or write those of all
///
/// The install and rotate scripts hold the router's private key, unless it makes its own. They
/// need the identity that opens stored keys; a key that was shown once cannot be shown again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Kinds:
  install  make the router a peer, or bring it in line; safe to run again
  rotate   give the router the stored key without losing it if that key does not work;
           a router that makes its own keys makes its next one and prints the command for the hub
  remove   take away what install made
  check    look at the tunnel, and change nothing

Examples:
  iwas-wg script render cafe-central -o cafe-central.rsc
  iwas-wg script render cafe-central --kind check
  iwas-wg script render cafe-central --format json
  iwas-wg script render laptop --format wg-quick -o laptop.conf
  iwas-wg script render --all --scripts-dir scripts")]
struct RenderArgs {
    /// The location
    #[arg(value_name = "NAME")]
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// Every location that has a peer or whose router is to make its key
    #[arg(long)]
    all: bool,
    /// Write NAME.rsc files into this directory instead of standard output
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    scripts_dir: Option<PathBuf>,
    /// With --all: print every script, with every private key in it
    #[arg(long, requires = "all", conflicts_with = "scripts_dir")]
    stdout: bool,
    #[command(flatten)]
    out: Out,
    /// What the script does: install, rotate, remove or check
    #[arg(long, value_name = "KIND", default_value = "install")]
    kind: String,
    /// Language of the output
    #[arg(long, value_name = "FORMAT", default_value = "routeros")]
    format: Format,
    /// Append this file, with its placeholders filled in
    ///
    /// A placeholder such as {{name}} stands outside of quotes and becomes a RouterOS string. What is
    /// added with comment={{comment}} belongs to the script: install may take it away before these
    /// lines add it again, and remove takes it away for good.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A script for /import
    Routeros,
    /// A file for wg-quick(8)
    WgQuick,
    /// One JSON object
    Json,
}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let Verb::Render(args) = args.verb;
    let kind: ScriptKind = args.kind.parse()?;
    let name: Option<LocationName> = args.name.as_deref().map(str::parse).transpose()?;
    if args.template.is_some() && args.format != Format::Routeros {
        return Err(Error::new(Kind::Usage, "--template goes with RouterOS scripts only")
            .hint("leave out --format, or --template"));
    }
    if args.format == Format::WgQuick && kind != ScriptKind::Install {
        return Err(Error::new(Kind::Usage, format!("there is no {kind} file for wg-quick"))
            .hint("leave out --kind, or --format"));
    }
    let is_shown = args.stdout || args.out.file.is_some() || is_json(ctx, args.format);
    if args.all && args.scripts_dir.is_none() && !is_shown {
        return Err(Error::new(Kind::Usage, "--all would print the private key of every router")
            .hint("write files with --scripts-dir DIR, or say --stdout"));
    }
    let settings = ctx.enter("script render", Permission::RouterScript)?;
    args.out.begin(ctx)?;
    let store = Context::store_to_read(&settings)?;
    let template = match args.template.as_deref() {
        Some(path) => Some(ctx.on_behalf(path, || {
            // Its lines become commands of every router.
            fsx::trusted_for(ctx.env.caller.uid, path)?;
            read_template(path)
        })?),
        None => None,
    };
    let renderer = Renderer {
        hub: store.hub()?,
        vault: Vault::new(&settings, &store),
        settings: &settings,
        kind,
        template,
    };
    match (name, &args.scripts_dir) {
        (Some(name), dir) => {
            let location = require(&store, &ctx.scope, &name)?;
            address(&location)?;
            match dir {
                None => one(ctx, &renderer, &location, args.format),
                Some(dir) => write(ctx, &renderer, &[location], dir, args.format),
            }
        }
        (None, dir) => {
            let mut locations = store.locations(&ctx.scope)?;
            locations.retain(|l| address(l).is_ok());
            match dir {
                None => all(ctx, &renderer, &locations, args.format),
                Some(dir) => write(ctx, &renderer, &locations, dir, args.format),
            }
        }
    }
}

fn read_template(path: &Path) -> Result<String, Error> {
    let unreadable = |why: &str| {
        Error::new(Kind::Usage, format!("template {} {why}", path.display()))
            .hint("name a text file of RouterOS commands")
    };
    let bytes = fsx::read(path)?.ok_or_else(|| unreadable("does not exist"))?;
    String::from_utf8(bytes).map_err(|_| unreadable("is not UTF-8 text"))
}

fn one(
    ctx: &mut Context<'_>,
    r: &Renderer<'_>,
    location: &Location,
    format: Format,
) -> Result<Outcome, Error> {
    if is_json(ctx, format) {
        r.check_identity(ctx, std::slice::from_ref(location))?;
        let keys = r.keys_for_json(location)?;
        let report = r.report(location, &keys)?;
        r.record(ctx, std::slice::from_ref(location))?;
        if report.holds_secret() {
            ctx.warn_if_public();
        }
        ctx.ui.json(&Envelope::new(report))?;
        return Ok(Outcome::Done);
    }
    r.check_identity(ctx, std::slice::from_ref(location))?;
    let text = r.text(location, &r.keys(location)?, format)?;
    r.record(ctx, std::slice::from_ref(location))?;
    if text.is_secret {
        ctx.warn_if_public();
    }
    ctx.ui.data(&text.text)?;
    Ok(Outcome::Done)
}

/// A wg-quick file stays one even where all else is JSON.
fn is_json(ctx: &Context<'_>, format: Format) -> bool {
    format == Format::Json || (ctx.ui.is_json() && format == Format::Routeros)
}

/// Prints every script; each names its location in its first line. In JSON all are in one object.
fn all(
    ctx: &mut Context<'_>,
    r: &Renderer<'_>,
    locations: &[Location],
    format: Format,
) -> Result<Outcome, Error> {
    r.check_identity(ctx, locations)?;
    r.record(ctx, locations)?;
    if is_json(ctx, format) {
        let keys = locations.iter().map(|l| r.keys_for_json(l)).collect::<Result<Vec<_>, _>>()?;
        let scripts =
            locations.iter().zip(&keys).map(|(l, keys)| r.report(l, keys)).collect::<Result<Vec<_>, _>>()?;
        if scripts.iter().any(ScriptReport::holds_secret) {
            ctx.warn_if_public();
        }
        ctx.ui.json(&Envelope::new(AllScriptsReport { scripts }))?;
        return Ok(Outcome::Done);
    }
    let mut has_warned = false;
    for location in locations {
        if r.is_lost(location) {
            ctx.ui.warn(&lost(location));
            continue;
        }
        let text = r.text(location, &r.keys(location)?, format)?;
        if text.is_secret && !has_warned {
            ctx.warn_if_public();
            has_warned = true;
        }
        ctx.ui.data(&text.text)?;
    }
    Ok(Outcome::Done)
}

/// Why a location has no script.
fn lost(location: &Location) -> String {
    format!("{}: its private key was shown once and is not stored; no script was written", location.name)
}

/// Writes a file for each of these locations, 0600 in a 0700 directory.
fn write(
    ctx: &mut Context<'_>,
    r: &Renderer<'_>,
    locations: &[Location],
    dir: &Path,
    format: Format,
) -> Result<Outcome, Error> {
    let ending = match format {
        Format::Routeros => "rsc",
        Format::WgQuick => "conf",
        Format::Json => {
            return Err(Error::new(Kind::Usage, "--scripts-dir takes scripts, not JSON")
                .hint("leave out --format json; --json tells what was written"));
        }
    };
    r.check_identity(ctx, locations)?;
    ctx.on_behalf(dir, || fsx::create_dir(dir, 0o700))?;
    r.record(ctx, locations)?;
    let progress = ctx.ui.progress("rendering", locations.len() as u64);
    let (mut written, mut skipped) = (Vec::new(), Vec::new());
    for l in locations {
        if r.is_lost(l) {
            skipped.push(l);
        } else {
            let name = match format {
                Format::Routeros => script_name(l.name.as_str(), r.kind),
                _ => file_name(l.name.as_str(), ending),
            };
            let path = dir.join(name);
            let text = r.text(l, &r.keys(l)?, format)?.text;
            ctx.on_behalf(&path, || fsx::put(&path, text.as_bytes(), 0o600))?;
            written.push(path.display().to_string());
        }
        progress.step();
    }
    drop(progress);
    if ctx.ui.is_json() {
        let skipped = skipped.iter().map(|l| l.name.to_string()).collect();
        ctx.ui.json(&Envelope::new(ScriptsReport { written, skipped }))?;
    } else {
        ctx.ui.say(&format!("wrote {} to {}", count(written.len(), "script"), dir.display()));
        for location in skipped {
            ctx.ui.warn(&lost(location));
        }
    }
    Ok(Outcome::Done)
}

/// What every script of one call has in common.
struct Renderer<'a> {
    settings: &'a Settings,
    hub: Hub,
    vault: Vault<'a>,
    kind: ScriptKind,
    template: Option<String>,
}

/// A rendered script.
struct Rendered {
    text: Zeroizing<String>,
    /// Whether it holds a private or preshared key.
    is_secret: bool,
}

impl Renderer<'_> {
    fn needs_key(&self) -> bool {
        matches!(self.kind, ScriptKind::Install | ScriptKind::Rotate)
    }

    /// The next key, if this is about that one.
    fn next<'l>(&self, l: &'l Location) -> Option<&'l Rotation> {
        l.rotation.as_ref().filter(|_| self.kind == ScriptKind::Rotate)
    }

    fn key_mode(&self, l: &Location) -> KeyMode {
        self.next(l).map_or(l.key_mode, |next| next.key_mode)
    }

    /// Whether the script needs a key that nobody has any more.
    fn is_lost(&self, l: &Location) -> bool {
        self.needs_key() && self.key_mode(l) == KeyMode::Once
    }

    /// Reads the identity before the first script, where one of them needs it.
    fn check_identity(&self, ctx: &Context<'_>, locations: &[Location]) -> Result<(), Error> {
        let stored = locations.iter().any(|l| self.key_mode(l) == KeyMode::Stored);
        if self.needs_key() && stored { self.vault.check_identity(ctx) } else { Ok(()) }
    }

    /// Puts on record that the caller gets the scripts with the keys of these, before they do.
    fn record(&self, ctx: &Context<'_>, locations: &[Location]) -> Result<(), Error> {
        let shown: Vec<&Location> =
            locations.iter().filter(|l| self.needs_key() && !self.is_lost(l)).collect();
        if shown.is_empty() { Ok(()) } else { ctx.record(self.settings, &shown) }
    }

    /// The keys that a script needs.
    fn keys(&self, l: &Location) -> Result<ScriptKeys, Error> {
        address(l)?;
        match self.next(l) {
            Some(next) => self.vault.next_keys(l, next),
            None => self.vault.keys(l, self.needs_key()),
        }
    }

    fn text(&self, l: &Location, keys: &ScriptKeys, format: Format) -> Result<Rendered, Error> {
        let site = site(self.settings, &self.hub, l, address(l)?, keys)?;
        let is_secret = site.holds_secret(self.kind);
        if format == Format::WgQuick {
            return Ok(Rendered { text: render_wg_quick(&site), is_secret });
        }
        let script = match self.next(l) {
            Some(next) => rotate_script(self.settings, &self.hub, l, site.vpn_ip, next, keys)?,
            None => render(&site, self.kind),
        };
        let Some(template) = &self.template else {
            return Ok(Rendered { text: script, is_secret });
        };
        let own = render_template(&site, template)?;
        let mut both = Zeroizing::new(String::with_capacity(script.len() + own.len()));
        both.push_str(&script);
        both.push_str(&own);
        Ok(Rendered { text: both, is_secret })
    }

    /// JSON has a place for "not here"; a script without its key would be none.
    fn keys_for_json(&self, l: &Location) -> Result<JsonKeys, Error> {
        address(l)?;
        let keys = self.vault.keys(l, self.needs_key() && l.key_mode != KeyMode::Once)?;
        Ok(JsonKeys { private: keys.private.as_ref().map(PrivateKey::expose), all: keys })
    }

    fn report<'b>(&'b self, l: &'b Location, keys: &'b JsonKeys) -> Result<ScriptReport<'b>, Error> {
        let site = site(self.settings, &self.hub, l, address(l)?, &keys.all)?;
        let (allowed, prefix_length) = reach_of(&site);
        Ok(ScriptReport {
            name: l.name.as_str(),
            vpn_ip: site.vpn_ip,
            prefix_length,
            private_key: keys.private.as_ref().map(|k| k.as_str()),
            preshared_key: site.preshared_key,
            server_public_key: self.hub.public_key.to_string(),
            endpoint_address: site.endpoint_host,
            endpoint_port: site.endpoint_port,
            allowed_address: allowed.iter().map(ToString::to_string).collect(),
            persistent_keepalive_seconds: site.options.keepalive,
        })
    }
}

/// Keys of a script, the private one in base64 as well.
struct JsonKeys {
    private: Option<Zeroizing<String>>,
    all: ScriptKeys,
}

/// The address that a script gives to a router that has a peer, or is to make its key: the next
/// one, while it is being moved.
fn address(l: &Location) -> Result<Ipv4Addr, Error> {
    let known = l.public_key.is_some() || l.key_mode == KeyMode::Router;
    let next = l.moving.as_ref().map(|m| m.vpn_ip);
    next.or(l.vpn_ip).filter(|_| known).ok_or_else(|| no_peer(l))
}
