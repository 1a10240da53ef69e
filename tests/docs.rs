//! Docs in step: what they show is what the program says and reads, what they link to exists, and no file names the
//! machine it was written on.
//!
//! `XTRACK_BLESS=1 cargo test docs` rewrites `docs/cli.md` from the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtrack::config::{self, Config};
use xtrack::run::attempt::Facts;
use xtrack::run::edit::Edit;
use xtrack::run::fold::fold;
use xtrack::run::id::{EditId, RunId, Time};
use xtrack::run::record::{Files, TOMBSTONE};
use xtrack::run::{pointer, text};

#[test]
fn the_readme_has_the_two_commands() {
    let readme = read("README.md");
    for command in ["cargo run --release --locked -- demo", "cargo test --locked"] {
        assert!(readme.contains(command), "README.md lacks `{command}`");
    }
}

#[test]
fn the_reference_is_what_the_program_says() {
    let output = Command::new(env!("CARGO_BIN_EXE_git-xtrack"))
        .args(["help", "--markdown"])
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .expect("the program was built for this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("the reference is UTF-8");
    if std::env::var_os("XTRACK_BLESS").is_some() {
        fs::write(root().join("docs/cli.md"), &said).expect("docs/cli.md can be written");
    }
    assert!(
        read("docs/cli.md").replace("\r\n", "\n") == said,
        "docs/cli.md is not what `git-xtrack help --markdown` says: run `XTRACK_BLESS=1 cargo test docs`"
    );
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for file in tracked().into_iter().filter(|file| is_of(file, "md")) {
        let folder = file.parent().unwrap_or(Path::new(""));
        for target in links(&read(&file)) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { file.clone() } else { folder.join(path) };
            let leads =
                root().join(&path).exists() && (anchor.is_empty() || anchors(&read(&path)).contains(anchor));
            if !leads {
                broken.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_changelog_is_at_this_version() {
    let head =
        read("CHANGELOG.md").lines().find(|line| line.starts_with("## ")).unwrap_or_default().to_owned();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        head.contains("Unreleased") || head.contains(version),
        "CHANGELOG.md begins with {head:?}, not {version}"
    );
}

#[test]
fn settings_shown_are_settings_read() {
    Config::read(Some(config::EXAMPLE), &[]).expect("the example is read");
    for (file, block) in toml_blocks().into_iter().filter(|(_, block)| block.starts_with("# xtrack.toml")) {
        if let Err(problem) = Config::read(Some(&block), &[]) {
            panic!("{}: {problem}\n{block}", file.display());
        }
    }
}

#[test]
fn records_shown_are_records_read() {
    let records: Vec<_> =
        toml_blocks().into_iter().filter(|(_, block)| block.starts_with("format = 1\n")).collect();
    assert!(records.len() >= 6, "docs/format.md shows {} files", records.len());
    for (file, block) in records {
        if let Err(reason) = check_record(&block, &read(&file)) {
            panic!("{}: {reason}\n{block}", file.display());
        }
    }
}

/// Reads a file shown in the docs by what it holds; an edit's id must stand on the page too.
fn check_record(block: &str, page: &str) -> Result<(), String> {
    let bytes = block.as_bytes();
    let table = text::read(bytes).map_err(|problem| problem.to_string())?;
    let id = table.get("id").and_then(|id| RunId::parse(id.as_text()?));
    if let (Some(id), true) = (&id, table.contains_key("why")) {
        let files = Files::from([(TOMBSTONE.to_owned(), bytes.to_vec())]);
        return fold(id, &files).map(|_| ()).map_err(|problem| problem.to_string());
    }
    if id.is_some() {
        return Facts::from_table(&table).map(|_| ()).map_err(|problem| problem.to_string());
    }
    if table.get("artifacts").is_some_and(|value| value.as_list().is_some()) {
        return pointer::decode(bytes).map(|_| ()).map_err(|problem| problem.to_string());
    }
    let Some(at) = table.get("at").and_then(|at| Time::parse(at.as_text()?)) else {
        return Ok(());
    };
    let id = EditId::of(at, bytes);
    Edit::decode(&id, bytes).map_err(|problem| problem.to_string())?;
    page.contains(id.as_str()).then_some(()).ok_or(format!("its id is {id}, which the page does not show"))
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    // In pieces, so that this file holds none of them.
    let forbidden = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/tmp/ba", "sh_jobs"),
        concat!("crates", ".io"),
        concat!("py", "pi.org"),
        concat!("python", "hosted"),
        concat!("np", "mjs."),
        concat!("deb.deb", "ian.org"),
    ];
    let mut found = Vec::new();
    for file in tracked().into_iter().filter(|file| !is_of(file, "lock") && !file.ends_with("deny.toml")) {
        // What is no text (a data set) names nothing.
        let Ok(text) = fs::read_to_string(root().join(&file)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if let Some(pattern) = forbidden.iter().find(|pattern| line.contains(**pattern)) {
                found.push(format!("{}:{}: names {pattern}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The targets of `[text](target)` outside code, without those that name a scheme.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_code = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        let prose: String = line.split('`').step_by(2).collect();
        if !is_code {
            found.extend(
                prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned),
            );
        }
    }
    found.retain(|target| !target.contains("://") && !target.starts_with("mailto:"));
    found
}

/// What its headings can be linked to by, as forges spell it.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings =
        page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    headings
        .map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// Every fenced TOML block of the README and the docs, with the page it stands on.
fn toml_blocks() -> Vec<(PathBuf, String)> {
    let pages = tracked().into_iter().filter(|file| is_of(file, "md"));
    pages.flat_map(|file| blocks(&read(&file)).into_iter().map(move |block| (file.clone(), block))).collect()
}

fn blocks(page: &str) -> Vec<String> {
    let starts = page.split("\n```toml\n").skip(1);
    starts.filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// The files that belong to the project, by their path from the top.
fn tracked() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git can be started");
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let files: Vec<_> = listed.split_terminator('\0').map(PathBuf::from).collect();
    let files: Vec<_> = files.into_iter().filter(|file| root().join(file).is_file()).collect();
    // In an unpacked archive there is no repository: the docs themselves are still checked.
    if files.is_empty() { unpacked() } else { files }
}

fn unpacked() -> Vec<PathBuf> {
    let pages = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).expect("the folder is here").flatten();
        let folder = PathBuf::from(folder);
        entries
            .map(move |entry| folder.join(entry.file_name()))
            .filter(|path| is_of(path, "md"))
            .collect::<Vec<_>>()
    };
    [pages(""), pages("docs"), pages("docs/design")].concat()
}

fn is_of(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

fn read(file: impl AsRef<Path>) -> String {
    let path = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
