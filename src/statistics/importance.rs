//! Which inputs mattered for a result: how much worse a forest foretells it once an input's values are shuffled.
//!
//! Everything is measured on rows that the forest has not seen, so that what it learned by heart counts for nothing; and it is
//! said how far the answer can be trusted.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::statistics::correlation::{pearson, spearman};
use crate::statistics::forest::{Forest, Rows};
use crate::statistics::ranks::ranks;
use crate::statistics::shuffle::Shuffler;

/// Below so many rows nothing is learned that would hold for others.
pub const ROWS_MIN: usize = 10;
/// Below so many rows the answer is a hint at most.
pub const ROWS_FEW: usize = 30;
/// Of more rows so many are drawn.
pub const ROWS_MAX: usize = 2000;
/// Of more inputs those are taken that go with the result most closely each by itself.
pub const INPUTS_MAX: usize = 50;
/// Below this part of the variation foretold the answer is a hint at most.
const WEAK: f64 = 0.3;
/// In how many parts the rows are cut; each is foretold by a forest that has seen the others.
const PARTS: usize = 5;
/// Up to so many rows it is tried how well results foretell that were shuffled.
const CHANCE_ROWS_MAX: usize = 200;
/// How often. If none does as well as the real one, that happens by chance one time in twenty.
const CHANCE_TRIES: usize = 19;
/// How many words of an input get a column of their own; the others share one.
const WORDS_MAX: usize = 10;
/// Where the shuffling begins.
/// Beyond this results are divided by the largest.
const SCALED_FROM: f64 = 1e100;
const SEED: u64 = 0x7874_7261_636b;

/// The values of an input, row by row; absent where a row has none.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Numbers; booleans are 0 and 1.
    Numbers(Vec<Option<f64>>),
    /// Words by number: equal words have equal ones.
    Words(Vec<Option<usize>>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// How many rows were looked at.
    pub rows: usize,
    /// Which part of the variation of unseen results is foretold: 1 all of it, 0 none, below that worse than their mean.
    /// Absent where nothing could be learned.
    pub foretold: Option<f64>,
    /// The best that was foretold of shuffled results; absent where it was not tried.
    pub by_chance: Option<f64>,
    /// How far the weights can be trusted.
    pub trust: Trust,
    /// The inputs that were looked at, those that matter most first; where the weights are not to be trusted, those that go
    /// most closely with the result each by itself.
    pub inputs: Vec<Weight>,
    /// The others, and why.
    pub left_out: Vec<(usize, Reason)>,
}

/// How far weights can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Too few rows, or nothing varies: there are none.
    TooFew,
    /// What is foretold is no better than chance: there are none to be trusted.
    Nothing,
    /// Few rows, or little is foretold: a hint.
    Hint,
    /// As far as the inputs were varied.
    Fair,
}

/// Why an input was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has one value.
    Constant,
    /// It has another word in nearly every row: a name rather than a choice.
    Names,
    /// Others go more closely with the result.
    Many,
}

/// What an input weighs.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Which input.
    pub input: usize,
    /// Others that always changed with it: they cannot be told apart.
    pub with: Vec<usize>,
    /// How much less of the variation is foretold once it is shuffled; absent where nothing could be learned.
    pub importance: Option<f64>,
    /// The standard error of that over the parts.
    pub error: f64,
    /// Pearson's r with the result, of numbers.
    pub pearson: Option<f64>,
    /// Spearman's ρ with the result, of numbers.
    pub spearman: Option<f64>,
    /// Of words: each with the mean of the result and how many rows have it, the highest mean first.
    pub words: Vec<(Option<usize>, f64, usize)>,
    /// In how many rows it is given.
    pub given: usize,
}

impl Weight {
    /// Whether its importance is told from nothing: more than twice its error.
    pub fn is_clear(&self) -> bool {
        self.importance.is_some_and(|importance| importance > 2.0 * self.error && importance > 0.0)
    }
}

/// Weighs the inputs for a result, row by row; every result is finite.
///
/// The weights are those of permutation importance (Breiman, "Random forests", Machine Learning 45, 2001, section 10), measured on
/// held-out rows by cross-validation: the rise of the squared error, in parts of the variation of the result.
pub fn study(inputs: &[Input], result: &[f64]) -> Study {
    let rows = drawn(result.len());
    let result: Vec<f64> = rows.iter().map(|row| result[*row]).collect();
    let inputs: Vec<Input> = inputs.iter().map(|input| input.take(&rows)).collect();
    let mut left_out = Vec::new();
    let mut weights = gather(&inputs, &result, &mut left_out);
    let varies = result.iter().any(|number| *number != result[0]);
    let mut study = Study {
        rows: result.len(),
        foretold: None,
        by_chance: None,
        trust: Trust::TooFew,
        inputs: Vec::new(),
        left_out,
    };
    if result.len() >= ROWS_MIN && varies && !weights.is_empty() {
        weigh(&mut study, &mut weights, &inputs, &scaled(&result));
    }
    sort(&mut weights, study.trust, &result);
    study.inputs = weights;
    study
}

/// The results by a measure in which their squares are finite, whatever diverged: the weights are parts of the whole, and
/// the same by any.
fn scaled(result: &[f64]) -> Vec<f64> {
    let measure = measure(result);
    result.iter().map(|number| number / measure).collect()
}

fn measure(result: &[f64]) -> f64 {
    let largest = result.iter().fold(0.0_f64, |largest, number| largest.max(number.abs()));
    if largest > SCALED_FROM { largest } else { 1.0 }
}

/// The rows that are looked at, in order.
fn drawn(count: usize) -> Vec<usize> {
    let mut rows = Shuffler::new(SEED).order(count);
    rows.truncate(ROWS_MAX);
    rows.sort_unstable();
    rows
}

/// The inputs that can matter, those that always change together as one.
fn gather(inputs: &[Input], result: &[f64], left_out: &mut Vec<(usize, Reason)>) -> Vec<Weight> {
    let mut weights: Vec<Weight> = Vec::new();
    let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
    for (index, input) in inputs.iter().enumerate() {
        match input.reason_to_leave() {
            Some(reason) => left_out.push((index, reason)),
            None => match known.get(&input.pattern()) {
                Some(place) => weights[*place].with.push(index),
                None => {
                    known.insert(input.pattern(), weights.len());
                    weights.push(input.alone(index, result));
                }
            },
        }
    }
    if weights.len() > INPUTS_MAX {
        weights.sort_by(|one, other| closeness(other, result).total_cmp(&closeness(one, result)));
        left_out.extend(weights.split_off(INPUTS_MAX).into_iter().map(|weight| (weight.input, Reason::Many)));
        weights.sort_by_key(|weight| weight.input);
    }
    weights
}

fn weigh(study: &mut Study, weights: &mut [Weight], inputs: &[Input], result: &[f64]) {
    let encoded: Vec<Vec<Vec<f64>>> = weights.iter().map(|weight| inputs[weight.input].columns()).collect();
    let rows = Rows { columns: encoded.iter().flatten().cloned().collect() };
    let mut begin = 0;
    let spans: Vec<std::ops::Range<usize>> = encoded
        .iter()
        .map(|columns| {
            let span = begin..begin + columns.len();
            begin = span.end;
            span
        })
        .collect();
    let parts = cut(result.len());
    let tested = each(PARTS, |part| Tested::of(&rows, result, &parts, part, &spans));
    let tested: Vec<Tested> = tested.into_iter().flatten().collect();
    if tested.len() < PARTS {
        return;
    }
    let variation = variation(result);
    let foretold = 1.0 - tested.iter().map(|part| part.error).sum::<f64>() / variation;
    study.foretold = Some(foretold);
    for (place, weight) in weights.iter_mut().enumerate() {
        // Every part stands for as much of the variation as it has rows.
        let risen = tested.iter().map(|part| {
            (part.shuffled[place] - part.error) / variation * result.len() as f64 / part.rows as f64
        });
        let risen: Vec<f64> = risen.collect();
        let mean = risen.iter().sum::<f64>() / PARTS as f64;
        let squares: f64 = risen.iter().map(|one| (one - mean).powi(2)).sum();
        weight.importance = Some(mean);
        weight.error = (squares / (PARTS * (PARTS - 1)) as f64).sqrt();
    }
    if result.len() <= CHANCE_ROWS_MAX && foretold > 0.0 {
        study.by_chance = by_chance(&rows, result, &parts);
    }
    study.trust = match foretold {
        _ if !foretold.is_finite() || foretold <= study.by_chance.unwrap_or_default().max(0.0) => {
            Trust::Nothing
        }
        _ if result.len() < ROWS_FEW || foretold < WEAK => Trust::Hint,
        _ => Trust::Fair,
    };
}

/// Which part each row is in.
fn cut(count: usize) -> Vec<usize> {
    let mut parts = vec![0; count];
    let order = Shuffler::new(SEED + 1).order(count);
    order.into_iter().enumerate().for_each(|(place, row)| parts[row] = place % PARTS);
    parts
}

/// How far the results lie from their mean, squared, all together.
fn variation(result: &[f64]) -> f64 {
    let mean = result.iter().sum::<f64>() / result.len() as f64;
    result.iter().map(|number| (number - mean).powi(2)).sum()
}

/// How well a part was foretold by a forest that had seen the others.
struct Tested {
    rows: usize,
    /// The squared errors together.
    error: f64,
    /// The same with each input shuffled, in the mean of several times.
    shuffled: Vec<f64>,
}

impl Tested {
    fn of(
        rows: &Rows,
        result: &[f64],
        parts: &[usize],
        part: usize,
        spans: &[std::ops::Range<usize>],
    ) -> Option<Self> {
        let (seen, unseen): (Vec<usize>, Vec<usize>) = (0..parts.len()).partition(|row| parts[*row] != part);
        let of = |rows: &[usize]| rows.iter().map(|row| result[*row]).collect::<Vec<f64>>();
        let forest = Forest::grow(&rows.take(&seen), &of(&seen), SEED + part as u64)?;
        let (asked, real) = (rows.take(&unseen), of(&unseen));
        let error = |asked: &Rows| -> Option<f64> {
            let expected = forest.expect(asked)?;
            Some(expected.iter().zip(&real).map(|(expected, real)| (expected - real).powi(2)).sum())
        };
        // Of few rows one shuffle says little, of many it says enough.
        let times = (3000 / parts.len()).clamp(1, 20);
        let mut shuffler = Shuffler::new(SEED ^ (part as u64 + 1) << 32);
        let mut shuffled = Vec::with_capacity(spans.len());
        for span in spans {
            let mut sum = 0.0;
            for _ in 0..times {
                let order = shuffler.order(unseen.len());
                let mut changed = asked.clone();
                for column in span.clone() {
                    changed.columns[column] = order.iter().map(|row| asked.columns[column][*row]).collect();
                }
                sum += error(&changed)?;
            }
            shuffled.push(sum / times as f64);
        }
        Some(Self { rows: unseen.len(), error: error(&asked)?, shuffled })
    }
}

/// The best that is foretold of results that were shuffled, of which nothing can be known.
fn by_chance(rows: &Rows, result: &[f64], parts: &[usize]) -> Option<f64> {
    let tries = each(CHANCE_TRIES, |attempt| {
        let order = Shuffler::new(SEED + 100 + attempt as u64).order(result.len());
        let shuffled: Vec<f64> = order.iter().map(|row| result[*row]).collect();
        let errors = (0..PARTS).map(|part| Some(Tested::of(rows, &shuffled, parts, part, &[])?.error));
        Some(1.0 - errors.sum::<Option<f64>>()? / variation(result))
    });
    tries.into_iter().flatten().reduce(f64::max)
}

/// What `work` makes of each of `0..count`, on all cores, in order.
fn each<T: Send>(count: usize, work: impl Fn(usize) -> Option<T> + Sync) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((0..count).map(|_| None).collect::<Vec<Option<T>>>());
    let cores = thread::available_parallelism().map_or(1, usize::from).min(count);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let made = work(index);
                    if let Ok(mut done) = done.lock() {
                        done[index] = made;
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_default()
}

fn sort(weights: &mut [Weight], trust: Trust, result: &[f64]) {
    let key = |weight: &Weight| match trust {
        Trust::Hint | Trust::Fair => weight.importance.unwrap_or_default(),
        Trust::TooFew | Trust::Nothing => closeness(weight, result),
    };
    weights.sort_by(|one, other| key(other).total_cmp(&key(one)).then(one.input.cmp(&other.input)));
}

/// How closely an input goes with the result by itself, from 0 to 1: by ranks, or by what words tell of the variation.
fn closeness(weight: &Weight, result: &[f64]) -> f64 {
    if let Some(spearman) = weight.spearman {
        return spearman.abs();
    }
    let (measure, result) = (measure(result), scaled(result));
    let mean = result.iter().sum::<f64>() / result.len() as f64;
    let far = |of_word: f64| (of_word / measure - mean).powi(2);
    let between: f64 = weight.words.iter().map(|(_, of_word, count)| *count as f64 * far(*of_word)).sum();
    (between / variation(&result)).sqrt()
}

impl Input {
    fn take(&self, rows: &[usize]) -> Self {
        match self {
            Input::Numbers(numbers) => Input::Numbers(rows.iter().map(|row| numbers[*row]).collect()),
            Input::Words(words) => Input::Words(rows.iter().map(|row| words[*row]).collect()),
        }
    }

    fn reason_to_leave(&self) -> Option<Reason> {
        let classes = self.classes();
        let values = classes.iter().max().map_or(0, |last| last + 1);
        match self {
            _ if values < 2 => Some(Reason::Constant),
            // A word that is in one row only tells nothing of others.
            Input::Words(_) if values > 2 && values * 2 > classes.len() => Some(Reason::Names),
            _ => None,
        }
    }

    /// Equal for inputs that say the same: words by when they first came; numbers by their order, upwards or downwards.
    fn pattern(&self) -> Vec<usize> {
        let classes = self.classes();
        let values = classes.iter().max().map_or(0, |last| last + 1);
        match self {
            // Where hardly a value comes twice, classes say nothing and the order all.
            Input::Numbers(numbers) if values * 2 > classes.len() => ordered(numbers),
            _ => classes,
        }
    }

    /// The same number for the same value, in the order in which they first come.
    fn classes(&self) -> Vec<usize> {
        let keys: Vec<Option<u64>> = match self {
            Input::Words(words) => words.iter().map(|word| word.map(|word| word as u64)).collect(),
            // 0 and −0 are one number.
            Input::Numbers(numbers) => {
                numbers.iter().map(|number| number.map(|number| (number + 0.0).to_bits())).collect()
            }
        };
        let mut first: HashMap<Option<u64>, usize> = HashMap::new();
        let class = |key| {
            let next = first.len();
            *first.entry(key).or_insert(next)
        };
        keys.into_iter().map(class).collect()
    }

    /// What it says by itself.
    fn alone(&self, index: usize, result: &[f64]) -> Weight {
        let mut weight = Weight {
            input: index,
            with: Vec::new(),
            importance: None,
            error: 0.0,
            pearson: None,
            spearman: None,
            words: Vec::new(),
            given: 0,
        };
        match self {
            Input::Numbers(numbers) => {
                let pairs =
                    numbers.iter().zip(result).filter_map(|(number, result)| Some(((*number)?, *result)));
                let (x, y): (Vec<f64>, Vec<f64>) = pairs.unzip();
                weight.given = x.len();
                weight.pearson = pearson(&x, &y);
                weight.spearman = spearman(&x, &y);
            }
            Input::Words(words) => {
                weight.given = words.iter().flatten().count();
                weight.words = means(words, result);
            }
        }
        weight
    }

    /// The columns that a forest sees. What is absent has a column that says so.
    fn columns(&self) -> Vec<Vec<f64>> {
        match self {
            Input::Numbers(numbers) => {
                let middle = median(numbers.iter().flatten().copied().collect());
                let mut columns = vec![numbers.iter().map(|number| number.unwrap_or(middle)).collect()];
                if numbers.contains(&None) {
                    columns.push(numbers.iter().map(|number| f64::from(number.is_none())).collect());
                }
                columns
            }
            Input::Words(words) => {
                let mut counts: HashMap<Option<usize>, usize> = HashMap::new();
                words.iter().for_each(|word| *counts.entry(*word).or_default() += 1);
                let mut common: Vec<(Option<usize>, usize)> = counts.into_iter().collect();
                common.sort_by_key(|(word, count)| (usize::MAX - count, *word));
                let column = |word: &Option<usize>| words.iter().map(|one| f64::from(one == word)).collect();
                // Of two, one column tells the other; the rest is what has no column of its own.
                let shown = if common.len() <= 2 { 1 } else { common.len().min(WORDS_MAX) };
                common[..shown].iter().map(|(word, _)| column(word)).collect()
            }
        }
    }
}

/// The places in order, doubled; counted from whichever end the first row is nearer to, so that what falls as another rises is the same.
fn ordered(numbers: &[Option<f64>]) -> Vec<usize> {
    let with_absent: Vec<f64> = numbers.iter().map(|number| number.unwrap_or(f64::INFINITY)).collect();
    let up: Vec<usize> = ranks(&with_absent).iter().map(|rank| (rank * 2.0) as usize).collect();
    if numbers.contains(&None) {
        return up;
    }
    let down: Vec<usize> = up.iter().map(|place| 2 * (numbers.len() + 1) - place).collect();
    up.min(down)
}

fn means(words: &[Option<usize>], result: &[f64]) -> Vec<(Option<usize>, f64, usize)> {
    let mut sums: HashMap<Option<usize>, (f64, usize)> = HashMap::new();
    for (word, number) in words.iter().zip(result) {
        let sum = sums.entry(*word).or_default();
        *sum = (sum.0 + number, sum.1 + 1);
    }
    let mut means: Vec<_> =
        sums.into_iter().map(|(word, (sum, count))| (word, sum / count as f64, count)).collect();
    means.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    means
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Numbers from 0 to 1 that have nothing to do with each other.
    fn random(seed: u64, count: usize) -> Vec<f64> {
        let mut shuffler = Shuffler::new(seed);
        (0..count).map(|_| shuffler.below(1 << 30) as f64 / f64::from(1 << 30)).collect()
    }

    fn numbers(values: &[f64]) -> Input {
        Input::Numbers(values.iter().copied().map(Some).collect())
    }

    fn order(study: &Study) -> Vec<usize> {
        study.inputs.iter().map(|weight| weight.input).collect()
    }

    #[test]
    fn a_result_that_diverged_makes_no_nonsense() {
        let rates = random(1, 40);
        let mut result: Vec<f64> = rates.iter().map(|rate| 1e200 * rate).collect();
        result[7] = 1e300;
        let study = study(&[numbers(&rates), numbers(&random(2, 40))], &result);
        assert!(study.foretold.unwrap().is_finite(), "{study:?}");
        assert_ne!(study.trust, Trust::Fair);
    }

    #[test]
    fn without_weights_words_are_ranked_by_what_they_tell() {
        let words = [0, 0, 0, 0, 1, 1, 1, 1];
        let result: Vec<f64> = words.iter().map(|word| *word as f64 + 0.01).collect();
        let inputs = [numbers(&random(3, 8)), Input::Words(words.iter().copied().map(Some).collect())];
        let study = study(&inputs, &result);
        assert_eq!((study.trust, order(&study)), (Trust::TooFew, vec![1, 0]));
    }

    #[test]
    fn what_was_planted_is_found() {
        let count = 240;
        let (strong, weak, noise) = (random(1, count), random(2, count), random(3, count));
        let words: Vec<usize> = random(4, count).iter().map(|number| (number * 3.0) as usize).collect();
        let result: Vec<f64> = (0..count)
            .map(|row| 4.0 * strong[row] - 1.5 * weak[row] + [0.0, 1.5, 0.0][words[row]] + 0.2 * noise[row])
            .collect();
        let inputs = [
            numbers(&noise),
            numbers(&weak),
            Input::Words(words.iter().copied().map(Some).collect()),
            numbers(&strong),
            numbers(&random(5, count)),
            numbers(&vec![1.0; count]),
            // The same as the strong one, written otherwise.
            numbers(&strong.iter().map(|number| -number.powi(3)).collect::<Vec<_>>()),
            Input::Words((0..count).map(Some).collect()),
        ];
        let study = study(&inputs, &result);
        assert_eq!(order(&study)[..3], [3, 2, 1], "{study:?}");
        assert_eq!((study.trust, study.rows), (Trust::Fair, count));
        assert!(study.foretold.unwrap() > 0.7, "{study:?}");
        assert_eq!(study.left_out, [(5, Reason::Constant), (7, Reason::Names)]);
        assert_eq!(study.inputs[0].with, [6]);
        assert!(study.inputs[..3].iter().all(Weight::is_clear), "{study:?}");
        assert!(study.inputs[0].spearman.unwrap() > 0.5 && study.inputs[2].spearman.unwrap() < -0.1);
        assert_eq!(study.inputs[1].words[0].0, Some(1));
        let unrelated = study.inputs.iter().find(|weight| weight.input == 4).unwrap();
        assert!(unrelated.importance.unwrap() < 0.02, "{unrelated:?}");
        assert_eq!(study, super::study(&inputs, &result));
    }

    #[test]
    fn noise_is_said_to_be_noise() {
        let inputs: Vec<Input> = (0..4).map(|seed| numbers(&random(seed, 40))).collect();
        let study = study(&inputs, &random(9, 40));
        assert_eq!(study.trust, Trust::Nothing, "{study:?}");
    }

    #[test]
    fn a_few_rows_are_a_hint_at_most_and_fewer_are_none() {
        let x = random(1, 20);
        let result: Vec<f64> = x.iter().map(|x| 3.0 * x).collect();
        let hint = study(&[numbers(&x), numbers(&random(2, 20))], &result);
        assert_eq!((hint.trust, order(&hint)[0]), (Trust::Hint, 0), "{hint:?}");
        assert!(hint.by_chance.is_some());
        let few = study(&[numbers(&x[..6]), numbers(&random(2, 6))], &result[..6]);
        assert_eq!((few.trust, few.foretold, few.inputs[0].importance), (Trust::TooFew, None, None));
        assert_eq!(order(&few)[0], 0);
        assert_eq!(study(&[numbers(&x)], &[1.0; 20]).trust, Trust::TooFew);
        assert_eq!(study(&[], &[]).trust, Trust::TooFew);
    }

    #[test]
    fn what_is_absent_is_a_value_of_its_own() {
        let x = random(1, 220);
        let given: Vec<Option<f64>> = x.iter().map(|x| (*x < 0.5).then_some(*x)).collect();
        let result: Vec<f64> = given
            .iter()
            .zip(random(2, 220))
            .map(|(given, noise)| f64::from(given.is_none()) + 0.1 * noise)
            .collect();
        let found = study(&[Input::Numbers(given), numbers(&random(3, 220))], &result);
        assert_eq!((order(&found)[0], found.trust), (0, Trust::Fair), "{found:?}");
        assert!(found.inputs[0].given < 220);
    }

    #[test]
    fn of_many_rows_some_are_drawn_in_order() {
        assert_eq!(drawn(50), (0..50).collect::<Vec<_>>());
        let drawn = drawn(10_000);
        assert!(drawn.len() == ROWS_MAX && drawn.is_sorted() && drawn[ROWS_MAX - 1] > 9_900);
    }

    #[test]
    fn inputs_that_only_look_alike_are_told_apart() {
        // Every value comes once in both; that says nothing.
        let (one, other) = (numbers(&random(1, 30)), numbers(&random(2, 30)));
        assert_ne!(one.pattern(), other.pattern());
        let words = |words: &[usize]| Input::Words(words.iter().copied().map(Some).collect());
        assert_eq!(words(&[5, 3, 5, 3]).pattern(), numbers(&[0.1, 0.2, 0.1, 0.2]).pattern());
        assert_ne!(words(&[5, 3, 5, 3]).pattern(), words(&[5, 3, 3, 3]).pattern());
    }
}
