//! What the target held when it was last read as a whole.

use std::sync::{Mutex, PoisonError};

use crate::engines::Surveyed;

/// The reading that a step made, for the snapshot that follows it: the preflight's is what was there before, and that of
/// the look afterwards what came of it. So a snapshot shows exactly what was compared, and an engine is read half as
/// often. Whoever takes a deployment over has none, and reads anew.
#[derive(Default)]
pub(super) struct Seen(Mutex<Option<Surveyed>>);

impl Seen {
    pub(super) fn keep(&self, surveyed: Option<Surveyed>) {
        self.set(surveyed);
    }

    /// The target is about to change.
    pub(super) fn forget(&self) {
        self.set(None);
    }

    /// The last reading, once.
    pub(super) fn take(&self) -> Option<Surveyed> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.take()
    }

    fn set(&self, surveyed: Option<Surveyed>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = surveyed;
    }
}
