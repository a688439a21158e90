//! `iwas-wg location edit`: what is said of a location, in an editor.

use super::report;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        context::{require, unforeseen},
    },
    error::{Error, Kind},
    fsx::{self, Draft},
    model::{
        Description, Location, LocationName, NewOrg, Org, Tags,
        expiry::parse_expiry,
        location::{check_tag_key, parse_tag},
    },
    output::json::time,
    store::Edit,
};
use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, process::Command};

/// Edit what is said of a location in $VISUAL or $EDITOR
///
/// The editor shows org, description, expires and tags as TOML. What cannot be right is told when it is
/// left, and can be edited again; nothing is changed until all of it is right. Only for callers who
/// administer the whole hub, since an editor can do anything; others use "location set".
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg location edit cafe-central")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
}

/// What the editor shows; an empty text is none.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Form {
    org: String,
    description: String,
    expires: String,
    tags: BTreeMap<String, String>,
}

/// The same as values.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    org: Option<Org>,
    description: Option<Description>,
    expires_at: Option<Timestamp>,
    tags: Tags,
}

impl Said {
    fn of(l: &Location) -> Self {
        Self {
            org: l.org.clone(),
            description: l.description.clone(),
            expires_at: l.expires_at,
            tags: l.tags.clone(),
        }
    }

    fn form(&self) -> Form {
        Form {
            org: self.org.as_ref().map_or_else(String::new, |o| o.as_str().to_owned()),
            description: self.description.as_ref().map_or_else(String::new, |d| d.as_str().to_owned()),
            expires: self.expires_at.map(time).unwrap_or_default(),
            tags: self.tags.clone(),
        }
    }

    /// Reads a form back. An end that was there before may be over.
    fn parse(text: &str, was: &Self, now: Timestamp) -> Result<Self, Error> {
        let form: Form = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            Error::new(Kind::Usage, format!("line {line}: {}", e.message()))
                .hint("write KEY = \"text\", and the tags below [tags]")
        })?;
        for (key, value) in &form.tags {
            check_tag_key(key).map_err(|reason| {
                Error::new(Kind::Usage, format!("tag {key:?} {reason}")).hint("use A-Z a-z 0-9 . _ -")
            })?;
            parse_tag(&format!("{key}={value}"))?;
        }
        let expires_at = match form.expires.as_str() {
            "" => None,
            text if text == was.form().expires => was.expires_at,
            text => Some(parse_expiry(text, now)?),
        };
        let text = |s: String| Some(s).filter(|s| !s.is_empty());
        Ok(Self {
            org: if form.org == was.form().org {
                was.org.clone()
            } else {
                text(form.org).map(|s| s.parse().map(|NewOrg(o)| o)).transpose()?
            },
            description: text(form.description).map(|s| s.parse()).transpose()?,
            expires_at,
            tags: form.tags,
        })
    }
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let settings = ctx.enter("location edit", Permission::LocationWrite)?;
    // The editor runs with our rights and opens whatever it is told to.
    if !ctx.scope.is_all() || !ctx.may(Permission::HubAdmin, None) {
        return Err(Error::new(Kind::Denied, "an editor would have all rights on this hub")
            .hint(format!("use \"iwas-wg location set {name}\"")));
    }
    let t = ctx.env.terminal;
    if ctx.global.no_input || ctx.global.json || !(t.stdin && t.stdout) {
        return Err(Error::new(Kind::Usage, "there is no terminal to edit on")
            .hint(format!("use \"iwas-wg location set {name}\"")));
    }
    let before = require(&Context::store_to_read(&settings)?, &ctx.scope, &name)?;
    let Some(said) = edit(ctx, &before)? else {
        report(ctx, "unchanged", false, &before, None, &format!("{name} is as it was"))?;
        return Ok(Outcome::Done);
    };

    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    // Nobody was kept waiting while somebody thought about a description.
    let now = require(&store, &ctx.scope, &name)?;
    if Said::of(&now) != Said::of(&before) {
        return Err(Error::new(Kind::Conflict, format!("{name} was changed while you edited it"))
            .hint("look at it with \"iwas-wg location show\" and edit it again"));
    }
    let updated_at = ctx.now();
    let after = Location {
        org: said.org,
        description: said.description,
        expires_at: said.expires_at,
        tags: said.tags,
        updated_at,
        ..now.clone()
    };
    let change = store.change()?;
    change.edit_location(&name, &Edit::between(&now, &after), after.updated_at)?;
    change.commit(&ctx.deed(Some(&after)))?;
    report(ctx, "updated", false, &after, None, &format!("changed {name}"))?;
    Ok(Outcome::Done)
}

/// Lets the person edit until it is right or they give up; `None` if nothing differs.
fn edit(ctx: &mut Context<'_>, before: &Location) -> Result<Option<Said>, Error> {
    let was = Said::of(before);
    let form = toml::to_string(&was.form()).context("cannot write the form").map_err(unforeseen)?;
    let name = &before.name;
    let head = format!("# {name}: change, save, and leave the editor. An empty text is none.\n");
    let temporary = ctx.env.vars.get("TMPDIR").map_or("/tmp", String::as_str);
    let draft = Draft::begin(&Path::new(temporary).join(format!("{name}.toml")))?;
    fsx::replace(draft.path(), (head + &form).as_bytes(), 0o600)?;
    loop {
        start_editor(ctx, draft.path())?;
        let bytes = fsx::read(draft.path())?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        match Said::parse(&text, &was, ctx.now()) {
            // A form cannot tell an empty description from none.
            Ok(said) if said.form() == was.form() => return Ok(None),
            Ok(said) => return Ok(Some(said)),
            Err(e) => {
                ctx.ui.warn(&format!("{}; {}", e.message, e.hint.as_deref().unwrap_or_default()));
                // Enter must not throw away what was typed.
                if !ctx.ui.confirm_again(&mut *ctx.env.stdin, "edit it again?") {
                    return Err(e);
                }
            }
        }
    }
}

fn start_editor(ctx: &Context<'_>, path: &Path) -> Result<(), Error> {
    let chosen = |name: &str| ctx.env.vars.get(name).filter(|v| !v.trim().is_empty());
    let editor = chosen("VISUAL").or_else(|| chosen("EDITOR")).map_or("vi", String::as_str);
    let failed = |why: String| {
        Error::new(Kind::Failed, format!("the editor {editor:?} {why}; nothing was changed"))
            .hint("name one in VISUAL or EDITOR")
    };
    // By the shell, as everywhere: the variable may hold arguments.
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("{editor} \"$1\"")).arg("iwas-wg").arg(path);
    let status = command.status().map_err(|e| failed(format!("did not start: {}", fsx::reason(&e))))?;
    if status.success() { Ok(()) } else { Err(failed(format!("ended with {status}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_reads_back_as_it_was_written() {
        let said = Said {
            org: Some("K & S \"GmbH\"".parse().expect("org")),
            description: Some("two\nlines\twith ''' and \"\"\"".parse().expect("text")),
            expires_at: Timestamp::from_second(1_900_000_000).ok(),
            tags: Tags::from([("a.b".into(), "c=d;e".into()), ("empty".into(), String::new())]),
        };
        let text = toml::to_string(&said.form()).expect("form");
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(Said::parse(&text, &said, now), Ok(said.clone()));
        assert_eq!(Said::parse("", &said, now).map(|s| s.form()), Ok(Form::default()));
        let bad = ["org = 5", "colour = \"red\"", "org = ", "org = \" acme\"", "expires = \"soon\""];
        for text in bad.into_iter().chain(["[tags]\n\"a b\" = \"c\""]) {
            assert!(Said::parse(text, &said, now).is_err(), "{text:?} was accepted");
        }
    }
}
