//! Keys that the store keeps sealed, opened for the scripts that carry them.

use super::{
    Context,
    projection::{extras, open_preshared},
    provisioning::ScriptKeys,
};
use crate::{
    error::{Error, Kind},
    model::{KeyMode, Location, PresharedKey, PrivateKey, PublicKey, Rotation, plan::Extras},
    settings::Settings,
    store::Store,
    vault::Opener,
};
use std::cell::{OnceCell, RefCell};
use zeroize::Zeroizing;

/// The sealed keys of one store. Identity and conf are read once, and only if they are needed.
pub(super) struct Vault<'a> {
    settings: &'a Settings,
    store: &'a Store,
    opener: RefCell<Option<Opener>>,
    conf: OnceCell<Extras>,
}

impl<'a> Vault<'a> {
    pub(super) fn new(settings: &'a Settings, store: &'a Store) -> Self {
        Self { settings, store, opener: RefCell::new(None), conf: OnceCell::new() }
    }

    /// The keys that the present script of a location carries; none if it needs none.
    ///
    /// # Errors
    /// [`Kind::Denied`] for a key that was shown once or cannot be opened.
    pub(super) fn keys(&self, l: &Location, needed: bool) -> Result<ScriptKeys, Error> {
        let Some(key) = l.public_key.filter(|_| needed) else {
            return Ok(ScriptKeys::default());
        };
        let private = match l.key_mode {
            KeyMode::Router => None,
            KeyMode::Once => {
                let hint = format!("\"iwas-wg peer rotate {}\" makes another one", l.name);
                return Err(shown_once("private", l).hint(hint));
            }
            KeyMode::Stored => Some(self.private(l, &key)?),
        };
        Ok(ScriptKeys { private, preshared: self.preshared(l.preshared, &key)? })
    }

    /// The keys that the script for the next key of a location carries.
    ///
    /// # Errors
    /// As [`Vault::keys`].
    pub(super) fn next_keys(&self, l: &Location, next: &Rotation) -> Result<ScriptKeys, Error> {
        let private = match next.key_mode {
            KeyMode::Router => None,
            KeyMode::Once => {
                let hint =
                    format!("\"iwas-wg peer rotate {} --abort\" gives it up; then make another", l.name);
                return Err(shown_once("next private", l).hint(hint));
            }
            KeyMode::Stored => Some(self.private(l, &next.public_key)?),
        };
        Ok(ScriptKeys { private, preshared: self.preshared(next.preshared, &next.public_key)? })
    }

    /// Reads the identity now, so that it does not fail on the way.
    ///
    /// # Errors
    /// [`Kind::Denied`] if it is not there or cannot be used.
    pub(super) fn check_identity(&self, ctx: &Context<'_>) -> Result<(), Error> {
        let mut opener = self.opener.borrow_mut();
        if opener.is_none() {
            *opener = Some(ctx.opener(self.settings)?);
        }
        Ok(())
    }

    fn private(&self, l: &Location, public: &PublicKey) -> Result<PrivateKey, Error> {
        let unusable = |what: &str| {
            Error::new(Kind::BadState, format!("{what} of {:?}", l.name.as_str()))
                .hint("restore the store from a backup, or remove and add the location again")
        };
        let sealed = self.store.sealed_keys(public)?.private;
        let sealed = sealed.ok_or_else(|| unusable("the store has no key"))?;
        let mut opener = self.opener.borrow_mut();
        let opener = match &mut *opener {
            Some(opener) => opener,
            none => none.insert(Opener::from_file(&self.settings.identity)?),
        };
        let key = opener.open(&sealed)?;
        if key.public() != *public {
            return Err(unusable("the sealed key is not the one of the peer"));
        }
        Ok(key)
    }

    /// The conf has it in clear, for whoever may read that; else the identity opens the sealed copy.
    fn preshared(&self, has: bool, public: &PublicKey) -> Result<Option<Zeroizing<String>>, Error> {
        if !has {
            return Ok(None);
        }
        let conf = self.conf.get_or_init(|| extras(self.settings).unwrap_or_default());
        if let Some(key) = conf.get(public).and_then(|e| e.preshared_key.as_ref()) {
            return Ok(Some(key.expose()));
        }
        let key = open_preshared(self.settings, self.store, &mut self.opener.borrow_mut(), public)?;
        Ok(Some(PresharedKey::expose(&key)))
    }
}

fn shown_once(which: &str, l: &Location) -> Error {
    Error::new(
        Kind::Denied,
        format!("the {which} key of {:?} was shown once and is not stored", l.name.as_str()),
    )
}
