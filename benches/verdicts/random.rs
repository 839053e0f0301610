//! Numbers by chance, the same ones every time.

/// `SplitMix64` (G. L. Steele, D. Lea, C. H. Flood 2014): every run of this gives the same tables.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Above 0, and at most 1.
    pub(crate) fn share(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    /// Of a normal distribution (G. E. P. Box and M. E. Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.share(), self.share());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// With a long tail to the right, as times have: normal in its logarithm.
    pub(crate) fn skewed(&mut self) -> f64 {
        self.normal().exp()
    }

    /// A group of runs: `middle`, give or take `deviation`.
    pub(crate) fn runs(&mut self, count: usize, middle: f64, deviation: f64) -> Vec<f64> {
        let runs = (0..count).map(|_| middle * (1.0 + deviation * self.normal()));
        runs.collect()
    }

    /// The first `count` of the numbers below `limit` in an order by chance.
    pub(crate) fn drawn(&mut self, limit: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..limit).collect();
        for place in 0..count {
            let other = place + self.below(limit - place);
            all.swap(place, other);
        }
        all.truncate(count);
        all
    }
}
