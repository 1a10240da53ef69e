"""Logs runs into an MLflow of its own, asks it questions, and prints which runs it answers with.

Reads JSON from stdin: `runs`, each with `params` (typed), `metrics` (a list of values each), `tags`, `status`, `start_time`,
`end_time`, `datasets`, and `questions`, each with a filter and an order, in which `{run:N}` stands for the id of run N.
Prints JSON: for each question the numbers of its runs, in order, or null with a line on stderr if MLflow refuses it.
"""

import json
import re
import sys
import tempfile

from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient


def number(value):
    # JSON has no infinities.
    return float(value) if isinstance(value, str) else value


def log(client, experiment, run):
    created = client.create_run(experiment, start_time=run["start_time"], run_name=run["name"])
    run_id = created.info.run_id
    metrics = [
        Metric(name, number(value), run["start_time"] + step, step)
        for name, values in run["metrics"].items()
        for step, value in enumerate(values)
    ]
    params = [Param(name, str(number_or_any(value))) for name, value in run["params"].items()]
    tags = [RunTag(name, value) for name, value in run["tags"].items()]
    client.log_batch(run_id, metrics=metrics, params=params, tags=tags)
    inputs = [
        DatasetInput(Dataset(name, digest, "local", "{}"), tags=[]) for name, digest in run["datasets"]
    ]
    if inputs:
        client.log_inputs(run_id, datasets=inputs)
    if run["end_time"] is None:
        client.update_run(run_id, status=run["status"])
    else:
        client.set_terminated(run_id, run["status"], run["end_time"])
    return run_id


def number_or_any(value):
    return value["float"] if isinstance(value, dict) and "float" in value else value


def main():
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
        experiment = client.create_experiment("agreement", artifact_location=f"file://{folder}/artifacts")
        ids = [log(client, experiment, run) for run in asked["runs"]]
        numbers = {run_id: index for index, run_id in enumerate(ids)}
        answers = []
        for question in asked["questions"]:
            text = re.sub(r"\{run:(\d+)\}", lambda found: ids[int(found[1])], question["filter"])
            try:
                found = client.search_runs([experiment], text, max_results=50000, order_by=question["order"])
                answers.append([numbers[run.info.run_id] for run in found])
            except MlflowException as error:
                print(f"{text}: {error}", file=sys.stderr)
                answers.append(None)
        json.dump(answers, sys.stdout)


main()
