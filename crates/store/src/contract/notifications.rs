//! Webhooks, the outbox, and deliveries.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use slipway_deployments::{Deployment, State};
use slipway_kernel::{DeliveryId, Revision, Slug, StoreError, Tier, WebhookId};
use slipway_ledger::RiskLevel;
use slipway_notifications::{
    Claimed, Delivery, DeliveryFilter, DeliveryState, EventKind, Facts, Filter, Message, NewEvent,
    Occurrence, Outcome, Schedule, Target, Webhook,
};

use super::{
    deployments::given::{LONG, World, became, deployment_id},
    given::{at, begin, commit, name, principal_id, size, uuid},
    queue::wait,
};
use crate::Store;

/// More than any case has under way.
const MANY: u32 = 100;

fn webhook(world: &World<'_>, n: u128, slug: &str) -> Webhook {
    Webhook {
        id: WebhookId::from_uuid(uuid(n)),
        project: world.project,
        slug: name(slug),
        display_name: name("Höok"),
        target: Target::Standard {
            url: name("https://hooks.example/x?y=z"),
            secret: name("env:KEY"),
        },
        filter: Filter::default(),
        enabled: true,
        created_at: at(7),
        revision: Revision::FIRST,
    }
}

async fn add(world: &World<'_>, webhook: &Webhook) -> bool {
    let mut work = begin(world.store).await;
    let added = work.notifications().insert_webhook(webhook).await;
    let added = added.expect("an answer");
    commit(work).await;
    added
}

async fn update(world: &World<'_>, webhook: &Webhook) -> Result<(), StoreError> {
    let mut work = begin(world.store).await;
    work.notifications().update_webhook(webhook).await?;
    work.commit().await
}

async fn find(world: &World<'_>, slug: &str) -> Option<Webhook> {
    let slug: Slug = name(slug);
    let read = world.store.reader().webhook(world.project, &slug).await;
    read.expect("read")
}

async fn take(world: &World<'_>, limit: u32) -> Vec<Occurrence> {
    let mut work = begin(world.store).await;
    let taken = work.notifications().take_events(limit).await;
    let taken = taken.expect("taken");
    commit(work).await;
    taken
}

/// A change of state, in a unit of work of its own.
async fn change(world: &World<'_>, deployment: &Deployment, to: State) -> Deployment {
    let changed = became(deployment, to);
    let mut work = begin(world.store).await;
    let saved = work.deployments().update(&changed, deployment.state).await;
    saved.expect("saved");
    commit(work).await;
    changed
}

fn delivery(n: u128, webhook: &Webhook, event: &Occurrence) -> Delivery {
    Delivery {
        id: DeliveryId::from_uuid(uuid(n)),
        project: webhook.project,
        webhook: webhook.id,
        sequence: Some(event.sequence),
        deployment: Some(event.subject.deployment),
        kind: event.kind,
        message: Message::of(event),
        state: DeliveryState::Pending,
        attempts: 0,
        last: None,
        created_at: at(100),
        due_at: at(100),
    }
}

async fn insert(world: &World<'_>, deliveries: &[Delivery]) {
    let mut work = begin(world.store).await;
    let inserted = work.notifications().insert_deliveries(deliveries).await;
    inserted.expect("inserted");
    commit(work).await;
}

async fn claim(world: &World<'_>, now: u64, lease: Duration, at_once: u32) -> Option<Claimed> {
    let now = at(100).plus(Duration::from_secs(now));
    let mut work = begin(world.store).await;
    let claimed = work.notifications().claim_delivery(now, lease, at_once);
    let claimed = claimed.await.expect("an answer");
    commit(work).await;
    claimed
}

/// The number of the delivery that is claimed next.
async fn next(world: &World<'_>, now: u64) -> Option<(u128, Claimed)> {
    let claimed = claim(world, now, LONG, MANY).await;
    if claimed.is_none() {
        let now = at(100).plus(Duration::from_secs(now));
        let pending = world.store.reader().pending_work(now, MANY).await;
        assert!(!pending.expect("read").deliveries);
    }
    let claimed = claimed?;
    Some((claimed.delivery.id.uuid().as_u128() & 0xffff, claimed))
}

async fn end(world: &World<'_>, claimed: Claimed, outcome: Outcome, now: u64) -> bool {
    let now = at(100).plus(Duration::from_secs(now));
    let schedule = Schedule::new(vec![Duration::from_secs(100)]).expect("a schedule");
    let delivery = claimed.delivery.attempted(outcome, now, &schedule);
    let mut work = begin(world.store).await;
    let kept = work.notifications().end_attempt(&delivery, claimed.epoch);
    let kept = kept.await.expect("an answer");
    commit(work).await;
    kept
}

fn taken() -> Outcome {
    Outcome {
        taken: true,
        status: Some(200),
        answer: "thank you".to_owned(),
        ..Outcome::default()
    }
}

/// All fields come back, of every target; a slug is taken once per project; a stale change is a conflict.
pub async fn webhooks_are_kept(store: &dyn Store) {
    let (world, other) = (World::new(store, 1, 2).await, World::new(store, 2, 2).await);
    let full = Webhook {
        filter: Filter {
            events: vec![EventKind::Failed, EventKind::InDoubt],
            environments: vec![name("e-0")],
            tiers: vec![Tier::Production],
            least_risk: Some(RiskLevel::High),
        },
        enabled: false,
        ..webhook(&world, 1, "full")
    };
    let slack = Webhook {
        target: Target::Slack {
            url: name("file:/run/secrets/slack"),
        },
        ..webhook(&world, 2, "chat")
    };
    let mail = Webhook {
        target: Target::Email {
            recipients: vec![name("a@x.example"), name("b@x.example")],
        },
        ..webhook(&world, 3, "mail")
    };
    for webhook in [&full, &slack, &mail] {
        assert!(add(&world, webhook).await);
        assert_eq!(
            find(&world, webhook.slug.as_str()).await.as_ref(),
            Some(webhook)
        );
        let by_id = store.reader().webhook_by_id(webhook.id).await;
        assert_eq!(by_id.expect("read").as_ref(), Some(webhook));
    }
    assert!(!add(&world, &webhook(&world, 4, "full")).await, "taken");
    assert!(add(&other, &webhook(&other, 5, "full")).await);

    let page = store.reader().webhooks(world.project, None, size(2)).await;
    let page = page.expect("read");
    assert_eq!(page.items, [slack.clone(), full.clone()]);
    let rest = store
        .reader()
        .webhooks(world.project, page.next.as_ref(), size(2));
    assert_eq!(rest.await.expect("read").items, std::slice::from_ref(&mail));

    let changed = Webhook {
        display_name: name("Other"),
        target: slack.target.clone(),
        filter: Filter::default(),
        enabled: true,
        revision: full.revision.next(),
        ..full.clone()
    };
    update(&world, &changed).await.expect("updated");
    assert_eq!(find(&world, "full").await, Some(changed.clone()));
    let stale = update(&world, &changed).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");

    let mut work = begin(store).await;
    let count = work.notifications().count_webhooks(world.project).await;
    assert_eq!(count.expect("counted"), 3);
    let enabled = work.notifications().enabled_webhooks(world.project).await;
    assert_eq!(enabled.expect("read"), [slack, changed.clone(), mail]);
    let deleted = work.notifications().delete_webhook(changed.id).await;
    deleted.expect("deleted");
    commit(work).await;
    assert_eq!(find(&world, "full").await, None);
    assert!(find(&other, "full").await.is_some());
}

/// What happens while nobody listens is told to nobody. What does not come about is not told.
pub async fn what_happens_goes_into_the_outbox(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let unheard = world.add(world.promotion(1, 0)).await;
    let disabled = Webhook {
        enabled: false,
        ..webhook(&world, 1, "hook")
    };
    add(&world, &disabled).await;
    change(&world, &unheard, State::Running).await;
    assert_eq!(take(&world, MANY).await, []);
    let enabled = Webhook {
        enabled: true,
        revision: disabled.revision.next(),
        ..disabled
    };
    update(&world, &enabled).await.expect("updated");

    let queued = world.add(world.promotion(2, 1)).await;
    {
        let running = became(&queued, State::Running);
        let mut work = begin(store).await;
        let saved = work.deployments().update(&running, State::Queued).await;
        saved.expect("saved, and rolled back");
    }
    change(&world, &queued, State::Running).await;
    let facts = Facts {
        risk: Some(RiskLevel::High),
        by: Some(principal_id(1)),
        reason: Some("it burns".to_owned()),
        ..Facts::default()
    };
    let overridden = NewEvent {
        deployment: queued.id,
        kind: EventKind::ApprovalOverridden,
        facts: facts.clone(),
    };
    let mut work = begin(store).await;
    work.notifications()
        .append_event(&overridden)
        .await
        .expect("appended");
    commit(work).await;

    let pending = store.reader().pending_work(at(100), MANY).await;
    assert!(pending.expect("read").events);
    let first = take(&world, 2).await;
    let rest = take(&world, MANY).await;
    let told: Vec<_> = first.iter().chain(&rest).collect();
    let kinds: Vec<_> = told.iter().map(|event| event.kind).collect();
    let expected = [
        EventKind::Queued,
        EventKind::Running,
        EventKind::ApprovalOverridden,
    ];
    assert_eq!((first.len(), kinds), (2, expected.to_vec()));
    assert_eq!(told[2].facts, facts);
    for event in told {
        assert_eq!(
            (event.project, event.project_slug.as_str()),
            (world.project, "shop-1")
        );
        let subject = &event.subject;
        assert_eq!(
            (subject.deployment, subject.number),
            (queued.id, queued.number)
        );
        assert_eq!(
            (subject.kind.as_str(), subject.requested_by),
            ("PROMOTION", principal_id(1))
        );
        assert_eq!(subject.environment, world.environments[1]);
        assert_eq!(subject.environment_slug.as_str(), "e-1");
    }
    let pending = store.reader().pending_work(at(100), MANY).await;
    assert!(!pending.expect("read").events);
}

/// However many dispatch at once.
pub async fn each_event_is_taken_once(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    add(&world, &webhook(&world, 1, "hook")).await;
    for n in 1..=30 {
        world.add(world.promotion(n, 0)).await;
    }
    let mut sequences = BTreeSet::new();
    let mut count = 0;
    while count < 30 {
        let rounds = join_all((0..6).map(|_| take(&world, 2))).await;
        for event in rounds.into_iter().flatten() {
            count += 1;
            sequences.insert(event.sequence);
        }
    }
    assert_eq!((count, sequences.len()), (30, 30));
}

/// Of one deployment one at a time and in order, of several at the same time; each webhook by itself.
pub async fn deliveries_keep_their_order(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let hook = webhook(&world, 1, "hook");
    let other = webhook(&world, 2, "other");
    for hook in [&hook, &other] {
        add(&world, hook).await;
    }
    let first = world.add(world.promotion(1, 0)).await;
    let running = change(&world, &first, State::Running).await;
    world.add(world.promotion(2, 1)).await;
    let events = take(&world, MANY).await;
    assert_eq!(events.len(), 3);
    let (queued, ran, second) = (&events[0], &events[1], &events[2]);
    insert(
        &world,
        &[
            delivery(11, &hook, queued),
            delivery(12, &hook, ran),
            delivery(13, &hook, second),
        ],
    )
    .await;
    insert(
        &world,
        &[delivery(21, &other, queued), delivery(22, &other, ran)],
    )
    .await;

    let mut claimed = Vec::new();
    while let Some((n, claim)) = next(&world, 0).await {
        claimed.push((n, claim));
    }
    let numbers: BTreeSet<_> = claimed.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, BTreeSet::from([11, 13, 21]), "the heads");
    for (n, claim) in claimed {
        let outcome = if n == 11 {
            Outcome::problem("no")
        } else {
            taken()
        };
        assert!(end(&world, claim, outcome, 1).await);
    }
    let (n, claim) = next(&world, 1).await.expect("behind what was taken");
    assert_eq!(n, 22);
    assert!(end(&world, claim, taken(), 1).await);
    assert!(next(&world, 50).await.is_none(), "12 waits behind 11");

    // An event that is still in the outbox is in front, too; and what is inserted behind 11 waits as long.
    change(&world, &running, State::Compensating).await;
    let events = take(&world, MANY).await;
    insert(&world, &[delivery(14, &hook, &events[0])]).await;
    assert!(next(&world, 50).await.is_none(), "14 waits behind 11");
    for expected in [11, 12, 14] {
        let (n, claim) = next(&world, 130).await.expect("due");
        assert_eq!(n, expected);
        assert!(next(&world, 130).await.is_none(), "one at a time");
        // Given up or taken: the next one follows.
        let outcome = if n == 11 {
            Outcome::problem("no")
        } else {
            taken()
        };
        assert!(end(&world, claim, outcome, 130).await);
    }
    let given_up = DeliveryFilter {
        state: Some(DeliveryState::Dead),
        ..DeliveryFilter::default()
    };
    let reader = store.reader();
    let dead = reader.deliveries(world.project, &given_up, None, size(9));
    let dead = dead.await.expect("read").items;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].0.id, DeliveryId::from_uuid(uuid(11)));
}

/// An event that another dispatcher has not brought out of the outbox yet.
pub async fn nothing_overtakes_the_outbox(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let hook = webhook(&world, 1, "hook");
    add(&world, &hook).await;
    let queued = world.add(world.promotion(1, 0)).await;
    // This one takes the first event, and lingers; the next one finds the second.
    let mut lingering = begin(store).await;
    let first = lingering
        .notifications()
        .take_events(1)
        .await
        .expect("taken");
    lingering
        .notifications()
        .insert_deliveries(&[delivery(1, &hook, &first[0])])
        .await
        .expect("inserted");
    drop(lingering);
    change(&world, &queued, State::Running).await;
    let mut work = begin(store).await;
    let both = work.notifications().take_events(MANY).await.expect("taken");
    assert_eq!(both.len(), 2);
    drop(work);
    insert(&world, &[delivery(2, &hook, &both[1])]).await;
    assert!(
        next(&world, 0).await.is_none(),
        "the first event is in the outbox"
    );
    let taken = take(&world, 1).await;
    insert(&world, &[delivery(1, &hook, &taken[0])]).await;
    assert_eq!(next(&world, 0).await.expect("due").0, 1);
}

/// A claim is one server's until its lease is over; what comes too late changes nothing.
pub async fn a_delivery_is_claimed_once_at_a_time(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let hook = webhook(&world, 1, "hook");
    add(&world, &hook).await;
    for n in 1..=8 {
        world.add(world.promotion(n, 0)).await;
    }
    let events = take(&world, MANY).await;
    let deliveries: Vec<_> = (1..)
        .zip(&events)
        .map(|(n, event)| delivery(n, &hook, event))
        .collect();
    insert(&world, &deliveries).await;
    let mut ids = BTreeSet::new();
    let mut count = 0;
    while count < 8 {
        let claims = join_all((0..4).map(|_| claim(&world, 0, LONG, MANY))).await;
        for claim in claims.into_iter().flatten() {
            assert_eq!((claim.delivery.attempts, claim.epoch), (1, 1));
            assert_eq!(claim.webhook, hook);
            count += 1;
            ids.insert(claim.delivery.id);
        }
    }
    assert_eq!((count, ids.len()), (8, 8));

    world.add(world.promotion(9, 0)).await;
    let event = take(&world, 1).await;
    let ninth = delivery(9, &hook, &event[0]);
    insert(&world, std::slice::from_ref(&ninth)).await;
    assert_eq!(claim(&world, 0, LONG, 8).await, None, "eight are under way");
    let lost = claim(&world, 0, Duration::ZERO, 9).await.expect("due");
    wait();
    let again = claim(&world, 0, LONG, 9).await.expect("the lease is over");
    assert_eq!(again.delivery.id, lost.delivery.id);
    assert_eq!((again.delivery.attempts, again.epoch), (2, 2));
    assert!(!end(&world, lost, taken(), 1).await, "too late");
    assert!(end(&world, again, taken(), 1).await);

    let mut work = begin(store).await;
    let found = work.notifications().find_delivery(world.project, ninth.id);
    let found = found.await.expect("read").expect("there");
    assert_eq!((found.state, found.attempts), (DeliveryState::Delivered, 2));
    let attempt = found.last.clone().expect("an attempt");
    assert_eq!(attempt.outcome, taken());
    let once_more = found.again(at(200));
    work.notifications()
        .redeliver(&once_more)
        .await
        .expect("saved");
    commit(work).await;
    let (n, claim) = next(&world, 200).await.expect("once more");
    assert_eq!((n, claim.delivery.attempts), (9, 1));
    let mut work = begin(store).await;
    work.notifications()
        .redeliver(&once_more)
        .await
        .expect("saved");
    commit(work).await;
    assert!(!end(&world, claim, taken(), 201).await, "void since");
}

/// What waits for a disabled webhook waits until it is enabled, or gone.
pub async fn a_disabled_webhook_gets_nothing(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let hook = webhook(&world, 1, "hook");
    add(&world, &hook).await;
    world.add(world.promotion(1, 0)).await;
    let events = take(&world, MANY).await;
    insert(&world, &[delivery(1, &hook, &events[0])]).await;
    let mut changed = Webhook {
        enabled: false,
        revision: hook.revision.next(),
        ..hook
    };
    update(&world, &changed).await.expect("updated");
    assert!(next(&world, 0).await.is_none());
    changed.enabled = true;
    changed.revision = changed.revision.next();
    update(&world, &changed).await.expect("updated");
    let (_, claim) = next(&world, 0).await.expect("due");
    let mut work = begin(store).await;
    work.notifications()
        .delete_webhook(changed.id)
        .await
        .expect("deleted");
    commit(work).await;
    assert!(!end(&world, claim, taken(), 1).await, "it is gone");
}

/// A list equals one in memory, whatever is asked for; and what is old is forgotten.
pub async fn deliveries_are_listed_and_forgotten(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let hooks = [webhook(&world, 1, "hook"), webhook(&world, 2, "other")];
    for hook in &hooks {
        add(&world, hook).await;
    }
    for n in 1..=4 {
        world.add(world.promotion(n, 0)).await;
    }
    let events = take(&world, MANY).await;
    let mut all = Vec::new();
    for (number, event) in (0_u128..).zip(&events) {
        for (place, hook) in (1_u128..).zip(&hooks) {
            let mut delivery = delivery(number * 10 + place, hook, event);
            delivery.due_at = at(100 + i64::try_from(number).expect("small"));
            all.push((delivery, hook.slug.clone()));
        }
    }
    let deliveries: Vec<_> = all.iter().map(|(delivery, _)| delivery.clone()).collect();
    insert(&world, &deliveries).await;
    all.reverse();
    let deployment = Some(deployment_id(2));
    for filter in [
        DeliveryFilter::default(),
        DeliveryFilter {
            webhook: Some(hooks[1].id),
            ..DeliveryFilter::default()
        },
        DeliveryFilter {
            deployment,
            state: Some(DeliveryState::Pending),
            ..DeliveryFilter::default()
        },
        DeliveryFilter {
            state: Some(DeliveryState::Dead),
            ..DeliveryFilter::default()
        },
    ] {
        let expected = all.iter().filter(|(delivery, _)| {
            filter
                .webhook
                .is_none_or(|webhook| webhook == delivery.webhook)
                && filter.state.is_none_or(|state| state == delivery.state)
                && (filter.deployment.is_none() || filter.deployment == delivery.deployment)
        });
        let expected: Vec<_> = expected.cloned().collect();
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store
                .reader()
                .deliveries(world.project, &filter, after, size(3));
            let page = page.await.expect("read");
            listed.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected, "{filter:?}");
    }
    let mut forgotten = 0;
    loop {
        let mut work = begin(store).await;
        let batch = work.notifications().forget_deliveries(at(102), 3).await;
        let batch = batch.expect("forgotten");
        commit(work).await;
        forgotten += batch;
        if batch < 3 {
            break;
        }
    }
    assert_eq!(forgotten, 4, "those that were due before");
    let every = DeliveryFilter::default();
    let reader = store.reader();
    let left = reader.deliveries(world.project, &every, None, size(9));
    assert_eq!(left.await.expect("read").items.len(), 4);
}
