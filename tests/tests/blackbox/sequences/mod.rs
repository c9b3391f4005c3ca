//! Sequences of calls over the ledger, releases and approvals, beside a model that says what each of them must answer and
//! what must be the case afterwards.
//!
//! `SLIPWAY_TEST_SEED` chooses other sequences; the seed is printed. Where server and model disagree, the sequence is made
//! shorter as long as they still do.

mod calls;
mod comparing;
mod model;
mod operations;
mod tally;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use slipway_tests::backend::scaled;
use slipway_tests::clock::{HOUR, ago};
use slipway_tests::{Backend, Client, World};

use crate::case::cases;
use calls::Seen;
use comparing::Comparison;
use model::{Answer, Fault, Model};
use operations::{LENGTH, Operation, sequence};
use tally::Tally;
use world::{Person, Place, people};

cases![
    the_server_does_what_the_model_says,
    wrong_models_are_noticed,
];

/// Sequences at scale 1.
const SEQUENCES: usize = 100;
/// How many run at the same time.
const AT_ONCE: usize = 4;
/// How many sequences it may take to notice a wrong model.
const UNTIL_NOTICED: usize = 200;
/// From how many sequences on every method has to be seen granted and refused.
const ENOUGH: usize = 100;

/// What sequences need, shared by all of them.
struct Ground {
    world: World,
    /// For each of those that run at the same time, so that nobody gains or loses a role while they call elsewhere.
    casts: Vec<BTreeMap<Person, Client>>,
    seed: u64,
}

/// Where server and model do not agree.
struct Failure {
    /// At which call of the sequence.
    at: usize,
    why: String,
}

impl Ground {
    async fn new(backend: Backend) -> Arc<Self> {
        let world = World::own(backend).await;
        let mut casts = Vec::new();
        for _ in 0..AT_ONCE {
            casts.push(people(&world).await);
        }
        let seed = std::env::var("SLIPWAY_TEST_SEED").ok();
        let seed = seed.map_or(0x5EED, |seed| {
            seed.parse().expect("SLIPWAY_TEST_SEED is a number")
        });
        Arc::new(Self { world, casts, seed })
    }

    /// The sequence of this number.
    fn sequence(&self, number: usize) -> Vec<Operation> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&(number as u64).to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let tree = sequence().new_tree(&mut runner);
        tree.expect("nothing is filtered").current()
    }

    /// Runs a sequence in a project of its own; an error says after which call what was not as it must be.
    async fn run(
        &self,
        cast: usize,
        sequence: &[Operation],
        fault: Option<Fault>,
    ) -> Result<Tally, Failure> {
        let mut seen = Seen {
            place: Place::new(&self.world, &self.casts[cast]).await,
            long_ago: ago(6 * HOUR),
            records: Vec::new(),
            digests: Vec::new(),
        };
        let (mut model, mut comparison) = (Model::new(fault), Comparison::default());
        let mut tally = Tally::of_one();
        for (at, operation) in sequence.iter().enumerate() {
            let mut after = model.clone();
            let about = model.about(operation);
            let Ok(expected) = after.call(operation, about) else {
                tally.left_out(operation.method());
                continue;
            };
            model = after;
            let told = |why: String| Failure {
                at,
                why: format!("{operation:?} {about:?}: {why}"),
            };
            let answer = seen.call(operation, about).await.map_err(told)?;
            if answer != expected {
                return Err(told(format!(
                    "\n  the server: {answer:?}\n  the model:  {expected:?}"
                )));
            }
            count(&mut tally, operation, &answer);
            let looked = comparison.look(&mut seen, &model).await;
            looked.map_err(told)?;
        }
        let all = comparison.look_at_all(&mut seen, &model).await;
        all.map_err(|why| Failure {
            at: sequence.len(),
            why: format!("at the end: {why}"),
        })?;
        Ok(tally)
    }

    /// Runs the sequence of this number; where it fails, it is told without the calls that can be left out.
    async fn check(&self, cast: usize, number: usize) -> Result<Tally, String> {
        let mut sequence = self.sequence(number);
        let mut failure = match self.run(cast, &sequence, None).await {
            Ok(tally) => return Ok(tally),
            Err(failure) => failure,
        };
        sequence.truncate(failure.at + 1);
        for at in (0..sequence.len()).rev() {
            let mut shorter = sequence.clone();
            shorter.remove(at);
            if let Err(shown) = self.run(cast, &shorter, None).await {
                (sequence, failure) = (shorter, shown);
            }
        }
        let seed = self.seed;
        let listed: Vec<_> = sequence.iter().map(|it| format!("  {it:?}")).collect();
        Err(format!(
            "sequence {number} of SLIPWAY_TEST_SEED={seed}, made shorter:\n{}\n{}",
            listed.join("\n"),
            failure.why
        ))
    }

    /// Whether some sequence shows that a model is wrong.
    async fn notices(&self, cast: usize, fault: Fault, backend: Backend) -> bool {
        for number in 0..UNTIL_NOTICED {
            let sequence = self.sequence(number);
            if let Err(failure) = self.run(cast, &sequence, Some(fault)).await {
                let why = failure.why.split('\n').next().unwrap_or_default();
                println!("{backend}: {fault:?} noticed in sequence {number}: {why}");
                return true;
            }
        }
        false
    }
}

fn count(tally: &mut Tally, operation: &Operation, answer: &Answer) {
    let method = operation.method();
    match answer {
        Answer::Refused(_, reason) => tally.refused(method, reason),
        Answer::Findings(findings) => {
            tally.refused(method, findings.first().map_or("", |(_, reason)| reason));
        }
        // The call is granted, and lines of it are refused.
        Answer::Imported(recorded, present, errors) => {
            for _ in 0..*recorded + *present {
                tally.granted(method);
            }
            for (_, reason) in errors {
                tally.refused(method, reason);
            }
        }
        _ => tally.granted(method),
    }
}

async fn the_server_does_what_the_model_says(backend: Backend) {
    let ground = Ground::new(backend).await;
    let sequences = scaled(SEQUENCES);
    let begin = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..AT_ONCE).map(|cast| {
        let (ground, next) = (Arc::clone(&ground), Arc::clone(&next));
        tokio::spawn(async move {
            let (mut tally, mut failures) = (Tally::default(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= sequences || !failures.is_empty() {
                    return (tally, failures);
                }
                match ground.check(cast, number).await {
                    Ok(counts) => tally.add(&counts),
                    Err(failure) => failures.push(failure),
                }
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for worker in workers {
        let (counts, failed) = worker.await.unwrap();
        tally.add(&counts);
        failures.extend(failed);
    }
    println!(
        "{backend}: {} sequences of {LENGTH} calls agree with the model, {} do not; {} calls in {:.1?}; \
         SLIPWAY_TEST_SEED={}{tally}",
        tally.sequences,
        failures.len(),
        tally.calls(),
        begin.elapsed(),
        ground.seed,
    );
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    if tally.sequences >= ENOUGH {
        assert_eq!(tally.one_sided(), [""; 0], "never both granted and refused");
    }
}

async fn wrong_models_are_noticed(backend: Backend) {
    use Fault as F;
    let ground = Ground::new(backend).await;
    let faults = [
        F::SelfApprovalCounts,
        F::LateReportMoves,
        F::ApprovalSurvivesChange,
        F::RetractionLeavesState,
        F::ExecutesWithoutApproval,
        F::DemotedStillCounts,
        F::OnePersonCountsTwice,
        F::ReportsGoAroundPolicies,
        F::RepeatedReportIsNew,
        F::RollbackGoesToTheLastOne,
        F::LooserPolicyMeetsRequests,
    ];
    let next = AtomicUsize::new(0);
    let workers = (0..AT_ONCE).map(|cast| {
        let (ground, next, faults) = (&ground, &next, &faults);
        async move {
            let mut missed = Vec::new();
            while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !ground.notices(cast, *fault, backend).await {
                    missed.push(*fault);
                }
            }
            missed
        }
    });
    let missed = futures_util::future::join_all(workers).await.concat();
    assert_eq!(missed, [], "wrong models that nobody noticed");
}
