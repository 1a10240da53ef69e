//! Which values an argument may have, asked of the repository when they are wanted.
//!
//! An argument says by the name of its value, or by its own, what it takes: see [`Kind::of`]. So a new command's
//! arguments complete without a word here.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::human;
use crate::ops::names::{self, Held, Named};
use crate::query::{Field, Vocabulary};
use crate::run::attempt::Status;
use crate::tracker::Tracker;

/// How many runs are offered: more than anybody reads.
const RUNS_MAX: usize = 200;
/// How many of the latest runs are offered as `@~N`.
const GENERATIONS: usize = 3;
/// What an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Run,
    /// A tag with its sign, or a run.
    RunOrTag,
    Metric,
    /// `metric=`, to be followed by its value.
    MetricValue,
    Param,
    ParamValue,
    Tag,
    Experiment,
    Group,
    User,
    Status,
    View,
    /// A field to sort, show or group by.
    Field,
    Query,
    Remote,
    CommandName,
    File,
}

impl Kind {
    fn of(arg: &Arg) -> Option<Self> {
        let id = arg.get_id().as_str();
        let value =
            arg.get_value_names().and_then(<[_]>::first).map(|name| name.as_str()).unwrap_or_default();
        match (value.trim_end_matches(",…"), id) {
            ("A" | "B", _) => Some(Kind::Run),
            ("METRIC|RUN" | "X", _) => Some(Kind::Metric),
            ("RUN|TAG", _) => Some(Kind::RunOrTag),
            (of_run, _) if of_run.split('|').any(|part| part == "RUN") => Some(Kind::Run),
            ("KEY=VALUE" | "K=V", "metric" | "metrics") => Some(Kind::MetricValue),
            ("KEY=VALUE" | "K=V", _) => Some(Kind::ParamValue),
            ("METRIC", _) | ("NAME", "metric" | "metrics") => Some(Kind::Metric),
            ("PARAM", _) => Some(Kind::Param),
            ("TAG" | "[+|-]TAG", _) => Some(Kind::Tag),
            ("EXPERIMENT", _) | ("NAME", "experiment") => Some(Kind::Experiment),
            ("GROUP", _) | ("NAME", "group") => Some(Kind::Group),
            ("USER", _) | ("NAME", "user") => Some(Kind::User),
            ("STATUS", _) => Some(Kind::Status),
            ("VIEW", _) | ("NAME", "view") => Some(Kind::View),
            ("FIELD" | "[-]FIELD" | "COLUMN" | "COLUMNS" | "GLOB", _) => Some(Kind::Field),
            ("QUERY", _) => Some(Kind::Query),
            ("REMOTE", _) => Some(Kind::Remote),
            ("FILE" | "PATH", _) => Some(Kind::File),
            ("COMMAND", "command" | "page") if !arg.is_last_set() => Some(Kind::CommandName),
            _ => None,
        }
    }
}

/// The command line with its arguments knowing what they may be.
pub fn attach(command: Command, directory: &Path) -> Command {
    let names: Arc<[String]> =
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let directory: Arc<Path> = directory.into();
    aware(command, &directory, &names)
}

/// The commands below a command with their arguments, and those below them.
fn aware(command: Command, directory: &Arc<Path>, names: &Arc<[String]>) -> Command {
    command.mut_subcommands(|subcommand| {
        let subcommand = aware(subcommand, directory, names);
        let deleted = subcommand.get_name() == "restore";
        let args: Vec<(clap::Id, Kind)> = subcommand
            .get_arguments()
            .filter(|arg| arg.get_value_hint() == clap::ValueHint::Unknown)
            .filter_map(|arg| Some((arg.get_id().clone(), Kind::of(arg)?)))
            .collect();
        args.into_iter().fold(subcommand, |subcommand, (id, kind)| {
            if kind == Kind::File {
                return subcommand.mut_arg(id, |arg| arg.value_hint(clap::ValueHint::AnyPath));
            }
            let (directory, names) = (directory.clone(), names.clone());
            let completer = ArgValueCompleter::new(move |typed: &OsStr| {
                let Some(typed) = typed.to_str() else {
                    return Vec::new();
                };
                let asked = Asked { directory: directory.to_path_buf(), deleted, typed };
                match kind {
                    Kind::CommandName => starting(names.iter().cloned(), typed),
                    _ => asked.candidates(kind).unwrap_or_default(),
                }
            });
            subcommand.mut_arg(id, |arg| arg.add(completer))
        })
    })
}

struct Asked<'a> {
    directory: PathBuf,
    deleted: bool,
    typed: &'a str,
}

impl Asked<'_> {
    fn candidates(&self, kind: Kind) -> Result<Vec<CompletionCandidate>> {
        let tracker = Tracker::open(&self.directory)?;
        let typed = self.typed;
        let vocabulary = || names::vocabulary(&tracker);
        let held = |held: Held| Ok::<_, anyhow::Error>(starting(names::held(&tracker, held)?, typed));
        let with_value = |name: String| format!("{name}=");
        Ok(match kind {
            Kind::Run => self.runs(&tracker)?,
            Kind::Metric => starting(vocabulary()?.metrics, typed),
            Kind::MetricValue => starting(vocabulary()?.metrics.into_iter().map(with_value), typed),
            Kind::Param => starting(vocabulary()?.params, typed),
            Kind::ParamValue => starting(vocabulary()?.params.into_iter().map(with_value), typed),
            Kind::RunOrTag if !typed.starts_with(['+', '-']) => self.runs(&tracker)?,
            Kind::Tag | Kind::RunOrTag => {
                let (sign, rest) = typed.split_at(typed.len() - typed.trim_start_matches(['+', '-']).len());
                prefixed(sign, starting(names::held(&tracker, Held::Tag)?, rest))
            }
            Kind::Experiment => held(Held::Experiment)?,
            Kind::Group => held(Held::Group)?,
            Kind::User => held(Held::User)?,
            Kind::Status => starting(Status::ALL.iter().map(|status| status.as_str().to_owned()), typed),
            Kind::View => starting(tracker.config.views.keys().cloned(), typed),
            Kind::Field => {
                // The last of several.
                let start = typed.rfind(',').map_or(0, |comma| comma + 1);
                let start = start + usize::from(typed[start..].starts_with('-'));
                prefixed(&typed[..start], starting(fields(&vocabulary()?), &typed[start..]))
            }
            Kind::Query => {
                let is_part = |character: char| character.is_alphanumeric() || "_./-".contains(character);
                let (before, name) = typed.split_at(typed.trim_end_matches(is_part).len());
                prefixed(before, starting(fields(&vocabulary()?), name))
            }
            Kind::Remote => starting(remotes(&tracker), typed),
            Kind::CommandName | Kind::File => Vec::new(),
        })
    }

    /// Runs by name where they have one, by short id to who begins one, and the latest as `@`.
    fn runs(&self, tracker: &Tracker) -> Result<Vec<CompletionCandidate>> {
        let named = names::runs(tracker, self.typed, self.deleted, RUNS_MAX)?;
        let now = tracker.now();
        let about = |run: &Named| {
            let age =
                run.started.map(|started| format!(" {} ago", human::age(now.seconds() - started.seconds())));
            let id = run.name.as_ref().map(|_| format!(" {}", run.id.suffix()));
            format!("{}{}{}", run.status.as_str(), age.unwrap_or_default(), id.unwrap_or_default())
        };
        let word = |run: &Named| {
            let (id, suffix) = (run.id.as_str(), run.id.suffix());
            // Of several of one name only the latest is meant by it, and none can be named so.
            let is_only =
                |name: &&str| named.iter().filter(|other| other.name.as_deref() == Some(name)).count() == 1;
            let name = run.name.as_deref().filter(|name| name.starts_with(self.typed)).filter(is_only);
            let by_id = if suffix.starts_with(self.typed) { suffix } else { id };
            name.unwrap_or(by_id).to_owned()
        };
        let mut found = match self.deleted {
            true => Vec::new(),
            false => {
                let generation = |back: usize| if back == 0 { "@".to_owned() } else { format!("@~{back}") };
                starting((0..GENERATIONS).map(generation), self.typed)
            }
        };
        let words = named.iter().map(|run| CompletionCandidate::new(word(run)).help(Some(about(run).into())));
        found.extend(words);
        let in_order = found.into_iter().enumerate();
        Ok(in_order.map(|(index, candidate)| candidate.display_order(Some(index))).collect())
    }
}

/// Those that begin as is typed.
fn starting(words: impl IntoIterator<Item = String>, typed: &str) -> Vec<CompletionCandidate> {
    words.into_iter().filter(|word| word.starts_with(typed)).map(CompletionCandidate::new).collect()
}

fn prefixed(prefix: &str, candidates: Vec<CompletionCandidate>) -> Vec<CompletionCandidate> {
    candidates.into_iter().map(|candidate| candidate.add_prefix(prefix)).collect()
}

/// Everything that runs can be asked for by, as queries name it.
fn fields(known: &Vocabulary) -> Vec<String> {
    let name = |field: &Field| match field {
        Field::Attribute(_) => field.title(),
        _ => field.full_name(),
    };
    let globs = ["attributes.*", "metrics.*", "params.*", "tags.*"];
    let fields = globs.iter().flat_map(|glob| Field::matching(glob, known).unwrap_or_default());
    fields.map(|field| name(&field)).collect::<BTreeSet<String>>().into_iter().collect()
}

/// The remotes of the repository, as git's settings name them.
fn remotes(tracker: &Tracker) -> Vec<String> {
    let settings = tracker.store.config_section("remote");
    let names = settings.iter().filter_map(|(key, _)| Some(key.rsplit_once('.')?.0.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definition;

    /// What only the person knows.
    const FREE: &[&str] = &[
        "COMMAND",
        "BUDGET",
        "COUNT",
        "FROM:TO",
        "FROM:TO|all",
        "ID",
        "KEY",
        "KIND|PATH",
        "N",
        "NAME",
        "PID",
        "QUESTION",
        "REVISION-RANGE",
        "RUN|TEXT",
        "SECONDS",
        "SEED",
        "SIZE",
        "STEP",
        "TEMPLATE",
        "TEXT",
        "TIME",
        "WEIGHT",
        "WIDTHxHEIGHT",
        "OPERATION",
        "REFS",
    ];

    #[test]
    fn every_argument_completes_or_is_known_not_to() {
        let program = definition();
        let shown = program.get_subcommands().filter(|command| !command.is_hide_set());
        let takes =
            shown.flat_map(|command| command.get_arguments().map(move |arg| (command.get_name(), arg)));
        let silent = takes.filter_map(|(command, arg)| {
            let value = arg.get_value_names().and_then(<[_]>::first).map_or("", |name| name.as_str());
            let is_told = !arg.get_action().takes_values()
                || Kind::of(arg).is_some()
                || arg.get_value_hint() != clap::ValueHint::Unknown
                || !arg.get_possible_values().is_empty()
                || FREE.contains(&value);
            (!is_told).then(|| format!("{command}: {} takes '{value}'", arg.get_id()))
        });
        let silent: Vec<String> = silent.collect();
        assert!(
            silent.is_empty(),
            "say in `Kind::of` what completes, or in `FREE` that nothing does:\n{}",
            silent.join("\n")
        );
    }
}
