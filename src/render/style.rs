//! Which role has which colour: the only place that says so.
//!
//! Whether colours are shown at all is the caller's choice; no role is told by its colour alone.

use anstyle::{AnsiColor, Style};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Role {
    /// Nothing in particular.
    #[default]
    Plain,
    /// What an answer or a part of it is about.
    Heading,
    /// The head of a column, or the label of a field.
    Label,
    /// What matters less.
    Dim,
    /// What matters most in its column.
    Strong,
    /// By what a thing can be named.
    Id,
    /// What people said of it.
    Tag,
    /// What went well, or became better.
    Good,
    /// What went wrong, or became worse.
    Bad,
    /// What is under way.
    Running,
    /// What should be looked at.
    Warning,
    /// What is there only afterwards.
    Added,
    /// What was there only before.
    Removed,
}

impl Role {
    /// How it looks.
    pub fn style(self) -> Style {
        let colour = |colour: AnsiColor| colour.on_default();
        match self {
            Role::Plain => Style::new(),
            Role::Heading | Role::Strong => Style::new().bold(),
            Role::Label | Role::Dim => Style::new().dimmed(),
            Role::Id => colour(AnsiColor::Yellow),
            Role::Tag => colour(AnsiColor::Magenta),
            Role::Good | Role::Added => colour(AnsiColor::Green),
            Role::Bad | Role::Removed => colour(AnsiColor::Red),
            Role::Running => colour(AnsiColor::Cyan),
            Role::Warning => colour(AnsiColor::Yellow).bold(),
        }
    }

    /// The text as it looks, or as it is without colours.
    pub fn paint(self, text: &str, colour: bool) -> String {
        let style = self.style();
        match colour && style != Style::new() && !text.is_empty() {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}
