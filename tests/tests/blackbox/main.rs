//! The cases, on each database, and after them two checks: that every chain of audit events verifies, and that every
//! method was seen to succeed and to refuse.
//!
//! A main of our own, because the checks come last and need what all cases did and saw. A part of the cases can be chosen as
//! usual (`cargo test -p slipway-tests -- sqlite::ledger`); the second check is left out then.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this is test code"
)]

mod access;
mod audit;
mod bad_input;
mod case;
mod catalog;
mod command_line;
mod corpus;
mod crash;
mod current;
mod deployments;
mod generated;
mod identity;
mod import;
mod ledger;
mod notifications;
mod process;
mod requests;
mod scenarios;
mod sequences;

use std::process::ExitCode;
use std::sync::LazyLock;

use libtest_mimic::{Arguments, Failed, Trial};
use slipway_tests::{Backend, World, coverage, server};
use tokio::runtime::Runtime;

use case::Case;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// All cases, by topic.
const TOPICS: &[&[Case]] = &[
    scenarios::CASES,
    identity::principals::CASES,
    identity::tokens::CASES,
    identity::oidc::CASES,
    identity::issued::CASES,
    identity::linking::CASES,
    identity::certificates::CASES,
    identity::projects::CASES,
    catalog::environments::CASES,
    catalog::engines::CASES,
    catalog::applications::CASES,
    catalog::versions::CASES,
    deployments::bad_workflows::CASES,
    deployments::approvals::CASES,
    deployments::four_eyes::CASES,
    deployments::four_eyes_by_policy::CASES,
    deployments::policies::CASES,
    deployments::freeze_windows::CASES,
    deployments::freezes::CASES,
    deployments::changed_targets::CASES,
    deployments::checks::CASES,
    deployments::comparisons::CASES,
    deployments::github::CASES,
    deployments::pipelines::CASES,
    deployments::promotions::CASES,
    deployments::races::CASES,
    deployments::contested::CASES,
    deployments::going_back::CASES,
    deployments::real::CASES,
    deployments::governance::CASES,
    deployments::falls::CASES,
    deployments::starts::CASES,
    deployments::releases::CASES,
    deployments::rollbacks::CASES,
    deployments::from_templates::CASES,
    deployments::templates::CASES,
    deployments::doubts::CASES,
    deployments::unassessed::CASES,
    deployments::watching::CASES,
    deployments::ways_on::CASES,
    deployments::wrong_moments::CASES,
    deployments::killed::CASES,
    deployments::meeting::CASES,
    deployments::mixed::CASES,
    deployments::mixed_endings::CASES,
    deployments::endings::CASES,
    notifications::webhooks::CASES,
    notifications::deliveries::CASES,
    notifications::endings::CASES,
    notifications::overrides::CASES,
    ledger::records::CASES,
    ledger::state::CASES,
    ledger::history::CASES,
    ledger::at_once::CASES,
    import::CASES,
    command_line::CASES,
    command_line::governed::CASES,
    current::CASES,
    requests::ids::CASES,
    requests::checks::CASES,
    requests::pages::CASES,
    audit::trail::CASES,
    audit::proof::CASES,
    audit::report::CASES,
    audit::report::page::CASES,
    audit::dora::CASES,
    process::CASES,
    bad_input::CASES,
    access::CASES,
    corpus::CASES,
    generated::CASES,
    crash::CASES,
    sequences::CASES,
];

fn main() -> ExitCode {
    server::use_binary(env!("CARGO_BIN_EXE_slipway-tested"));
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, trials(arguments.list));
    let everything_ran = conclusion.num_filtered_out == 0
        && conclusion.num_ignored == 0
        && !conclusion.has_failed()
        && !arguments.list;
    let chains = RUNTIME.block_on(World::verify_chains());
    RUNTIME.block_on(World::end_shared());
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    write_table();
    match chains {
        Ok(chains) => println!("audit: {chains} chains verified after all cases"),
        Err(problem) => {
            eprintln!("audit: FAILED\n{problem}");
            return ExitCode::FAILURE;
        }
    }
    if conclusion.has_failed() {
        return ExitCode::FAILURE;
    }
    if !everything_ran {
        println!("coverage of methods: not checked, since not all cases ran");
        return ExitCode::SUCCESS;
    }
    let here = |backend: &Backend| RUNTIME.block_on(backend.is_here());
    let backends: Vec<_> = Backend::ALL.into_iter().filter(here).collect();
    match coverage::check(&backends) {
        Ok(summary) => {
            println!("coverage of methods: {summary}");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprintln!("coverage of methods: FAILED\n{problems}");
            ExitCode::FAILURE
        }
    }
}

fn trials(only_listed: bool) -> Vec<Trial> {
    let mut trials = Vec::new();
    for backend in Backend::ALL {
        if !only_listed && !RUNTIME.block_on(backend.is_here()) {
            continue;
        }
        for case in TOPICS.iter().copied().flatten() {
            trials.push(Trial::test(
                format!("{backend}::{}", case.name()),
                move || RUNTIME.block_on(case.run(backend)).map_err(Failed::from),
            ));
        }
    }
    trials
}

/// Leaves what was seen of each method beside the binaries, for people.
fn write_table() {
    let directory = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.parent()?.join("coverage-rpc")));
    if let Some(directory) = directory
        && std::fs::create_dir_all(&directory).is_ok()
    {
        drop(std::fs::write(
            directory.join("methods.txt"),
            coverage::table(),
        ));
    }
}
