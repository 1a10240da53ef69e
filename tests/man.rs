//! Manual pages and completions: one for every command, in the user's own folders and nowhere else.
#![allow(clippy::unwrap_used)]

use crate::support::Repo;

#[test]
fn install_writes_pages_and_completions_below_home() {
    let home = Repo::folder("work");
    let output = home.xtrack(&["man", "--install"]).ok();
    for file in [
        ".local/share/man/man1/git-xtrack.1",
        ".local/share/man/man1/git-xtrack-record.1",
        ".local/share/bash-completion/completions/git-xtrack",
        ".local/share/zsh/site-functions/_git-xtrack",
        ".config/fish/conf.d/git-xtrack.fish",
    ] {
        assert!(home.home().join(file).is_file(), "no {file}\n{}", output.stdout);
    }
    let page =
        std::fs::read_to_string(home.home().join(".local/share/man/man1/git-xtrack-record.1")).unwrap();
    assert!(page.contains(".SH EXAMPLES\n"), "{page}");
}

#[test]
fn install_honours_the_folders_that_the_user_chose() {
    let mut home = Repo::folder("work");
    let data = home.root().join("data");
    home.set("XDG_DATA_HOME", data.to_str().unwrap());
    home.xtrack(&["man", "--install"]).ok();
    assert!(data.join("man/man1/git-xtrack.1").is_file());
    assert!(!home.home().join(".local").exists());
}

#[test]
fn a_page_is_printed_by_its_command() {
    let home = Repo::folder("work");
    let page = home.xtrack(&["man", "record"]).ok().stdout;
    assert!(page.contains(".TH GIT-XTRACK-RECORD 1"), "{page}");
    let unknown = home.xtrack(&["man", "recrod"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("there is no command 'recrod'\nhint: "), "{}", unknown.stderr);
}
