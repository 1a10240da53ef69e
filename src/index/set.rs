//! Sets of rows, as many bits as there are runs.

/// A set of runs by their numbers in the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Set(Vec<u64>);

impl Set {
    /// The runs from 1 to the last.
    pub fn up_to(last: i64) -> Self {
        let Some((word, _)) = place(last).filter(|_| last > 0) else { return Self::default() };
        let mut set = Set(vec![u64::MAX; word + 1]);
        set.0[0] &= !1;
        set.0[word] &= u64::MAX >> (63 - (last & 63));
        set
    }

    /// Puts in a run.
    pub fn insert(&mut self, run: i64) {
        let Some((word, bit)) = place(run) else { return };
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= bit;
    }

    /// Whether a run is in it.
    pub fn has(&self, run: i64) -> bool {
        place(run).is_some_and(|(word, bit)| self.0.get(word).is_some_and(|known| known & bit != 0))
    }

    /// How many runs are in it.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// What is in both.
    pub fn and(mut self, other: &Set) -> Set {
        self.0.truncate(other.0.len());
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
        self
    }

    /// What is in either.
    pub fn or(mut self, other: &Set) -> Set {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
        self
    }

    /// What is in this and not in the other.
    pub fn without(mut self, other: &Set) -> Set {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
        self
    }

    /// The runs, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| (index as i64) << 6 | bit)
        })
    }
}

impl FromIterator<i64> for Set {
    fn from_iter<T: IntoIterator<Item = i64>>(runs: T) -> Self {
        let mut set = Set::default();
        runs.into_iter().for_each(|run| set.insert(run));
        set
    }
}

fn place(run: i64) -> Option<(usize, u64)> {
    let run = usize::try_from(run).ok()?;
    Some((run >> 6, 1 << (run & 63)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn runs() -> impl Strategy<Value = BTreeSet<i64>> {
        prop::collection::btree_set(0..300i64, 0..40)
    }

    proptest! {
        #[test]
        fn all_are_all(last in -1..300i64) {
            prop_assert_eq!(Set::up_to(last).iter().collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
        }

        #[test]
        fn sets_are_sets(one in runs(), other in runs()) {
            let set = |runs: &BTreeSet<i64>| runs.iter().copied().collect::<Set>();
            let list = |set: Set| set.iter().collect::<Vec<_>>();
            prop_assert_eq!(list(set(&one).and(&set(&other))), one.intersection(&other).copied().collect::<Vec<_>>());
            prop_assert_eq!(list(set(&one).or(&set(&other))), one.union(&other).copied().collect::<Vec<_>>());
            prop_assert_eq!(list(set(&one).without(&set(&other))), one.difference(&other).copied().collect::<Vec<_>>());
            prop_assert_eq!(set(&one).len(), one.len());
            prop_assert!((0..320).all(|run| set(&one).has(run) == one.contains(&run)));
        }
    }
}
