//! Ranks: the places of numbers in order, those that are equal sharing theirs.

/// The rank of each number, from 1; equal numbers share the mean of their places.
pub fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|one, other| numbers[*one].total_cmp(&numbers[*other]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut begin = 0;
    for tied in order.chunk_by(|one, other| numbers[*one] == numbers[*other]) {
        // The places begin + 1 … begin + n.
        let shared = begin as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|index| ranks[*index] = shared);
        begin += tied.len();
    }
    ranks
}

/// How many numbers share each value that several have.
pub fn ties(numbers: &[f64]) -> Vec<usize> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|one, other| one == other).map(<[f64]>::len).filter(|count| *count > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_numbers_share_their_places() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]), [4.0, 1.0, 4.0, 2.0, 4.0]);
        assert_eq!(ranks(&[-0.0, 0.0]), [1.5, 1.5]);
        assert_eq!(ties(&[3.0, 1.0, 3.0, 2.0, 3.0, 1.0]), [2, 3]);
    }

    proptest! {
        #[test]
        fn ranks_sum_up_and_keep_the_order(numbers in prop::collection::vec(-9..9i32, 0..30)) {
            let numbers: Vec<f64> = numbers.into_iter().map(f64::from).collect();
            let ranks = ranks(&numbers);
            let count = numbers.len() as f64;
            prop_assert_eq!(ranks.iter().sum::<f64>(), count * (count + 1.0) / 2.0);
            for (one, first) in numbers.iter().zip(&ranks) {
                for (other, second) in numbers.iter().zip(&ranks) {
                    prop_assert_eq!(one.partial_cmp(other), first.partial_cmp(second));
                }
            }
        }
    }
}
