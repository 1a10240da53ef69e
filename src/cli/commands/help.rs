//! `git xtrack help`: explains the program or a command; works where git turns `--help` into a man page.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Session, definition, reference};
use crate::error::Problem;
use crate::human;

/// What is explained besides commands.
const TOPICS: [(&str, &str); 2] =
    [("output", include_str!("../../../docs/output.md")), ("json", include_str!("../../../docs/json.md"))];

/// Explain the program, a command, or a matter: the forms of output, their JSON
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack help record
  git xtrack help output    Forms and templates
  git xtrack help json      Every key that programs read")]
pub struct Args {
    /// The command, or one of: output, json
    #[arg(value_name = "COMMAND")]
    command: Option<String>,

    /// Print the whole reference as Markdown
    #[arg(long, hide = true)]
    markdown: bool,
}

/// Explains.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let mut program = definition();
    program.build();
    if args.markdown {
        session.out(&reference::markdown(program))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(name) = args.command else {
        session.out(&program.render_long_help().to_string())?;
        return Ok(ExitCode::SUCCESS);
    };
    if let Some((_, text)) = TOPICS.iter().find(|(topic, _)| *topic == name) {
        session.out(text)?;
        return Ok(ExitCode::SUCCESS);
    }
    match program.find_subcommand_mut(&name) {
        Some(command) => session.out(&command.render_long_help().to_string())?,
        None => return Err(unknown(&name, &[]).into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// What is said of a command that there is not, among those of the command that stands before it.
pub fn unknown(name: &str, arguments: &[OsString]) -> Problem {
    let mut program = definition();
    let before = arguments.iter().take_while(|word| *word != name).filter_map(|word| word.to_str());
    let above =
        before.filter_map(|word| program.find_subcommand(word)).find(|command| command.has_subcommands());
    if let Some(above) = above.cloned() {
        program = above;
    }
    let shown = program.get_subcommands().filter(|command| !command.is_hide_set());
    let known: Vec<&str> = shown.map(clap::Command::get_name).collect();
    let problem = Problem::usage(format!("there is no command {name:?}"));
    match human::nearest(name, known.iter().copied()) {
        Some(nearest) => problem.hint(format!("did you mean '{nearest}'?")),
        None => problem.hint(format!("the commands are {}", known.join(", "))),
    }
}
