//! The caller of a command: what they reach, what is refused to them, and the record of it.
//!
//! A person behind root (sudo, doas) whom the settings do not make an admin of the whole hub must
//! not use root's hands for more than their grants. Where the hub is, is not theirs to say, and
//! files they name are read and written with their own rights.

use super::Context;
use crate::{
    access::{self, Permission},
    error::{Error, Kind},
    fsx,
    model::{Deed, Ending, Location, LocationName, Org, Scope},
    settings::{Places, Settings},
    store::Store,
    vault::Opener,
};
use std::{collections::BTreeMap, path::Path};
use zeroize::Zeroizing;

/// How the names of our own variables begin.
const OWN_VARIABLES: &str = "IWAS_WG_";

impl Context<'_> {
    /// The record of this call, to be committed with what it changes.
    pub fn deed(&self, location: Option<&Location>) -> Deed {
        Deed {
            at: self.now(),
            caller: self.env.caller.clone(),
            action: self.action,
            location: location.map(|l| l.name.to_string()),
            org: location.and_then(|l| l.org.as_ref()).map(|o| o.as_str().to_owned()),
            ending: Ending::Done,
            copy_to: self.rules.syslog.clone(),
        }
    }

    /// Records a call that changed something elsewhere than in the store, or shows keys: before
    /// they are shown.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn record(&self, settings: &Settings, locations: &[&Location]) -> Result<(), Error> {
        let mut store = Self::store(settings)?;
        let change = store.change()?;
        for location in locations {
            change.record(&self.deed(Some(location)))?;
        }
        Ok(change.commit_records()?)
    }

    /// Takes from a person behind root, who is no admin of the whole hub, the say in where the hub
    /// is: variables are passed over, flags are refused. Must come before anything is read. Without
    /// settings at the hub's usual place nothing says what the person may do as root, and that is
    /// then nothing, but for `init`, which makes the settings there.
    ///
    /// # Errors
    /// [`Kind::Denied`] for such a flag or without settings, [`Kind::BadState`] if the settings
    /// cannot be read or trusted.
    pub(super) fn restrict(&mut self, makes_hub: bool) -> Result<(), Error> {
        if !self.env.is_root || self.env.caller.is_root() || self.fixed.is_some() {
            return Ok(());
        }
        let none = BTreeMap::new();
        let home = Places::new(self.env.hub_root.as_deref(), None, None, &none, true);
        if home.config.symlink_metadata().is_err() {
            self.env.vars.retain(|name, _| !name.starts_with(OWN_VARIABLES));
            self.env.devices.distrust_environment();
            self.refuse_places("a hub that others may use through sudo or doas is at its usual place")?;
            return if makes_hub { Ok(()) } else { Err(self.without_settings(&home)) };
        }
        if let Err(e) = fsx::trusted(&home.config) {
            let message = format!(
                "{} decides who may do what, and others than root can change it",
                home.config.display()
            );
            return Err(Error { message, ..e.into() });
        }
        let rules = Settings::load(home.clone(), &none)?.access;
        if !rules.closed {
            return Ok(());
        }
        // An admin of the hub may well start a program, but not one of their own.
        self.env.devices.distrust_environment();
        if access::scope(&rules, &self.env.caller, Permission::HubAdmin).is_ok() {
            return Ok(());
        }
        self.env.vars.retain(|name, _| !name.starts_with(OWN_VARIABLES));
        self.rules = rules;
        self.fixed = Some(home);
        self.refuse_places("leave it out; it takes net:hub:admin for the whole hub")
    }

    /// Refuses the flags that say where the hub is.
    fn refuse_places(&self, hint: &str) -> Result<(), Error> {
        let given = &self.global;
        let elsewhere = given.root.is_some() && given.root != self.env.hub_root;
        let flags = [
            ("--config", given.config.is_some()),
            ("--database", given.database.is_some()),
            ("--root", elsewhere),
        ];
        match flags.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => {
                let user = &self.env.caller.user;
                Err(Error::new(Kind::Denied, format!("{flag} is not for user {user:?}")).hint(hint))
            }
        }
    }

    /// Refuses a user without root's rights who has no hub where root has one: they mean that one,
    /// and would begin a second hub in their home directory.
    ///
    /// # Errors
    /// [`Kind::Denied`] then.
    pub(super) fn refuse_second_hub(&self, places: &Places) -> Result<(), Error> {
        let mut vars = self.env.vars.clone();
        vars.retain(|name, _| !name.starts_with(OWN_VARIABLES));
        let own = Places::new(None, None, None, &vars, false);
        if self.env.is_root || places.config != own.config {
            return Ok(());
        }
        let roots = Places::new(self.env.hub_root.as_deref(), None, None, &BTreeMap::new(), true);
        let is_there = |path: &Path| match path.symlink_metadata() {
            Ok(_) => true,
            Err(e) => e.kind() == std::io::ErrorKind::PermissionDenied,
        };
        if is_there(&places.config) || !is_there(&roots.config) {
            return Ok(());
        }
        let message = format!("the hub here is root's ({})", roots.config.display());
        Err(Error::new(Kind::Denied, message).hint("use sudo, or name a hub of your own with --root"))
    }

    fn without_settings(&self, home: &Places) -> Error {
        let (config, user) = (home.config.display(), &self.env.caller.user);
        let message = format!("there are no settings at {config} that say what user {user:?} may do as root");
        Error::new(Kind::Denied, message).hint("run \"iwas-wg init\" as root first")
    }

    /// Begins a command that works without settings, or before there are any; `init` is the one that
    /// makes them.
    ///
    /// # Errors
    /// [`Kind::Denied`] if there is a hub and the caller is not its admin.
    pub(super) fn enter_hub(&mut self, action: &'static str) -> Result<(), Error> {
        self.action = action;
        self.restrict(action == "init")?;
        self.refuse_second_hub(&self.places())?;
        if self.fixed.is_some() {
            access::scope(&self.rules, &self.env.caller, Permission::HubAdmin)?;
        }
        Ok(())
    }

    /// Requires one more permission wherever the command reaches.
    ///
    /// # Errors
    /// [`Kind::Denied`] if the caller has it nowhere.
    pub(super) fn narrow(&mut self, permission: Permission) -> Result<(), Error> {
        let reach = access::scope(&self.rules, &self.env.caller, permission)?;
        self.scope = self.scope.within(&reach);
        Ok(())
    }

    /// Whether the caller has one more permission on locations of this owner.
    pub(super) fn may(&self, permission: Permission, org: Option<&Org>) -> bool {
        self.require(permission, org).is_ok()
    }

    /// Requires one more permission on locations of this owner.
    ///
    /// # Errors
    /// [`Kind::Denied`] without it.
    pub(super) fn require(&self, permission: Permission, org: Option<&Org>) -> Result<(), Error> {
        Ok(access::require(&self.rules, &self.env.caller, permission, org)?)
    }

    /// The owner of a location that is written: as given, or the caller's only one.
    ///
    /// # Errors
    /// [`Kind::Denied`] for an owner out of reach, [`Kind::Usage`] if it must be said.
    pub(super) fn owner(&self, given: Option<Org>, permission: Permission) -> Result<Option<Org>, Error> {
        match (given, &self.scope) {
            (given, Scope::All) => Ok(given),
            (Some(org), _) => {
                self.require(permission, Some(&org))?;
                Ok(Some(org))
            }
            (None, scope) => match scope.only_org() {
                Some(org) => Ok(Some(org.parse()?)),
                None => Err(Error::new(Kind::Usage, "there are several orgs that it could belong to")
                    .hint("name one of yours with --org")),
            },
        }
    }

    /// Reads or writes a file that the caller names: with their own rights, if they are not root's.
    ///
    /// # Errors
    /// [`Kind::Failed`] if their rights cannot be had; else what `work` returns.
    pub fn on_behalf<T, E: Into<Error>>(
        &self,
        path: &Path,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, Error> {
        if self.fixed.is_none() {
            return work().map_err(Into::into);
        }
        fsx::with_rights_of(&self.env.caller, path, work)?.map_err(|e| {
            let error: Error = e.into();
            let is_theirs = error.kind == Kind::Denied;
            if is_theirs { error.hint("it is read and written with your own rights") } else { error }
        })
    }

    /// The identity that opens sealed keys; asks for its passphrase where somebody can be asked.
    ///
    /// # Errors
    /// Those of [`Opener::from_file`].
    pub(super) fn opener(&self, settings: &Settings) -> Result<Opener, Error> {
        let ask = self.env.ask_secret;
        let mut answer = |prompt: &str| -> Option<Zeroizing<String>> { ask(prompt).ok() };
        Ok(Opener::ask(&settings.identity, if self.can_ask() { Some(&mut answer) } else { None })?)
    }

    /// The last word on a refusal: it goes on record, and a location that the caller may see but
    /// not use is denied instead of not there. Nothing here can fail the call once more.
    pub fn refused(&mut self, asked: &[String], e: Error) -> Error {
        let hidden = e.kind == Kind::NotFound && !self.scope.is_all();
        // Root is refused nothing: there it was a file or a key that said no.
        if self.env.caller.is_root() || !(hidden || e.kind == Kind::Denied) || self.action.is_empty() {
            return e;
        }
        let places = self.places();
        let Ok(mut store) = Store::open_to_read(&places.database) else {
            return e;
        };
        let asked: Vec<LocationName> = asked.iter().filter_map(|name| name.parse().ok()).collect();
        let there = asked.iter().filter_map(|name| store.location(name).ok().flatten());
        let mut there = there.filter(|l| !hidden || !self.scope.covers(l.org.as_ref()));
        let location = there.next();
        if hidden && location.is_none() {
            return e;
        }
        let mut deed = Deed { ending: Ending::Denied, ..self.deed(location.as_ref()) };
        if deed.location.is_none() {
            deed.location = asked.first().map(ToString::to_string);
        }
        // A store that cannot be written must not turn a refusal into something else.
        let _ = store.record(&deed);
        match location {
            Some(l) if hidden && self.may(Permission::LocationRead, l.org.as_ref()) => {
                let owner = l.org.as_ref().map_or("no org".to_owned(), |o| format!("org {:?}", o.as_str()));
                let message = format!(
                    "location {:?} belongs to {owner}, where this is not yours to do",
                    l.name.as_str()
                );
                Error::new(Kind::Denied, message).hint("\"iwas-wg access whoami\" shows what is")
            }
            _ => e,
        }
    }
}
