//! Which methods were really called, and what they answered.
//!
//! Every client writes here what it saw on the wire; after the last test a method that never succeeded or was never
//! refused fails the run, and so does a status that no caller should ever see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use tonic::{Code, Status};

use crate::{Backend, contract, refusal};

/// What was seen of each method (`slipway.ledger.v1.LedgerService/RecordDeployment`) on each database.
static SEEN: Mutex<BTreeMap<(Backend, String), BTreeSet<i32>>> = Mutex::new(BTreeMap::new());
/// Refusals without the details that every refusal must have.
static FAULTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Remembers what a call ended with.
pub(crate) fn saw(backend: Backend, method: &str, status: &Status) {
    if !method.starts_with("slipway.") {
        return;
    }
    SEEN.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry((backend, method.to_owned()))
        .or_default()
        .insert(status.code() as i32);
    // At a caller's own deadline the transport library may be faster than the server, and gives no details.
    let by_library = status.code() == Code::Cancelled && status.message() == "Timeout expired";
    if status.code() == Code::Ok || by_library {
        return;
    }
    if let Err(fault) = refusal::check_details(status) {
        FAULTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(format!(
                "{backend}: {method}: {fault} ({:?}: {})",
                status.code(),
                status.message()
            ));
    }
}

/// Checks that each method of the contract was seen to succeed and to refuse on each of these databases, and that nothing
/// was answered that must never be.
pub fn check(backends: &[Backend]) -> Result<String, String> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let faults = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut problems: Vec<String> = faults.iter().cloned().collect();
    let methods = contract::methods();
    let cases = backends
        .iter()
        .flat_map(|backend| methods.iter().map(move |method| (*backend, method)));
    for (backend, method) in cases {
        let name = format!("{backend}: {}", method.path);
        let codes = seen.get(&(backend, method.path.clone()));
        let codes = codes.cloned().unwrap_or_default();
        if !codes.contains(&(Code::Ok as i32)) {
            problems.push(format!("{name} was never seen to succeed"));
        }
        // To know no stranger is no merit of a method's own; but nothing else of `WhoAmI` can be refused.
        let refuses =
            |code: &i32| *code != Code::Ok as i32 && *code != Code::Unauthenticated as i32;
        if !codes.iter().any(refuses) && method.name() != "WhoAmI" {
            problems.push(format!("{name} was never seen to refuse"));
        }
        for never in [Code::Internal, Code::Unknown, Code::DataLoss] {
            if codes.contains(&(never as i32)) {
                problems.push(format!("{name} answered {never:?}"));
            }
        }
    }
    if problems.is_empty() {
        Ok(format!(
            "{} methods, each seen to succeed and to refuse on {} database(s)",
            methods.len(),
            backends.len()
        ))
    } else {
        Err(problems.join("\n"))
    }
}

/// All that was seen, one line per method.
pub fn table() -> String {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut table = String::new();
    for ((backend, method), codes) in seen.iter() {
        let codes: Vec<_> = codes
            .iter()
            .map(|code| format!("{:?}", Code::from_i32(*code)))
            .collect();
        writeln!(table, "{backend}: {method}: {}", codes.join(", ")).unwrap();
    }
    table
}
