//! `git xtrack man`: the manual pages, printed or put where `man` and the shells look for them.
//!
//! Knows the folders of this user; what the pages say comes from the commands' own help.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};
use clap_complete::Shell;

use crate::cli::{Session, definition, reference};
use crate::error::Problem;

/// Print a manual page, or install them all with the shells' completions
///
/// git turns `git xtrack --help` into `man git-xtrack`, which finds a page only once it is installed.
/// `--install` writes the pages and the completions for bash, zsh and fish into your own folders
/// ($XDG_DATA_HOME and $XDG_CONFIG_HOME, or ~/.local/share and ~/.config), and nowhere else.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack man --install           pages and completions, for this user
  git xtrack man record | man -l -   read one page without installing it")]
pub struct Args {
    /// Put all pages, and the shells' completions, in your own folders
    #[arg(long, conflicts_with = "page")]
    install: bool,
    /// The command whose page to print [default: git xtrack itself]
    #[arg(value_name = "COMMAND")]
    page: Option<String>,
}

/// Prints a page, or installs all of them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    if args.install { install(session) } else { print(args.page.as_deref(), session) }
}

fn print(page: Option<&str>, session: &Session) -> Result<ExitCode> {
    let wanted = page.map_or("git-xtrack.1".to_owned(), |name| format!("git-xtrack-{name}.1"));
    let pages = reference::man_pages(definition())?;
    let Some((_, text)) = pages.iter().find(|(name, _)| *name == wanted) else {
        return Err(Problem::usage(format!("there is no command '{}'", page.unwrap_or_default()))
            .hint("git xtrack help lists the commands.")
            .into());
    };
    session.out(text)?;
    Ok(ExitCode::SUCCESS)
}

fn install(session: &Session) -> Result<ExitCode> {
    let folders = Folders::of_this_user()?;
    let pages = folders.data.join("man/man1");
    for (name, text) in reference::man_pages(definition())? {
        write(&pages.join(name), &text)?;
    }
    session.out(&format!("manual pages   {}\n", pages.display()))?;
    for (shell, file) in folders.completions() {
        write(&file, &reference::completions(shell, definition())?)?;
        session.out(&format!("{:<14} {}\n", format!("{shell} completion"), file.display()))?;
    }
    if !man_finds_it() {
        let folder = folders.data.join("man");
        session.note(&format!("hint: man does not look there yet: export MANPATH=\"{}:\"", folder.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where this user's programs keep data and settings.
struct Folders {
    data: PathBuf,
    config: PathBuf,
}

impl Folders {
    fn of_this_user() -> Result<Self> {
        Ok(Self {
            data: folder("XDG_DATA_HOME", ".local/share")?,
            config: folder("XDG_CONFIG_HOME", ".config")?,
        })
    }

    /// The files that bash and zsh load for `git-xtrack` by its name, and the one that fish reads when it starts: for
    /// `git xtrack` it would look for none.
    fn completions(&self) -> [(Shell, PathBuf); 3] {
        [
            (Shell::Bash, self.data.join("bash-completion/completions/git-xtrack")),
            (Shell::Zsh, self.data.join("zsh/site-functions/_git-xtrack")),
            (Shell::Fish, self.config.join("fish/conf.d/git-xtrack.fish")),
        ]
    }
}

/// A relative value is ignored, as the XDG rules ask.
fn folder(variable: &str, below_home: &str) -> Result<PathBuf> {
    let given = std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute());
    if let Some(folder) = given {
        return Ok(folder);
    }
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let home = home.ok_or_else(|| Problem::new("cannot tell your home folder").hint("Set HOME."))?;
    Ok(home.join(below_home))
}

fn write(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().expect("every file written here is in a folder");
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder '{}'", folder.display()))?;
    fs::write(file, text).with_context(|| format!("cannot write '{}'", file.display()))
}

/// True also where there is no `man` at all: then there is nothing to set up for it.
fn man_finds_it() -> bool {
    let asked =
        Command::new("man").args(["-w", "git-xtrack"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success()) || Command::new("man").arg("-w").output().is_err()
}
