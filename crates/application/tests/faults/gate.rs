//! Where an executor can be stopped: on both sides of each of its commits and of each call of an engine.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

/// A place in an executor's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) what: What,
    /// Whether it is over, and only the answer is missing.
    pub(crate) after: bool,
}

/// What an executor does to the database or to an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// A unit of work is committed, whose last conditional write was this one.
    Commit(&'static str),
    /// A unit of work begins.
    Begin,
    /// An engine is called.
    Call(&'static str),
}

/// Where somebody is held.
#[derive(Clone, Copy)]
enum Stop {
    Nowhere,
    At(usize),
    First(Point),
    BehindResults(usize),
}

/// Counts the points that an executor passes, and holds it at one of them.
pub(crate) struct Gate {
    passed: Mutex<Vec<Point>>,
    stop: Stop,
    units: AtomicUsize,
    held: AtomicBool,
    /// Tells that the executor is held.
    pub(crate) reached: Notify,
    opened: watch::Sender<bool>,
}

impl Gate {
    /// Holds nobody.
    pub(crate) fn open() -> Self {
        Self::new(Stop::Nowhere)
    }

    /// Holds whoever comes to the point of this number, from 0.
    pub(crate) fn at(number: usize) -> Self {
        Self::new(Stop::At(number))
    }

    /// Holds whoever comes to such a point first.
    pub(crate) fn first(point: Point) -> Self {
        Self::new(Stop::First(point))
    }

    /// Holds whoever begins a unit of work behind so many results.
    pub(crate) fn behind_results(results: usize) -> Self {
        Self::new(Stop::BehindResults(results))
    }

    fn new(stop: Stop) -> Self {
        Self {
            passed: Mutex::default(),
            stop,
            units: AtomicUsize::new(0),
            held: AtomicBool::new(false),
            reached: Notify::new(),
            opened: watch::Sender::new(false),
        }
    }

    /// Whether a unit of work is open: whoever stands still then holds up everybody.
    pub(crate) fn holds_rows(&self) -> bool {
        self.units.load(Ordering::SeqCst) > 0
    }

    /// Counts a unit of work as open until the answer is dropped.
    pub(crate) fn unit(self: &Arc<Self>) -> OpenUnit {
        self.units.fetch_add(1, Ordering::SeqCst);
        OpenUnit(Arc::clone(self))
    }

    /// Lets go whoever is held.
    pub(crate) fn release(&self) {
        self.opened.send_replace(true);
    }

    /// What was passed so far; the last one is where somebody is held.
    pub(crate) fn passed(&self) -> Vec<Point> {
        self.passed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) async fn pass(&self, what: What, after: bool) {
        let point = Point { what, after };
        let stops = {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            passed.push(point);
            match self.stop {
                Stop::Nowhere => false,
                Stop::At(number) => passed.len() == number + 1,
                Stop::BehindResults(results) => {
                    let result = Point {
                        what: What::Commit("result"),
                        after: true,
                    };
                    let behind = passed.iter().filter(|passed| **passed == result).count();
                    what == What::Begin
                        && behind == results
                        && !self.held.swap(true, Ordering::SeqCst)
                }
                Stop::First(stop) => {
                    stop == point && passed.iter().filter(|passed| **passed == stop).count() == 1
                }
            }
        };
        if stops {
            self.reached.notify_one();
            let mut opened = self.opened.subscribe();
            opened
                .wait_for(|opened| *opened)
                .await
                .expect("the gate is there");
        }
    }
}

/// A unit of work that has begun and is not over.
pub(crate) struct OpenUnit(Arc<Gate>);

impl Drop for OpenUnit {
    fn drop(&mut self) {
        self.0.units.fetch_sub(1, Ordering::SeqCst);
    }
}
