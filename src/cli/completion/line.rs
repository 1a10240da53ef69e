//! A command line that is being typed: its words, and how a word goes into it.
//!
//! Knows the quotes of the shells, as far as they matter before the cursor, and what git takes before the name of a
//! command. Nothing in a line is run or expanded.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What bash cuts words at besides blanks.
const WORD_BREAKS: &str = "\"'@><=;|&(:";
/// The options of git before a command that take the word after them.
const GIT_OPTIONS: [&str; 7] =
    ["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--config-env"];

/// What is typed of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its words as the program would get them; the last is the one that is being typed, maybe empty.
    pub words: Vec<String>,
    /// The last word as it is typed.
    raw: String,
}

impl Line {
    /// Reads what stands before the cursor.
    pub fn read(line: &str) -> Self {
        let mut words = Vec::new();
        let mut rest = line.trim_start();
        loop {
            let word = Word::read(rest);
            let is_last = word.length == rest.len();
            words.push(word.text);
            if is_last {
                return Self { words, raw: rest.to_owned() };
            }
            rest = rest[word.length..].trim_start();
        }
    }

    /// What bash is to put in the place of `word`, the end of the last word that it has cut off, so that the word
    /// becomes `whole`; nothing where the quotes that are open cannot hold it.
    pub fn replacement(&self, whole: &str, word: &str) -> Option<String> {
        let kept = &self.raw[..self.raw.len() - replaced(&self.raw, word)];
        let rest = whole.strip_prefix(Word::read(kept).text.as_str())?;
        let is_open = whole.ends_with(['=', '/', '.', ',']);
        match Word::read(&self.raw).open {
            Some('\'') => (!rest.contains('\'')).then(|| rest.to_owned()),
            Some(_) => (!rest.contains(['"', '$', '`', '\\', '!'])).then(|| rest.to_owned()),
            None if rest.is_empty() && whole == kept => None,
            None => {
                let space = if is_open { "" } else { " " };
                let home = if kept.is_empty() && rest.starts_with('~') { "\\" } else { "" };
                Some(format!("{home}{}{space}", escaped(rest)))
            }
        }
    }
}

/// How much of the end of what is typed bash replaces: the beginning of its word that is there.
fn replaced(raw: &str, word: &str) -> usize {
    if word.chars().all(|character| WORD_BREAKS.contains(character)) {
        return 0;
    }
    let ends = word.char_indices().map(|(at, _)| at).chain([word.len()]);
    ends.rev().find(|end| raw.ends_with(&word[..*end])).unwrap_or_default()
}

/// The first word of a line.
struct Word {
    text: String,
    /// How much of the line it takes.
    length: usize,
    /// The quote that is not closed.
    open: Option<char>,
}

impl Word {
    fn read(line: &str) -> Self {
        let mut text = String::new();
        let mut open: Option<char> = None;
        let mut characters = line.char_indices();
        while let Some((at, character)) = characters.next() {
            match (open, character) {
                (None, blank) if blank.is_whitespace() => return Self { text, length: at, open },
                (None, '\'' | '"') => open = Some(character),
                (Some(quote), end) if quote == end => open = None,
                (None, '\\') => text.extend(characters.next().map(|(_, escaped)| escaped)),
                (Some('"'), '\\') => match characters.next() {
                    Some((_, escaped)) if "\"\\$`".contains(escaped) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => text.push('\\'),
                },
                (_, plain) => text.push(plain),
            }
        }
        Self { text, length: line.len(), open }
    }
}

/// The text so that a shell takes it for one word and runs nothing in it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if !character.is_alphanumeric() && !"_@%+=:,./~-".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// The words as `git-xtrack` gets them: `git -C DIR xtrack log` is `git-xtrack -C DIR log`.
pub fn of_program(words: Vec<OsString>) -> Vec<OsString> {
    let is_git = words.first().and_then(|word| Path::new(word).file_name()).is_some_and(|name| name == "git");
    if !is_git {
        return words;
    }
    let mut kept = vec![OsString::from("git-xtrack")];
    let mut words = words.into_iter().skip(1);
    while let Some(word) = words.next() {
        let option = word.to_str().unwrap_or_default().to_owned();
        let value = GIT_OPTIONS.contains(&option.as_str()).then(|| words.next()).flatten();
        match value {
            Some(directory) if option == "-C" => kept.extend([word, directory]),
            _ if option.starts_with('-') => {}
            _ => break,
        }
    }
    kept.extend(words);
    kept
}

/// Where the program would run.
pub fn directory(start: PathBuf, words: &[OsString]) -> PathBuf {
    let mut directory = start;
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let given = match word.to_str() {
            Some("-C") => words.next().map(PathBuf::from),
            Some(text) if text.starts_with("-C") => Some(PathBuf::from(&text[2..])),
            Some(text) if text.starts_with('-') => None,
            _ => return directory,
        };
        directory.extend(given.map(|given| home(&given)));
    }
    directory
}

/// The path with `~` as shells read it.
fn home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        Line::read(line).words
    }

    #[test]
    fn a_line_is_read_as_shells_read_it() {
        assert_eq!(words("git xtrack show "), ["git", "xtrack", "show", ""]);
        assert_eq!(
            words("git-xtrack  show a\\ b 'c d' \"e \\\" $f\" g"),
            ["git-xtrack", "show", "a b", "c d", "e \" $f", "g"]
        );
        assert_eq!(words("log --where 'metrics.lo"), ["log", "--where", "metrics.lo"]);
        assert_eq!(words("log --where='metrics.l > 0 and par"), ["log", "--where=metrics.l > 0 and par"]);
        assert_eq!(words(""), [""]);
    }

    #[test]
    fn git_is_looked_through() {
        let program = |line: &str| {
            let words = of_program(words(line).into_iter().map(OsString::from).collect());
            words.into_iter().map(|word| word.into_string().unwrap_or_default()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(program("git xtrack sh"), "git-xtrack sh");
        assert_eq!(program("/usr/bin/git -C a --no-pager -c x=y -C b xtrack sh"), "git-xtrack -C a -C b sh");
        assert_eq!(program("git-xtrack -C a sh"), "git-xtrack -C a sh");
        let words: Vec<OsString> = ["git-xtrack", "-C", "a", "-Cb", "log", "-C"].map(OsString::from).to_vec();
        assert_eq!(directory(PathBuf::from("/start"), &words), PathBuf::from("/start/a/b"));
    }

    #[test]
    fn bash_gets_what_it_replaces() {
        let replacement = |line: &str, word: &str, whole: &str| Line::read(line).replacement(whole, word);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(replacement("show qu", "qu", "quiet-otter"), some("quiet-otter "));
        assert_eq!(replacement("show ", "", "my run;$(x)"), some("my\\ run\\;\\$\\(x\\) "));
        // Bash takes `@`, `=` and `:` for ends of words.
        assert_eq!(replacement("show @~", "~", "@~1"), some("~1 "));
        assert_eq!(replacement("show @", "@", "@~1"), some("~1 "));
        assert_eq!(replacement("show ", "", "~x"), some("\\~x "));
        assert_eq!(replacement("log --where=met", "met", "--where=metrics.loss"), some("metrics.loss "));
        assert_eq!(replacement("log --where=", "=", "--where=metrics.loss"), some("metrics.loss "));
        assert_eq!(
            replacement("log --where 'a > 0 and met", "'a > 0 and met", "a > 0 and metrics.loss"),
            some("a > 0 and metrics.loss")
        );
        assert_eq!(replacement("show 'it", "'it", "it's"), None);
        assert_eq!(replacement("show \"a", "\"a", "a$(b)"), None);
        assert_eq!(replacement("edit -p l", "l", "lr="), some("lr="));
        // Where the cursor stands within a word its end is still there.
        assert_eq!(replacement("show qu", "quiet", "quiet-otter"), some("quiet-otter "));
    }

    proptest! {
        #[test]
        fn a_word_that_is_put_in_is_read_back(whole in "[ -~éß日]{1,12}", typed in 0usize..12) {
            let typed: String = whole.chars().take(typed).collect();
            let home = if typed.starts_with('~') { "\\" } else { "" };
            let raw = format!("{home}{}", escaped(&typed));
            let line = Line::read(&format!("show {raw}"));
            let put = line.replacement(&whole, &raw).unwrap_or_default();
            let kept = &raw[..raw.len() - replaced(&raw, &raw)];
            let completed = format!("show {kept}{put}");
            let read = Line::read(completed.strip_suffix(' ').unwrap_or(&completed));
            prop_assert_eq!(read.words.last().map(String::as_str), Some(whole.as_str()), "{}", completed);
        }
    }
}
