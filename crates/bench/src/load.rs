//! A closed loop: so many clients, each of which calls again as soon as it was answered.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Failure;
use crate::stats::{float, quantile};

/// What a loop did after its warm-up.
#[derive(Debug)]
pub(crate) struct Run {
    /// Seconds per call, sorted.
    pub(crate) latencies: Vec<f64>,
    /// For how long it was measured.
    pub(crate) elapsed: Duration,
    /// All calls made, those of the warm-up included.
    pub(crate) all_calls: u64,
}

impl Run {
    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        float(self.latencies.len()) / self.elapsed.as_secs_f64()
    }

    /// The median time of a call, in seconds.
    pub(crate) fn p50(&self) -> f64 {
        quantile(&self.latencies, 0.5)
    }
}

/// When a loop ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After a time; the first of these is not measured.
    Seconds(f64, f64),
    /// After each client has made so many calls.
    Calls(u64),
}

/// Runs the loop. `call` is given the client's number and the call's; the first error ends it.
pub(crate) async fn closed_loop<F, R>(clients: usize, until: Until, call: F) -> Result<Run, Failure>
where
    F: Fn(usize, u64) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), Failure>> + Send,
{
    let call = Arc::new(call);
    let begin = Instant::now();
    let (measured, end, limit) = match until {
        Until::Seconds(warm_up, seconds) => {
            let measured = begin + Duration::from_secs_f64(warm_up);
            (
                measured,
                measured + Duration::from_secs_f64(seconds),
                u64::MAX,
            )
        }
        Until::Calls(calls) => (begin, begin + Duration::from_mins(10), calls),
    };
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let call = Arc::clone(&call);
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            let mut number = 0;
            let mut now = Instant::now();
            while now < end && number < limit {
                call(client, number).await?;
                let answered = Instant::now();
                if now >= measured {
                    latencies.push((answered - now).as_secs_f64());
                }
                now = answered;
                number += 1;
            }
            Ok::<_, Failure>((latencies, number))
        });
    }
    let mut latencies = Vec::new();
    let mut all_calls = 0;
    while let Some(ended) = tasks.join_next().await {
        let (more, calls) = ended??;
        latencies.extend(more);
        all_calls += calls;
    }
    latencies.sort_by(f64::total_cmp);
    Ok(Run {
        latencies,
        elapsed: measured.elapsed(),
        all_calls,
    })
}

/// A number that looks random and is the same on every run.
pub(crate) fn scattered(client: usize, number: u64) -> u64 {
    let mut x = (client as u64) << 40 | number;
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_client_makes_its_calls_and_an_error_ends_the_loop() {
        let run = closed_loop(3, Until::Calls(5), |_, _| async { Ok(()) })
            .await
            .unwrap();
        assert_eq!((run.all_calls, run.latencies.len()), (15, 15));
        let failed = closed_loop(2, Until::Seconds(0.0, 5.0), |client, number| async move {
            // As a call over the wire would, so that every client has its turn.
            tokio::task::yield_now().await;
            if client == 1 && number == 3 {
                Err("no".into())
            } else {
                Ok(())
            }
        });
        let failure = failed.await.map(|run| run.all_calls).unwrap_err();
        assert_eq!(failure.to_string(), "no");
    }
}
