//! Runs by what they have in common: which belong together, and in which order such groups come.
//!
//! What is told of a group is its answer's own business.

use std::collections::HashMap;

use crate::query::Field;
use crate::query::order::Key;
use crate::run::Run;
use crate::run::text::write_value;
use crate::run::value::Value;

/// Runs that have the same in all fields asked for.
#[derive(Debug, Clone)]
pub struct Alike {
    /// What they have there, field by field.
    pub values: Vec<Option<Value>>,
    /// Where they stand among the runs given, in that order.
    pub places: Vec<usize>,
}

/// The runs by what they have in these fields, in the order of that; numbers of any type that are equal are the same.
pub fn alike(runs: &[Run], by: &[Field]) -> Vec<Alike> {
    let mut known: HashMap<Vec<Option<String>>, usize> = HashMap::new();
    let mut found: Vec<Alike> = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let values: Vec<Option<Value>> = by.iter().map(|field| field.get(run)).collect();
        let name = values.iter().map(|value| value.as_ref().map(identity)).collect();
        let group = *known.entry(name).or_insert(found.len());
        match found.get_mut(group) {
            Some(group) => group.places.push(place),
            None => found.push(Alike { values, places: vec![place] }),
        }
    }
    found.sort_by_cached_key(|group| {
        let ranked = by.iter().zip(&group.values);
        ranked
            .map(|(field, value)| Key { field: field.clone(), descending: false }.rank(value.clone()))
            .collect::<Vec<_>>()
    });
    found
}

/// The same text for what is the same; larger numbers than floats tell apart are so by their digits.
fn identity(given: &Value) -> String {
    match given.as_number().filter(|number| number.abs() < 2_f64.powi(53)) {
        // Zero has a sign that nobody means.
        Some(number) => format!("number {}", number + 0.0),
        None => write_value(given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Vocabulary;
    use crate::view::sample;

    #[test]
    fn large_integers_that_differ_are_not_the_same() {
        let large = 1_i64 << 53;
        for (one, other) in [(large, large + 1), (-large, -large - 1), (i64::MAX, i64::MAX - 1)] {
            assert_ne!(identity(&Value::Int(one)), identity(&Value::Int(other)));
        }
        assert_eq!(identity(&Value::Int(0)), identity(&Value::Float(-0.0)));
    }

    #[test]
    fn numbers_that_are_equal_are_the_same_and_come_in_their_order() {
        let given = [Some(Value::Float(1.0)), None, Some(Value::Float(0.1)), Some(Value::Int(1))];
        let text = Some(Value::Text("auto".to_owned()));
        let runs: Vec<Run> = given
            .into_iter()
            .chain([text])
            .map(|given| {
                let mut facts = sample::plain(1);
                facts.params = given.map(|given| ("lr".to_owned(), given)).into_iter().collect();
                sample::run(facts)
            })
            .collect();
        let by = [Field::parse("params.lr", &Vocabulary::of(&runs)).expect("a param")];
        let places: Vec<Vec<usize>> = alike(&runs, &by).into_iter().map(|group| group.places).collect();
        assert_eq!(places, [vec![2], vec![0, 3], vec![4], vec![1]]);
    }
}
