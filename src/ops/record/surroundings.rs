//! What variables of the environment say of a run, where nothing was typed.
//!
//! Job scripts and sweeps set them once for whatever is started; the Python client reads the same ones. Knows their names
//! and what they stand for; what is read is checked as if it had been typed.

use crate::ops::record::Options;

/// The variables. They are of one run: a command that is recorded does not inherit them.
pub const VARIABLES: [&str; 6] =
    ["XTRACK_NAME", "XTRACK_EXPERIMENT", "XTRACK_GROUP", "XTRACK_TAGS", "XTRACK_NOTES", "XTRACK_RUN_KEY"];

/// Completes the options by what the environment says; an empty variable says nothing.
pub fn complete(options: &mut Options) {
    complete_from(options, &|name| std::env::var(name).ok());
}

fn complete_from(options: &mut Options, variable: &dyn Fn(&str) -> Option<String>) {
    let said = |name: &str| variable(name).filter(|text| !text.trim().is_empty());
    let or = |typed: &mut Option<String>, name: &str| *typed = typed.take().or_else(|| said(name));
    or(&mut options.name, "XTRACK_NAME");
    or(&mut options.experiment, "XTRACK_EXPERIMENT");
    or(&mut options.group, "XTRACK_GROUP");
    if options.resume.is_none() {
        // A run that was named is meant, whatever the job is called.
        or(&mut options.key, "XTRACK_RUN_KEY");
    }
    let tags = said("XTRACK_TAGS").unwrap_or_default();
    let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned);
    let mut tags: Vec<String> = tags.collect();
    tags.retain(|tag| !options.tags.contains(tag));
    options.tags.splice(0..0, tags);
    if options.notes.is_empty() {
        options.notes.extend(said("XTRACK_NOTES"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(mut options: Options) -> Options {
        complete_from(&mut options, &|name| match name {
            "XTRACK_TAGS" => Some("a, b,,k=v".to_owned()),
            "XTRACK_GROUP" => Some(" ".to_owned()),
            name => Some(name.to_lowercase()),
        });
        options
    }

    #[test]
    fn what_is_not_typed_comes_from_the_environment() {
        let options = completed(Options::default());
        assert_eq!(options.name.as_deref(), Some("xtrack_name"));
        assert_eq!(options.experiment.as_deref(), Some("xtrack_experiment"));
        assert_eq!((options.group, options.key.as_deref()), (None, Some("xtrack_run_key")));
        assert_eq!(
            (options.tags.as_slice(), options.notes.len()),
            (&["a", "b", "k=v"].map(str::to_owned)[..], 1)
        );
    }

    #[test]
    fn what_is_typed_counts_more() {
        let text = |text: &str| Some(text.to_owned());
        let typed =
            Options { name: text("n"), resume: text("r"), notes: vec!["x".to_owned()], ..Options::default() };
        let options = completed(Options { tags: vec!["b".to_owned()], ..typed });
        assert_eq!((options.name, options.key), (text("n"), None));
        assert_eq!(
            (options.tags, options.notes),
            (["a", "k=v", "b"].map(str::to_owned).to_vec(), vec!["x".to_owned()])
        );
    }
}
