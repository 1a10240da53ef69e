//! Which params mattered: their weights, how each goes with the result by itself, and how far that can be trusted.

use serde_json::{Value as Json, json};

use crate::human;
use crate::ops::importance::Studied;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::attempt::{Goal, Number};
use crate::statistics::importance::{ROWS_FEW, ROWS_MIN, Reason, Trust, Weight};
use crate::view::{run as one_run, value};

/// How wide a column may become.
const COLUMN_MAX: usize = 36;
/// How many words are shown of a param that has words.
const WORDS_SHOWN: usize = 4;
/// How long the longest bar is.
const BAR: usize = 12;

/// What came of it, for people.
pub fn importance(studied: &Studied) -> Report {
    let mut report = Report::default();
    let arrow = value::goal_arrow(studied.goal);
    report.title(
        Cell::of(Role::Heading, format!("{}{arrow}", studied.result))
            .and(Role::Plain, format!(" in {}", human::count(studied.runs, "run"))),
    );
    report.prose(trust(studied));
    if !studied.study.inputs.is_empty() {
        report.blocks.push(Block::Table(table(studied)));
    }
    let notes = [left_out(studied), not_counted(studied), Some(meaning(studied).to_owned())];
    notes.into_iter().flatten().for_each(|note| report.prose(Cell::of(Role::Dim, note)));
    report
}

/// How far it can be trusted, before anything else is said.
fn trust(studied: &Studied) -> Cell {
    let study = &studied.study;
    let foretold = study.foretold.unwrap_or_default();
    let part = format!("{:.0} %", foretold.clamp(0.0, 1.0) * 100.0);
    let drawn = match study.rows < studied.runs {
        true => format!("; of {} {} were drawn", human::count(studied.runs, "run"), study.rows),
        false => String::new(),
    };
    let said = format!(
        "the params foretell {part} of the variation in runs that were not looked at (R² {foretold:.2}{drawn})"
    );
    match study.trust {
        Trust::Fair => said.into(),
        Trust::Hint if study.rows < ROWS_FEW => Cell::of(
            Role::Warning,
            format!("{said}; {} are few: take it as a hint", human::count(study.rows, "run")),
        ),
        Trust::Hint => Cell::of(Role::Warning, format!("{said}; that is little: take it as a hint")),
        Trust::Nothing => {
            let chance = match study.by_chance {
                Some(by_chance) if foretold > 0.0 => format!("; shuffled results reach {by_chance:.2}"),
                _ => String::new(),
            };
            Cell::of(
                Role::Warning,
                format!(
                    "the params foretell nothing of it here (R² {foretold:.2}{chance}{drawn}): no weights; sorted by correlation"
                ),
            )
        }
        Trust::TooFew if studied.runs < ROWS_MIN => Cell::of(
            Role::Warning,
            format!(
                "{} {} too few to weigh params, which begins at {ROWS_MIN}; sorted by correlation",
                human::count(studied.runs, "run"),
                if studied.runs == 1 { "is" } else { "are" },
            ),
        ),
        Trust::TooFew if study.inputs.is_empty() => {
            Cell::of(Role::Warning, "no param was varied: there is nothing to weigh")
        }
        Trust::TooFew => {
            Cell::of(Role::Warning, "the result is the same in all runs: there is nothing to weigh")
        }
    }
}

/// Whether the weights are told.
fn has_weights(studied: &Studied) -> bool {
    matches!(studied.study.trust, Trust::Hint | Trust::Fair)
}

fn table(studied: &Studied) -> Table {
    let decimal = |title: &str| Column::new(title).align(Align::Decimal);
    let mut columns = vec![Column::new("param").width_max(COLUMN_MAX)];
    if has_weights(studied) {
        columns.extend([decimal("importance"), Column::new("relative").rank(3)]);
    }
    columns.extend([decimal("Spearman").rank(1), decimal("Pearson").rank(4)]);
    let has_words = studied.study.inputs.iter().any(|weight| !weight.words.is_empty());
    columns.extend(has_words.then(|| Column::new("mean by value").width_max(2 * COLUMN_MAX).rank(2)));
    let mut table = Table::new(columns);
    let largest = studied.study.inputs.iter().filter_map(|weight| weight.importance).fold(0.0, f64::max);
    for weight in &studied.study.inputs {
        let role = if has_weights(studied) && !weight.is_clear() { Role::Dim } else { Role::Plain };
        let mut row = vec![Cell::of(role, name(studied, weight))];
        if has_weights(studied) {
            row.push(Cell::of(role, importance_text(weight)));
            row.push(Cell::of(role, bar(weight.importance.unwrap_or_default() / largest)));
        }
        row.extend(
            [weight.spearman, weight.pearson].map(|r| Cell::of(role, r.map(correlation).unwrap_or_default())),
        );
        row.extend(has_words.then(|| Cell::of(role, words(studied, weight))));
        table.rows.push(row);
    }
    table
}

fn name(studied: &Studied, weight: &Weight) -> String {
    let others: Vec<&str> = weight.with.iter().map(|other| studied.params[*other].as_str()).collect();
    match others.is_empty() {
        true => studied.params[weight.input].clone(),
        false => format!("{} (with {})", studied.params[weight.input], others.join(", ")),
    }
}

fn importance_text(weight: &Weight) -> String {
    let Some(importance) = weight.importance else {
        return String::new();
    };
    match weight.is_clear() {
        true => format!("{importance:.3} ± {:.3}", weight.error),
        // Below what can be told from nothing its digits say nothing.
        false => "~0".to_owned(),
    }
}

fn bar(part: f64) -> String {
    let eighths = (part.clamp(0.0, 1.0) * BAR as f64 * 8.0).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}

fn correlation(r: f64) -> String {
    format!("{:+.2}", r + 0.0)
}

fn words(studied: &Studied, weight: &Weight) -> String {
    let shown = |(word, mean, _): &(Option<usize>, f64, usize)| {
        let word = match word {
            Some(word) => value::bare(&studied.words[weight.input][*word]),
            None => "without it".to_owned(),
        };
        format!("{word} {}", value::number(Number::Float(*mean)))
    };
    let listed: Vec<String> = weight.words.iter().take(WORDS_SHOWN).map(shown).collect();
    let more = if weight.words.len() > WORDS_SHOWN { ", …" } else { "" };
    format!("{}{more}", listed.join(", "))
}

fn left_out(studied: &Studied) -> Option<String> {
    let of = |reason: Reason| -> Vec<&str> {
        let of_reason = studied.study.left_out.iter().filter(|(_, known)| *known == reason);
        of_reason.map(|(input, _)| studied.params[*input].as_str()).collect()
    };
    let constant = of(Reason::Constant).len();
    let mut parts = Vec::new();
    match constant {
        0 => {}
        1 => parts.push("1 param that has one value".to_owned()),
        _ => parts.push(format!("{constant} params that have one value each")),
    }
    let names = of(Reason::Names);
    parts.extend(
        (!names.is_empty()).then(|| format!("{}: another word in nearly every run", names.join(", "))),
    );
    let many = of(Reason::Many).len();
    parts.extend((many > 0).then(|| format!("{many} that go less closely with the result than these")));
    (!parts.is_empty()).then(|| format!("left out: {}", parts.join("; ")))
}

fn not_counted(studied: &Studied) -> Option<String> {
    let counts = [
        (studied.without, "without a result"),
        (studied.nonfinite, "with NaN or infinity"),
        (studied.running, "still running"),
    ];
    let parts =
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("runs that are not counted: {}", parts.join(", ")))
}

fn meaning(studied: &Studied) -> &'static str {
    match has_weights(studied) {
        true => {
            "importance: how much less is foretold once the param is shuffled, ± its standard error; it holds for the values that \
             were tried, and what was changed together shares it"
        }
        false => "Spearman by order, Pearson by a line: from -1 to 1; of few runs large ones come by chance",
    }
}

/// A row for each param, numbers whole.
pub fn exact(studied: &Studied) -> Report {
    let titles = ["param", "importance", "error", "clear", "spearman", "pearson", "runs", "trust", "r2"]
        .map(Column::new);
    let mut table = Table::new(titles.to_vec());
    let number = |number: Option<f64>| {
        number.map(|number| value::exact_number(Number::Float(number))).unwrap_or_default()
    };
    for weight in &studied.study.inputs {
        let row = [
            studied.params[weight.input].clone(),
            number(told(studied, weight)),
            number(told(studied, weight).map(|_| weight.error)),
            told(studied, weight).map(|_| weight.is_clear().to_string()).unwrap_or_default(),
            number(weight.spearman),
            number(weight.pearson),
            weight.given.to_string(),
            trust_word(studied.study.trust).to_owned(),
            number(studied.study.foretold),
        ];
        table.rows.push(row.map(Cell::from).to_vec());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The importance, where it is to be trusted at all.
fn told(studied: &Studied, weight: &Weight) -> Option<f64> {
    weight.importance.filter(|_| has_weights(studied))
}

/// What came of it, as JSON.
pub fn to_json(studied: &Studied) -> Json {
    let study = &studied.study;
    let float =
        |number: Option<f64>| number.map_or(Json::Null, |number| value::number_json(Number::Float(number)));
    let param = |weight: &Weight| {
        let of_words = weight.words.iter().map(|(word, mean, runs)| {
            let word = word.map(|word| value::to_json(&studied.words[weight.input][word]));
            json!({"value": word, "mean": float(Some(*mean)), "runs": runs})
        });
        json!({
            "name": studied.params[weight.input],
            "with": weight.with.iter().map(|other| &studied.params[*other]).collect::<Vec<_>>(),
            "importance": float(told(studied, weight)),
            "error": float(told(studied, weight).map(|_| weight.error)),
            "clear": told(studied, weight).map(|_| weight.is_clear()),
            "spearman": float(weight.spearman),
            "pearson": float(weight.pearson),
            "values": of_words.collect::<Vec<_>>(),
            "runs": weight.given,
        })
    };
    let left_out = study
        .left_out
        .iter()
        .map(|(input, reason)| json!({"name": studied.params[*input], "reason": reason_word(*reason)}));
    json!({
        "format": one_run::FORMAT,
        "result": studied.result,
        "goal": studied.goal.map(Goal::as_str),
        "runs": studied.runs,
        "looked_at": study.rows,
        "not_counted": {"without": studied.without, "nonfinite": studied.nonfinite, "running": studied.running},
        "trust": trust_word(study.trust),
        "r2": float(study.foretold),
        "r2_by_chance": float(study.by_chance),
        "params": study.inputs.iter().map(param).collect::<Vec<_>>(),
        "left_out": left_out.collect::<Vec<_>>(),
    })
}

fn trust_word(trust: Trust) -> &'static str {
    match trust {
        Trust::TooFew => "too few",
        Trust::Nothing => "nothing",
        Trust::Hint => "hint",
        Trust::Fair => "fair",
    }
}

fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Constant => "constant",
        Reason::Names => "names",
        Reason::Many => "many",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::statistics::importance::Study;

    fn weight(input: usize, importance: Option<f64>, error: f64, spearman: Option<f64>) -> Weight {
        Weight {
            input,
            with: Vec::new(),
            importance,
            error,
            pearson: spearman,
            spearman,
            words: Vec::new(),
            given: 40,
        }
    }

    fn studied(trust: Trust) -> Studied {
        let words = vec![(Some(0), 0.93, 20), (Some(1), 0.85, 18), (None, 0.5, 2)];
        let inputs = vec![
            Weight { with: vec![4], ..weight(0, Some(0.61), 0.05, Some(-0.8)) },
            Weight { words, ..weight(1, Some(0.2), 0.04, None) },
            weight(2, Some(0.001), 0.02, Some(0.03)),
        ];
        Studied {
            result: "accuracy".to_owned(),
            goal: Some(Goal::Max),
            params: ["lr", "optimizer", "seed", "epochs", "optim.lr", "dir"].map(str::to_owned).to_vec(),
            words: vec![vec![], vec!["adam".into(), "sgd".into()], vec![], vec![], vec![], vec![]],
            runs: 40,
            without: 2,
            nonfinite: 0,
            running: 1,
            study: Study {
                rows: 40,
                foretold: Some(0.74),
                by_chance: Some(0.08),
                trust,
                inputs,
                left_out: vec![(3, Reason::Constant), (5, Reason::Names)],
            },
        }
    }

    fn shown(studied: &Studied, width: usize) -> String {
        write(&importance(studied), &Terminal { width, colour: false })
    }

    #[test]
    fn with_weights() {
        insta::assert_snapshot!(shown(&studied(Trust::Fair), 110), @"
        accuracy ↑ in 40 runs
        the params foretell 74 % of the variation in runs that were not looked at (R² 0.74)
        param                   importance  relative      Spearman  Pearson  mean by value
        lr (with optim.lr)   0.610 ± 0.050  ████████████     -0.80    -0.80
        optimizer            0.200 ± 0.040  ███▉                             adam 0.93, sgd 0.85, without it 0.5
        seed                ~0                               +0.03    +0.03
        left out: 1 param that has one value; dir: another word in nearly every run
        runs that are not counted: 2 without a result, 1 still running
        importance: how much less is foretold once the param is shuffled, ± its standard error; it holds for the
        values that were tried, and what was changed together shares it
        ");
        insta::assert_snapshot!(shown(&studied(Trust::Hint), 50), @"
        accuracy ↑ in 40 runs
        the params foretell 74 % of the variation in runs
        that were not looked at (R² 0.74); that is little:
        take it as a hint
        param                   importance  Spearman
        lr (with optim.lr)   0.610 ± 0.050     -0.80
        optimizer            0.200 ± 0.040
        seed                ~0                 +0.03
        not shown, to fit: relative, Pearson, mean by val…
        left out: 1 param that has one value; dir: another
        word in nearly every run
        runs that are not counted: 2 without a result, 1
        still running
        importance: how much less is foretold once the
        param is shuffled, ± its standard error; it holds
        for the values that were tried, and what was
        changed together shares it
        ");
    }

    #[test]
    fn without_weights_it_says_so_first() {
        let mut none = studied(Trust::Nothing);
        none.study.foretold = Some(0.05);
        insta::assert_snapshot!(shown(&none, 110), @"
        accuracy ↑ in 40 runs
        the params foretell nothing of it here (R² 0.05; shuffled results reach 0.08): no weights; sorted by
        correlation
        param               Spearman  Pearson  mean by value
        lr (with optim.lr)     -0.80    -0.80
        optimizer                              adam 0.93, sgd 0.85, without it 0.5
        seed                   +0.03    +0.03
        left out: 1 param that has one value; dir: another word in nearly every run
        runs that are not counted: 2 without a result, 1 still running
        Spearman by order, Pearson by a line: from -1 to 1; of few runs large ones come by chance
        ");
        let json = to_json(&none);
        assert_eq!((&json["trust"], &json["params"][0]["importance"]), (&json!("nothing"), &Json::Null));
    }

    #[test]
    fn for_programs() {
        insta::assert_snapshot!(format!("{:#}", to_json(&studied(Trust::Fair))["params"][1]), @r#"
        {
          "name": "optimizer",
          "with": [],
          "importance": 0.2,
          "error": 0.04,
          "clear": true,
          "spearman": null,
          "pearson": null,
          "values": [
            {
              "value": "adam",
              "mean": 0.93,
              "runs": 20
            },
            {
              "value": "sgd",
              "mean": 0.85,
              "runs": 18
            },
            {
              "value": null,
              "mean": 0.5,
              "runs": 2
            }
          ],
          "runs": 40
        }
        "#);
    }
}
