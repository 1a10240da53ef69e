//! What the words on the command line name: metrics and other things to draw first, then runs.

use anyhow::Result;
use globset::Glob;

use crate::error::{self, Kind, Problem};
use crate::human;
use crate::query::{Field, Vocabulary};
use crate::tracker::Tracker;

/// The words, told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// What to draw.
    pub drawn: Vec<String>,
    /// Of which runs.
    pub runs: Vec<String>,
}

/// Splits words where the first stands that names a run and no metric. What names neither may be something that the runs
/// logged: it is among what to draw as long as no run was named.
pub fn split(words: &[String], known: &Vocabulary, tracker: &Tracker) -> Result<Words> {
    let mut split = Words::default();
    for word in words {
        if !split.runs.is_empty() {
            split.runs.push(word.clone());
        } else if is_pattern(word) && !known.metrics.contains(word) {
            split.drawn.extend(matching(word, known)?);
        } else if known.metrics.contains(word) {
            split.drawn.push(word.clone());
        } else {
            match tracker.resolve(word) {
                Ok(_) => split.runs.push(word.clone()),
                Err(error) if error::kind(&error) == Kind::NotFound => split.drawn.push(word.clone()),
                Err(error) => return Err(error),
            }
        }
    }
    if let Some(metric) =
        split.runs.iter().skip(1).find(|word| known.metrics.contains(*word) && tracker.resolve(word).is_err())
    {
        return Err(Problem::usage(format!("no run is called '{metric}', which is a metric"))
            .hint("name metrics before runs: `git xtrack plot loss acc quiet-otter`")
            .into());
    }
    split.drawn.dedup();
    Ok(split)
}

/// Splits words where the first stands that is no field: at most `most` of them are fields.
pub fn split_fields(words: &[String], most: usize, known: &Vocabulary) -> Words {
    let are_fields = words.iter().take(most).take_while(|word| Field::parse(word, known).is_ok());
    let (drawn, runs) = words.split_at(are_fields.count());
    Words { drawn: drawn.to_vec(), runs: runs.to_vec() }
}

fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '[', '{'])
}

/// The metrics that a pattern matches.
fn matching(pattern: &str, known: &Vocabulary) -> Result<Vec<String>> {
    let glob =
        Glob::new(pattern).map_err(|error| Problem::usage(format!("'{pattern}' is no pattern: {error}")))?;
    let glob = glob.compile_matcher();
    let found: Vec<String> = known.metrics.iter().filter(|metric| glob.is_match(metric)).cloned().collect();
    match found.is_empty() {
        true => Err(Problem::usage(format!("no metric matches '{pattern}'")).hint(have(known)).into()),
        false => Ok(found),
    }
}

/// What a word is not, with what it was likely meant to be.
pub fn unknown<'a>(
    word: &str,
    known: &'a Vocabulary,
    things: impl Iterator<Item = &'a str>,
    names: impl Iterator<Item = &'a str>,
) -> Problem {
    let problem = Problem::usage(format!(
        "'{word}' is neither a metric, nor a run, nor anything that these runs logged"
    ));
    let all = known.metrics.iter().map(String::as_str).chain(things).chain(names);
    match human::nearest(word, all) {
        Some(nearest) => problem.hint(format!("did you mean '{nearest}'?")),
        None => problem.hint(have(known)),
    }
}

/// Which metrics there are.
pub fn have(known: &Vocabulary) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<&str> = known.metrics.iter().map(String::as_str).take(SHOWN).collect();
    match (shown.as_slice(), known.metrics.len() - shown.len()) {
        ([], _) => "no run has metrics".to_owned(),
        (shown, 0) => format!("the metrics are {}", shown.join(", ")),
        (shown, more) => format!("the metrics are {} and {more} more", shown.join(", ")),
    }
}
