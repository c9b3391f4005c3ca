//! Which runs there are, how they are shared out, and what came of all of them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use slipway_deployments::State;
use tokio::sync::Semaphore;

use super::lane::{Backend, Lane};
use super::runs::Ran;

/// How many installations share the work of a test. They mostly wait for leases to end.
const LANES: usize = 6;
/// So many work at the same time, whatever tests they belong to.
static PLACES: Semaphore = Semaphore::const_new(LANES);

/// `SLIPWAY_TEST_SCALE`, by default 1.
fn scale() -> f64 {
    let scale = std::env::var("SLIPWAY_TEST_SCALE").ok();
    scale.and_then(|scale| scale.parse().ok()).unwrap_or(1.0)
}

/// Evenly chosen numbers below `count`: a tenth of them for each unit of the scale, at least 5.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a size chosen by people"
)]
pub(crate) fn chosen(count: usize) -> impl Iterator<Item = usize> {
    let wanted = (count as f64 * scale() / 10.0) as usize;
    let wanted = wanted.max(5).min(count);
    (0..wanted).map(move |number| (2 * number + 1) * count / (2 * wanted))
}

/// A line for whoever reads the tests' output: not `println!`, which is kept from them as long as the tests pass.
pub(crate) fn print(line: &str) {
    drop(std::io::stderr().write_all(format!("{line}\n").as_bytes()));
}

/// Does the jobs on several installations at once, one at a time on each.
pub(crate) async fn on_lanes<J, R>(
    backend: Backend,
    jobs: Vec<J>,
    work: impl AsyncFn(&Lane, J) -> R,
) -> Vec<R> {
    let lanes = LANES.min(jobs.len());
    let jobs = Mutex::new(VecDeque::from(jobs));
    let next = || {
        let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.pop_front()
    };
    let lanes = (0..lanes).map(async |_| {
        let lane = Lane::new(backend).await.expect("it was here before");
        let mut done = Vec::new();
        while let Some(job) = next() {
            let _place = PLACES.acquire().await.expect("open");
            done.push(work(&lane, job).await);
        }
        done
    });
    join_all(lanes).await.into_iter().flatten().collect()
}

/// What came of several runs.
#[derive(Default)]
pub(crate) struct Tally {
    runs: usize,
    /// Runs that were over before they came to their point.
    missed: usize,
    effects: usize,
    lost: usize,
    duplicated: usize,
    endless: usize,
    slowest: Duration,
    ends: BTreeMap<State, usize>,
    broken: Vec<String>,
}

impl Extend<Option<Ran>> for Tally {
    fn extend<I: IntoIterator<Item = Option<Ran>>>(&mut self, runs: I) {
        for ran in runs {
            let Some(ran) = ran else {
                self.missed += 1;
                continue;
            };
            self.runs += 1;
            self.effects += ran.verdict.effects;
            self.lost += ran.verdict.lost.len();
            self.duplicated += ran.verdict.duplicated.len();
            self.endless += usize::from(ran.took.is_none());
            self.slowest = self
                .slowest
                .max(ran.took.map_or(Duration::ZERO, |took| took.all));
            *self.ends.entry(ran.verdict.state).or_default() += 1;
            let broken = ran.broken();
            if !broken.is_empty() {
                let text = format!("{}: {}", ran.at, broken.join("; "));
                self.broken.push(text);
            }
        }
    }
}

impl FromIterator<Option<Ran>> for Tally {
    fn from_iter<I: IntoIterator<Item = Option<Ran>>>(runs: I) -> Self {
        let mut tally = Self::default();
        tally.extend(runs);
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_doubt = self.ends.get(&State::InDoubt).copied().unwrap_or_default();
        write!(
            f,
            "{}, effects {}, lost {}, duplicated {}, without end {}, in doubt {in_doubt}, slowest end {:.1} s",
            self.runs,
            self.effects,
            self.lost,
            self.duplicated,
            self.endless,
            self.slowest.as_secs_f64()
        )
    }
}

impl Tally {
    /// Panics where something is broken.
    pub(crate) fn check(&self) {
        assert!(self.broken.is_empty(), "{}", self.broken.join("\n"));
        assert!(self.runs > 0, "nothing was tried");
        // What stands in the way of one step may save another a call or two.
        assert!(
            self.missed * 3 <= self.runs,
            "{} of {} runs were over before their point",
            self.missed,
            self.runs + self.missed
        );
    }
}
