//! `--org`, `--tag` and `--state`: which locations a listing shows.

use crate::model::text::closest;
use crate::{
    error::{Error, Kind},
    model::{Location, Org, State, location::parse_tag_word},
    output::json::state_of,
};

/// The filters of a listing; all given ones must fit.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only this organization's
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// Only with this tag (can be repeated)
    #[arg(long = "tag", value_name = "K=V")]
    tags: Vec<String>,
    /// Only in this state
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
}

impl Filter {
    /// The organization and tags as they were given; `None` where neither was, or where a state was
    /// too, which may well be nobody's.
    pub(super) fn whose(&self) -> Option<String> {
        let org = self.org.iter().map(|o| format!("--org {o}"));
        let all: Vec<String> = org.chain(self.tags.iter().map(|t| format!("--tag {t}"))).collect();
        (self.state.is_none() && !all.is_empty()).then(|| all.join(" "))
    }

    /// A test for locations.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a tag or state that is none.
    pub(super) fn compile(&self) -> Result<impl Fn(&Location) -> bool + '_, Error> {
        let tags = self.tags.iter().map(|t| parse_tag_word(t)).collect::<Result<Vec<_>, _>>()?;
        let state = match &self.state {
            None => None,
            Some(word) => Some(State::ALL.into_iter().find(|s| s.as_str() == word).ok_or_else(|| {
                let all = State::ALL.map(State::as_str).join(", ");
                Error::new(Kind::Usage, format!("state {word:?} is not a state")).hint(format!("use {all}"))
            })?),
        };
        Ok(move |l: &Location| {
            self.org.as_deref().is_none_or(|org| l.org.as_ref().is_some_and(|o| o.as_str() == org))
                && tags.iter().all(|(k, v)| l.tags.get(k) == Some(v))
                && state.is_none_or(|s| state_of(l) == s)
        })
    }

    /// Refuses an organization that no location belongs to: an empty answer would look like a
    /// healthy one.
    ///
    /// # Errors
    /// [`Kind::NotFound`] with the organization that may have been meant.
    pub(super) fn refuse_unknown_org(&self, all: &[Location]) -> Result<(), Error> {
        let orgs = || all.iter().filter_map(|l| l.org.as_ref().map(Org::as_str));
        let Some(asked) = self.org.as_deref().filter(|asked| orgs().all(|o| o != *asked)) else {
            return Ok(());
        };
        let e = Error::new(Kind::NotFound, format!("no location belongs to the organization {asked:?}"));
        Err(match closest(asked, orgs()) {
            Some(org) => e.hint(format!("did you mean --org {org:?}?")),
            None => e.hint("\"iwas-wg location list --columns name,org\" shows the organizations"),
        })
    }
}
