//! What each verb asks of the database: statements, and commits that write.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::sync::Mutex;

use super::people::{OF_EACH, People, Release};
use crate::Failure;
use crate::client::CLIENTS;
use crate::database::{connect, number};
use crate::load::{Until, closed_loop};
use crate::postgres::{forget_statements, per_call, statements};
use crate::stats::{float, rounded};

/// How long the background is given to come to rest.
const SETTLE: Duration = Duration::from_millis(1500);

/// Each verb on as many releases as there are environments, one verb after the other. More than one commit each is a
/// failure.
pub(super) async fn counted(url: &str, people: &People) -> Result<Value, Failure> {
    let made: Arc<Vec<Mutex<Vec<Release>>>> =
        Arc::new((0..CLIENTS).map(|_| Mutex::default()).collect());
    let created = {
        let (people, made) = (people.clone(), Arc::clone(&made));
        verb(url, "CreateRelease", move |client, number| {
            let (people, made) = (people.clone(), Arc::clone(&made));
            async move {
                let release = people.create(client, number).await?;
                made[client].lock().await.push(release);
                Ok(())
            }
        })
        .await?
    };
    let mut verbs = vec![created];
    for (approver, name) in ["Approve, the first", "Approve, the last"]
        .into_iter()
        .enumerate()
    {
        let (people, made) = (people.clone(), Arc::clone(&made));
        let approved = verb(url, name, move |client, number| {
            let (people, made) = (people.clone(), Arc::clone(&made));
            async move {
                let release = nth(&made[client], number).await?;
                people.approve(client, &release, approver).await
            }
        });
        verbs.push(approved.await?);
    }
    let people = people.clone();
    let executed = verb(url, "ExecuteDeployment", move |client, number| {
        let (people, made) = (people.clone(), Arc::clone(&made));
        async move {
            let release = nth(&made[client], number).await?;
            people.execute(client, &release).await
        }
    });
    verbs.push(executed.await?);
    Ok(Value::Array(verbs))
}

async fn nth(made: &Mutex<Vec<Release>>, number: u64) -> Result<Release, Failure> {
    let made = made.lock().await;
    let release = made.get(usize::try_from(number)?).cloned();
    Ok(release.ok_or("a release was not made")?)
}

/// Counts what one verb takes.
///
/// A commit that writes is a transaction that was given a number, so the numbers given are counted: whatever else the server
/// does in the background is nothing that writes, but for the sequencer, which commits once for each moment that stands in
/// the chain. A few may be others' (when tokens were last used).
async fn verb<F, R>(url: &str, name: &str, call: F) -> Result<Value, Failure>
where
    F: Fn(usize, u64) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), Failure>> + Send,
{
    let mut connection = connect(url).await?;
    tokio::time::sleep(SETTLE).await;
    let before = written(&mut connection).await?;
    forget_statements(&mut connection).await?;
    let run = closed_loop(CLIENTS, Until::Calls(OF_EACH), call).await?;
    let ran = statements(&mut connection).await?;
    tokio::time::sleep(SETTLE).await;
    let after = written(&mut connection).await?;
    let calls = i64::try_from(run.all_calls)?;
    let sequencer = after.1 - before.1;
    let commits = after.0 - before.0 - sequencer;
    if !(calls..=calls + 8).contains(&commits) {
        return Err(format!(
            "{calls} calls of {name} made {commits} commits, beside {sequencer} of the sequencer"
        )
        .into());
    }
    let own = ran.iter().filter(|ran| ran.calls >= calls - calls / 10);
    let own: i64 = own.map(|ran| ran.calls).sum();
    let figures = json!({
        "verb": name,
        "counted_rpcs": calls,
        "commits_per_rpc": rounded(float(commits.unsigned_abs()) / float(run.all_calls)),
        "commits_of_the_sequencer": sequencer,
        "statements_per_rpc": rounded(float(own.unsigned_abs()) / float(run.all_calls)),
        "milliseconds_p50": rounded(run.p50() * 1e3),
        "statements": per_call(&ran, run.all_calls),
    });
    Ok(figures)
}

/// How many transactions were given a number in the cluster, and how many moments stand in the chain.
async fn written(connection: &mut PgConnection) -> Result<(i64, i64), Failure> {
    let given = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let chained = "SELECT count(DISTINCT chained_at) FROM audit_chain";
    Ok((
        number(connection, given).await?,
        number(connection, chained).await?,
    ))
}
