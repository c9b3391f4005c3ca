//! How far the audit trail has settled: up to which sequence no event can appear any more.
//!
//! `SQLite` has one writer, so whatever is visible is settled. On `PostgreSQL` an event gets its sequence when it is
//! written and is seen when its transaction commits, so a lower sequence can appear after a higher one. Whoever goes on
//! from the highest sequence seen would pass it by.
//!
//! Every transaction that writes an event locks the table (ROW EXCLUSIVE) before the event gets its sequence, and keeps
//! that lock until it has ended and can be seen. So one statement reads the highest sequence S and *then* the
//! transactions that hold the lock: each transaction with a sequence up to S that is not seen yet is among them, and
//! once none of these holds the lock any more, S has settled. Later transactions don't matter, so a busy server settles
//! too.
//!
//! Comparing `pg_snapshot_xmin` with an earlier `pg_snapshot_xmax` would look simpler and be wrong: xmax is one past the
//! last transaction that has *ended*, so an open one can lie beyond it; a transaction takes its sequence before it has
//! a number at all; and each long transaction of another database on the same server would hold everything up.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sea_orm::FromQueryResult;
use slipway_kernel::StoreError;

use crate::connection::{Connection, Dialect};

/// What one store knows of how far the audit trail has settled. Every store finds it out for itself, from nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedHorizon(Arc<Mutex<Horizon>>);

#[derive(FromQueryResult)]
struct NewestRow {
    newest: i64,
}

#[derive(FromQueryResult)]
struct ObservedRow {
    newest: i64,
    writers: String,
}

impl SharedHorizon {
    /// The sequence up to which the trail has settled. Where nobody is writing that is the newest event; else it may
    /// take another call, after those who were writing at this one have ended.
    ///
    /// What it answers holds for statements that see the present: not for those of a snapshot taken before.
    pub(crate) async fn settled(&self, connection: &Connection) -> Result<i64, StoreError> {
        match connection.dialect() {
            Dialect::Sqlite => {
                let row: Option<NewestRow> = connection
                    .one(
                        "SELECT coalesce(max(sequence), 0) AS newest FROM audit_event",
                        [],
                    )
                    .await?;
                Ok(row.map_or(0, |row| row.newest))
            }
            Dialect::Postgres => {
                let begun = self.horizon().observation;
                // The statement's snapshot is older than what it reads of the locks.
                let row: Option<ObservedRow> = connection
                    .one(
                        "SELECT (SELECT coalesce(max(sequence), 0) FROM audit_event) AS newest, \
                         (SELECT coalesce(string_agg(virtualtransaction, ' '), '') FROM pg_locks \
                         WHERE locktype = 'relation' AND relation = 'audit_event'::regclass \
                         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                         AND mode = 'RowExclusiveLock' AND granted) AS writers",
                        [],
                    )
                    .await?;
                let mut horizon = self.horizon();
                if let Some(row) = row {
                    let writers = row.writers.split_whitespace().map(str::to_owned).collect();
                    horizon.observe(begun, row.newest, writers);
                }
                Ok(horizon.settled)
            }
        }
    }

    fn horizon(&self) -> MutexGuard<'_, Horizon> {
        // What a thread that panicked left behind is whole: there is nothing between its changes that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The highest sequence that has settled, and the next one that waits for it.
#[derive(Debug, Default)]
struct Horizon {
    settled: i64,
    pending: Option<Pending>,
    /// How many sequences have waited so far.
    observation: u64,
}

/// A sequence that settles once these writers have ended.
#[derive(Debug)]
struct Pending {
    through: i64,
    writers: HashSet<String>,
    observation: u64,
}

impl Horizon {
    /// Takes in the highest sequence there is, and who was writing *after* that was read.
    ///
    /// Several callers may look at the same time, so what they saw can arrive in another order: `begun` is the
    /// [`Horizon::observation`] from before a caller looked. A look that began before a sequence had to wait says
    /// nothing about its writers, who may have begun later.
    fn observe(&mut self, begun: u64, newest: i64, writers: HashSet<String>) {
        let ended = |pending: &mut Pending| {
            pending.observation <= begun && pending.writers.is_disjoint(&writers)
        };
        if let Some(pending) = self.pending.take_if(ended) {
            self.settled = self.settled.max(pending.through);
        }
        if writers.is_empty() {
            self.settled = self.settled.max(newest);
        } else if self.pending.is_none() && newest > self.settled {
            self.observation += 1;
            self.pending = Some(Pending {
                through: newest,
                writers,
                observation: self.observation,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look that is over before the next one begins.
    fn look(horizon: &mut Horizon, newest: i64, names: &[&str]) -> i64 {
        horizon.observe(horizon.observation, newest, writers(names));
        horizon.settled
    }

    fn writers(names: &[&str]) -> HashSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn without_a_writer_everything_has_settled() {
        assert_eq!(look(&mut Horizon::default(), 7, &[]), 7);
    }

    #[test]
    fn a_writer_holds_back_what_was_there_while_it_wrote() {
        let mut horizon = Horizon::default();
        assert_eq!(look(&mut horizon, 7, &["3/1", "4/1"]), 0);
        assert_eq!(
            look(&mut horizon, 9, &["4/1", "5/1"]),
            0,
            "4/1 may have a sequence below 7"
        );
        assert_eq!(
            look(&mut horizon, 11, &["3/2", "5/1"]),
            7,
            "both have ended; 3/2 began later"
        );
        assert_eq!(look(&mut horizon, 12, &["3/3"]), 11);
    }

    #[test]
    fn writers_that_follow_each_other_without_a_gap_hold_nothing_up_for_long() {
        let mut horizon = Horizon::default();
        for n in 1..100 {
            let open = [format!("1/{n}"), format!("2/{}", n / 2)];
            look(&mut horizon, n, &[&open[0], &open[1]]);
        }
        assert!(horizon.settled >= 95, "{}", horizon.settled);
    }

    #[test]
    fn it_never_goes_back() {
        let mut horizon = Horizon::default();
        look(&mut horizon, 7, &[]);
        look(&mut horizon, 5, &["1/1"]);
        assert_eq!(look(&mut horizon, 5, &[]), 7);
    }

    #[test]
    fn an_old_look_says_nothing_about_newer_writers() {
        let mut horizon = Horizon::default();
        let begun = horizon.observation;
        look(&mut horizon, 9, &["5/1"]);
        horizon.observe(begun, 7, writers(&["3/1"]));
        assert_eq!(horizon.settled, 0, "5/1 may have begun after that look");
        assert_eq!(look(&mut horizon, 9, &["6/1"]), 9);
    }
}
