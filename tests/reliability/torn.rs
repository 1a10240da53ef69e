//! Journals that are truncated, flipped, zero-filled or still growing: the valid lines on both sides are kept exactly,
//! what is lost is counted and said, and no event is there twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::reliability::{Dice, is_long, spread};
use crate::support::Repo;
use crate::support::live::json;

/// How many runs one call of the program takes in.
const BATCH: usize = 200;

/// The journal that is mutilated: written by the client's own encoder, with checksums.
fn whole(steps: u64) -> Vec<u8> {
    use xtrack::journal::event::{Begin, Body, Event, PROTOCOL, Step};
    use xtrack::run::attempt::Number;
    let event = |number: u64, step: Step, body: Body| {
        xtrack::journal::line::encode(&Event {
            number,
            time: Some(Number::Float(1_782_897_300.5 + number as f64)),
            step,
            body,
        })
    };
    let mut bytes = event(0, Step::Next, Body::Begin(Begin { protocol: PROTOCOL, ..Begin::default() }));
    for step in 0..steps {
        let points = [("loss".to_owned(), Number::Float(0.5 + step as f64))].into_iter().collect();
        bytes.extend(event(step + 1, Step::At(Number::Int(step.into())), Body::Points(points)));
    }
    bytes
}

/// A portable folder whose first writer says which run it is, and whose second is this journal.
fn portable(above: &Path, number: usize, journal: &[u8]) -> String {
    let suffix = format!("b{number:07}");
    let id = format!("20260102-130000-{suffix}");
    let folder = above.join(&id);
    fs::create_dir_all(&folder).unwrap();
    let start = format!(
        r#"{{"n":0,"t":1782897300.5,"begin":{{"protocol":1,"rank":0,"start":{{"format":1,"id":"{id}","attempt":"bcdefghj","started":"2026-01-02T13:00:00.000000Z"}}}}}}"#
    );
    fs::write(folder.join("aaaaaaaaaaaaaaaa.jsonl"), start + "\n").unwrap();
    fs::write(folder.join("bbbbbbbbbbbbbbbb.jsonl"), journal).unwrap();
    id
}

/// The points of a run that was taken in.
fn points(repo: &Repo, id: &str) -> Vec<(u64, f64)> {
    let output = repo.xtrack(&["show", id, "--series", "loss", "--json"]);
    if output.code != 0 {
        return Vec::new();
    }
    let points: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    points.iter().map(|point| (point[0].as_u64().unwrap(), point[2].as_f64().unwrap())).collect()
}

/// Takes in all of these journals; of each how many points were kept, none of them altered or twice, and whether a loss
/// was said.
fn taken_in(journals: &[Vec<u8>]) -> Vec<(Vec<u64>, bool)> {
    let mut found = Vec::new();
    for batch in journals.chunks(BATCH) {
        let repo = Repo::new();
        repo.commit("first");
        let above = repo.root().join("runs");
        let ids: Vec<String> =
            batch.iter().enumerate().map(|(number, journal)| portable(&above, number, journal)).collect();
        let answer = json(&repo, &["adopt", "--json", above.to_str().unwrap()]);
        assert_eq!(answer["failed"].as_array().unwrap().len(), 0, "{answer}");
        let remarks: BTreeMap<&str, bool> = answer["adopted"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| (run["id"].as_str().unwrap(), !run["remarks"].as_array().unwrap().is_empty()))
            .collect();
        assert_eq!(remarks.len(), ids.len());
        for id in &ids {
            let points = points(&repo, id);
            assert!(points.iter().all(|(step, value)| *value == 0.5 + *step as f64), "altered: {points:?}");
            let steps: Vec<u64> = points.iter().map(|(step, _)| *step).collect();
            assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "twice, or out of order: {steps:?}");
            found.push((steps, remarks[id.as_str()]));
        }
        repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
    }
    found
}

#[test]
fn of_a_truncated_journal_every_whole_line_is_kept() {
    let whole = whole(20);
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').map(|at| at + 1).collect();
    let offsets = spread((0..=whole.len()).collect(), 60);
    let journals: Vec<Vec<u8>> = offsets.iter().map(|offset| whole[..*offset].to_vec()).collect();
    for (offset, (steps, is_said)) in offsets.iter().zip(taken_in(&journals)) {
        // One that lacks nothing but its line break is whole.
        let lines = ends.iter().filter(|end| **end <= *offset + 1).count();
        assert_eq!(steps, (0..lines.saturating_sub(1) as u64).collect::<Vec<_>>(), "cut at {offset}");
        let is_torn = *offset > 0 && !ends.contains(offset) && !ends.contains(&(offset + 1));
        assert_eq!(is_said, is_torn, "cut at {offset}");
    }
    eprintln!("{} truncations: every whole line kept", offsets.len());
}

#[test]
fn a_flipped_bit_costs_its_line_at_most_and_is_told() {
    let whole = whole(20);
    let mut dice = Dice::new();
    let count = if is_long() { 10_000 } else { 60 };
    let bits: Vec<usize> = (0..count).map(|_| dice.below(whole.len() as u64 * 8) as usize).collect();
    let flip = |bit: &usize| {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    let mut lost_in_all = 0;
    for (bit, (steps, is_said)) in bits.iter().zip(taken_in(&bits.iter().map(flip).collect::<Vec<_>>())) {
        // A line end that is flipped joins two lines.
        let lost = 20 - steps.len();
        assert!(lost <= 2, "bit {bit}: {steps:?}");
        assert!(lost == 0 || is_said, "bit {bit}: {lost} lost, and nothing said");
        lost_in_all += lost;
    }
    eprintln!("{count} flipped bits: {lost_in_all} lines lost, each told, none altered");
}

#[test]
fn zeros_and_torn_lines_in_the_middle_cost_only_themselves() {
    let whole = whole(20);
    let middle = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(10).unwrap().0 + 1;
    let with = |between: &[u8]| [&whole[..middle], between, &whole[middle..]].concat();
    let zeros = vec![0; 4096];
    let journals = [
        // What a power cut leaves at the end of a file.
        [&whole[..], &zeros].concat(),
        with(&zeros),
        with(&[&zeros[..], b"\n"].concat()),
        with(b"{\"n\":99,\"points\":{\"lo\n"),
        with(b"\xff\xfe\n"),
        with(&[&vec![b'x'; 100_000][..], b"\n"].concat()),
        // Two journals in one, as of a copy that was appended.
        [&whole[..], &whole[..]].concat(),
    ];
    let found = taken_in(&journals[..6]);
    for (number, (steps, is_said)) in found.iter().enumerate() {
        let lost = 20 - steps.len();
        assert!(lost <= usize::from(number == 1), "{number}: {steps:?}");
        assert!(is_said, "{number}: nothing said");
    }
}

#[test]
fn what_still_grows_is_taken_in_again_and_no_event_is_there_twice() {
    let repo = Repo::new();
    repo.commit("first");
    let above = repo.root().join("runs");
    let id = portable(&above, 1, b"");
    let journal = above.join(&id).join("bbbbbbbbbbbbbbbb.jsonl");
    let count = if is_long() { 20_000 } else { 1_000 };
    let done = AtomicBool::new(false);
    let rounds = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut file = fs::File::options().append(true).open(&journal).unwrap();
            for line in whole(count).split_inclusive(|byte| *byte == b'\n') {
                // In pieces, so that a reader sees half a line.
                let (first, second) = line.split_at(line.len() / 2);
                file.write_all(first).unwrap();
                file.write_all(second).unwrap();
                std::thread::sleep(std::time::Duration::from_micros(800));
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut rounds = 0;
        while !done.load(Ordering::Relaxed) {
            let answer = json(&repo, &["adopt", "--json", above.to_str().unwrap()]);
            assert_eq!(answer["failed"].as_array().unwrap().len(), 0, "{answer}");
            let steps: Vec<u64> = points(&repo, &id).iter().map(|(step, _)| *step).collect();
            assert_eq!(steps, (0..steps.len() as u64).collect::<Vec<_>>());
            rounds += 1;
        }
        writer.join().unwrap();
        rounds
    });
    for _ in 0..2 {
        repo.xtrack(&["adopt", above.to_str().unwrap()]).ok();
    }
    assert_eq!(points(&repo, &id).len() as u64, count);
    let run = json(&repo, &["show", &id, "--json"]);
    assert_eq!(run["metrics"]["loss"]["count"].as_u64(), Some(count));
    assert!(rounds > 1, "it was taken in once only");
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
    eprintln!("{count} events taken in while they came, in {rounds} rounds: each once");
}

#[test]
fn a_journal_that_is_replaced_by_a_shorter_one_takes_nothing_back() {
    let repo = Repo::new();
    repo.commit("first");
    let above = repo.root().join("runs");
    let id = portable(&above, 1, &whole(20));
    let journal: PathBuf = above.join(&id).join("bbbbbbbbbbbbbbbb.jsonl");
    repo.xtrack(&["adopt", above.to_str().unwrap()]).ok();
    for bytes in [whole(5), Vec::new()] {
        // A log rotation that copies and truncates, and one that puts another file there.
        fs::write(&journal, &bytes).unwrap();
        repo.xtrack(&["adopt", above.to_str().unwrap()]).ok();
        assert_eq!(points(&repo, &id).len(), 20);
    }
}
