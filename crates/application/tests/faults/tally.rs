//! Which runs there are, how they are shared out, and what came of all of them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use slipway_deployments::State;
use tokio::sync::Semaphore;

use super::lane::{Backend, Lane};
use super::runs::Ran;

/// How many installations there are at the same time. They mostly wait for leases to end.
const LANES: usize = 6;

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

/// Installations that all tests share as long as one of them runs: making and dropping databases keeps a `PostgreSQL` busy
/// for longer than the leases here last.
pub(crate) struct Lanes {
    places: Semaphore,
    free: [Mutex<Vec<Lane>>; 2],
}

impl Lanes {
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Lanes>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let lanes = Arc::new(Self {
                places: Semaphore::new(LANES),
                free: Default::default(),
            });
            *shared = Arc::downgrade(&lanes);
            lanes
        })
    }

    fn free(&self, backend: Backend) -> MutexGuard<'_, Vec<Lane>> {
        let free = &self.free[backend as usize];
        free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one thing on an installation that nobody else uses then; `None` where there is no such database here.
    pub(crate) async fn on_one<R>(
        &self,
        backend: Backend,
        work: impl AsyncFnOnce(&Lane) -> R,
    ) -> Option<R> {
        let _place = self.places.acquire().await.expect("open");
        let kept = self.free(backend).pop();
        let lane = match kept {
            Some(lane) => lane,
            None => Lane::new(backend).await?,
        };
        let done = work(&lane).await;
        self.free(backend).push(lane);
        Some(done)
    }

    /// Does the jobs on several installations at once.
    pub(crate) async fn on_all<J, R>(
        &self,
        backend: Backend,
        jobs: Vec<J>,
        work: impl AsyncFn(&Lane, J) -> R,
    ) -> Vec<R> {
        let work = &work;
        let jobs = jobs
            .into_iter()
            .map(|job| self.on_one(backend, async move |lane| work(lane, job).await));
        join_all(jobs).await.into_iter().flatten().collect()
    }
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
        // Steps of one wave come in any order, and a busy machine renews its leases in between.
        assert!(
            self.missed <= self.runs,
            "{} of {} runs were over before their point",
            self.missed,
            self.runs + self.missed
        );
    }
}
