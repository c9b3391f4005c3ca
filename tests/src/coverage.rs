//! Which methods were really called, and what they answered.
//!
//! Every client writes here what it saw on the wire; after the last test a method that never succeeded or was never
//! refused fails the run, and so does a status that no caller should ever see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use tonic::{Code, Status};

use crate::{contract, refusal};

/// What was seen of each method: `slipway.ledger.v1.LedgerService/RecordDeployment`.
static SEEN: Mutex<BTreeMap<String, BTreeSet<i32>>> = Mutex::new(BTreeMap::new());
/// Refusals without the details that every refusal must have.
static FAULTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Remembers what a call ended with.
pub(crate) fn saw(method: &str, status: &Status) {
    if !method.starts_with("slipway.") {
        return;
    }
    SEEN.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(method.to_owned())
        .or_default()
        .insert(status.code() as i32);
    if status.code() == Code::Ok {
        return;
    }
    if let Err(fault) = refusal::check_details(status) {
        FAULTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(format!(
                "{method}: {fault} ({:?}: {})",
                status.code(),
                status.message()
            ));
    }
}

/// Checks that each method of the contract was seen to succeed and to refuse, and that nothing was answered that must
/// never be.
pub fn check() -> Result<String, String> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let faults = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut problems: Vec<String> = faults.iter().cloned().collect();
    let methods = contract::methods();
    for method in &methods {
        let codes = seen.get(&method.path).cloned().unwrap_or_default();
        if !codes.contains(&(Code::Ok as i32)) {
            problems.push(format!("{} was never seen to succeed", method.path));
        }
        // To know no stranger is no merit of a method's own; but nothing else of `WhoAmI` can be refused.
        let refuses =
            |code: &i32| *code != Code::Ok as i32 && *code != Code::Unauthenticated as i32;
        if !codes.iter().any(refuses) && method.name() != "WhoAmI" {
            problems.push(format!("{} was never seen to refuse", method.path));
        }
        for never in [Code::Internal, Code::Unknown, Code::DataLoss] {
            if codes.contains(&(never as i32)) {
                problems.push(format!("{} answered {never:?}", method.path));
            }
        }
    }
    if problems.is_empty() {
        Ok(format!(
            "{} methods, each seen to succeed and to refuse",
            methods.len()
        ))
    } else {
        Err(problems.join("\n"))
    }
}

/// All that was seen, one line per method.
pub fn table() -> String {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut table = String::new();
    for (method, codes) in seen.iter() {
        let codes: Vec<_> = codes
            .iter()
            .map(|code| format!("{:?}", Code::from_i32(*code)))
            .collect();
        writeln!(table, "{method}: {}", codes.join(", ")).unwrap();
    }
    table
}
