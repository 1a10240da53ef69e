//! Completion as bash, zsh and fish ask for it: what runs hold is offered, whatever is in it runs nothing, and a person
//! who presses the tab key writes nothing and is told no errors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Repo;
use crate::support::live::begin_dead;
use crate::support::repo::{Output, run};

const HOSTILE: &str = "bad $(touch pwned); `touch pwned` 'x";

fn repo() -> Repo {
    let mut repo = Repo::new();
    let bin = Path::new(env!("CARGO_BIN_EXE_git-xtrack")).parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    repo.set("PATH", &format!("{}:{path}", bin.display()));
    for (name, experiment) in [("quiet-otter", "digits"), (HOSTILE, "digits"), ("two words", "other")] {
        let arguments = ["record", "--name", name, "-e", experiment, "-t", "stage=dev", "-p", "lr=0.1"];
        repo.xtrack(&[&arguments[..], &["-m", "val/loss=1"]].concat()).ok();
    }
    repo
}

fn offered(repo: &Repo, words: &[&str]) -> Vec<String> {
    let output = repo.xtrack(&[&["complete", "--"], words].concat()).ok();
    assert_eq!(output.stderr, "", "{words:?}");
    output.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_a_repository_holds_is_offered_where_it_is_taken() {
    let repo = repo();
    let offered = |words: &[&str]| offered(&repo, &[&["git-xtrack"], words].concat());
    assert_eq!(offered(&["sho"]), ["show"]);
    assert_eq!(offered(&["show", "@"]), ["@", "@~1", "@~2"]);
    let runs = offered(&["show", ""]);
    for name in ["quiet-otter", HOSTILE, "two words", "@"] {
        assert!(runs.iter().any(|run| run == name), "{name}: {runs:?}");
    }
    assert_eq!(offered(&["diff", "quiet-otter", "two"]), ["two words"]);
    assert_eq!(offered(&["show", "--series", "v"]), ["val/loss"]);
    assert_eq!(offered(&["show", "--series=v"]), ["--series=val/loss"]);
    assert_eq!(offered(&["log", "-e", ""]), ["digits", "other"]);
    assert_eq!(offered(&["log", "--sort", "-metr"]), ["-metrics.val/loss"]);
    assert_eq!(offered(&["log", "--sort", "-started,metr"]), ["-started,metrics.val/loss"]);
    assert_eq!(offered(&["log", "--columns", "id,params"]), ["id,params.lr"]);
    assert_eq!(offered(&["plot", "val"]), ["val/loss"]);
    repo.write("plots/old.svg", "");
    assert_eq!(offered(&["plot", "val/loss", "--svg", "plots/o"]), ["plots/old.svg"]);
    assert_eq!(offered(&["leaderboard", "d"]), ["digits"]);
    assert_eq!(offered(&["log", "--user", "A"]), ["Ada Test <ada@example.com>"]);
    assert_eq!(offered(&["tag", "@", "+st"]), ["+stage=dev"]);
    assert_eq!(offered(&["record", "-p", ""]), ["lr="]);
    assert_eq!(offered(&["edit", "@", "--status", "fi"]), ["finished"]);
    assert_eq!(offered(&["help", "rec"]), ["record", "recover"]);
    assert_eq!(offered(&["show", "--htm"]), ["--html"]);
    // A short id is offered to who begins one.
    let id = repo.refs("refs/runs")[0].rsplit('/').next().unwrap().to_owned();
    assert_eq!(offered(&["show", &id[16..21]]), [&id[16..]]);
    assert_eq!(offered(&["show", &id]), [id]);
}

#[test]
fn the_index_offers_what_the_runs_do() {
    let repo = repo();
    repo.xtrack(&["rm", "two words"]).ok();
    repo.git(&["pack-refs", "--all"]);
    let asked = [
        &["show", ""][..],
        &["show", "qu"],
        &["show", "20"],
        &["restore", ""],
        &["show", "--series", ""],
        &["log", "-e", ""],
        &["log", "--user", ""],
        &["tag", "@", "+"],
        &["record", "-p", ""],
    ];
    let offered_each = || -> Vec<Vec<String>> {
        asked.map(|words| offered(&repo, &[&["git-xtrack"], words].concat())).to_vec()
    };
    let index = repo.path().join(".git/xtrack/index.sqlite");
    if index.exists() {
        fs::remove_file(&index).unwrap();
    }
    let without = offered_each();
    // Whoever names a run by its name asks the index, which is made then.
    repo.xtrack(&["show", "quiet-otter"]).ok();
    assert!(index.exists());
    assert_eq!(offered_each(), without);
    // What has come since is there too, and the tab key still writes nothing.
    repo.xtrack(&["record", "--name", "quite-new", "-e", "newer"]).ok();
    let before = files(repo.root());
    assert_eq!(offered(&repo, &["git-xtrack", "show", "qui"]), ["quite-new", "quiet-otter"]);
    assert_eq!(offered(&repo, &["git-xtrack", "log", "-e", "n"]), ["newer"]);
    assert_eq!(files(repo.root()), before);
}

#[test]
fn views_and_names_within_a_query_are_offered() {
    let repo = repo();
    repo.write("xtrack.toml", "[view.best]\nwhere = \"metrics.acc > 0.9\"\n");
    let offered = |words: &[&str]| offered(&repo, &[&["git-xtrack"], words].concat());
    assert_eq!(offered(&["tag", "--where", "params.l"]), ["params.lr"]);
    let within = offered(&["tag", "--where", "params.lr > 0 and not (st"]);
    assert_eq!(within, ["params.lr > 0 and not (started", "params.lr > 0 and not (status"]);
    if repo.xtrack(&["log", "--help"]).stdout.contains("--view") {
        assert_eq!(offered(&["log", "--view", "b"]), ["best"]);
    }
}

#[test]
fn deleted_runs_are_offered_to_restore_alone() {
    let repo = repo();
    repo.xtrack(&["rm", "quiet-otter"]).ok();
    assert_eq!(offered(&repo, &["git-xtrack", "restore", "q"]), ["quiet-otter"]);
    assert_eq!(offered(&repo, &["git-xtrack", "show", "qu"]), [""; 0]);
}

#[test]
fn remotes_are_offered() {
    let repo = repo();
    repo.git(&["remote", "add", "lab.north", "../elsewhere"]);
    assert_eq!(offered(&repo, &["git-xtrack", "init", "--remote", "la"]), ["lab.north"]);
}

#[test]
fn another_folder_is_looked_into_and_one_without_a_repository_offers_no_runs() {
    let repo = repo();
    let path = repo.path().to_str().unwrap();
    let elsewhere = Repo::folder("elsewhere");
    assert_eq!(offered(&elsewhere, &["git-xtrack", "show", "qu"]), [""; 0]);
    assert_eq!(offered(&elsewhere, &["git-xtrack", "-C", path, "show", "qu"]), ["quiet-otter"]);
    assert_eq!(offered(&elsewhere, &["git", "-C", path, "xtrack", "show", "qu"]), ["quiet-otter"]);
    assert_eq!(offered(&elsewhere, &["git-xtrack", "sta"]), ["status"]);
}

#[test]
fn the_tab_key_writes_nothing_and_hears_of_no_damage() {
    let repo = repo();
    begin_dead(&repo, &["--name", "left-behind"]);
    repo.write(".git/xtrack/live/20260102-130000-k7f3q2ab/start.toml", "no run");
    let blob = repo.git_stdin(&["hash-object", "-w", "--stdin"], "not a run");
    let tree = repo.git_stdin(&["mktree"], &format!("100644 blob {}\trun.toml\n", blob.trim()));
    let commit = repo.git(&["commit-tree", "-m", "forged", tree.trim()]);
    repo.git(&["update-ref", "refs/runs/20260101-000000-abcdefgh", commit.trim()]);
    let before = files(repo.root());
    for words in [&["show", ""][..], &["log", "--sort", ""], &["tag", "@", ""], &["no-such", ""], &[""]] {
        offered(&repo, &[&["git-xtrack"], words].concat());
    }
    assert_eq!(offered(&repo, &["git-xtrack", "show", "left"]), ["left-behind"]);
    assert_eq!(files(repo.root()), before);
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => {
                found.insert(entry.path().display().to_string(), fs::read(entry.path()).unwrap_or_default());
            }
        }
    }
    found
}

/// What bash puts in the place of the last word when it is told that this is typed.
fn bash(repo: &Repo, line: &str, words: &str, function: &str) -> Output {
    let script = repo.xtrack(&["completions", "bash"]).ok().stdout;
    repo.write("../completions.bash", script);
    let asked = format!(
        ". ../completions.bash; COMP_LINE={line} COMP_POINT=${{#COMP_LINE}} COMP_WORDS=({words})
         COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); {function}; printf '[%s]\\n' \"${{COMPREPLY[@]}}\""
    );
    run(repo.command("bash").args(["-c", &asked])).ok()
}

#[test]
fn bash_completes_both_spellings() {
    let repo = repo();
    // As git's own completion calls it for `git -C . xtrack`, and as bash does for `git-xtrack`.
    let replies = |line: &str, words: &str, function: &str| bash(&repo, line, words, function).stdout;
    assert_eq!(replies("'git -C . xtrack recor'", "git -C . xtrack recor", "_git_xtrack"), "[record ]\n");
    assert_eq!(replies("'git-xtrack show qu'", "git-xtrack show qu", "_git__xtrack"), "[quiet-otter ]\n");
    assert_eq!(replies("'git-xtrack show tw'", "git-xtrack show tw", "_git__xtrack"), "[two\\ words ]\n");
    assert_eq!(replies("'git-xtrack show \"tw'", "git-xtrack show '\"tw'", "_git__xtrack"), "[two words]\n");
    // It takes `@` and `=` for ends of words.
    assert_eq!(replies("'git xtrack show @~1'", "git xtrack show @ '~1'", "_git_xtrack"), "[~1 ]\n");
    assert_eq!(
        replies("'git xtrack show --series=v'", "git xtrack show --series = v", "_git_xtrack"),
        "[val/loss ]\n"
    );
}

#[test]
fn what_a_run_is_called_is_never_run() {
    let repo = repo();
    let output = bash(&repo, "'git-xtrack show ba'", "git-xtrack show ba", "_git__xtrack");
    let word = output.stdout.trim_end().trim_matches(['[', ']']).trim_end().to_owned();
    // What bash would put into the line is the name again, and nothing is run.
    let said = run(repo.command("bash").args(["-c", &format!("printf '%s' {word}")])).ok();
    assert_eq!(said.stdout, HOSTILE);
    assert_eq!(
        bash(&repo, "'git-xtrack show \"ba'", "git-xtrack show '\"ba'", "_git__xtrack").stdout,
        "[]\n"
    );
    assert!(!repo.path().join("pwned").exists());
}

#[test]
fn zsh_completes_both_spellings() {
    let repo = repo();
    if is_missing("zsh") {
        return;
    }
    let script = repo.xtrack(&["completions", "zsh"]).ok().stdout;
    repo.write("../functions/_git-xtrack", script);
    // What the completion system has in its variables when it calls the function, and what it is given back.
    let asked = r#"fpath=(../functions $fpath); autoload -Uz _git-xtrack; typeset -A opt_args
        compadd() { print -r -- "offered:" "${(@P)@[-1]}" }
        _files() { print -r -- files }
        _normal() { print -r -- normal $CURRENT $words }
        words=(git-xtrack show qu) CURRENT=3 PREFIX=qu; _git-xtrack
        words=(xtrack show two) CURRENT=3 PREFIX=two; _git-xtrack
        words=(xtrack record -p l) CURRENT=4 PREFIX=l; _git-xtrack
        words=(xtrack record -- ls so) CURRENT=5 PREFIX=so; _git-xtrack
        words=(xtrack no-such so) CURRENT=3 PREFIX=so; _git-xtrack
        cd ..; opt_args[-C]=work; words=(xtrack show qu) CURRENT=3 PREFIX=qu; _git-xtrack"#;
    let output = run(repo.command("zsh").args(["-f", "-c", asked])).ok();
    let expected = "offered: quiet-otter\noffered: two words\noffered: lr=\nnormal 2 ls so\nfiles\noffered: quiet-otter\n";
    assert_eq!(output.stdout, expected, "{}", output.stderr);
}

#[test]
fn fish_completes_both_spellings() {
    let repo = repo();
    if is_missing("fish") {
        return;
    }
    repo.write("file.txt", "");
    let script = repo.xtrack(&["completions", "fish"]).ok().stdout;
    repo.write("../home/.config/fish/conf.d/git-xtrack.fish", script);
    let asked = "complete -C 'git-xtrack show qu' | cut -f1
        complete -C 'git xtrack show two' | cut -f1
        complete -C 'git xtr' | cut -f1
        complete -C 'git xtrack log -e d' | cut -f1
        complete -C 'git xtrack record -- ls fi' | cut -f1
        complete -C 'git xtrack log -- fi' | cut -f1";
    let output = run(repo.command("fish").args(["-c", asked])).ok();
    assert_eq!(
        output.stdout, "quiet-otter\ntwo words\nxtrack\ndigits\nfile.txt\nfile.txt\n",
        "{}",
        output.stderr
    );
}

fn is_missing(shell: &str) -> bool {
    let is_missing = Command::new(shell).arg("--version").output().is_err();
    if is_missing {
        eprintln!("skipped: there is no {shell} here");
    }
    is_missing
}
