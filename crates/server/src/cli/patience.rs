//! How often, and after which pauses, something that may pass is tried again.

use std::time::Duration;

/// How often something is tried again without any progress in between, where nothing else ends it.
const MAX_TRIES: u32 = 5;
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that comes by doubling.
const MAX_DOUBLED: Duration = Duration::from_secs(16);
/// The longest pause that a server may ask for.
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// Counts failures in a row.
#[derive(Debug)]
pub(super) struct Patience {
    failures: u32,
    max_tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            failures: 0,
            max_tries: MAX_TRIES,
        }
    }
}

impl Patience {
    /// Tries again for as long as whoever asks waits.
    pub(super) const fn endless() -> Self {
        Self {
            failures: 0,
            max_tries: u32::MAX,
        }
    }

    /// How long to wait before the next try, at least as long as the server asked for; `None` when it is enough.
    pub(super) fn failed(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.failures >= self.max_tries {
            return None;
        }
        let doubled = 2_u32.saturating_pow(self.failures);
        let pause = FIRST_PAUSE.saturating_mul(doubled).min(MAX_DOUBLED);
        self.failures += 1;
        Some(pause.max(asked.unwrap_or_default()).min(MAX_PAUSE))
    }

    /// There was progress: the count starts again.
    pub(super) fn progressed(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_end_and_begin_again_after_progress() {
        let mut patience = Patience::default();
        let pauses: Vec<_> = std::iter::from_fn(|| patience.failed(None)).collect();
        let milliseconds = [500, 1000, 2000, 4000, 8000];
        assert_eq!(pauses, milliseconds.map(Duration::from_millis));

        patience.progressed();
        let asked = Some(Duration::from_secs(3));
        assert_eq!(patience.failed(asked), asked);
        let asked = Some(Duration::from_hours(1));
        assert_eq!(patience.failed(asked), Some(MAX_PAUSE));
    }

    #[test]
    fn whoever_has_all_the_time_tries_on() {
        let mut patience = Patience::endless();
        let pauses: Vec<_> = (0..100).filter_map(|_| patience.failed(None)).collect();
        assert_eq!(pauses.len(), 100);
        assert_eq!(pauses[6..], [MAX_DOUBLED; 94]);
    }
}
