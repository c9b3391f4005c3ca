//! Faults that the invariants have to find.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// A result is written whatever the epoch.
    NoEpochOnResults,
    /// An intent is written whatever the epoch.
    NoEpochOnIntents,
    /// A state is written whatever the epoch.
    NoEpochOnStates,
    /// Whoever resumes a step does it again without looking.
    NoProbe,
    /// Effects start after the lease is over.
    NoDeadline,
    /// Effects start while the lease lasts for their call, but not for what lands after it.
    ShortDeadline,
    /// A call without an answer is looked up at once, while its effect can still land.
    NoGrace,
    /// Items are applied while the snapshot is being taken.
    NoSnapshotWait,
    /// What was done first is undone first.
    ForwardUndo,
    /// The wish to stop is not looked at.
    NoCancel,
}

impl Planted {
    pub(crate) const ALL: [Self; 10] = [
        Self::NoEpochOnResults,
        Self::NoEpochOnIntents,
        Self::NoEpochOnStates,
        Self::NoProbe,
        Self::NoDeadline,
        Self::ShortDeadline,
        Self::NoGrace,
        Self::NoSnapshotWait,
        Self::ForwardUndo,
        Self::NoCancel,
    ];
}
