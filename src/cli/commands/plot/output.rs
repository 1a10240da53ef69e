//! Where a plot goes: the terminal, or a file whose form its name tells.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cli::Session;
use crate::error::Problem;
use crate::render::plot::pixels::Size;
use crate::render::plot::terminal::{self, Screen};
use crate::render::plot::{self, Figure, html, svg};
use crate::store::Store;
use crate::view;

/// The size of a picture that nobody asked another for; of PNG twice as many pixels, for fine screens.
const PICTURE: (u32, u32) = (900, 540);
/// The columns of a plot that goes nowhere with columns.
const COLUMNS: usize = 80;
/// The fewest and most rows of a plot in the terminal.
const ROWS: (usize, usize) = (12, 30);
/// The rows that title, legend and the next prompt take.
const ROWS_AROUND: usize = 8;

/// In which form the plot is wanted, and how large.
#[derive(clap::Args, Default, Debug, Clone)]
pub struct Output {
    /// Write SVG to FILE, or print it
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", group = "to")]
    svg: Option<String>,

    /// Write PNG to FILE, or print it
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", group = "to")]
    png: Option<String>,

    /// Write a page to FILE, or print it: interactive, with all it needs in it
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", group = "to")]
    html: Option<String>,

    /// Write to FILE: SVG, PNG, a page or JSON, as its name ends
    #[arg(short, long, value_name = "FILE", group = "to", value_hint = clap::ValueHint::FilePath)]
    output: Option<String>,

    /// Print what is drawn as JSON
    #[arg(long, group = "to")]
    json: bool,

    /// How large each plot is: columns and rows in the terminal, else pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    size: Option<(u32, u32)>,
}

/// What a plot becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Terminal,
    Svg,
    Png,
    Html,
    Json,
}

/// The forms that a file's name tells.
const FORMS: [(&str, Form); 5] =
    [("svg", Form::Svg), ("png", Form::Png), ("html", Form::Html), ("htm", Form::Html), ("json", Form::Json)];

fn size(text: &str) -> Result<(u32, u32), String> {
    let number = |text: &str| text.parse().ok().filter(|number| (5..=10_000).contains(number));
    let sides =
        text.split_once(['x', '×']).and_then(|(width, height)| Some((number(width)?, number(height)?)));
    sides.ok_or_else(|| "write two numbers from 5 to 10000, such as 1200x700".to_owned())
}

impl Output {
    /// Refuses a file whose name tells another form: it is likely the name of a run.
    pub fn check(&self) -> Result<(), Problem> {
        if let Some(file) = &self.output
            && form_of(file).is_none()
        {
            return Err(Problem::usage(format!("cannot tell from '{file}' what to write"))
                .hint("end it in .svg, .png, .html or .json"));
        }
        for (flag, file) in [("svg", &self.svg), ("png", &self.png), ("html", &self.html)] {
            let Some(file) = file.as_deref().filter(|file| *file != "-") else { continue };
            if form_of(file) != form_of(&format!(".{flag}")) {
                return Err(Problem::usage(format!("'{file}' does not end in .{flag}"))
                    .hint(format!("to print what '--{flag}' gives, let it be the last argument")));
            }
        }
        Ok(())
    }

    /// Draws the figures there.
    pub fn write(&self, session: &Session, store: &Store, figures: &[Figure]) -> Result<()> {
        let (form, file) = self.target();
        if form == Form::Terminal {
            let screen = self.screen(session, store);
            return session.page(store, &terminal::write(figures, &screen));
        }
        if file == "-" && form != Form::Json && io::stdout().is_terminal() {
            return Err(Problem::usage("a terminal cannot show that")
                .hint("name a file: `-o plot.svg`, `-o plot.png`, `-o plot.html`")
                .into());
        }
        let bytes = match form {
            Form::Svg => svg::write(figures, self.pixels(1)).into_bytes(),
            Form::Png => plot::png::write(figures, self.pixels(2))?,
            Form::Html => html::write(figures).into_bytes(),
            Form::Json | Form::Terminal => format!("{:#}\n", view::plot::json::to_json(figures)).into_bytes(),
        };
        match file {
            "-" => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&bytes)?;
                Ok(stdout.flush()?)
            }
            file => {
                let path = session.directory.join(file);
                std::fs::write(&path, bytes).with_context(|| format!("cannot write '{}'", path.display()))?;
                session.note(&format!("wrote {file}"));
                Ok(())
            }
        }
    }

    fn target(&self) -> (Form, &str) {
        let flags = [(&self.svg, Form::Svg), (&self.png, Form::Png), (&self.html, Form::Html)];
        let flagged = flags.into_iter().find_map(|(file, form)| Some((form, file.as_deref()?)));
        let named = || self.output.as_deref().and_then(|file| Some((form_of(file)?, file)));
        match (flagged.or_else(named), self.json) {
            (Some(target), _) => target,
            (None, true) => (Form::Json, "-"),
            (None, false) => (Form::Terminal, "-"),
        }
    }

    fn pixels(&self, times: u32) -> Size {
        let (width, height) = self.size.unwrap_or((PICTURE.0 * times, PICTURE.1 * times));
        Size { width, height, is_fixed: self.size.is_some() }
    }

    fn screen(&self, session: &Session, store: &Store) -> Screen {
        let colour = session.takes_colour(store);
        if let Some((width, height)) = self.size {
            return Screen { width: width as usize, height: height as usize, colour };
        }
        let width = if session.width == usize::MAX { COLUMNS } else { session.width };
        // Wide and low plots are read less well than those of two to one; a character is twice as high as wide.
        let fitting = session.height().saturating_sub(ROWS_AROUND).min(width / 3);
        Screen { width, height: fitting.clamp(ROWS.0, ROWS.1), colour }
    }
}

fn form_of(file: &str) -> Option<Form> {
    let ending = Path::new(file).extension().or_else(|| Path::new(file).file_name())?.to_str()?;
    let ending = ending.trim_start_matches('.').to_ascii_lowercase();
    FORMS.iter().find(|(known, _)| *known == ending).map(|(_, form)| *form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_tells_its_form() {
        assert_eq!(form_of("a/loss.SVG"), Some(Form::Svg));
        assert_eq!(form_of(".png"), Some(Form::Png));
        assert_eq!(form_of("a.b.html"), Some(Form::Html));
        assert_eq!([form_of("loss"), form_of("loss.gif"), form_of("")], [None, None, None]);
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("1200x700"), Ok((1200, 700)));
        for wrong in ["", "1200", "4x5", "1x99999", "axb"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
