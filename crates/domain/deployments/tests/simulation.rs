//! Three executors share a database and an engine; whatever goes wrong, chosen by a seed, the invariants hold.
//!
//! The executors decide by the real `next`, `steps_for` and `probe`. The database knows nothing but the conditional
//! writes of the design, the engine nothing but plain calls. A failing seed prints what happened in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    time::{Duration, Instant},
};

use self::simulation::{invariants::broken, planted::Planted, run::Run};

mod simulation {
    pub(crate) mod database;
    pub(crate) mod dice;
    pub(crate) mod executor;
    pub(crate) mod invariants;
    pub(crate) mod plan;
    pub(crate) mod planted;
    pub(crate) mod run;
    mod tasks;
    pub(crate) mod world;
}

/// How many seeds are run: 10,000 times `SLIPWAY_TEST_SCALE`, at least 200.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a size chosen by people"
)]
fn seeds() -> u64 {
    let scale = std::env::var("SLIPWAY_TEST_SCALE").ok();
    let scale: f64 = scale.and_then(|scale| scale.parse().ok()).unwrap_or(1.0);
    ((10_000.0 * scale) as u64).max(200)
}

/// A line for whoever reads the tests' output: not `println!`, which is kept from them as long as the tests pass.
fn print(line: &str) {
    drop(std::io::stderr().write_all(format!("{line}\n").as_bytes()));
}

fn finished(seed: u64, planted: Option<Planted>, traced: bool) -> Run {
    let mut run = Run::new(seed, planted, traced);
    run.finish();
    run
}

/// What a seed went through, for whoever has to understand it.
fn story(seed: u64) -> String {
    let run = finished(seed, None, true);
    let items: Vec<_> = run
        .plan
        .items
        .iter()
        .map(|item| format!("{item:?}"))
        .collect();
    format!(
        "seed {seed}\n{:?}, {} at a time\n{}\n{}\nbroken: {:#?}",
        run.plan.on_failure,
        run.plan.parallel,
        items.join("\n"),
        run.trace.as_deref().unwrap_or_default().join("\n"),
        broken(&run)
    )
}

#[test]
fn whatever_goes_wrong_the_invariants_hold() {
    if let Some(seed) = std::env::var("SLIPWAY_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        println!("{}", story(seed));
    }
    let (began, seeds) = (Instant::now(), seeds());
    let (mut fenced, mut repeated, mut takeovers, mut unseen, mut resolved) = (0, 0, 0, 0, 0);
    let mut ends: BTreeMap<_, u64> = BTreeMap::new();
    for seed in 0..seeds {
        let run = finished(seed, None, false);
        assert!(broken(&run).is_empty(), "{}", story(seed));
        fenced += run.database.fenced;
        repeated += run.database.repeated;
        takeovers += run.database.epoch - 1;
        resolved += run.resolved;
        unseen += u64::from(!run.very_late.is_empty());
        *ends.entry(run.database.state).or_default() += 1;
    }
    let rate = Duration::from_secs(seeds).div_duration_f64(began.elapsed());
    print(&format!(
        "simulation: {seeds} seeds, {rate:.0} seeds/s; {takeovers} takeovers, {unseen} runs with a very late create"
    ));
    print(&format!(
        "simulation: writes that changed no row: {fenced} by the epoch, {repeated} by the step's phase"
    ));
    print(&format!(
        "simulation: ends {ends:?}; {resolved} doubts resolved"
    ));
    assert!(fenced > 0 && repeated > 0, "no stale write was ever tried");
    assert!(resolved > 0, "nobody ever resolved a doubt");
    assert!(ends.len() == 5, "some end was never reached: {ends:?}");
}

#[test]
fn every_planted_fault_is_caught() {
    // The rarest needs some thousand seeds, at every scale.
    let seeds = seeds().max(20_000);
    for planted in Planted::ALL {
        let mut caught: BTreeMap<_, u64> = BTreeMap::new();
        let mut first = None;
        for seed in 0..seeds {
            let run = finished(seed, Some(planted), false);
            let invariants: BTreeSet<_> = broken(&run).into_iter().map(|(name, _)| name).collect();
            if !invariants.is_empty() {
                first.get_or_insert(seed);
            }
            for invariant in invariants {
                *caught.entry(invariant).or_default() += 1;
            }
            if caught.values().sum::<u64>() >= 3 {
                break;
            }
        }
        print(&format!(
            "simulation: {planted:?}: first at seed {first:?}, by {caught:?}"
        ));
        assert!(
            !caught.is_empty(),
            "{planted:?} was not caught in {seeds} seeds"
        );
    }
    let all = Planted::ALL.len();
    print(&format!("simulation: planted faults caught {all} of {all}"));
}

#[test]
fn a_seed_is_the_same_every_time() {
    for seed in 0..20 {
        let (once, again) = (finished(seed, None, true), finished(seed, None, true));
        assert_eq!(once.trace, again.trace, "seed {seed}");
    }
}
