//! Offset of a counter under faults: increments are corrupted, and stay so when the fault is over.

/// Last value of a counter before any fault, and its offset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CounterOffset {
    last: Vec<f64>,
    offsets: Vec<f64>,
}

impl CounterOffset {
    /// Adds to each number's offset `share` of its increment, and `gained`.
    pub fn apply(&mut self, numbers: &mut [f64], share: f64, gained: f64) {
        if self.last.len() != numbers.len() {
            self.last.clear();
            self.last.extend_from_slice(numbers);
            self.offsets.clear();
            self.offsets.resize(numbers.len(), 0.0);
        }
        let pasts = self.last.iter_mut().zip(&mut self.offsets);
        for (x, (last, offset)) in numbers.iter_mut().zip(pasts) {
            *offset += share * (*x - *last) + gained;
            *last = *x;
            *x += *offset;
        }
    }
}
