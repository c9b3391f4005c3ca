//! Whoever administers the database can switch off what protects the facts, and change them. What an exported checkpoint
//! covers can't be changed unnoticed, though: verification finds it.

#![expect(
    clippy::expect_used,
    reason = "what a test starts from works, or the test fails"
)]

mod given;
mod kinds;
mod superuser;

use std::{io::Write, sync::Arc};

use slipway_application::{
    Context,
    audit::{chain_events, verify_audit_trail},
};
use slipway_audit::{ChainId, Verification};
use slipway_kernel::Sha256;
use tokio::task::JoinSet;

use given::{Given, call, context_on, slug};
use kinds::{Afterwards, KINDS, Kind, POSTGRES_KINDS, SQLITE_KINDS};
use superuser::{Database, Superuser};

/// How many copies are tampered with at a time.
const AT_A_TIME: usize = 4;

#[tokio::test]
async fn on_sqlite_all_tampering_is_found() {
    let given = Given::on(Database::sqlite().await).await;
    all_is_found(given, SQLITE_KINDS).await;
}

#[tokio::test]
async fn on_postgres_all_tampering_is_found() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    let given = Given::on(database).await;
    all_is_found(given, POSTGRES_KINDS).await;
}

/// Each kind on a copy of its own, and one copy that nobody touches.
async fn all_is_found(given: Given, more: &'static [Kind]) {
    let untouched = given.database.copy().await;
    let (context, store) = context_on(&untouched.options).await;
    let found = verify(&given, &context, Some(given.checkpoint)).await;
    let found = found.expect("answered");
    assert_eq!(found.first_break, None);
    assert_eq!(
        (found.events, found.facts, found.unchained),
        (given.links, given.facts, 1)
    );
    store.close().await.expect("closed");

    let kinds: Vec<&'static Kind> = KINDS.into_iter().chain([more]).flatten().collect();
    let given = Arc::new(given);
    let mut missed = Vec::new();
    for several in kinds.chunks(AT_A_TIME) {
        let mut running = JoinSet::new();
        for kind in several {
            let (given, kind) = (Arc::clone(&given), *kind);
            running.spawn(async move { (kind.name, is_found(&given, kind).await) });
        }
        for (name, result) in running.join_all().await {
            missed.extend(result.err().map(|problem| format!("{name}: {problem}")));
        }
    }
    // Not println!: its output is kept from whoever runs the tests as long as they pass.
    let line = format!(
        "{}: tampering found: {} of {}\n",
        given.database.dialect(),
        kinds.len() - missed.len(),
        kinds.len()
    );
    drop(std::io::stderr().write_all(line.as_bytes()));
    assert!(kinds.len() >= 20 && missed.is_empty(), "{missed:#?}");
}

async fn is_found(given: &Given, kind: &Kind) -> Result<(), String> {
    let database = given.database.copy().await;
    let superuser = Superuser::on(&database).await;
    for statement in kind.sql {
        superuser.run(&given.spelled(statement)).await;
    }
    let (context, store) = context_on(&database.options).await;
    match kind.afterwards {
        Afterwards::Nothing => {}
        Afterwards::Rechain => rechain(&superuser, &context).await,
        Afterwards::ForgeDigestsAndRechain => {
            forge_digests(given, &superuser, &context).await;
            rechain(&superuser, &context).await;
        }
    }
    superuser.leave().await;
    let alone = verify(given, &context, None).await?;
    let found = verify(given, &context, Some(given.checkpoint)).await?;
    store.close().await.expect("closed");
    // What is covered up well enough passes without a checkpoint: it is the checkpoint that tells.
    let covered_up = kind.afterwards != Afterwards::Nothing;
    if covered_up && alone.first_break.is_some() {
        return Err(format!("not covered up: {:?}", alone.first_break));
    }
    match found.first_break {
        Some(found) if found.kind == kind.expected => Ok(()),
        found => Err(format!("{found:?} instead of {:?}", kind.expected)),
    }
}

async fn verify(
    given: &Given,
    context: &Context,
    checkpoint: Option<(i64, Sha256)>,
) -> Result<Verification, String> {
    let project = slug("default");
    verify_audit_trail(context, &call(&given.admin), Some(&project), checkpoint)
        .await
        .map_err(|error| format!("no answer: {error:?}"))
}

/// Chains all events anew, as the server itself would have.
async fn rechain(superuser: &Superuser, context: &Context) {
    superuser.run("DELETE FROM audit_chain").await;
    while chain_events(context).await.expect("chained") > 0 {}
}

/// Lets every event vouch for its rows as they are now.
async fn forge_digests(given: &Given, superuser: &Superuser, context: &Context) {
    let chain = ChainId::from(given.project);
    let links = context.store.reader().links(chain, 0, 1_000).await;
    for (_, event) in links.expect("read") {
        let event = event.expect("an event");
        let names: Vec<_> = event.facts.iter().map(|f| (f.kind, f.record)).collect();
        let digests = context.store.reader().fact_digests(&names).await;
        for (fact, digest) in event.facts.iter().zip(digests.expect("read")) {
            let digest = digest.expect("a row");
            if digest != fact.digest {
                let forge = format!(
                    "UPDATE audit_event SET facts = replace(facts, '{}', '{digest}') WHERE id = {{event}}",
                    fact.digest
                );
                let id = given.database.uuid(event.id.uuid());
                superuser.run(&forge.replace("{event}", &id)).await;
            }
        }
    }
}
