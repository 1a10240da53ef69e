//! Shuffling that is the same every time: whoever asks twice gets one answer.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): enough to shuffle,
/// no use for secrets.
#[derive(Debug, Clone)]
pub struct Shuffler(u64);

impl Shuffler {
    /// One that begins here.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, each as likely as another but for a part in 2⁶⁴ / `end`.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// Shuffles, by Fisher and Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// The places `0..count`, shuffled.
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        self.shuffle(&mut order);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stays_and_every_place_is_reached() {
        let mut shuffler = Shuffler::new(7);
        let mut seen = [[0; 5]; 5];
        for _ in 0..5000 {
            let order = shuffler.order(5);
            order.iter().enumerate().for_each(|(place, item)| seen[*item][place] += 1);
        }
        // 1000 each, give or take five standard deviations.
        assert!(seen.iter().flatten().all(|count| (860..1140).contains(count)), "{seen:?}");
        assert_eq!(Shuffler::new(7).order(50), Shuffler::new(7).order(50));
    }
}
