//! What a few measurements say together.

use serde_json::{Value, json};

/// The middle of several measurements, and how far they lie apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    /// The middle one.
    pub(crate) median: f64,
    /// The lowest.
    pub(crate) min: f64,
    /// The highest.
    pub(crate) max: f64,
    /// How many there are.
    pub(crate) n: usize,
}

impl Spread {
    /// Of nothing it is not a number.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            median: quantile(&sorted, 0.5),
            min: quantile(&sorted, 0.0),
            max: quantile(&sorted, 1.0),
            n: sorted.len(),
        }
    }

    /// As a report has it, rounded to four digits.
    pub(crate) fn json(&self) -> Value {
        json!({"median": rounded(self.median), "min": rounded(self.min), "max": rounded(self.max), "n": self.n})
    }
}

/// The value below which a fraction `q` of `sorted` lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the index is within the slice"
)]
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * q).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts here lie far below 2^52")]
pub(crate) fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().map_or(f64::NAN, |count| count as f64)
}

/// Four significant digits are more than a busy machine tells.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends() {
        let spread = Spread::of(&[3.0, 1.0, 2.0]);
        assert_eq!(
            (spread.min, spread.median, spread.max, spread.n),
            (1.0, 2.0, 3.0, 3)
        );
        assert!(Spread::of(&[]).median.is_nan());
    }

    #[test]
    fn rounding_keeps_four_digits() {
        assert_eq!(
            (rounded(123_456.0), rounded(0.012_345)),
            (123_500.0, 0.01235)
        );
    }
}
