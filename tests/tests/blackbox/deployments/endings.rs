//! Servers that end or stand still while they carry out promotions.
//!
//! `kill -9` proves what a process's sudden end can do, and nothing about power loss.

use std::time::{Duration, Instant};

use rand::Rng as _;
use slipway_api::deployments::v1::{Deployment, DeploymentState, Gates, ItemStatus};
use slipway_n8n_stand_in::{Fault, Injection};
use slipway_tests::Backend;
use slipway_tests::backend::scaled;

use super::floor::{Floor, Target, is_settled, settings};
use crate::case::cases;

cases![
    a_promotion_survives_kill_9,
    a_server_that_stood_still_changes_nothing_any_more,
];

/// At scale 1: how many calls of engines a server is killed at, each before and after it is done, and how often at random
/// moments; and how often one stands still.
const CALLS: usize = 3;
const KILLS: usize = 10;
const PAUSES: usize = 5;
/// How long a claim lasts here, and how long a step takes at most.
const LEASE: Duration = Duration::from_secs(1);
const EXECUTOR: [(&str, &str); 2] = [
    ("SLIPWAY__EXECUTOR__LEASE", "1s"),
    ("SLIPWAY__EXECUTOR__STEP_TIMEOUT", "333ms"),
];
/// The latest moment of a random kill after a promotion's start.
const LATEST: Duration = Duration::from_millis(600);

/// What came of all rounds.
#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    effects: usize,
    in_doubt: usize,
    lost: Vec<String>,
    duplicated: Vec<String>,
    slowest: Duration,
}

impl Tally {
    fn add(&mut self, floor: &Floor, target: &Target, deployment: &Deployment, took: Duration) {
        self.rounds += 1;
        self.effects += target.engine.effects().len();
        self.slowest = self.slowest.max(took);
        self.duplicated.extend(target.duplicated());
        let (there, source) = (target.picture(), floor.source());
        match deployment.state() {
            DeploymentState::InDoubt => self.in_doubt += 1,
            DeploymentState::Succeeded if there == source => {}
            DeploymentState::Failed if there == target.before => {}
            state => self.lost.push(format!("{state:?}, and there is {there:?}")),
        }
        let wrong = deployment.items.iter().filter(|item| {
            item.status() == ItemStatus::Succeeded
                && deployment.state() == DeploymentState::Succeeded
                && there.get(&item.display_name) != source.get(&item.display_name)
        });
        self.lost.extend(wrong.map(|item| item.application.clone()));
    }

    fn check(&self) {
        assert!(self.lost.is_empty(), "{:#?}", self.lost);
        assert!(self.duplicated.is_empty(), "{:#?}", self.duplicated);
        assert!(self.slowest <= 3 * LEASE, "{:?}", self.slowest);
    }

    fn text(&self) -> String {
        format!(
            "effects {}, lost {}, duplicated {}, in doubt {}, slowest end {:.1} s",
            self.effects,
            self.lost.len(),
            self.duplicated.len(),
            self.in_doubt,
            self.slowest.as_secs_f64()
        )
    }
}

/// Everything is undone where a workflow that is there can't be changed.
fn breaks(target: &Target) {
    let injection = Injection::always("PUT /workflows/{id}", Fault::FailBefore);
    target.engine.inject(injection);
}

async fn a_promotion_survives_kill_9(backend: Backend) {
    let mut floor = Floor::new(backend, &EXECUTOR).await;
    let mut tally = Tally::default();
    let mut held = 0;
    for back in [false, true] {
        // How it goes undisturbed: so many calls to plan it, and so many to carry it out.
        let target = floor.target(Gates::default()).await;
        if back {
            breaks(&target);
        }
        let planned = floor.plan(&target).await;
        target.engine.forget_calls();
        let started = floor.start(&target, &[]).await;
        let undisturbed = floor.over(&started).await;
        let end = if back {
            DeploymentState::Failed
        } else {
            DeploymentState::Succeeded
        };
        assert_eq!(undisturbed.state(), end, "{undisturbed:?}");
        let calls = target.engine.calls().len();
        let chosen = scaled(CALLS).min(calls - planned);
        for number in 0..chosen {
            let skip = planned + (2 * number + 1) * (calls - planned) / (2 * chosen);
            for fault in [Fault::HoldBefore, Fault::HoldAfter] {
                let target = floor.target(Gates::default()).await;
                target
                    .engine
                    .inject(Injection::once("*", fault).after(skip));
                if back {
                    breaks(&target);
                }
                let started = floor.start(&target, &[]).await;
                let caught = tokio::select! {
                    () = target.engine.held() => true,
                    _ = floor.over(&started) => false,
                };
                held += usize::from(caught);
                killed(&mut floor, &target, &started, &mut tally).await;
            }
        }
    }
    for round in 0..scaled(KILLS) {
        let target = floor.target(Gates::default()).await;
        target.engine.latency(Duration::from_millis(10));
        if round % 3 == 2 {
            breaks(&target);
        }
        let started = floor.start(&target, &[]).await;
        let moment = rand::rng().random_range(Duration::ZERO..LATEST);
        tokio::time::sleep(moment).await;
        killed(&mut floor, &target, &started, &mut tally).await;
    }
    println!(
        "{backend}: promotions killed {}, of them at a call {held}, {}",
        tally.rounds,
        tally.text()
    );
    tally.check();
}

/// The server is killed, and another one goes on.
async fn killed(floor: &mut Floor, target: &Target, started: &Deployment, tally: &mut Tally) {
    floor.world.server.kill().await;
    floor.restart().await;
    let began = Instant::now();
    let found = floor.over(started).await;
    tally.add(floor, target, &found, began.elapsed());
}

async fn a_server_that_stood_still_changes_nothing_any_more(backend: Backend) {
    if backend == Backend::Sqlite {
        // One server runs on a file: nobody goes on while it stands still.
        return;
    }
    let floor = Floor::new(backend, &EXECUTOR).await;
    let engines = settings();
    let all = engines.iter().map(|(name, value)| (*name, value.as_str()));
    let all: Vec<_> = all.chain(EXECUTOR).collect();
    let second = floor.world.server.replica_with(&all).await;
    let elsewhere = second.client(Some(&floor.world.server.admin_token())).await;
    let mut tally = Tally::default();
    let rounds = scaled(PAUSES);
    // Calls that change something are held when they have: what is on its way lands within its time-out. Of one that
    // reads, the answer comes too late, and what follows from it must not be done.
    let calls = [
        "POST /workflows",
        "GET /workflows/{id}",
        "PUT /workflows/{id}",
        "POST /workflows/{id}/activate",
    ];
    for round in 0..rounds {
        let target = floor.target(Gates::default()).await;
        let call = calls[round % calls.len()];
        // Plan, preflight and snapshot read the same.
        floor.plan(&target).await;
        let read = 3 * target.engine.count(call);
        let injection = Injection::once(call, Fault::HoldAfter).after(read);
        target.engine.inject(injection);
        second.signal("STOP");
        let started = floor.start(&target, &[]).await;
        target.engine.held().await;
        floor.world.server.signal("STOP");
        second.signal("CONT");
        let began = Instant::now();
        let found = loop {
            let found = floor.get_from(&elsewhere, &started).await;
            if is_settled(&found) || began.elapsed() > 5 * LEASE {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        };
        let took = began.elapsed();
        target.engine.release();
        floor.world.server.signal("CONT");
        assert!(is_settled(&found), "nobody went on: {found:?}");
        // It has time to do what it should not.
        tokio::time::sleep(LEASE / 2).await;
        let found = floor.get(&started).await;
        tally.add(&floor, &target, &found, took);
    }
    let fenced = floor
        .world
        .server
        .log()
        .matches("came too late: somebody else")
        .count();
    println!(
        "{backend}: rounds {rounds}, stale writes fenced off {fenced}, {}",
        tally.text()
    );
    tally.check();
    assert!(fenced > 0, "no stale write was ever tried");
}
