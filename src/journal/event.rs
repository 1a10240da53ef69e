//! Events: what one line of a journal says.
//!
//! Types, and the shapes that logged things have; how a line is read is `line`'s, what lines come to together is `replay`'s.

use indexmap::IndexMap;

use crate::run::attempt::{Definition, Input, Number};
use crate::run::value::{Table, Value};

/// The version of the protocol that this program writes, and the newest it reads.
pub const PROTOCOL: i64 = 1;

/// The role of the journal in which the recorder says how the command ended.
pub const RECORDER: &str = "recorder";

/// One line of a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place in the file, counted from 0: a gap tells that lines were lost.
    pub number: u64,
    /// When it was written, in Unix seconds.
    pub time: Option<Number>,
    /// Where in the training it belongs.
    pub step: Step,
    /// What it says.
    pub body: Body,
}

/// The step of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// The line names none: one more than the writer's last, from 0.
    Next,
    /// `null`: it belongs to no step.
    Nowhere,
    /// The step.
    At(Number),
}

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// The first line: who writes.
    Begin(Begin),
    /// Values of metrics, logged by one call.
    Points(IndexMap<String, Number>),
    /// Params, laid over those before.
    Params(Table),
    /// Tags to add.
    Tags(Vec<String>),
    /// A note to add.
    Note(String),
    /// The run's name.
    Name(String),
    /// The run's experiment.
    Experiment(String),
    /// The run's group.
    Group(String),
    /// Values that were set without a step, over what the points come to.
    Summary(IndexMap<String, Number>),
    /// What is said of metrics.
    Define(IndexMap<String, Definition>),
    /// A file that the run produced.
    Artifact(LoggedFile),
    /// A file or data set that the run read.
    Input(Input),
    /// Something logged that is no number.
    Thing(Thing),
    /// What the writer's process runs in: interpreter, package folders, …
    Environment(Table),
    /// The code as the process itself knows it: the cells of a notebook.
    Code(LoggedFile),
    /// How the process says it ended.
    Finish(Finish),
    /// Of a kind that this program does not know.
    Unknown,
}

/// Who writes: the first line of each file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Begin {
    /// The version of the protocol.
    pub protocol: i64,
    /// The process, as `owner` tells whether it lives.
    pub owner: Table,
    /// Its rank among the processes of the run.
    pub rank: Option<u64>,
    /// What it is for, if not for the training itself: `system`, `harvest`.
    pub role: Option<String>,
    /// All else that was said of it: host, local rank, world size, client, SLURM variables.
    pub facts: Table,
    /// In a folder that no program of ours began: the facts of the attempt, as `run.toml` names them.
    pub start: Option<Table>,
}

/// A file that an event names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoggedFile {
    /// What it is called in the record, relative, with `/`.
    pub path: String,
    /// Where its bytes were put in the live folder, relative to it: `files/…`.
    pub file: Option<String>,
    /// Where it lies, absolute, if its bytes were not copied.
    pub source: Option<String>,
    /// Its media type.
    pub media_type: Option<String>,
    /// The key it was logged under, if it is one of several over steps.
    pub key: Option<String>,
}

/// Something logged over steps that is no number: a text, a table, a histogram, a curve, an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Thing {
    /// What it was logged as.
    pub name: String,
    /// `text`, `table`, `histogram`, `curve`, `confusion_matrix`, `alert`; others are kept.
    pub kind: String,
    /// Its value, in the shape that its kind has.
    pub value: Value,
}

impl Thing {
    /// Whether its value has the shape that its kind has; of an unknown kind every shape is right.
    pub fn has_shape(&self) -> bool {
        let table = self.value.as_table();
        let list = |key: &str| table.and_then(|table| table.get(key)?.as_list());
        let is_text = |key: &str| {
            table.is_some_and(|table| table.get(key).is_some_and(|text| text.as_text().is_some()))
        };
        match self.kind.as_str() {
            "text" => self.value.as_text().is_some(),
            "table" => list("columns").is_some_and(|columns| is_grid(list("rows"), columns.len(), |_| true)),
            "histogram" => match (list("edges"), list("counts")) {
                (Some(edges), Some(counts)) => {
                    edges.len() == counts.len() + 1 && edges.iter().chain(counts).all(is_number)
                }
                _ => false,
            },
            "curve" => match (list("x"), list("y")) {
                (Some(x), Some(y)) => x.len() == y.len() && x.iter().chain(y).all(is_number),
                _ => false,
            },
            "confusion_matrix" => list("labels").is_some_and(|labels| {
                let counts = list("counts");
                counts.is_some_and(|rows| rows.len() == labels.len())
                    && is_grid(counts, labels.len(), is_number)
            }),
            "alert" => is_text("title"),
            _ => true,
        }
    }
}

/// A number, or a word that stands for one.
fn is_number(value: &Value) -> bool {
    let is_word = |word: &str| ["NaN", "Infinity", "-Infinity"].contains(&word);
    value.as_number().is_some() || value.as_text().is_some_and(is_word)
}

fn is_grid(rows: Option<&[Value]>, width: usize, is_cell: impl Fn(&Value) -> bool) -> bool {
    let is_row =
        |row: &Value| row.as_list().is_some_and(|row| row.len() == width && row.iter().all(&is_cell));
    rows.is_some_and(|rows| rows.iter().all(is_row))
}

/// How a process says it ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Finish {
    /// `finished`, `failed` or `killed`.
    pub status: String,
    /// Its exit code, if it knows that.
    pub exit_code: Option<i64>,
    /// What ended it, if something did.
    pub error: Option<String>,
}
