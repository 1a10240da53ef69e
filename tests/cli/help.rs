//! Help where people look.

use crate::support::repo::Repo;

#[test]
fn help_works_everywhere_with_examples() {
    let repo = Repo::new();
    for command in
        ["record", "log", "show", "diff", "edit", "tag", "note", "rm", "restore", "init", "demo", "man"]
    {
        for arguments in [&["help", command][..], &[command, "--help"], &[command, "-h"]] {
            let output = repo.xtrack(arguments);
            assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
            assert!(output.stdout.contains("Examples:"), "{arguments:?}: {}", output.stdout);
        }
    }
}

#[test]
fn a_mistyped_word_names_the_nearest() {
    let repo = Repo::new();
    for (arguments, hint) in [
        (&["recrod"][..], "record"),
        (&["lgo"], "did you mean 'log'?"),
        (&["log", "--experimnt", "x"], "--experiment"),
        (&["help", "lgo"], "log"),
    ] {
        let output = repo.xtrack(arguments);
        assert_eq!(output.code, 2, "{arguments:?}");
        assert!(output.stderr.contains(hint), "{arguments:?}: {}", output.stderr);
    }
}
