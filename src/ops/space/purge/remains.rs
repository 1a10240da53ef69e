//! What a purge in this clone does not reach, and what to type for it.

use std::collections::BTreeSet;

use crate::ops::space::purge::{Intent, Remains};
use crate::tracker::Tracker;

/// What a purge in this clone does not reach.
pub(super) fn remains(tracker: &Tracker, intent: &Intent) -> Vec<Remains> {
    let store = &tracker.store;
    let mut remains = Vec::new();
    let roots = intent.roots.iter().filter(|root| store.has_object(root));
    let mut refs: BTreeSet<String> =
        roots.flat_map(|root| store.refs_that_reach(root).unwrap_or_default()).collect();
    refs.remove(&store.run_ref_name(&intent.id));
    if !refs.is_empty() {
        let names = refs.iter().map(String::as_str).collect::<Vec<_>>().join("', '");
        remains.push(Remains {
            what: format!("other refs reach it: '{names}'"),
            commands: refs.iter().map(|name| format!("git update-ref -d {name}")).collect(),
        });
    }
    let name = store.run_ref_name(&intent.id);
    let mut commands = Vec::new();
    if store.has_reflog(&name) {
        commands.push(format!("git reflog expire --expire=now --expire-unreachable=now {name}"));
    }
    commands.push("git gc --prune=now".to_owned());
    remains.push(Remains {
        what:
            "its objects lie in this repository until git collects them, with all others that nothing names"
                .to_owned(),
        commands,
    });
    let alternates = store.alternates();
    if !alternates.is_empty() {
        remains.push(Remains {
            what: format!(
                "this repository borrows objects from '{}', which may hold it",
                alternates.join("', '")
            ),
            commands: Vec::new(),
        });
    }
    remains
}
