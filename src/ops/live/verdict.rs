//! How an attempt ended, as far as its journals tell.
//!
//! Pure: a function of what the writers wrote, so that whoever asks gets the same answer. Knows whose word counts, not
//! what is done then.

use crate::journal::event::RECORDER;
use crate::journal::replay::{Replay, Writer};
use crate::run::attempt::{Facts, Status};
use crate::run::id::Time;

/// The last moment that a time may name: the end of the year 9999.
const TIME_MAX: f64 = 253_402_300_799.0;

/// The facts with how the attempt ended, as far as its writers tell: a function of what they wrote.
pub fn judged(mut facts: Facts, replay: &Replay) -> Facts {
    let last = replay.writers.iter().filter_map(|writer| writer.last).filter_map(time).max();
    facts.ended = last.max(facts.started).or(facts.started);
    // The recorder has seen the end; a process knows only its own.
    let recorder = replay.writers.iter().find(|writer| writer.begin.role.as_deref() == Some(RECORDER));
    let verdict = recorder.and_then(|recorder| recorder.finish.as_ref());
    let finish = leading(replay).filter(|leading| !is_outlived(leading, replay));
    let finish = verdict.or(finish.and_then(|writer| writer.finish.as_ref()));
    facts.status =
        match finish.and_then(|finish| Status::parse(&finish.status)).filter(|said| said.is_final()) {
            Some(status) => status,
            None => Status::Crashed,
        };
    facts.exit_code = finish.and_then(|finish| finish.exit_code).filter(|_| facts.status != Status::Crashed);
    facts.signal = verdict.and_then(|verdict| verdict.error.clone());
    facts
}

/// The writer whose word on how the run ended counts: the first of those that train.
pub fn leading(replay: &Replay) -> Option<&Writer> {
    replay.writers.iter().filter(|writer| writer.begin.role.is_none()).min_by_key(|writer| writer.number)
}

/// Whether a writer that came after the leading one had finished never finished itself: the second program of a script
/// that was killed.
fn is_outlived(leading: &Writer, replay: &Replay) -> bool {
    let mut others = replay.writers.iter().filter(|other| {
        let is_peer = other.begin.role.is_none() && other.begin.rank == leading.begin.rank;
        is_peer && other.number != leading.number && !other.begin.facts.contains_key("parent")
    });
    others.any(|other| other.finish.is_none() && other.last > leading.last)
}

fn time(seconds: f64) -> Option<Time> {
    (0.0..TIME_MAX).contains(&seconds).then(|| Time((seconds * 1e6).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::{Begin, Finish};
    use crate::run::id::{AttemptId, RunId};

    fn writer(number: u64, last: f64, status: Option<&str>) -> Writer {
        Writer {
            name: number.to_string(),
            number,
            begin: Begin::default(),
            finish: status.map(|status| Finish {
                status: status.to_owned(),
                exit_code: Some(0),
                error: None,
            }),
            first: Some(0.0),
            last: Some(last),
            lines: 1,
            loss: Default::default(),
        }
    }

    fn ended(writers: Vec<Writer>) -> Facts {
        let facts = Facts::new(RunId::new(Time(0), [1; 8]), AttemptId::new([2; 8]), Time(1_000_000));
        judged(facts, &Replay { writers, ..Replay::default() })
    }

    #[test]
    fn the_leading_writer_says_how_it_ended() {
        let facts = ended(vec![writer(0, 5.5, Some("finished"))]);
        assert_eq!(
            (facts.status, facts.exit_code, facts.ended),
            (Status::Finished, Some(0), Some(Time(5_500_000)))
        );
        assert_eq!(ended(vec![writer(0, 5.0, None)]).status, Status::Crashed);
        assert_eq!(ended(vec![writer(0, 5.0, Some("nonsense"))]).status, Status::Crashed);
        assert_eq!(ended(vec![writer(0, 5.0, Some("running"))]).status, Status::Crashed);
        let sampler = Writer {
            begin: Begin { role: Some("system".to_owned()), ..Begin::default() },
            ..writer(0, 9.0, None)
        };
        assert_eq!(ended(vec![sampler.clone(), writer(1, 5.0, Some("failed"))]).status, Status::Failed);
        assert_eq!(ended(vec![sampler]).status, Status::Crashed);
    }

    #[test]
    fn a_second_program_that_was_killed_is_not_covered_by_the_first() {
        assert_eq!(
            ended(vec![writer(0, 5.0, Some("finished")), writer(1, 7.0, None)]).status,
            Status::Crashed
        );
        assert_eq!(
            ended(vec![writer(0, 5.0, Some("finished")), writer(1, 3.0, None)]).status,
            Status::Finished
        );
        let mut fork = writer(1, 7.0, None);
        fork.begin.facts.insert("parent".to_owned(), "0".into());
        assert_eq!(ended(vec![writer(0, 5.0, Some("finished")), fork]).status, Status::Finished);
    }

    #[test]
    fn the_end_is_a_moment_whatever_the_lines_say() {
        assert_eq!(ended(Vec::new()).ended, Some(Time(1_000_000)));
        for nonsense in [f64::NAN, f64::INFINITY, -1.0, 1e300, 0.5] {
            assert_eq!(ended(vec![writer(0, nonsense, None)]).ended, Some(Time(1_000_000)), "{nonsense}");
        }
    }
}
