//! How one event is brought to one webhook.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use slipway_kernel::{
    DeliveryId, DeploymentId, ProjectId, Sha256, Timestamp, WebhookId, time::DAY, words,
};

use crate::{EventKind, Message};

/// How long deliveries, and what was told of in the outbox, are kept.
pub const RETENTION: Duration = DAY.saturating_mul(30);
/// How much is kept of an answer, and of what went wrong, in bytes.
pub const ANSWER_KEPT: usize = 2_000;
/// See [`ANSWER_KEPT`].
pub const PROBLEM_KEPT: usize = 1_000;
/// The longest pause that a receiver may ask for.
const MAX_ASKED: Duration = Duration::from_hours(1);
/// The most attempts that a schedule may have, and the longest pause before one.
const MAX_ATTEMPTS: usize = 20;
const MAX_PAUSE: Duration = Duration::from_hours(48);

/// One event on its way to one webhook. Its id stays the same over all attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its identifier, by which receivers know it again.
    pub id: DeliveryId,
    /// The project.
    pub project: ProjectId,
    /// Who is told.
    pub webhook: WebhookId,
    /// The event's place in the outbox; `None` for a test.
    pub sequence: Option<i64>,
    /// The deployment that the event is about. Deliveries about one deployment to one webhook keep their order.
    pub deployment: Option<DeploymentId>,
    /// What happened.
    pub kind: EventKind,
    /// What is told.
    pub message: Message,
    /// How far it is.
    pub state: DeliveryState,
    /// How many attempts have begun since it was asked for, or asked for again.
    pub attempts: u32,
    /// What came of the last attempt that ended.
    pub last: Option<Attempt>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the next attempt is due; while it is over, when that came about.
    pub due_at: Timestamp,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryState {
    /// An attempt is due, or will be.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Dead,
}

words! {
    DeliveryState, "state of a delivery":
    Pending = "PENDING",
    Delivered = "DELIVERED",
    Dead = "DEAD",
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the receiver took it.
    pub taken: bool,
    /// Whether no further attempt makes sense: the receiver is gone for good, or the operator does not allow it.
    pub hopeless: bool,
    /// The status of the answer (HTTP, or SMTP), where there was one.
    pub status: Option<u16>,
    /// What went wrong, without secrets.
    pub problem: String,
    /// The beginning of the answer.
    pub answer: String,
    /// The pause that the receiver asked for.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// There was no answer.
    pub fn problem(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            ..Self::default()
        }
    }

    /// As it is kept: cut to size, and without what a database can't hold.
    #[must_use]
    pub fn kept(mut self) -> Self {
        self.problem = cut(&self.problem, PROBLEM_KEPT);
        self.answer = cut(&self.answer, ANSWER_KEPT);
        self
    }
}

/// At most this many bytes of a text, without NUL characters.
fn cut(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace('\0', " ")
}

/// When attempts are made: the pause before each but the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

/// A schedule that has too many attempts or too long pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give at most 19 pauses, each above 0 and up to 48 h")]
pub struct ScheduleError;

impl Default for Schedule {
    /// What the Standard Webhooks specification gives as an example: ten attempts over three days.
    fn default() -> Self {
        const HOUR: u64 = 3_600;
        let seconds = [
            5,
            300,
            1_800,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ];
        Self(seconds.map(Duration::from_secs).to_vec())
    }
}

impl Schedule {
    /// One attempt, and another one behind each of these pauses.
    pub fn new(pauses: Vec<Duration>) -> Result<Self, ScheduleError> {
        let fits = |pause: &Duration| !pause.is_zero() && *pause <= MAX_PAUSE;
        if pauses.len() < MAX_ATTEMPTS && pauses.iter().all(fits) {
            Ok(Self(pauses))
        } else {
            Err(ScheduleError)
        }
    }

    /// The pause before each attempt but the first.
    pub fn pauses(&self) -> &[Duration] {
        &self.0
    }

    /// How long to wait behind this many attempts; `None` where there is no further one.
    ///
    /// Up to a fifth is added, by the delivery's id, so that what failed together does not come again together.
    fn pause(&self, attempts: u32, id: DeliveryId) -> Option<Duration> {
        let place = usize::try_from(attempts).ok()?.checked_sub(1)?;
        let pause = *self.0.get(place)?;
        let dice = Sha256::of_bytes(format!("{id} {attempts}").as_bytes());
        let part = u32::from(dice.as_bytes()[0]);
        Some(pause + pause * part / (5 * 256))
    }
}

impl Delivery {
    /// How it goes on behind an attempt that ended now.
    #[must_use]
    pub fn attempted(self, outcome: Outcome, now: Timestamp, schedule: &Schedule) -> Self {
        let pause = schedule.pause(self.attempts, self.id);
        let (state, due_at) = match (outcome.taken, outcome.hopeless, pause) {
            (true, _, _) => (DeliveryState::Delivered, now),
            (false, true, _) | (false, false, None) => (DeliveryState::Dead, now),
            (false, false, Some(pause)) => {
                let asked = outcome.retry_after.unwrap_or_default().min(MAX_ASKED);
                (DeliveryState::Pending, now.plus(pause.max(asked)))
            }
        };
        let last = Attempt {
            at: now,
            outcome: outcome.kept(),
        };
        Self {
            state,
            due_at,
            last: Some(last),
            ..self
        }
    }

    /// The same once more, whatever came of it before: from now on, with as many attempts as a new one.
    #[must_use]
    pub fn again(self, now: Timestamp) -> Self {
        Self {
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: now,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::message::tests::occurrence;

    const NOW: i64 = 1_800_000_000_000_000;

    fn now() -> Timestamp {
        Timestamp::from_micros(NOW).expect("in range")
    }

    fn delivery(attempts: u32) -> Delivery {
        let event = occurrence();
        Delivery {
            id: DeliveryId::from_uuid(Uuid::from_u128(7)),
            project: event.project,
            webhook: WebhookId::from_uuid(Uuid::from_u128(8)),
            sequence: Some(event.sequence),
            deployment: Some(event.subject.deployment),
            kind: event.kind,
            message: Message::of(&event),
            state: DeliveryState::Pending,
            attempts,
            last: None,
            created_at: now(),
            due_at: now(),
        }
    }

    #[test]
    fn what_was_taken_is_over() {
        let outcome = Outcome {
            taken: true,
            status: Some(204),
            ..Outcome::default()
        };
        let after = delivery(3).attempted(outcome.clone(), now(), &Schedule::default());
        assert_eq!(
            (after.state, after.due_at),
            (DeliveryState::Delivered, now())
        );
        assert_eq!(after.last.map(|last| last.outcome), Some(outcome));
    }

    #[test]
    fn the_last_failure_is_the_end() {
        let schedule = Schedule::default();
        for attempts in 1..=9 {
            let after = delivery(attempts).attempted(Outcome::problem("no"), now(), &schedule);
            assert_eq!(after.state, DeliveryState::Pending, "{attempts}");
            assert!(after.due_at > now());
        }
        let after = delivery(10).attempted(Outcome::problem("no"), now(), &schedule);
        assert_eq!(after.state, DeliveryState::Dead);
        assert_eq!(after.clone().again(now()).attempts, 0);
        assert_eq!(after.again(now()).state, DeliveryState::Pending);
    }

    #[test]
    fn a_receiver_that_is_gone_is_not_tried_again() {
        let gone = Outcome {
            hopeless: true,
            ..Outcome::problem("gone")
        };
        let after = delivery(1).attempted(gone, now(), &Schedule::default());
        assert_eq!(after.state, DeliveryState::Dead);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_up_to_a_limit() {
        let asking = |pause| Outcome {
            retry_after: Some(pause),
            ..Outcome::problem("busy")
        };
        let due = |pause| {
            let after = delivery(1).attempted(asking(pause), now(), &Schedule::default());
            after.due_at.since(now())
        };
        assert!(due(Duration::from_secs(1)) < Duration::from_secs(7));
        assert_eq!(due(Duration::from_mins(10)), Duration::from_mins(10));
        assert_eq!(due(Duration::from_hours(100)), MAX_ASKED);
    }

    #[test]
    fn schedules_have_bounds() {
        let second = Duration::from_secs(1);
        assert!(Schedule::new(vec![second; 19]).is_ok());
        for bad in [
            vec![second; 20],
            vec![Duration::ZERO],
            vec![MAX_PAUSE + second],
        ] {
            assert_eq!(Schedule::new(bad), Err(ScheduleError));
        }
        let once = Schedule::new(Vec::new()).expect("one attempt");
        let after = delivery(1).attempted(Outcome::problem("no"), now(), &once);
        assert_eq!(after.state, DeliveryState::Dead);
    }

    proptest! {
        #[test]
        fn a_pause_is_the_schedules_and_up_to_a_fifth_more(number in any::<u128>(), attempts in 1_u32..10) {
            let schedule = Schedule::default();
            let id = DeliveryId::from_uuid(Uuid::from_u128(number));
            let base = schedule.0[attempts as usize - 1];
            let pause = schedule.pause(attempts, id).expect("not the last");
            prop_assert!(pause >= base && pause <= base + base / 5);
            prop_assert_eq!(schedule.pause(attempts, id), Some(pause));
        }

        #[test]
        fn what_is_kept_fits(answer in "(\\PC|\0){0,3000}") {
            let outcome = Outcome { answer: answer.clone(), ..Outcome::problem(answer) }.kept();
            prop_assert!(outcome.answer.len() <= ANSWER_KEPT && outcome.problem.len() <= PROBLEM_KEPT);
            prop_assert!(!outcome.answer.contains('\0') && !outcome.problem.contains('\0'));
        }
    }
}
