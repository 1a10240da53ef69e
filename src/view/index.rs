//! The index of runs, and answers to questions in SQL: what `index` and `sql` say.

use serde_json::{Map, Value as Json, json};

use crate::human;
use crate::index::{SqlAnswer, State};
use crate::render::{Align, Block, Column, Report, Table};
use crate::run::value::Value;
use crate::view::value;

/// What the index is.
pub fn state(state: &State) -> Report {
    let mut fields = vec![
        ("path", state.path.display().to_string()),
        ("size", human::size(state.size)),
        ("runs", state.runs.to_string()),
    ];
    for (label, count) in
        [("damaged", state.damaged), ("fetched", state.fetched), ("beside it", state.beside as u64)]
    {
        if count > 0 {
            fields.push((label, count.to_string()));
        }
    }
    let fields = fields.into_iter().map(|(label, text)| (label.to_owned(), text.into())).collect();
    Report { blocks: vec![Block::Fields(fields)] }
}

/// The same as JSON.
pub fn state_json(state: &State) -> Json {
    json!({
        "path": state.path.display().to_string(),
        "size": state.size,
        "runs": state.runs,
        "damaged": state.damaged,
        "fetched": state.fetched,
        "changes": state.changes,
        "beside": state.beside,
    })
}

/// The rows of an answer, as people read them.
pub fn rows(answer: &SqlAnswer) -> Report {
    table(answer, value::bare)
}

/// The rows of an answer with whole values.
pub fn exact_rows(answer: &SqlAnswer) -> Report {
    table(answer, value::exact)
}

/// The rows of an answer as JSON: an object each, by the names of the columns.
pub fn rows_json(answer: &SqlAnswer) -> Json {
    let row = |row: &Vec<Value>| {
        let pairs = answer.columns.iter().zip(row);
        Json::Object(pairs.map(|(name, given)| (name.clone(), value::to_json(given))).collect::<Map<_, _>>())
    };
    answer.rows.iter().map(row).collect()
}

/// The views that can be asked, and their columns.
pub fn views(views: &[(String, Vec<String>)]) -> Report {
    let mut table = Table::new(vec![Column::new("view"), Column::new("columns")]);
    table.rows =
        views.iter().map(|(name, columns)| vec![name.as_str().into(), columns.join(", ").into()]).collect();
    Report { blocks: vec![Block::Table(table)] }
}

/// The same as JSON: the columns by the name of the view.
pub fn views_json(views: &[(String, Vec<String>)]) -> Json {
    Json::Object(views.iter().map(|(name, columns)| (name.clone(), json!(columns))).collect())
}

fn table(answer: &SqlAnswer, write: fn(&Value) -> String) -> Report {
    let is_number = |column: usize| {
        let given = answer.rows.iter().map(|row| &row[column]);
        let mut given = given.filter(|value| !matches!(value, Value::Null)).peekable();
        given.peek().is_some() && given.all(|value| value.as_number().is_some())
    };
    let column = |(index, name): (usize, &String)| {
        let align = if is_number(index) { Align::Decimal } else { Align::Left };
        Column::new(name.as_str()).align(align)
    };
    let mut table = Table::new(answer.columns.iter().enumerate().map(column).collect());
    let cell = |given: &Value| match given {
        Value::Null => "".into(),
        given => write(given).into(),
    };
    table.rows = answer.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    Report { blocks: vec![Block::Table(table)] }
}
