//! `git xtrack artifact trust`: leave to speak to the store that xtrack.toml names.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::ops::artifact::stores::{self, Chosen};

/// Allow that this clone speaks to the store that xtrack.toml names
///
/// What a repository brings along names a store only as a proposal: nothing is sent there, and nothing asked, before this is
/// said once in a clone. It is kept in git's config, as `xtrack.store.trusted`; a store set there needs no leave.
#[derive(clap::Args)]
pub struct Args {}

/// Trusts it.
pub fn run(_: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker_as_it_is()?;
    let chosen = Chosen::set(&tracker)?.ok_or_else(stores::none)?;
    match chosen.is_trusted(&tracker) {
        true => session.note(&format!("'{}' is trusted already", chosen.shown)),
        false => {
            chosen.trust(&mut tracker)?;
            session.note(&format!("trusts '{}' from now on, in this clone", chosen.shown));
        }
    }
    Ok(ExitCode::SUCCESS)
}
