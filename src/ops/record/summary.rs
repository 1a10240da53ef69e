//! What is said of a recorded run: the closing line, the commit's message, what the snapshot left out.
//!
//! Pure: facts in, text out; escaping for a terminal is left to who prints.

use crate::human;
use crate::run::attempt::{Code, Facts, LeftOut, MACHINE, Number, Status};
use crate::run::text::write_float;
use crate::run::value::Value;

/// How many metrics one line shows.
const METRICS_SHOWN: usize = 3;

/// How many things that were left out are named.
const LEFT_OUT_SHOWN: usize = 3;

/// The closing line, without the program's name; `usage` is what the run took of the machine.
pub fn closing(facts: &Facts, primary: Option<&str>, usage: Option<String>) -> String {
    let mut parts = vec![format!("recorded {} ({}) {}", what(facts), facts.id.suffix(), ending(facts))];
    parts.extend(metrics(facts, primary));
    let artifacts = facts.artifacts.as_ref().map_or(0, |total| total.count);
    parts.extend((artifacts > 0).then(|| counted(artifacts, "artifact")));
    parts.extend(usage.filter(|usage| !usage.is_empty()));
    parts.join(" · ")
}

/// An attempt that names no run is one more of a run that has its name.
fn what(facts: &Facts) -> &str {
    facts.name.as_deref().unwrap_or(if facts.after.is_empty() { "a run" } else { "another attempt" })
}

/// The message of the commit that brings the facts.
pub fn message(facts: &Facts, primary: Option<&str>) -> String {
    let name = facts.name.as_deref().unwrap_or(facts.id.as_str());
    let mut lines =
        vec![format!("xtrack: record {name}"), String::new(), format!("status: {}", ending(facts))];
    lines.extend(facts.experiment.as_ref().map(|experiment| format!("experiment: {experiment}")));
    let metrics = metrics(facts, primary);
    lines.extend((!metrics.is_empty()).then(|| format!("metrics: {}", metrics.join(", "))));
    let artifacts = facts.artifacts.as_ref();
    lines.extend(artifacts.map(|total| format!("artifacts: {}, {}", total.count, human::size(total.bytes))));
    lines.extend(
        facts.code.as_ref().and_then(|code| code.commit.as_ref()).map(|commit| format!("code: {commit}")),
    );
    lines.push(String::new());
    lines.join("\n")
}

/// What was not taken into the code snapshot, if anything.
pub fn left_out(code: &Code) -> Option<String> {
    let shown: Vec<String> = code.left_out.iter().take(LEFT_OUT_SHOWN).map(describe).collect();
    let more = code.left_out_count.saturating_sub(shown.len() as u64);
    let more = (more > 0).then(|| format!("{more} more"));
    let parts: Vec<String> = shown.into_iter().chain(more).collect();
    (!parts.is_empty()).then(|| format!("left out of the code snapshot: {}", parts.join(", ")))
}

fn describe(left_out: &LeftOut) -> String {
    let path = match &left_out.path {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        text => text.as_text().unwrap_or_default().to_owned(),
    };
    let size = left_out.size.map(|size| format!(", {}", human::size(size))).unwrap_or_default();
    format!("{path} ({}{size})", left_out.reason)
}

fn ending(facts: &Facts) -> String {
    let seconds = match (facts.started, facts.ended) {
        (Some(started), Some(ended)) => (ended.0 - started.0) as f64 / 1e6,
        _ => 0.0,
    };
    let has_run = !facts.command.is_empty();
    let lasted = |word| if has_run { format!(" {word} {}", human::duration(seconds)) } else { String::new() };
    match (facts.status, &facts.signal, facts.exit_code) {
        (Status::Killed, Some(signal), _) => format!("killed by {signal}{}", lasted("after")),
        (Status::Failed, _, Some(code)) => format!("failed with exit code {code}{}", lasted("after")),
        (Status::Running, _, _) => Status::Running.as_str().to_owned(),
        (status, _, _) => format!("{}{}", status.as_str(), lasted("in")),
    }
}

/// `accuracy 0.93`, the primary one first.
fn metrics(facts: &Facts, primary: Option<&str>) -> Vec<String> {
    let is_primary = |name: &str| Some(name) == primary;
    let first = facts.metrics.iter().filter(|(name, _)| is_primary(name));
    let others = facts.metrics.iter().filter(|(name, _)| !is_primary(name) && !name.starts_with(MACHINE));
    let shown = first.chain(others).take(METRICS_SHOWN);
    shown.map(|(name, summary)| format!("{name} {}", shortened(summary.last))).collect()
}

/// A number with five significant digits at most.
fn shortened(number: Number) -> String {
    match number {
        Number::Int(int) => int.to_string(),
        Number::Float(float) => {
            let rounded = format!("{float:.4e}").parse().unwrap_or(float);
            write_float(rounded)
        }
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::attempt::{ArtifactTotal, Summary};
    use crate::run::id::{AttemptId, RunId, Time};

    fn facts() -> Facts {
        let mut facts = Facts::new(RunId::new(Time(0), [1; 8]), AttemptId::new([2; 8]), Time(0));
        facts.name = Some("quiet-otter".to_owned());
        facts.ended = Some(Time(12_300_000));
        facts.status = Status::Finished;
        facts.command = vec!["python3".into()];
        facts.metrics.insert("loss".to_owned(), Summary::plain(Number::Float(0.123_456_789)));
        facts.metrics.insert("accuracy".to_owned(), Summary::plain(Number::Float(0.93)));
        facts.artifacts = Some(ArtifactTotal { count: 2, bytes: 10, sha256: String::new() });
        facts
    }

    #[test]
    fn the_closing_line_says_how_it_went() {
        let line = closing(&facts(), Some("accuracy"), None);
        assert_eq!(
            line,
            "recorded quiet-otter (b1111111) finished in 12s · accuracy 0.93 · loss 0.12346 · 2 artifacts"
        );
        let failed = Facts { status: Status::Failed, exit_code: Some(3), ..facts() };
        assert!(closing(&failed, None, None).contains(") failed with exit code 3 after 12s ·"));
        let killed = Facts { status: Status::Killed, signal: Some("SIGTERM".to_owned()), ..facts() };
        assert!(closing(&killed, None, None).contains(") killed by SIGTERM after 12s ·"));
        let given = Facts { command: Vec::new(), ..facts() };
        assert!(closing(&given, None, None).contains(") finished ·"));
    }

    #[test]
    fn the_message_begins_with_the_name() {
        let message = message(&Facts { experiment: Some("digits".to_owned()), ..facts() }, None);
        assert!(
            message
                .starts_with("xtrack: record quiet-otter\n\nstatus: finished in 12s\nexperiment: digits\n")
        );
    }

    #[test]
    fn what_was_left_out_is_named_and_counted() {
        let left_out = |path: &str| LeftOut { path: path.into(), reason: "a secret".to_owned(), size: None };
        let code = Code {
            left_out: vec![left_out(".env"), left_out("key.pem")],
            left_out_count: 7,
            ..Code::default()
        };
        let line = super::left_out(&code);
        assert_eq!(
            line.as_deref(),
            Some("left out of the code snapshot: .env (a secret), key.pem (a secret), 5 more")
        );
        assert_eq!(super::left_out(&Code::default()), None);
    }
}
