//! Dependencies run one way, heavy crates have one home, and no file lies about unused or unexplained.
//!
//! Reads the source as text: knows paths and tokens, nothing of types. Cross-module paths are spelled `crate::…`
//! everywhere so that this can see them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules, lowest first: a module may use those on earlier lines only.
const LAYERS: &[&[&str]] = &[
    &["error", "human", "series", "statistics"], // know nothing
    &["run"],                                    // what a run is; pure
    &["query", "render", "config", "store", "artifact", "journal"], // strangers to one another
    &["index"],                                  // a cache of the store
    &["tracker"],                                // opens and joins them
    &["ops"],                                    // use cases; nothing prints
    &["view"],                                   // answers: the JSON contract and the blocks shown
    &["serve"],
    &["cli"],
];

/// Crates that may be named in one module only.
const KEPT: &[(&str, &str)] = &[
    ("gix", "store"),
    ("object_store", "artifact"),
    ("reqwest", "artifact"),
    ("rustls", "artifact"),
    ("tokio", "artifact"),
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
    ("parquet", "series"),
    ("sysinfo", "ops"),
    ("nvml_wrapper", "ops"),
    ("prost", "ops"),
    ("rusqlite", "index"),
    ("plotters", "render"),
    ("ab_glyph", "render"),
    ("plotly", "render"),
    ("png", "render"),
    ("epaint_default_fonts", "render"),
    ("minijinja", "render"),
    ("statrs", "statistics"),
    ("smartcore", "statistics"),
    ("indicatif", "cli"),
];

/// Names that say nothing of what a file knows.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

#[test]
fn dependencies_run_one_way() {
    let found: Vec<_> =
        sources("src").iter().flat_map(|(path, text)| violations(path, &code_of(text))).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_file_is_reached_by_a_mod() {
    for (folder, roots) in
        [("src", &["src/lib.rs", "src/main.rs"] as &[_]), ("tests", &["tests/main.rs"] as &[_])]
    {
        let mut reached = BTreeSet::new();
        for root in roots {
            reach(PathBuf::from(root), &mut reached);
        }
        let dead: Vec<_> = sources(folder)
            .into_iter()
            .map(|(path, _)| path)
            .filter(|path| !reached.contains(path))
            .collect();
        assert!(dead.is_empty(), "no `mod` reaches {dead:?}");
    }
}

#[test]
fn every_file_says_what_it_knows() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        assert!(text.starts_with("//! "), "{}:1: must begin with `//!`", path.display());
        for part in path.iter().filter_map(|part| part.to_str()) {
            let stem = part.trim_end_matches(".rs");
            assert!(!EMPTY_NAMES.contains(&stem), "{}: '{stem}' says nothing", path.display());
        }
    }
}

#[test]
fn a_violation_is_named_by_file_and_line() {
    let check = |path: &str, text: &str| violations(Path::new(path), &code_of(text));
    assert_eq!(
        check("src/store/mod.rs", "//! x\nuse crate::query::Query;\n"),
        ["src/store/mod.rs:2: store must not use query"]
    );
    assert_eq!(
        check("src/run/fold.rs", "use crate::{error::{Problem, Kind}, run::id, ops};"),
        ["src/run/fold.rs:1: run must not use ops"]
    );
    assert_eq!(
        check("src/render/mod.rs", "\nuse clap::Parser;"),
        ["src/render/mod.rs:2: render must not use clap"]
    );
    assert_eq!(
        check("src/cli/mod.rs", "#[derive(clap::Args)] struct A; fn f() { crate::cli::main(); }"),
        [""; 0]
    );
    assert_eq!(
        check("src/run/id.rs", "use super::super::store;"),
        ["src/run/id.rs:1: spell the path `crate::…`, not `super::super`"]
    );
    assert_eq!(check("src/odd.rs", ""), ["src/odd.rs:1: odd has no line in the layers"]);
    assert_eq!(
        check("src/run/id.rs", "// crate::cli\n/* crate::cli */ const A: &str = \"crate::cli\";"),
        [""; 0]
    );
    assert_eq!(
        check("src/run/id.rs", "const A: char = '\"'; use crate::run::text; const B: char = '\"';"),
        [""; 0]
    );
    assert_eq!(
        check("src/run/id.rs", "const A: &str = r#\"a \" crate::cli\"#; fn a<'a>(a: &'a str) {}"),
        [""; 0]
    );
}

/// What is wrong in one file, whose comments and literals are blank.
fn violations(path: &Path, code: &str) -> Vec<String> {
    let Some(module) = module_of(path) else {
        return Vec::new();
    };
    let at = |offset: usize| format!("{}:{}", path.display(), code[..offset].matches('\n').count() + 1);
    let Some(own) = layer_of(&module) else {
        return vec![format!("{}: {module} has no line in the layers", at(0))];
    };
    let mut found = Vec::new();
    for (offset, used) in used_modules(code) {
        match layer_of(used) {
            None => found.push(format!("{}: {used} has no line in the layers", at(offset))),
            Some(layer) if used != module && layer >= own => {
                found.push(format!("{}: {module} must not use {used}", at(offset)));
            }
            Some(_) => {}
        }
    }
    for (kept, _) in KEPT.iter().filter(|(_, home)| *home != module) {
        found.extend(
            named_crates(code, kept)
                .into_iter()
                .map(|offset| format!("{}: {module} must not use {kept}", at(offset))),
        );
    }
    found.extend(
        code.match_indices("super::super")
            .map(|(offset, _)| format!("{}: spell the path `crate::…`, not `super::super`", at(offset))),
    );
    found
}

/// The top-level module a file belongs to; none for `lib.rs` and `main.rs`, which see all.
fn module_of(path: &Path) -> Option<String> {
    let first = path.iter().nth(1)?.to_str()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&first)).then(|| first.to_owned())
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules named after each `crate::`, `crate::{a, b}` included.
fn used_modules(code: &str) -> Vec<(usize, &str)> {
    let mut used = Vec::new();
    for (offset, prefix) in code.match_indices("crate::") {
        let start = offset + prefix.len();
        match code[start..].starts_with('{') {
            false => used.push((offset, word_at(code, start))),
            true => used.extend(group(code, start + 1)),
        }
    }
    used
}

/// The first words of a `{…}` group whose inside begins at `start`.
fn group(code: &str, start: usize) -> Vec<(usize, &str)> {
    let (mut depth, mut is_first, mut words) = (0, true, Vec::new());
    for (offset, character) in code[start..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_first = true,
            letter if is_first && depth == 0 && is_word(letter) => {
                words.push((start + offset, word_at(code, start + offset)));
                is_first = false;
            }
            _ => {}
        }
    }
    words
}

/// Where `name` stands as a crate: before `::` or after `use`.
fn named_crates(code: &str, name: &str) -> Vec<usize> {
    let is_crate = |offset: &usize| {
        let (before, after) = (&code[..*offset], &code[offset + name.len()..]);
        let is_whole = !before.ends_with(is_word) && !after.starts_with(is_word);
        let is_root = !before.ends_with("::") && !before.ends_with('.');
        is_whole && is_root && (after.starts_with("::") || before.trim_end().ends_with("use"))
    };
    code.match_indices(name).map(|(offset, _)| offset).filter(is_crate).collect()
}

fn word_at(code: &str, start: usize) -> &str {
    let rest = &code[start..];
    &rest[..rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())]
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Adds the file and every file that its `mod name;` lines lead to.
fn reach(file: PathBuf, reached: &mut BTreeSet<PathBuf>) {
    let Ok(text) = fs::read_to_string(root().join(&file)) else {
        return;
    };
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let folder = match ["lib", "main", "mod"].contains(&stem) {
        true => file.parent().expect("every source lies in a folder").to_owned(),
        false => file.with_extension(""),
    };
    reached.insert(file.clone());
    for name in modules_in(&code_of(&text)) {
        reach(folder.join(format!("{name}.rs")), reached);
        reach(folder.join(&name).join("mod.rs"), reached);
    }
}

fn modules_in(code: &str) -> Vec<String> {
    let names = code.match_indices("mod ").filter(|(offset, _)| !code[..*offset].ends_with(is_word));
    let name = |(offset, prefix): (usize, &str)| {
        let name = word_at(code, offset + prefix.len());
        code[offset + prefix.len() + name.len()..].starts_with(';').then(|| name.to_owned())
    };
    names.filter_map(name).collect()
}

/// The text with comments, strings and character literals made blank; lines stay where they are.
fn code_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => string_length(rest),
            'r' if !out.ends_with(is_word) => raw_string_length(rest).unwrap_or(0),
            '\'' => character_length(rest).unwrap_or(0),
            _ => 0,
        };
        match length {
            0 => out.push(first),
            _ => {
                out.extend(rest[..length].chars().map(|character| if character == '\n' { '\n' } else { ' ' }))
            }
        }
        rest = &rest[length.max(first.len_utf8())..];
    }
    out
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (offset, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return offset + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string_length(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|&character| character == '#').count();
    text[1 + hashes..].starts_with('"').then_some(())?;
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = hashes + 2;
    Some(text[inside..].find(&end).map_or(text.len(), |offset| inside + offset + end.len()))
}

/// The length of a character literal; none for a lifetime.
fn character_length(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    match characters.next()?.1 {
        '\\' => text[3..].find('\'').map(|offset| offset + 4),
        _ => characters.next().filter(|(_, character)| *character == '\'').map(|(offset, _)| offset + 1),
    }
}

/// The Rust files under a folder, by their path from the top, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(Path::new(folder), &mut found);
    found.sort();
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(root().join(folder)).expect("the sources are here") {
        let entry = entry.expect("the folder can be read");
        let path = folder.join(entry.file_name());
        if entry.file_type().expect("its type can be read").is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path, fs::read_to_string(entry.path()).expect("sources are UTF-8")));
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
