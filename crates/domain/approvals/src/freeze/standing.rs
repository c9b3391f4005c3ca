//! Which windows stand at a moment, and when they open again.

use std::time::Duration;

use slipway_kernel::Timestamp;

use super::{FreezeAction, FreezeWindow, Schedule};

/// How far is looked at a time: most freezes are over by then.
const STRETCH: Duration = Duration::from_hours(8 * 24);
/// How often that is done: more than a year, behind which nobody waits for an end.
const STRETCHES: usize = 46;

/// A window that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingFreeze {
    /// The window.
    pub window: FreezeWindow,
    /// When this one ends, were it alone; `None` where not within a year.
    pub ends: Option<Timestamp>,
    /// When nothing stands in the way any more, by this window or another one that begins before it ends; `None` where not
    /// within a year. The same for all that stand at a moment.
    pub opens_again: Option<Timestamp>,
}

/// The windows of these that stand in an action's way at a moment. They are those whose scope covers what is changed.
pub fn standing(
    windows: impl IntoIterator<Item = FreezeWindow>,
    action: FreezeAction,
    now: Timestamp,
) -> Vec<StandingFreeze> {
    let covering: Vec<_> = windows
        .into_iter()
        .filter(|window| window.covers(action))
        .collect();
    let schedules: Vec<_> = covering.iter().map(|window| &window.schedule).collect();
    if !schedules.iter().any(|schedule| stands(schedule, now)) {
        return Vec::new();
    }
    let opens_again = closed_until(&schedules, now);
    covering
        .into_iter()
        .filter(|window| stands(&window.schedule, now))
        .map(|window| StandingFreeze {
            ends: closed_until(&[&window.schedule], now),
            window,
            opens_again,
        })
        .collect()
}

/// What a window does next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Whether it stands.
    pub stands: bool,
    /// When it begins to stand next.
    pub next_start: Option<Timestamp>,
    /// When it ends to stand next; `None` also where not within a year of its start.
    pub next_end: Option<Timestamp>,
}

/// What a window does from a moment on. One that is suspended does nothing.
pub fn outlook(window: &FreezeWindow, now: Timestamp) -> Outlook {
    if !window.counts() {
        return Outlook::default();
    }
    let schedule = &window.schedule;
    let stands = stands(schedule, now);
    let (next_start, next_end) = if stands {
        let end = closed_until(&[schedule], now);
        (end.and_then(|end| schedule.next_start(end)), end)
    } else {
        let start = schedule.next_start(now);
        (
            start,
            start.and_then(|start| closed_until(&[schedule], start)),
        )
    };
    Outlook {
        stands,
        next_start,
        next_end,
    }
}

fn stands(schedule: &Schedule, now: Timestamp) -> bool {
    !schedule.spans(now, now).is_empty()
}

/// The first moment from `now` on in which none of the schedules stands; `None` where that is not within a year.
fn closed_until(schedules: &[&Schedule], now: Timestamp) -> Option<Timestamp> {
    let mut open = now;
    for _ in 0..STRETCHES {
        let horizon = open.plus(STRETCH);
        let mut spans: Vec<_> = schedules
            .iter()
            .flat_map(|schedule| schedule.spans(open, horizon))
            .collect();
        spans.sort_unstable();
        for span in spans {
            if span.start() > open {
                return Some(open);
            }
            open = open.max(span.end());
        }
        // Spans that begin later than the horizon were not looked at.
        if open < horizon {
            return Some(open);
        }
    }
    None
}
