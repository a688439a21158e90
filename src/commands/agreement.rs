//! A change that a person agrees to first: planned under the lock, asked about without it, and done
//! under the lock again if it is still the same change.

use super::{Context, context::Locked};
use crate::{
    error::{Error, Kind},
    settings::Settings,
};

/// A change to be agreed to.
pub(super) struct Proposal<'a, T> {
    /// What it is about, for the message if it was overtaken.
    pub(super) what: &'a str,
    /// Nobody is asked.
    pub(super) yes: bool,
    /// Finds out what is to be done; called under the lock.
    pub(super) plan: &'a mut dyn FnMut(&mut Context<'_>) -> Result<T, Error>,
    /// What the person is asked; `None` where there is nothing to be asked.
    pub(super) question: &'a dyn Fn(&T) -> Option<String>,
    /// Whether both plans mean the same to a person.
    pub(super) is_same: &'a dyn Fn(&T, &T) -> bool,
}

/// What the person said.
pub(super) enum Answer<T> {
    /// It is to be done, and the lock is held for it.
    Yes(Locked, T),
    /// All is to stay as it was.
    No(T),
}

impl<T> Proposal<'_, T> {
    /// Asks, and plans again if the lock was given back for that.
    ///
    /// # Errors
    /// [`Kind::Conflict`] if something else changed what was agreed to, [`Kind::Usage`] if nobody can
    /// be asked, those of the lock and of the plan.
    pub(super) fn ask(self, ctx: &mut Context<'_>, settings: &Settings) -> Result<Answer<T>, Error> {
        let lock = ctx.lock_place(settings)?;
        let before = (self.plan)(ctx)?;
        let Some(question) = (self.question)(&before).filter(|_| !self.yes) else {
            return Ok(Answer::Yes(lock, before));
        };
        drop(lock);
        if !ctx.confirm(&question, false)? {
            return Ok(Answer::No(before));
        }
        let lock = ctx.lock_place(settings)?;
        let now = (self.plan)(ctx)?;
        if (self.is_same)(&before, &now) {
            return Ok(Answer::Yes(lock, now));
        }
        Err(Error::new(Kind::Conflict, format!("{} was changed while you were asked", self.what))
            .hint("look at it, and run the command again"))
    }
}
