//! A comparison for other programs: as JSON, and as one table with a row for each run, all values whole.

use serde_json::{Map, Value as Json, json};

use crate::render::{Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::{Code, Goal, Number};
use crate::run::value::Value;
use crate::view::compare::CompareOptions;
use crate::view::compare::lines::{content, measured, same_tree, told_inputs, told_params};
use crate::view::{run as one_run, value};

/// A row for each run.
pub fn exact(runs: &[Run], options: &CompareOptions) -> Report {
    let params = told_params(runs, options.all);
    let metrics = measured(runs, options);
    let inputs = told_inputs(runs, options.all);
    let fixed = ["id", "name", "status", "started", "duration", "commit", "dirty", "tree"];
    let titles = fixed.iter().map(|title| (*title).to_owned());
    let titles = titles
        .chain(params.iter().map(|(name, _)| format!("params.{name}")))
        .chain(metrics.iter().map(|metric| format!("metrics.{}", metric.name)))
        .chain(inputs.iter().map(|(name, ..)| format!("inputs.{name}")));
    let mut table = Table::new(titles.map(Column::new).collect());
    for (index, run) in runs.iter().enumerate() {
        let code = run.code.as_ref();
        let of_code = |of: fn(&Code) -> Option<String>| code.and_then(of).unwrap_or_default();
        let mut row = vec![
            run.id.to_string(),
            run.name.clone().unwrap_or_default(),
            run.status.as_str().to_owned(),
            run.started.map(|time| time.to_string()).unwrap_or_default(),
            run.duration().map(|seconds| value::exact(&Value::Float(seconds))).unwrap_or_default(),
            of_code(|code| code.commit.clone()),
            of_code(|code| Some(code.is_dirty().to_string())),
            of_code(|code| code.tree.clone()),
        ];
        let given = params.iter().map(|(name, _)| run.param(name).map(value::exact));
        let numbers = metrics.iter().map(|metric| metric.numbers[index].map(value::exact_number));
        let read = inputs.iter().map(|(_, inputs, _)| inputs[index].map(content));
        row.extend(given.chain(numbers).chain(read).map(Option::unwrap_or_default));
        table.rows.push(row.into_iter().map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The comparison as JSON; what a run does not have is not in it.
pub fn to_json(runs: &[Run], options: &CompareOptions) -> Json {
    let of_runs = |of: &dyn Fn(usize, &Run) -> Option<Json>| -> Json {
        let pairs =
            runs.iter().enumerate().filter_map(|(index, run)| Some((run.id.to_string(), of(index, run)?)));
        Json::Object(pairs.collect::<Map<_, _>>())
    };
    let params = told_params(runs, options.all).into_iter().map(|(name, differs)| {
        let values = of_runs(&|_, run| run.param(&name).map(value::to_json));
        (name, json!({"differs": differs, "values": values}))
    });
    let metrics = measured(runs, options).into_iter().map(|metric| {
        let values = of_runs(&|index, _| metric.numbers[index].map(value::number_json));
        let best = runs.iter().zip(&metric.best).filter(|(_, is_best)| **is_best);
        let best: Vec<&str> = best.map(|(run, _)| run.id.as_str()).collect();
        let json = json!({"goal": metric.goal.map(Goal::as_str), "best": best, "values": values});
        (metric.name, json)
    });
    let inputs = told_inputs(runs, options.all).into_iter().map(|(name, inputs, differs)| {
        let values = of_runs(&|index, _| inputs[index].map(one_run::input_json));
        (name, json!({"differs": differs, "values": values}))
    });
    json!({
        "format": one_run::FORMAT,
        "runs": runs.iter().map(run_json).collect::<Vec<_>>(),
        "params": Json::Object(params.collect::<Map<_, _>>()),
        "metrics": Json::Object(metrics.collect::<Map<_, _>>()),
        "inputs": Json::Object(inputs.collect::<Map<_, _>>()),
        "code": {"same_tree": same_tree(runs)},
    })
}

fn run_json(run: &Run) -> Json {
    let code = run.code.clone().unwrap_or_default();
    json!({
        "id": run.id.as_str(),
        "name": run.name,
        "experiment": run.experiment,
        "status": run.status.as_str(),
        "started": run.started.map(|time| time.to_string()),
        "duration": run.duration().map(|seconds| value::number_json(Number::Float(seconds))),
        "code": {
            "commit": code.commit,
            "tree": code.tree,
            "branch": code.branch,
            "dirty": code.is_dirty(),
        },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::csv;
    use crate::view::sample::{at, plain, run, training};

    #[test]
    fn for_programs() {
        let runs = [run(training(1, 0.1, 0.975)), run(training(2, 0.01, f64::NAN)), run(plain(3))];
        let options =
            CompareOptions { now: at(0), primary: None, all: false, width: usize::MAX, with_first: false };
        insta::assert_snapshot!(csv::write(&exact(&runs, &options)).replace('\r', ""), @r#"
        id,name,status,started,duration,commit,dirty,tree,params.lr,params.epochs,params.model.depth,"params.model.""act.fn""",metrics.loss,metrics.accuracy,metrics.images
        20260102-130000-b1111111,quiet-otter-1,finished,2026-01-02T13:00:00.000000Z,90.5,1111111111111111111111111111111111111111,false,2222222222222222222222222222222222222222,0.1,20,3,relu,nan,0.975,1797
        20260102-140000-c2222222,quiet-otter-2,finished,2026-01-02T14:00:00.000000Z,90.5,1111111111111111111111111111111111111111,false,2222222222222222222222222222222222222222,0.01,20,3,relu,nan,nan,1797
        20260102-150000-d3333333,quiet-otter-3,finished,2026-01-02T15:00:00.000000Z,90.5,,,,,,,,,,
        "#);
        let json = to_json(&runs, &options);
        assert_eq!(
            json["params"]["lr"]["values"],
            json!({runs[0].id.as_str(): 0.1, runs[1].id.as_str(): 0.01})
        );
        assert_eq!(json["metrics"]["accuracy"]["values"][runs[1].id.as_str()], "NaN");
        assert_eq!(json["metrics"]["accuracy"]["best"], json!([]));
        insta::assert_snapshot!(format!("{:#}", json["runs"][0]), @r#"
        {
          "id": "20260102-130000-b1111111",
          "name": "quiet-otter-1",
          "experiment": "digits",
          "status": "finished",
          "started": "2026-01-02T13:00:00.000000Z",
          "duration": 90.5,
          "code": {
            "commit": "1111111111111111111111111111111111111111",
            "tree": "2222222222222222222222222222222222222222",
            "branch": "main",
            "dirty": false
          }
        }
        "#);
    }
}
