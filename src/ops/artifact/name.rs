//! File names for artifacts whose paths somebody else wrote: always below the folder they go to, never a name that a
//! system takes for something else, and no two alike.
//!
//! Knows names only; what is on the disk is `beneath`'s.

use std::collections::{BTreeMap, BTreeSet};

use crate::ops::artifact::{Held, shown};
use crate::run::id::is_deceptive;

/// The longest name of a file or folder, in bytes, with room for what makes it unique.
const NAME_MAX: usize = 200;
/// How many folders deep a file may lie.
const DEPTH_MAX: usize = 32;

/// Names that Windows keeps for devices, whatever follows a dot.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// The names under which artifacts are written, folder by folder, in their order.
pub fn names(artifacts: &[Held]) -> Vec<Vec<String>> {
    let mut taken = Taken::default();
    artifacts.iter().map(|held| taken.name(held)).collect()
}

#[derive(Default)]
struct Taken {
    files: BTreeSet<String>,
    /// Folders by how they look to a system that does not tell capitals apart, with how the first was written.
    folders: BTreeMap<String, String>,
}

impl Taken {
    fn name(&mut self, held: &Held) -> Vec<String> {
        let mut parts = safe(&shown(&held.path));
        let file = parts.pop().unwrap_or_else(|| "_".to_owned());
        self.settle_folders(&mut parts, held);
        let folder = parts.join("/");
        let marks = held.step.map(|step| format!("step-{}", plain(&format!("{step:?}"))));
        let digest = held.content.sha256.get(..8).unwrap_or_default().to_owned();
        let candidates = [None, marks, Some(digest.clone())].into_iter().enumerate();
        let candidates = candidates.filter(|(at, mark)| *at == 0 || mark.is_some());
        let mut names = candidates.map(|(_, mark)| marked(&file, mark.as_deref()));
        let free = |name: &String| {
            let key = folded(&format!("{folder}/{name}"));
            !self.files.contains(&key) && !self.folders.contains_key(&key)
        };
        let name = names.find(free).unwrap_or_else(|| {
            let numbered = (2..).map(|number| marked(&file, Some(&format!("{digest}-{number}"))));
            numbered.into_iter().find(free).unwrap_or(file.clone())
        });
        self.files.insert(folded(&format!("{folder}/{name}")));
        parts.push(name);
        parts
    }

    /// A folder that differs from an earlier one only in capitals is that one; one named as a file is named otherwise.
    fn settle_folders(&mut self, parts: &mut [String], held: &Held) {
        let mut place = String::new();
        for part in parts {
            let mut key = folded(&format!("{place}/{part}"));
            if self.files.contains(&key) {
                part.push('-');
                part.push_str(held.content.sha256.get(..8).unwrap_or_default());
                key = folded(&format!("{place}/{part}"));
            }
            let written = self.folders.entry(key).or_insert_with(|| part.clone());
            part.clone_from(written);
            place = if place.is_empty() { part.clone() } else { format!("{place}/{part}") };
        }
    }
}

/// How a path looks to a system that does not tell capitals apart.
fn folded(path: &str) -> String {
    path.trim_start_matches('/').to_lowercase()
}

/// `a.b.png` marked with `x`: `a.b-x.png`.
fn marked(name: &str, mark: Option<&str>) -> String {
    match (mark, name.rsplit_once('.')) {
        (None, _) => name.to_owned(),
        (Some(mark), Some((stem, ending))) if !stem.is_empty() => format!("{stem}-{mark}.{ending}"),
        (Some(mark), _) => format!("{name}-{mark}"),
    }
}

fn plain(text: &str) -> String {
    let inner = text.split(['(', ')']).nth(1).unwrap_or(text);
    inner
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || *character == '.' || *character == '-')
        .collect()
}

/// The parts of a path, each made harmless: roots, drives and `..` do not leave the folder.
pub fn safe(path: &str) -> Vec<String> {
    let parts = path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".");
    let mut parts: Vec<String> = parts.map(safe_part).collect();
    if parts.len() > DEPTH_MAX {
        parts.drain(..parts.len() - DEPTH_MAX);
    }
    if parts.is_empty() { vec!["_".to_owned()] } else { parts }
}

fn safe_part(part: &str) -> String {
    let is_drive = part.len() == 2 && part.ends_with(':');
    let replace = |character: char| match character {
        '<' | '>' | '"' | '|' | '?' | '*' | '\0' => '_',
        ':' if is_drive => '_',
        character if character.is_control() || is_deceptive(character) => '_',
        character => character,
    };
    let mut name: String = part.chars().map(replace).collect();
    // Windows drops dots and blanks at the end: what is left may be another name.
    if name.ends_with(['.', ' ']) {
        name = format!("{}_", name.trim_end_matches(['.', ' ']));
    }
    let stem = name.split(['.', ':']).next().unwrap_or_default().trim_end().to_lowercase();
    let is_port = |stem: &str| {
        let number = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
        number.is_some_and(|number| number.chars().count() == 1 && number != "0")
    };
    if DEVICES.contains(&stem.as_str()) || is_port(&stem) || is_git(&name) {
        name.insert(0, '_');
    }
    shortened(name)
}

/// Whether some system would take it for `.git`, in which files are run.
fn is_git(name: &str) -> bool {
    // HFS+ leaves some characters out that nobody sees; NTFS has short names and streams.
    let bare: String = name.chars().filter(|character| !is_unseen(*character)).collect();
    let bare = bare.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']).to_lowercase();
    bare == ".git" || bare.starts_with("git~")
}

fn is_unseen(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Cut to a length that every system takes; the ending, which says what it is, stays.
fn shortened(name: String) -> String {
    if name.len() <= NAME_MAX {
        return name;
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| ending.len() <= 16);
    let tail = ending.map(|ending| format!(".{ending}")).unwrap_or_default();
    let mut end = NAME_MAX - tail.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &name[..end])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::artifact::Content;
    use crate::run::attempt::Number;
    use crate::run::id::{RunId, sha256};
    use proptest::prelude::*;

    fn held(path: &str, bytes: &str, step: Option<i64>) -> Held {
        Held {
            run: RunId::parse("20260701-091502-q7d3k9ma").unwrap(),
            id: "q7d3k9ma/a1".into(),
            path: path.into(),
            step: step.map(|step| Number::Int(step.into())),
            key: None,
            content: Content { sha256: sha256(bytes.as_bytes()), size: bytes.len() as u64 },
            inline: None,
        }
    }

    fn named(artifacts: &[Held]) -> Vec<String> {
        names(artifacts).iter().map(|parts| parts.join("/")).collect()
    }

    #[test]
    fn paths_stay_below() {
        let cases = [
            ("plots/a.png", "plots/a.png"),
            ("/etc/passwd", "etc/passwd"),
            ("../../x", "_/_/x"),
            ("a/../../b", "a/_/_/b"),
            ("C:\\Windows\\x.dll", "C_/Windows/x.dll"),
            ("\\\\host\\share", "host/share"),
            ("~/.ssh/id_rsa", "~/.ssh/id_rsa"),
            (".git/hooks/post-checkout", "_.git/hooks/post-checkout"),
            (".GIT/config", "_.GIT/config"),
            (".g\u{200c}it/config", ".g_it/config"),
            (".git. /config", ".git_/config"),
            ("GIT~1/config", "_GIT~1/config"),
            ("con", "_con"),
            ("AUX.txt", "_AUX.txt"),
            ("com1.log/x", "_com1.log/x"),
            ("comet.log", "comet.log"),
            ("a. ", "a_"),
            ("...", "_"),
            ("", "_"),
            ("./", "_"),
            ("a\u{1b}[31m\nb", "a_[31m_b"),
            ("epoch=1:best.ckpt", "epoch=1:best.ckpt"),
            ("a//b", "a/b"),
            ("\u{202e}gpj.exe", "_gpj.exe"),
        ];
        for (path, expected) in cases {
            assert_eq!(safe(path).join("/"), expected, "{path:?}");
        }
        assert_eq!(safe(&"d/".repeat(500)).len(), DEPTH_MAX);
        let long = safe(&format!("{}.tar", "ä".repeat(300)));
        assert!(long[0].len() <= NAME_MAX && long[0].ends_with(".tar"));
    }

    #[test]
    fn no_two_are_alike() {
        let digest = &sha256(b"2")[..8];
        assert_eq!(
            named(&[held("A.png", "1", None), held("a.png", "2", None)]),
            ["A.png", &format!("a-{digest}.png")]
        );
        assert_eq!(
            named(&[held("i.png", "1", Some(1)), held("i.png", "2", Some(2)), held("i.png", "3", Some(30))]),
            ["i.png", "i-step-2.png", "i-step-30.png"]
        );
        assert_eq!(named(&[held("a", "1", None), held("a/b", "2", None)]), ["a", &format!("a-{digest}/b")]);
        assert_eq!(named(&[held("a/b", "1", None), held("a", "2", None)]), ["a/b", &format!("a-{digest}")]);
        assert_eq!(named(&[held("Out/x", "1", None), held("out/y", "2", None)]), ["Out/x", "Out/y"]);
        let same = named(&[held("x", "1", None), held("x", "1", None), held("x", "1", None)]);
        assert_eq!(same.iter().collect::<BTreeSet<_>>().len(), 3, "{same:?}");
    }

    proptest! {
        #[test]
        fn whatever_is_written_stays_below(path in ".{0,60}", odd in "[./\\\\: ~CcOoNn1gitGIT\u{0}\u{200c}]{0,24}") {
            for path in [path, odd] {
                let parts = safe(&path);
                prop_assert!(!parts.is_empty() && parts.len() <= DEPTH_MAX);
                for part in &parts {
                    prop_assert!(!part.is_empty() && part != "." && part != "..", "{path:?}");
                    prop_assert!(!part.contains(['/', '\\', '\0']) && !part.ends_with(['.', ' ']), "{path:?}");
                    prop_assert!(!part.chars().any(char::is_control) && !is_git(part) && part.len() <= NAME_MAX + 1);
                }
                prop_assert_eq!(safe(&parts.join("/")).len(), parts.len());
            }
        }

        #[test]
        fn names_are_unique_whatever_the_paths(paths in prop::collection::vec("[abAB/.]{0,6}", 0..12)) {
            let held: Vec<Held> = paths.iter().map(|path| held(path, path, None)).collect();
            let names = named(&held);
            let files: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
            prop_assert_eq!(files.len(), names.len(), "{:?}", names);
            for name in &files {
                prop_assert!(!files.iter().any(|other| other.starts_with(&format!("{name}/"))), "{:?}", names);
            }
        }
    }
}
