//! What every command works with: the outside world, the streams and the global flags.

use super::hub_address;
use crate::model::text::closest;
use crate::{
    access::{self, Permission},
    device::{Carrier, Device, DeviceError, OwnedDevice},
    env::{Env, signals::NoStops},
    error::{Error, Kind},
    fsx::Lock,
    model::{
        ClockReading, InterfaceName, Location, LocationName, PresharedKey, PrivateKey, PublicKey, Rules,
        Scope, Verdict,
    },
    output::{Color, Held, Style, Ui},
    settings::{Backend, Places, Settings},
    store::{Hub, Store, StoreError},
};
use anyhow::Context as _;
use jiff::Timestamp;
use std::{cell::Cell, path::PathBuf, rc::Rc, time::Duration};
use zeroize::Zeroizing;

/// Flags that every command takes, before or after its name.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Keep all files below this directory
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Settings file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Store file
    #[arg(long, global = true, value_name = "FILE")]
    pub database: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Say only results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say each step (can be repeated)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Never ask on the terminal
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Wait this many seconds for another iwas-wg
    #[arg(long, global = true, value_name = "S", default_value_t = 5)]
    pub lock_timeout: u64,
}

/// `--color`.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Global {
    /// How the run talks.
    pub fn style(&self) -> Style {
        let color = match self.color {
            ColorChoice::Auto => Color::Auto,
            ColorChoice::Always => Color::Always,
            ColorChoice::Never => Color::Never,
        };
        Style { json: self.json, quiet: self.quiet, verbose: self.verbose, color }
    }
}

/// The lock, and what goes with it: whoever has it waits for no person and no reader, and cannot be
/// stopped from a terminal. What is written meanwhile comes out after it is given back.
#[derive(Debug)]
pub struct Locked {
    // Dropped in this order.
    _lock: Lock,
    _held: Held,
    _no_stops: NoStops,
}

/// The world of one command.
#[derive(Debug)]
pub struct Context<'a> {
    /// The outside.
    pub env: &'a mut Env,
    /// The streams.
    pub ui: Ui,
    /// The global flags.
    pub global: Global,
    /// The command line's definition: handed down, since a command must not know the room above.
    pub definition: fn() -> clap::Command,
    /// The command in words, once it has begun: `location add`.
    pub action: &'static str,
    /// The part of the fleet that the caller may use this command on.
    pub scope: Scope,
    /// Who may do what, once the settings are read.
    pub(super) rules: Rules,
    /// Whether anybody may read the file that the results go to, where they go to one.
    pub(super) is_public_file: Option<Rc<Cell<bool>>>,
    /// Where the hub is for a person behind root who may not say so.
    pub(super) fixed: Option<Places>,
}

impl<'a> Context<'a> {
    /// The world of a command that has not begun.
    pub fn new(env: &'a mut Env, ui: Ui, global: Global, definition: fn() -> clap::Command) -> Self {
        Self {
            env,
            ui,
            global,
            definition,
            action: "",
            scope: Scope::All,
            rules: Rules::default(),
            is_public_file: None,
            fixed: None,
        }
    }

    /// The present moment in whole seconds, as the store keeps it.
    pub fn now(&self) -> Timestamp {
        let now = self.env.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// What the clock says, and the clock beside it that cannot be set.
    pub(super) fn clock(&self) -> ClockReading {
        ClockReading { at: self.now(), boot: self.env.clock.boot() }
    }

    /// Whether the clock can be believed. While it cannot, nothing ends that only the clock says.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn judge_clock(&self, store: &Store) -> Result<Verdict, Error> {
        Ok(store.clock()?.judge(&self.clock()))
    }

    /// From now on a wish to end is in `env.stop`, and ends nothing by itself.
    ///
    /// # Errors
    /// [`Kind::Failed`] if the system refuses.
    pub fn hold_signals(&self) -> Result<(), Error> {
        self.env.stop.hold().context("cannot listen to signals").map_err(unforeseen)
    }

    /// Where things are.
    pub fn places(&self) -> Places {
        if let Some(fixed) = &self.fixed {
            return fixed.clone();
        }
        let g = &self.global;
        Places::new(
            g.root.as_deref(),
            g.config.as_deref(),
            g.database.as_deref(),
            &self.env.vars,
            self.env.is_root,
        )
    }

    /// Begins a command: reads the settings and asks whether the caller has the permission. What
    /// of the fleet it reaches stands in [`Context::scope`] from then on.
    ///
    /// # Errors
    /// [`Kind::BadState`] if the settings are missing or wrong, [`Kind::Usage`] for a wrong
    /// variable, [`Kind::Denied`] without the permission.
    pub fn enter(&mut self, action: &'static str, needs: Permission) -> Result<Settings, Error> {
        self.action = action;
        let settings = self.settings()?;
        self.scope = access::scope(&self.rules, &self.env.caller, needs)?;
        Ok(settings)
    }

    /// The settings, from where the caller may take them.
    ///
    /// # Errors
    /// As [`Context::enter`].
    pub fn settings(&mut self) -> Result<Settings, Error> {
        self.restrict(false)?;
        let places = self.places();
        self.refuse_second_hub(&places)?;
        let settings = Settings::load(places, &self.env.vars)?;
        self.rules = settings.access.clone();
        Ok(settings)
    }

    /// The right to change things; waits up to `--lock-timeout`.
    ///
    /// # Errors
    /// [`Kind::Busy`] after that, [`Kind::BadState`] without a store.
    pub fn lock(&mut self, settings: &Settings) -> Result<Locked, Error> {
        there(settings)?;
        self.lock_place(settings)
    }

    /// The same where there may be no store yet.
    ///
    /// # Errors
    /// [`Kind::Busy`].
    pub(super) fn lock_place(&mut self, settings: &Settings) -> Result<Locked, Error> {
        let timeout = Duration::from_secs(self.global.lock_timeout);
        let who = format!("{}, since {}", self.action, self.now());
        let no_stops = NoStops::begin();
        let ui = &mut self.ui;
        let lock = Lock::acquire(&settings.places.lock(), timeout, &who, &mut |holder| {
            ui.say(&format!("iwas-wg: waiting for another iwas-wg ({holder})"));
        })?;
        Ok(Locked { _lock: lock, _held: self.ui.hold(), _no_stops: no_stops })
    }

    /// The store, for a change. The caller holds the lock.
    ///
    /// # Errors
    /// Those of [`Store::open`], naming the file.
    pub fn store(settings: &Settings) -> Result<Store, Error> {
        let store = Store::open(&settings.places.database);
        let known = store.and_then(|store| hub_address::remember(settings, &store).map(|()| store));
        known.map_err(|e| at(settings, e))
    }

    /// Says of an unusable hub where its store is damaged, if that is the reason.
    pub(super) fn locate_damage(&self, e: Error) -> Error {
        // Who is behind root may not choose the file.
        if self.env.caller.via.is_some() {
            return e;
        }
        let database = self.places().database;
        match Store::damage_at(&database) {
            Some(damage) => {
                let damage = Error::from(damage);
                let message = format!("{}: {}", database.display(), damage.message);
                Error { message, ..damage }
            }
            None => e,
        }
    }

    /// The store, for reading.
    ///
    /// # Errors
    /// Those of [`Store::open_to_read`], naming the file.
    pub fn store_to_read(settings: &Settings) -> Result<Store, Error> {
        Store::open_to_read(&settings.places.database).map_err(|e| at(settings, e))
    }

    /// The hub's interface, which is neither read nor changed while it is another's; `None` with the
    /// backend `none`.
    pub fn device(&self, settings: &Settings, hub: &Hub) -> Option<OwnedDevice> {
        self.device_of(settings.backend, &settings.interface, hub.public_key)
    }

    /// The same for a hub that has no settings yet.
    pub fn device_of(&self, backend: Backend, name: &InterfaceName, hub: PublicKey) -> Option<OwnedDevice> {
        Some(OwnedDevice::new(self.any_device(backend, name)?, name, hub))
    }

    /// Who carries an interface on this machine, or would; `None` with the backend `none`.
    pub fn carrier(&self, settings: &Settings) -> Option<Result<String, DeviceError>> {
        Some(self.any_device(settings.backend, &settings.interface)?.carrier())
    }

    /// The private key that an interface has, whoever's it is: for the hub that it becomes.
    ///
    /// # Errors
    /// Those of the device.
    pub(super) fn key_on(
        &self,
        backend: Backend,
        name: &InterfaceName,
    ) -> Result<Option<PrivateKey>, DeviceError> {
        self.any_device(backend, name).map_or(Ok(None), |mut device| device.private_key())
    }

    fn any_device(&self, backend: Backend, name: &InterfaceName) -> Option<Box<dyn Device>> {
        let carrier = match backend {
            Backend::None => return None,
            Backend::Auto => Carrier::Auto,
            Backend::Kernel => Carrier::Kernel,
            Backend::Userspace => Carrier::Userspace,
        };
        Some(self.env.devices.open(name, carrier))
    }

    /// Before a commit: refuses to go on if the interface is another's. One that cannot be read
    /// is left to what follows the commit.
    ///
    /// # Errors
    /// [`Kind::Conflict`] saying whose it is.
    pub fn check_interface(&self, settings: &Settings, hub: &Hub) -> Result<(), Error> {
        match self.device(settings, hub).map(|mut device| device.peek()) {
            Some(Err(e)) if e.is_foreign() => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// A new private key.
    ///
    /// # Errors
    /// [`Kind::Failed`] if the system has no randomness.
    pub fn new_key(&mut self) -> Result<PrivateKey, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.env.rng.fill(&mut *bytes).context("the system gives no randomness").map_err(unforeseen)?;
        Ok(PrivateKey::from_random(bytes))
    }

    /// A new preshared key.
    ///
    /// # Errors
    /// [`Kind::Failed`] if the system has no randomness.
    pub fn new_preshared_key(&mut self) -> Result<PresharedKey, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.env.rng.fill(&mut *bytes).context("the system gives no randomness").map_err(unforeseen)?;
        Ok(PresharedKey::from_random(bytes))
    }

    /// Makes the output file 0600 before a private key goes there; warns before one goes to a
    /// standard output that others can read.
    pub(super) fn warn_if_public(&mut self) {
        if let Some(is_public) = &self.is_public_file {
            is_public.set(false);
        } else if self.env.terminal.stdout_is_public {
            self.ui.warn("others can read the file or terminal that this private key goes to; use umask 077");
        }
    }

    /// Whether somebody sits at a terminal and may be asked something.
    pub(super) fn can_ask(&self) -> bool {
        debug_assert!(!self.ui.is_held(), "a question while the lock is held");
        let t = self.env.terminal;
        !self.global.no_input && !self.global.json && t.stdin && t.stderr
    }

    /// Asks before something is taken away, without the lock; without a terminal only `--yes` will do.
    ///
    /// # Errors
    /// [`Kind::Usage`] if nobody can be asked.
    pub fn confirm(&mut self, question: &str, yes: bool) -> Result<bool, Error> {
        if yes {
            return Ok(true);
        }
        if !self.can_ask() {
            return Err(Error::new(Kind::Usage, "there is no terminal to ask for a confirmation on")
                .hint("add --yes to confirm it beforehand"));
        }
        Ok(self.ui.confirm(&mut *self.env.stdin, question))
    }
}

/// Requires a store before its lock is made.
pub(super) fn there(settings: &Settings) -> Result<(), Error> {
    let database = &settings.places.database;
    match database.try_exists() {
        Ok(false) => Err(StoreError::Missing { path: database.clone() }.into()),
        _ => Ok(()),
    }
}

/// What is said of a location without a peer.
pub(super) fn no_peer(l: &Location) -> Error {
    Error::new(Kind::NotFound, format!("location {:?} has no peer yet", l.name.as_str()))
        .hint(format!("run \"iwas-wg peer provision {}\"", l.name))
}

/// A failure that no room has words for: its whole chain on one line.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn unforeseen(e: anyhow::Error) -> Error {
    Error::new(Kind::Failed, format!("{e:#}"))
}

/// Store errors that concern the file as a whole name it.
fn at(settings: &Settings, e: StoreError) -> Error {
    let names_it = matches!(e, StoreError::Missing { .. } | StoreError::Fs(_));
    let mut error = Error::from(e);
    if !names_it {
        error.message = format!("{}: {}", settings.places.database.display(), error.message);
    }
    error
}

/// The location of this name, or the error that says there is none and which it might be. One
/// outside the caller's scope does not exist.
pub(super) fn require(store: &Store, scope: &Scope, name: &LocationName) -> Result<Location, Error> {
    if let Some(location) = store.location(name)?.filter(|l| scope.covers(l.org.as_ref())) {
        return Ok(location);
    }
    let error = Error::new(Kind::NotFound, format!("there is no location {:?}", name.as_str()));
    let names = store.names(scope)?;
    Err(match closest(name.as_str(), names.iter().map(String::as_str)) {
        Some(n) => error.hint(format!("did you mean {n:?}?")),
        None => error.hint("\"iwas-wg location list\" shows all"),
    })
}
