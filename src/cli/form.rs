//! In which form an answer is printed: for people, for spreadsheets, for programs.
//!
//! Knows the options and where each form goes; the forms themselves are written by `render`. A command that answers
//! something flattens [`Form`], makes an [`Answer`] and prints it.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};

use anyhow::Result;
use serde_json::Value as Json;

use crate::cli::Session;
use crate::render::csv::{self, Separator};
use crate::render::template::{Surroundings, Template};
use crate::render::{Report, escape, html, json, markdown};
use crate::store::Store;
use crate::tracker;

/// An answer in the shapes that the forms need.
pub struct Answer {
    /// For people.
    pub report: Report,
    /// One table with whole values, for spreadsheets; without it the report's own tables.
    pub exact: Option<Report>,
    /// For programs. Of an array the elements are what `--ndjson` and `--format` go over.
    pub json: Json,
}

/// Which of an answer's shapes a form is made of: whoever answers at length makes only that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The report: for a terminal, Markdown or a page.
    Report,
    /// The table of whole values.
    Table,
    /// The whole of the JSON.
    Json,
    /// The JSON, element by element.
    Elements,
}

/// Where the options stand in the help of every command that has them.
const HEADING: &str = "Form of the output";

/// The form that is wanted; without any, a report for the terminal.
#[derive(clap::Args, Default, Debug, Clone)]
pub struct Form {
    /// Print JSON, as docs/json.md describes it
    #[arg(long, group = "form", help_heading = HEADING)]
    pub json: bool,

    /// Print JSON, one element a line
    #[arg(long, group = "form", help_heading = HEADING)]
    pub ndjson: bool,

    /// Print CSV, safe to open in a spreadsheet
    #[arg(long, group = "form", help_heading = HEADING)]
    pub csv: bool,

    /// Print TSV, likewise
    #[arg(long, group = "form", help_heading = HEADING)]
    pub tsv: bool,

    /// Print Markdown, for a pull request
    #[arg(long, visible_alias = "markdown", group = "form", help_heading = HEADING)]
    pub md: bool,

    /// Print an HTML page
    #[arg(long, group = "form", help_heading = HEADING)]
    pub html: bool,

    /// Print each element by a template: '{{ id }} {{ name }}'
    #[arg(long, group = "form", help_heading = HEADING, value_name = "TEMPLATE", value_parser = template)]
    pub format: Option<Template>,
}

impl Form {
    /// Prints the answer.
    pub fn print(&self, session: &Session, store: &Store, answer: &Answer) -> Result<()> {
        match self.shape() {
            Shape::Report => self.print_report(session, store, &answer.report),
            Shape::Table => self.print_table(session, answer.exact.as_ref().unwrap_or(&answer.report)),
            Shape::Json => self.print_json(session, &answer.json),
            Shape::Elements => self.print_elements(session, elements(&answer.json).iter().cloned().map(Ok)),
        }
    }

    /// What the form is made of.
    pub fn shape(&self) -> Shape {
        match () {
            () if self.json => Shape::Json,
            () if self.ndjson || self.format.is_some() => Shape::Elements,
            () if self.csv || self.tsv => Shape::Table,
            () => Shape::Report,
        }
    }

    /// Whether it is the form for people at a terminal, which may come with words on stderr.
    pub fn is_for_terminal(&self) -> bool {
        self.shape() == Shape::Report && !self.md && !self.html
    }

    /// Prints a report: on the terminal, as Markdown, or as a page.
    pub fn print_report(&self, session: &Session, store: &Store, report: &Report) -> Result<()> {
        match () {
            () if self.md => session.out(&markdown::write(report)),
            () if self.html => session.out(&html::write(report)),
            () => session.show(store, report),
        }
    }

    /// Prints tables for a spreadsheet.
    pub fn print_table(&self, session: &Session, table: &Report) -> Result<()> {
        let separator = if self.tsv { Separator::Tab } else { Separator::Comma };
        session.out(&csv::write_with(table, separator))
    }

    /// Prints JSON as a whole.
    pub fn print_json(&self, session: &Session, value: &Json) -> Result<()> {
        session.json(value)
    }

    /// Prints an array as JSON, each element as it comes.
    pub fn print_array(&self, elements: impl Iterator<Item = Json>) -> Result<()> {
        let mut stdout = BufWriter::new(io::stdout().lock());
        for piece in json::pieces(elements) {
            stdout.write_all(piece.as_bytes())?;
        }
        Ok(writeln!(stdout).and_then(|()| stdout.flush())?)
    }

    /// Prints element by element, each as it comes: a line of JSON, or what the template makes of it.
    pub fn print_elements(
        &self,
        session: &Session,
        elements: impl IntoIterator<Item = Result<Json>>,
    ) -> Result<()> {
        let mut stdout = BufWriter::new(io::stdout().lock());
        match &self.format {
            None => {
                for element in elements {
                    writeln!(stdout, "{}", json::line(&element?))?;
                }
            }
            Some(template) => {
                let surroundings = Surroundings { now: tracker::now(), exact: !io::stdout().is_terminal() };
                let notes = template
                    .write(elements, surroundings, &mut |text| Ok(stdout.write_all(text.as_bytes())?))?;
                stdout.flush()?;
                notes.iter().for_each(|note| session.warn(note));
            }
        }
        Ok(stdout.flush()?)
    }
}

/// Reads a template; what is wrong with it, and where, is one text to clap.
fn template(text: &str) -> Result<Template, String> {
    Template::parse(text).map_err(|problem| {
        let lines: Vec<String> =
            problem.hints.iter().map(|hint| format!("\n  {}", escape::visible(hint))).collect();
        format!("{}{}", problem.message, lines.concat())
    })
}

/// The elements of an array; anything else is the only one.
fn elements(json: &Json) -> &[Json] {
    match json {
        Json::Array(elements) => elements,
        whole => std::slice::from_ref(whole),
    }
}
