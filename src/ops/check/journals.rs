//! Runs in progress, those whose processes are gone, and what killed processes left elsewhere.

use anyhow::Result;

use crate::human;
use crate::journal::folder::LiveFolder;
use crate::journal::owner::Life;
use crate::journal::replay::{self, Nothing};
use crate::ops::check::{Fault, Mend, Severity, What};
use crate::ops::live::recover::STALE;
use crate::store::FoundRefs;
use crate::tracker::Tracker;

/// Tells what is wrong with live folders, and what was left behind.
pub(super) fn check(tracker: &Tracker, refs: &FoundRefs, faults: &mut Vec<Fault>) -> Result<()> {
    match LiveFolder::find(&tracker.state_dir()) {
        Ok(found) => {
            for folder in &found.folders {
                match check_folder(folder) {
                    Err(_) if !folder.is_there() => {}
                    Err(error) => faults.push(unreadable(folder, &format!("{error:#}"))),
                    Ok(fault) => faults.extend(fault),
                }
            }
            // Those of processes that end just now are there for a moment.
            let aside = found.leftovers.iter().filter(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".removed-"))
            });
            let old =
                aside.filter(|path| LiveFolder::open(path).silence().is_ok_and(|silence| silence > STALE));
            faults.extend(old.map(|path| {
                let message = "the folder of a recorded run was not put away: its process was killed at it";
                Fault::new(What::Leftover, Severity::Warning, path.display().to_string(), message)
                    .mended_by(Mend::Journals)
            }));
        }
        Err(error) => {
            let place = tracker.state_dir().join("live").display().to_string();
            let fault =
                Fault::new(What::Journal, Severity::Warning, place, format!("cannot be read: {error}"));
            faults.push(fault.advise("make the folder readable for you, then `git xtrack recover`"));
        }
    }
    let store = &tracker.store;
    let locks = refs.locks.iter().filter_map(|name| store.forgotten_lock(name));
    for path in locks.chain(store.left_over()) {
        let message = "a killed process left it, more than a day ago";
        let fault = Fault::new(What::Leftover, Severity::Warning, path.display().to_string(), message);
        faults.push(fault.mended_by(Mend::Leftover(path)));
    }
    Ok(())
}

fn check_folder(folder: &LiveFolder) -> Result<Option<Fault>> {
    let fault = |message: String| {
        let fault = Fault::new(What::Journal, Severity::Warning, folder.path.display().to_string(), message);
        match folder.run() {
            Some(id) => fault.of(&id),
            None => fault,
        }
    };
    let is_known = folder.start()?.is_some() || !folder.journals()?.is_empty();
    if !is_known {
        let message =
            "nobody knows which run it is of: it holds neither a beginning nor a journal".to_owned();
        let advice = "look into it, and remove it if it holds nothing that is wanted";
        return Ok((!folder.is_new()).then(|| fault(message).advise(advice)));
    }
    let life = folder.life()?;
    if life == Life::Alive || folder.is_recovered() {
        return Ok(None);
    }
    let loss = replay::replay(&folder.path, &[], &mut Nothing)?.loss();
    let torn = if loss.is_none() { String::new() } else { format!("; its journals are damaged: {loss}") };
    Ok(match life {
        Life::Dead => Some(
            fault(format!("its processes are gone, and it is not recorded yet{torn}"))
                .mended_by(Mend::Journals),
        ),
        _ if folder.silence()? > STALE => {
            let silence = human::age(folder.silence()?.as_secs() as i64);
            let message = format!("it is of another machine or container, last heard of {silence} ago{torn}");
            Some(fault(message).advise("`git xtrack recover --force` records it as it stands"))
        }
        _ => None,
    })
}

fn unreadable(folder: &LiveFolder, why: &str) -> Fault {
    let place = folder.path.display().to_string();
    let fault = Fault::new(
        What::Journal,
        Severity::Error,
        place,
        format!("the run in progress cannot be read: {why}"),
    );
    let fault = fault
        .advise("`git xtrack recover` says what can be made of it; its journals are text, a line each event");
    match folder.run() {
        Some(id) => fault.of(&id),
        None => fault,
    }
}
