//! Forms of output: what `docs/output.md` shows is what the program says, and no text of a run acts in any of them.
//!
//! `XTRACK_BLESS=1 cargo test output` rewrites the examples from the program.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Repo;
use crate::support::repo::run;

#[test]
fn the_examples_are_what_the_program_says() {
    let repo = example();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/output.md");
    let page = fs::read_to_string(&file).unwrap();
    let mut said = String::new();
    for (index, part) in page.split("```console\n").enumerate() {
        if index == 0 {
            said.push_str(part);
            continue;
        }
        let (block, rest) = part.split_once("```").unwrap();
        said.push_str("```console\n");
        for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let output = run(repo.command("sh").args(["-c", &format!("{line} 2>&1")]));
            said.push_str(&format!("$ {line}\n{}\n", output.stdout.trim_end_matches('\n').replace('\r', "")));
        }
        said.push_str(&format!("```{rest}"));
    }
    if std::env::var_os("XTRACK_BLESS").is_some() {
        fs::write(&file, &said).unwrap();
    }
    let page = fs::read_to_string(&file).unwrap();
    for (shown, said) in page.lines().zip(said.lines()) {
        assert_eq!(
            shown, said,
            "docs/output.md is not what the program says: run `XTRACK_BLESS=1 cargo test output`"
        );
    }
    assert_eq!(page.lines().count(), said.lines().count());
}

fn example() -> Repo {
    let mut repo = Repo::new();
    let bin = Path::new(env!("CARGO_BIN_EXE_git-xtrack")).parent().unwrap().to_owned();
    repo.set("PATH", &format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()));
    repo.set("XTRACK_TEST_NOW", "2026-01-02T13:00:00Z");
    repo.set("XTRACK_TEST_SEED", "output");
    let arguments = [
        "record",
        "--name",
        "quiet-otter",
        "-e",
        "digits",
        "-t",
        "baseline",
        "-p",
        "lr=0.1",
        "-p",
        "optimizer=adam",
        "-m",
        "accuracy=0.9753",
        "-m",
        "loss=0.0625",
    ];
    repo.xtrack(&arguments).ok();
    // The seed makes the ids: another run is of another.
    let later = [("XTRACK_TEST_SEED", "later"), ("XTRACK_TEST_NOW", "2026-01-02T14:00:00Z")];
    later.into_iter().for_each(|(name, value)| again(&mut repo, name, value));
    repo.xtrack(&["record", "--name", "bold-lynx", "-e", "digits", "-p", "lr=0.01", "-m", "accuracy=0.9812"])
        .ok();
    again(&mut repo, "XTRACK_TEST_NOW", "2026-01-02T16:00:00Z");
    repo
}

/// Gives the variable another value.
fn again(repo: &mut Repo, name: &str, value: &str) {
    repo.env.retain(|(known, _)| known != name);
    repo.set(name, value);
}

const FORMS: [&[&str]; 8] = [
    &[],
    &["--json"],
    &["--ndjson"],
    &["--csv"],
    &["--tsv"],
    &["--md"],
    &["--html"],
    &["--format", "{{ this }} {{ name }} {{ tags | join(' ') }}"],
];

/// What would act: on a terminal, in a spreadsheet, in a page, in Markdown, behind a tag that a table is parted by.
const HOSTILE: [&str; 9] = [
    "esc\u{1b}[2J\u{9b}31m\u{7}",
    "bidi\u{202e}abc\u{2066}\u{200b}\u{2028}",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "a;=1+1",
    "</td><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "a|b `c` [x](javascript:alert(1)) <b>",
    "{{ 1234567 * 7 }}{% for x in range(9) %}",
];

#[test]
fn no_text_of_a_run_acts_in_any_form() {
    let repo = Repo::new();
    for (index, text) in HOSTILE.iter().enumerate() {
        let (param, tag) = (format!("p{index}={text}"), format!("t{index}={text}"));
        let name = text.replace(|character: char| character.is_control(), "?");
        let arguments = [
            "record", "--name", &name, "-e", text, "-p", &param, "-t", &tag, "--note", text, "-m", "loss=0.5",
        ];
        let output = repo.xtrack(&arguments);
        // A name or a tag may be refused for what is in it; what can be recorded is shown.
        if output.code != 0 {
            repo.xtrack(&["record", "-p", &param, "--note", text, "-m", "loss=0.5"]).ok();
        }
    }
    repo.git(&["config", "xtrack.metric.loss.goal", "min"]);
    let ids: Vec<String> =
        repo.refs("refs/runs").iter().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), HOSTILE.len());
    let lists: [&[&str]; 7] = [
        &["log"],
        &["log", "--group-by", "name"],
        &["leaderboard", "-m", "loss"],
        &["experiments"],
        &["compare", &ids[0], &ids[1], &ids[2]],
        &["diff", &ids[0], &ids[1]],
        &["importance", "loss"],
    ];
    for form in FORMS {
        for id in &ids {
            let output = repo.xtrack(&[&["show", id], form].concat()).ok();
            harmless(form, &output.stdout);
            harmless(&[], &output.stderr);
        }
        // What else there is has other names.
        let form = if form.contains(&"--format") { &["--format", "{{ this }}"] } else { form };
        harmless(form, &repo.xtrack(&[&["show", &ids[0], "--series", "loss"], form].concat()).ok().stdout);
        harmless(form, &repo.xtrack(&[&["status"], form].concat()).ok().stdout);
        for list in lists {
            let output = repo.xtrack(&[list, form].concat()).ok();
            harmless(form, &output.stdout);
            harmless(&[], &output.stderr);
        }
    }
}

fn harmless(form: &[&str], text: &str) {
    let acts = |character: char| {
        (character.is_control() && !"\n\r\t".contains(character))
            || "\u{202e}\u{2066}\u{200b}\u{2028}".contains(character)
    };
    assert!(!text.contains(acts), "{form:?}: {text:?}");
    match form {
        ["--html"] => {
            for tag in ["<script", "<img", "<svg", "<b>", "onerror=\"", "javascript:alert(1)\""] {
                assert!(!text.contains(tag), "{tag}: {text}");
            }
            let opened = text.matches("<td").count() + text.matches("<dd").count();
            assert_eq!(opened, text.matches("</td>").count() + text.matches("</dd>").count(), "{text}");
        }
        ["--md"] => {
            // What is escaped is text.
            let mut characters = text.chars();
            let mut markup = String::new();
            while let Some(character) = characters.next() {
                match character {
                    '\\' => characters.next().map(|_| ()).unwrap_or_default(),
                    plain => markup.push(plain),
                }
            }
            for acting in ["<script", "<img", "](", "`", "|b"] {
                assert!(!markup.contains(acting), "{acting}: {text}");
            }
        }
        ["--csv"] | ["--tsv"] => {
            for cell in text.split([',', ';', '\t', '\n', '\r']) {
                let begin = cell.trim_start_matches(['"', ' ']);
                assert!(!begin.starts_with(['=', '@']), "{form:?}: {cell:?} in {text}");
            }
        }
        ["--json"] | ["--ndjson"] if !text.is_empty() => {
            for document in serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>() {
                document.unwrap_or_else(|error| panic!("{error}: {text}"));
            }
        }
        ["--format", _] => assert!(!text.contains("8641969"), "a template in a value was followed: {text}"),
        _ => {}
    }
}

#[test]
fn a_page_is_valid() {
    let repo = Repo::new();
    if Command::new("tidy").arg("-version").output().is_err() {
        eprintln!("skipped: there is no tidy here");
        return;
    }
    repo.write("train.py", "print('<1>')\n");
    for text in HOSTILE {
        repo.xtrack(&[
            "record",
            "-p",
            &format!("p={text}"),
            "--note",
            text,
            "-m",
            "loss=0.5",
            "-a",
            "train.py",
        ])
        .ok();
        for more in [&["--history", "--code"][..], &["--series", "loss"]] {
            repo.write("page.html", repo.xtrack(&[&["show", "--html"], more].concat()).ok().stdout);
            let output = run(repo.command("tidy").args(["-quiet", "-errors", "-utf8", "page.html"]));
            assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{text}");
        }
    }
}

#[test]
fn json_is_exact() {
    let repo = Repo::new();
    let text = "a\u{1b}[2J\u{202e}\u{7f}\u{2028}\n\t\"é日";
    repo.xtrack(&["record", "-p", &format!("x={text}")]).ok();
    let output = repo.xtrack(&["show", "--json"]).ok().stdout;
    let run: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(run["params"]["x"], text);
    let output = repo.xtrack(&["show", "--format", "{{ params.x | json }}"]).ok().stdout;
    assert_eq!(serde_json::from_str::<String>(&output).unwrap(), text);
    let output = repo.xtrack(&["show", "--format", "{{ params.x | safe }}"]).ok().stdout;
    assert_eq!(output, format!("{text}\n"));
}

#[test]
fn one_form_at_a_time() {
    let repo = example();
    for (one, other) in [("--json", "--csv"), ("--html", "--md"), ("--ndjson", "--tsv")] {
        let output = repo.xtrack(&["show", one, other]);
        assert_eq!(output.code, 2);
        assert!(output.stderr.contains("cannot be used with"), "{}", output.stderr);
    }
    assert_eq!(repo.xtrack(&["show", "--format", "{{ id }}", "--json"]).code, 2);
    assert_eq!(repo.xtrack(&["show", "--console", "--json"]).code, 2);
    assert_eq!(repo.xtrack(&["show", "--code", "--csv"]).code, 2);
    // What is a report in any form may have its parts.
    let page = repo.xtrack(&["show", "quiet-otter", "--history", "--html"]).ok().stdout;
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("quiet-otter"), "{page}");
}

#[test]
fn a_template_that_cannot_be_read_is_refused_with_its_place() {
    let repo = example();
    let output = repo.xtrack(&["show", "--format", "a\n{{ id | short(1 }} b"]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("\n  {{ id | short(1 }} b\n  "), "{}", output.stderr);
    assert!(output.stderr.contains("^"), "{}", output.stderr);
    let output = repo.xtrack(&["show", "--format", "{{ id.x | age }} {% include '/etc/passwd' %}"]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("unknown statement include"), "{}", output.stderr);
}

#[test]
fn the_points_of_a_series_come_in_every_form() {
    let repo = example();
    let series = |form: &[&str]| {
        repo.xtrack(&[&["show", "quiet-otter", "--series", "loss"], form].concat()).ok().stdout
    };
    assert_eq!(series(&["--csv"]), "step,time,value\r\n,,0.0625\r\n");
    assert_eq!(series(&["--tsv"]), "step\ttime\tvalue\n\t\t0.0625\n");
    assert_eq!(series(&["--ndjson"]), "[null, null, 0.0625]\n");
    assert_eq!(series(&["--format", "{{ step }}:{{ value }}"]), ":0.0625\n");
    assert!(
        series(&["--md"]).contains("| step | time | value |\n| ---: | ---: | ---: |\n"),
        "{}",
        series(&["--md"])
    );
    assert!(series(&["--html"]).contains("<th class=\"right\">value</th>"));
}

#[test]
fn help_has_the_forms_and_topics() {
    let repo = Repo::folder("work");
    let help = repo.xtrack(&["help", "show"]).ok().stdout;
    assert!(help.contains("\nForm of the output:\n"), "{help}");
    assert!(repo.xtrack(&["help"]).ok().stdout.contains("git xtrack help output"));
    assert!(repo.xtrack(&["help", "output"]).ok().stdout.starts_with("# Forms of output\n"));
    assert!(repo.xtrack(&["help", "json"]).ok().stdout.starts_with("# JSON\n"));
}
