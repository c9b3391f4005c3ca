//! What goes wrong on demand, and the log of calls.

use std::time::Duration;

/// A call that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path below `/api/v1`, without the query.
    pub path: String,
    /// The query, without its question mark.
    pub query: String,
    /// Method and path with `{id}` for ids: `PUT /workflows/{id}`.
    pub pattern: String,
    /// The answer's status; none where the connection was dropped, or while there is no answer yet.
    pub status: Option<u16>,
    /// What the call changed, also where the answer was lost or a refusal.
    pub effect: Option<Effect>,
}

/// What a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A workflow, tag or credential was added.
    Created,
    /// The content differs from before. Where `published`, that is what runs now.
    Changed {
        /// Whether it became what runs.
        published: bool,
    },
    /// Only the time of the last change differs.
    Touched,
    /// The workflow runs on its triggers, and did not before.
    Activated,
    /// The workflow no longer runs on its triggers.
    Deactivated,
    /// The workflow was put away or brought back.
    Archived,
    /// The workflow's tags differ from before.
    Tagged,
    /// The workflow, tag or credential is gone.
    Deleted,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends without an answer; nothing was done.
    DropBefore,
    /// It is done, and the connection ends without an answer.
    DropAfter,
    /// 500 in JSON; nothing was done.
    FailBefore,
    /// It is done, and the answer is 500 in JSON.
    FailAfter,
    /// It is done at once; the answer comes this much later.
    SlowAnswer(Duration),
    /// It waits until [`StandIn::release`](crate::StandIn::release), and is done then.
    HoldBefore,
    /// It is done, and the answer waits until [`StandIn::release`](crate::StandIn::release).
    HoldAfter,
    /// It is done, and the answer has this many spaces before it.
    Padded(usize),
    /// Any status with a page of HTML, as something in front of n8n would; nothing was done.
    Html(u16),
    /// 302 to another address; nothing was done.
    Redirect,
}

/// A fault for chosen calls.
#[derive(Debug, Clone)]
pub struct Injection {
    /// Method and pattern of the calls, for example `POST /workflows/{id}/activate`; `*` for all calls.
    pub pattern: String,
    /// What goes wrong.
    pub fault: Fault,
    /// How many calls of this pattern pass before.
    pub skip: usize,
    /// How many go wrong then.
    pub times: usize,
}

impl Injection {
    /// The fault on the next call of this pattern.
    pub fn once(pattern: &str, fault: Fault) -> Self {
        Self {
            pattern: pattern.to_owned(),
            fault,
            skip: 0,
            times: 1,
        }
    }

    /// The fault on every call of this pattern.
    pub fn always(pattern: &str, fault: Fault) -> Self {
        Self {
            times: usize::MAX,
            ..Self::once(pattern, fault)
        }
    }

    /// Lets this many calls pass first.
    #[must_use]
    pub fn after(mut self, calls: usize) -> Self {
        self.skip = calls;
        self
    }
}

/// What the stand-in was told, and what it saw.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) latency: Duration,
    pub(crate) throttle: (usize, u64),
    pub(crate) injections: Vec<Injection>,
    pub(crate) calls: Vec<Call>,
    pub(crate) in_flight: usize,
    pub(crate) max_in_flight: usize,
    /// Raised when the log is forgotten, so that calls under way then don't write into the new one.
    era: usize,
}

/// Where a call stands in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    era: usize,
    index: usize,
}

impl Control {
    pub(crate) fn arrive(&mut self, call: Call) -> Place {
        self.in_flight += 1;
        self.max_in_flight = self.max_in_flight.max(self.in_flight);
        self.calls.push(call);
        Place {
            era: self.era,
            index: self.calls.len() - 1,
        }
    }

    pub(crate) fn note(&mut self, place: Place, write: impl FnOnce(&mut Call)) {
        if place.era == self.era
            && let Some(call) = self.calls.get_mut(place.index)
        {
            write(call);
        }
    }

    /// The seconds to wait, where this call is one too many.
    pub(crate) fn throttled(&mut self) -> Option<u64> {
        let (left, retry_after) = &mut self.throttle;
        *left = left.checked_sub(1)?;
        Some(*retry_after)
    }

    pub(crate) fn fault(&mut self, pattern: &str) -> Option<Fault> {
        for injection in &mut self.injections {
            let fits = injection.pattern == pattern || injection.pattern == "*";
            if !fits || injection.times == 0 {
                continue;
            }
            if injection.skip > 0 {
                injection.skip -= 1;
                continue;
            }
            injection.times -= 1;
            return Some(injection.fault);
        }
        None
    }

    pub(crate) fn behave(&mut self) {
        self.latency = Duration::ZERO;
        self.throttle = (0, 0);
        self.injections.clear();
    }

    pub(crate) fn forget(&mut self) {
        self.era += 1;
        self.calls.clear();
        self.max_in_flight = self.in_flight;
    }
}
