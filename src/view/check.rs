//! What is wrong with what the tracker keeps, and whether runs are what they claim to be: as reports, and as JSON.

use serde_json::{Value as Json, json};

use crate::human;
use crate::ops::check::verify::{Brought, Judged, Kind, Reason, Standing};
use crate::ops::check::{Fault, Report as Checked, Severity};
use crate::render::style::Role;
use crate::render::{Block, Cell, Column, Report, Table};
use crate::store::Verdict;

/// How much of a commit's id is shown.
const SHORT: usize = 10;

/// What is wrong, each with what to do.
pub fn faults(checked: &Checked) -> Report {
    let mut report = Report::default();
    for fault in &checked.faults {
        let role = match fault.severity {
            Severity::Error => Role::Bad,
            Severity::Warning => Role::Warning,
            Severity::Note => Role::Dim,
        };
        let mut cell = Cell::of(role, format!("{}: ", fault.severity.as_str()));
        cell = cell.and(Role::Id, fault.place.as_str()).and(Role::Plain, format!("\n    {}", fault.message));
        cell = match (&fault.outcome, &fault.advice) {
            (Some(Ok(done)), _) => cell.and(Role::Good, format!("\n    repaired: {done}")),
            (Some(Err(why)), _) => cell.and(Role::Bad, format!("\n    not repaired: {why}")),
            (None, Some(advice)) => cell.and(Role::Dim, format!("\n    hint: {advice}")),
            (None, None) => cell,
        };
        report.prose(cell);
    }
    report
}

/// The same as a table.
pub fn faults_table(checked: &Checked) -> Report {
    let titles = ["severity", "what", "run", "place", "message", "advice", "repaired"];
    let mut table = Table::new(titles.map(Column::new).to_vec());
    let row = |fault: &Fault| -> Vec<Cell> {
        let repaired = match &fault.outcome {
            Some(Ok(done)) => done.clone(),
            Some(Err(_)) | None => String::new(),
        };
        let run = fault.run.as_ref().map(ToString::to_string).unwrap_or_default();
        let (severity, what) = (fault.severity.as_str(), fault.what.as_str());
        vec![
            severity.into(),
            what.into(),
            run.into(),
            fault.place.as_str().into(),
            fault.message.as_str().into(),
            fault.advice.clone().unwrap_or_default().into(),
            repaired.into(),
        ]
    };
    table.rows = checked.faults.iter().map(row).collect();
    Report { blocks: vec![Block::Table(table)] }
}

/// What it comes to, in one line.
pub fn summary(checked: &Checked) -> String {
    let mut looked = vec![human::count(checked.runs, "run"), human::count(checked.commits, "commit")];
    if checked.artifacts > 0 {
        looked.push(match checked.compared {
            0 => human::count(checked.artifacts, "artifact"),
            bytes => {
                format!("{} ({} compared)", human::count(checked.artifacts, "artifact"), human::size(bytes))
            }
        });
    }
    let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter(|severity| checked.count(*severity) > 0)
        .map(|severity| human::count(checked.count(severity), severity.as_str()))
        .collect();
    let repaired = checked.faults.iter().filter(|fault| matches!(fault.outcome, Some(Ok(_)))).count();
    let mut said = match (parts.is_empty(), checked.is_sound()) {
        (true, _) => "all is sound".to_owned(),
        (false, true) => format!("all is sound, {}", parts.join(", ")),
        (false, false) => parts.join(", "),
    };
    if repaired > 0 {
        said.push_str(&format!(", {repaired} repaired"));
    }
    format!("{}: {said}", looked.join(", "))
}

/// What was found, as JSON.
pub fn faults_json(checked: &Checked) -> Json {
    json!({
        "format": 1,
        "sound": checked.is_sound(),
        "runs": checked.runs,
        "commits": checked.commits,
        "artifacts": checked.artifacts,
        "compared": checked.compared,
        "errors": checked.count(Severity::Error),
        "warnings": checked.count(Severity::Warning),
        "faults": checked.faults.iter().map(fault_json).collect::<Json>(),
    })
}

/// One fault, as JSON.
pub fn fault_json(fault: &Fault) -> Json {
    let (repaired, not_repaired) = match &fault.outcome {
        Some(Ok(done)) => (Some(done), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    json!({
        "what": fault.what.as_str(),
        "severity": fault.severity.as_str(),
        "run": fault.run.as_ref().map(|id| id.as_str()),
        "place": fault.place,
        "message": fault.message,
        "advice": fault.advice,
        "repairable": fault.mend.is_some(),
        "repaired": repaired,
        "not_repaired": not_repaired,
    })
}

/// Verdicts on runs, with their reasons.
pub fn verdicts(judged: &[Judged]) -> Report {
    let mut report = Report::default();
    for one in judged {
        let mut cell = Cell::of(Role::Id, one.id.as_str());
        if let Some(name) = &one.name {
            cell = cell.and(Role::Plain, format!(" {name}"));
        }
        cell = cell.and(Role::Plain, ": ").and(role(one.standing), words(one.standing));
        for reason in &one.reasons {
            let shown = reason.place.get(..SHORT).filter(|_| is_oid(&reason.place)).unwrap_or(&reason.place);
            cell = cell
                .and(Role::Dim, format!("\n    {shown}: "))
                .and(reason_role(reason), reason.message.as_str());
        }
        report.prose(cell);
    }
    report
}

/// Verdicts as a table, a reason a row.
pub fn verdicts_table(judged: &[Judged]) -> Report {
    let mut table =
        Table::new(["id", "name", "verdict", "kind", "place", "reason"].map(Column::new).to_vec());
    for one in judged {
        let row = |kind: &str, place: &str, message: &str| -> Vec<Cell> {
            let name = one.name.clone().unwrap_or_default();
            vec![
                one.id.as_str().into(),
                name.into(),
                word(one.standing).into(),
                kind.into(),
                place.into(),
                message.into(),
            ]
        };
        match one.reasons.is_empty() {
            true => table.rows.push(row("", "", "")),
            false => table.rows.extend(
                one.reasons.iter().map(|reason| row(kind(reason.kind), &reason.place, &reason.message)),
            ),
        }
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// Verdicts as JSON.
pub fn verdicts_json(judged: &[Judged]) -> Json {
    judged.iter().map(verdict_json).collect()
}

/// One verdict, as JSON.
pub fn verdict_json(one: &Judged) -> Json {
    let reason = |reason: &Reason| json!({ "kind": kind(reason.kind), "place": reason.place, "message": reason.message });
    json!({
        "format": 1,
        "id": one.id.as_str(),
        "name": one.name,
        "tip": one.tip,
        "verdict": word(one.standing),
        "reasons": one.reasons.iter().map(reason).collect::<Json>(),
        "commits": one.commits.iter().map(brought_json).collect::<Json>(),
        "artifacts": one.artifacts,
        "code_states": one.states,
    })
}

fn brought_json(brought: &Brought) -> Json {
    let signature = match brought.signed.verdict {
        Verdict::Unsigned => "none",
        Verdict::Good => "good",
        Verdict::Bad => "bad",
        Verdict::Stale => "expired",
        Verdict::Unknown => "unknown",
    };
    json!({
        "commit": brought.commit,
        "author": brought.author,
        "signature": signature,
        "signer": brought.signed.signer,
        "key": brought.signed.key,
        "merge": brought.is_merge,
        "files": brought.files,
    })
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Verified => "verified",
        Standing::Incomplete => "incomplete",
        Standing::Unsigned => "unsigned",
        Standing::Mismatch => "mismatch",
        Standing::Damaged => "damaged",
    }
}

fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::Verified => "verified",
        Standing::Incomplete => "consistent, not all of it is here",
        Standing::Unsigned => "consistent, unsigned",
        Standing::Mismatch => "not as claimed",
        Standing::Damaged => "damaged",
    }
}

fn role(standing: Standing) -> Role {
    match standing {
        Standing::Verified => Role::Good,
        Standing::Incomplete | Standing::Unsigned => Role::Warning,
        Standing::Mismatch | Standing::Damaged => Role::Bad,
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Damaged => "damaged",
        Kind::Mismatch => "mismatch",
        Kind::Unsigned => "unsigned",
        Kind::Absent => "absent",
        Kind::Told => "note",
    }
}

fn reason_role(reason: &Reason) -> Role {
    match reason.kind {
        Kind::Damaged | Kind::Mismatch => Role::Bad,
        Kind::Unsigned | Kind::Absent => Role::Plain,
        Kind::Told => Role::Dim,
    }
}

fn is_oid(place: &str) -> bool {
    matches!(place.len(), 40 | 64) && place.bytes().all(|byte| byte.is_ascii_hexdigit())
}
