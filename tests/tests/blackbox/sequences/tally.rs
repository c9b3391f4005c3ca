//! How often what happened, so that nobody takes a run for a proof in which little did.

use std::collections::BTreeMap;
use std::fmt;

/// What happened over many sequences.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) sequences: usize,
    /// By method: granted, refused, left out.
    methods: BTreeMap<&'static str, [usize; 3]>,
    /// By reason, how often it was the reason of a refusal.
    reasons: BTreeMap<String, usize>,
}

impl Tally {
    /// That of one sequence, in which nothing has happened yet.
    pub(super) fn of_one() -> Self {
        Self {
            sequences: 1,
            ..Self::default()
        }
    }

    pub(super) fn granted(&mut self, method: &'static str) {
        self.methods.entry(method).or_default()[0] += 1;
    }

    pub(super) fn refused(&mut self, method: &'static str, reason: &str) {
        self.methods.entry(method).or_default()[1] += 1;
        *self
            .reasons
            .entry(format!("{method} {reason}"))
            .or_default() += 1;
    }

    pub(super) fn left_out(&mut self, method: &'static str) {
        self.methods.entry(method).or_default()[2] += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sequences += other.sequences;
        for (method, counts) in &other.methods {
            let sums = self.methods.entry(method).or_default();
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
    }

    /// How many calls were made.
    pub(super) fn calls(&self) -> usize {
        self.methods
            .values()
            .map(|[granted, refused, _]| granted + refused)
            .sum()
    }

    /// The methods that were not both granted and refused.
    pub(super) fn one_sided(&self) -> Vec<&'static str> {
        let one_sided = self
            .methods
            .iter()
            .filter(|(_, [granted, refused, _])| *granted == 0 || *refused == 0);
        one_sided.map(|(method, _)| *method).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (method, [granted, refused, left_out]) in &self.methods {
            write!(
                f,
                "\n  {method}: {granted} granted, {refused} refused, {left_out} left out"
            )?;
            let prefix = format!("{method} ");
            let reasons = self.reasons.iter().filter_map(|(reason, count)| {
                let reason = reason.strip_prefix(&prefix)?;
                Some(format!("{reason} {count}"))
            });
            let reasons: Vec<_> = reasons.collect();
            if !reasons.is_empty() {
                write!(f, " ({})", reasons.join(", "))?;
            }
        }
        Ok(())
    }
}
