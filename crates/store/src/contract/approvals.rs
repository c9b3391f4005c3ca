//! Approval requests and decisions.

use futures_util::future::join_all;
use std::collections::BTreeSet;

use slipway_approvals::{
    ApprovalFilter, ApprovalPlace, ApprovalRequest, Asked, Decision, Finding, Override, Person,
    RequestState, Review, Scope, Source, StateKind, Verdict, Voter, VoterRole, Withdrawal,
    stage_rule,
};
use slipway_catalog::{Application, Version};
use slipway_deployments::{Change, Deployment, Item, State};
use slipway_identity::{Membership, Principal, PrincipalKind, Role, principal::Disabled};
use slipway_kernel::{ApplicationKind, ApprovalRequestId, Sha256, StoreError};

use super::{
    deployments::given::{World, became, item},
    given::{
        application, at, begin, commit, membership, name, principal_id, size, user, uuid, version,
        walk,
    },
    ledger::world::Dice,
};
use crate::Store;

/// A world with the users 1 to 9, and a deployment that waits for approval.
async fn waiting(store: &dyn Store) -> (World<'_>, Deployment) {
    let world = World::new(store, 1, 3).await;
    let mut work = begin(store).await;
    for n in 2..10 {
        assert!(work.principals().insert(&user(n)).await.expect("inserted"));
    }
    commit(work).await;
    let deployment = world
        .add(became(&world.promotion(1, 0), State::PendingApproval))
        .await;
    (world, deployment)
}

pub(super) fn request(n: u128, deployment: &Deployment) -> ApprovalRequest {
    ApprovalRequest {
        id: ApprovalRequestId::from_uuid(uuid(n)),
        project: deployment.project,
        deployment: deployment.id,
        deployment_number: deployment.number,
        environment: deployment.target,
        digest: deployment.plan_digest,
        requester: deployment.requested_by,
        rules: vec![
            Asked {
                source: Source::Stage,
                rule: stage_rule(),
                candidates: vec![principal_id(2), principal_id(3)],
            },
            Asked {
                source: Source::Policy(Scope::Environment(deployment.target)),
                rule: stage_rule(),
                candidates: Vec::new(),
            },
        ],
        created_at: at(200),
        not_before: Some(at(250)),
        expires_at: at(300),
        state: RequestState::Pending,
        decisions: Vec::new(),
        overridden: None,
    }
}

pub(super) fn decision(n: u128, verdict: Verdict) -> Decision {
    Decision {
        principal: principal_id(n),
        person: principal_id(n),
        verdict,
        rule: (verdict == Verdict::Approve).then(|| name("stage")),
        comment: name("because \"so\""),
        at: at(210),
        digest: Sha256::of_bytes(b"plan"),
        withdrawn: None,
    }
}

pub(super) fn overriding(n: u128) -> Override {
    Override {
        principal: principal_id(n),
        person: principal_id(n),
        at: at(215),
        reason: name("the shop is down"),
        digest: Sha256::of_bytes(b"plan"),
        review: None,
    }
}

async fn open(store: &dyn Store, request: &ApprovalRequest) -> Result<(), StoreError> {
    let mut work = begin(store).await;
    work.approvals().open(request).await?;
    work.commit().await
}

async fn last(store: &dyn Store, deployment: &Deployment) -> Option<ApprovalRequest> {
    let mut work = begin(store).await;
    let held = work.approvals().last_of(deployment.id).await.expect("read");
    drop(work);
    let read = store
        .reader()
        .approval_request(deployment.project, deployment.id)
        .await;
    assert_eq!(read.expect("read"), held);
    held
}

/// All fields come back, in every state, with the decisions in their order.
pub async fn what_is_opened_is_found(store: &dyn Store) {
    let (world, deployment) = waiting(store).await;
    let other = World::new(store, 2, 2).await;
    assert_eq!(last(store, &deployment).await, None);
    for (n, state) in (2..).zip(StateKind::ALL) {
        let deployment = world.promotion(n, 0);
        let deployment = world.add(became(&deployment, State::PendingApproval)).await;
        let mut opened = request(n, &deployment);
        open(store, &opened).await.expect("opened");
        let mut work = begin(store).await;
        opened.decisions = vec![decision(3, Verdict::Approve), decision(2, Verdict::Reject)];
        opened.decisions[1].at = at(220);
        for decision in &opened.decisions {
            let added = work.approvals().decide(opened.id, decision).await;
            added.expect("decided");
        }
        if state == StateKind::Approved {
            let overridden = overriding(4);
            let added = work.approvals().override_request(&opened, &overridden);
            added.await.expect("overridden");
            opened.overridden = Some(overridden);
        }
        opened.state = RequestState::new(state, at(230));
        let saved = work.approvals().update(&opened, StateKind::Pending).await;
        saved.expect("saved");
        commit(work).await;
        assert_eq!(last(store, &deployment).await, Some(opened));
        let elsewhere = store
            .reader()
            .approval_request(other.project, deployment.id)
            .await;
        assert_eq!(elsewhere.expect("read"), None);
    }
}

/// Another request is opened only where the last one does not count any more; that one is the last, whatever the clocks.
pub async fn a_deployment_has_one_current_request(store: &dyn Store) {
    let (_, deployment) = waiting(store).await;
    let first = request(9, &deployment);
    open(store, &first).await.expect("opened");
    let second = ApprovalRequest {
        created_at: at(100),
        ..request(5, &deployment)
    };
    for state in [StateKind::Pending, StateKind::Approved] {
        let changed = ApprovalRequest {
            state: RequestState::new(state, at(210)),
            ..first.clone()
        };
        let mut work = begin(store).await;
        let saved = work.approvals().update(&changed, StateKind::Pending).await;
        saved.expect("saved");
        commit(work).await;
        let again = open(store, &second).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    let fell = ApprovalRequest {
        state: RequestState::Superseded { at: at(220) },
        ..first
    };
    let mut work = begin(store).await;
    let saved = work.approvals().update(&fell, StateKind::Approved).await;
    saved.expect("saved");
    work.approvals().open(&second).await.expect("opened");
    commit(work).await;
    assert_eq!(last(store, &deployment).await, Some(second));
}

/// One person, one decision, by whatever account.
pub async fn a_person_decides_once(store: &dyn Store) {
    let (_, deployment) = waiting(store).await;
    let opened = request(9, &deployment);
    open(store, &opened).await.expect("opened");
    for (n, verdict, taken) in [
        (2, Verdict::Approve, true),
        (2, Verdict::Reject, false),
        (3, Verdict::Reject, true),
        (5, Verdict::Reject, false),
    ] {
        let mut work = begin(store).await;
        let mut decision = decision(n, verdict);
        if n == 5 {
            decision.person = principal_id(3);
        }
        match work.approvals().decide(opened.id, &decision).await {
            Ok(()) => {
                assert!(taken);
                commit(work).await;
            }
            Err(error) => assert!(!taken && matches!(error, StoreError::Conflict(_))),
        }
    }
    let found = last(store, &deployment).await.expect("there");
    assert_eq!(found.decisions.len(), 2);
}

/// Whoever holds the deployment sees what was answered before, so that one answer is taken.
pub async fn of_answers_at_once_one_is_kept(store: &dyn Store) {
    let (_, deployment) = waiting(store).await;
    let opened = request(9, &deployment);
    open(store, &opened).await.expect("opened");
    let answers = (2..10).map(|n| {
        let id = deployment.id;
        async move {
            let mut work = begin(store).await;
            work.deployments().find_by_id(id).await.expect("held");
            let found = work.approvals().last_of(id).await.expect("read");
            let found = found.expect("there");
            if found.state != RequestState::Pending {
                return false;
            }
            let verdict = Verdict::ALL[usize::from(n % 2 == 0)];
            let state = match verdict {
                Verdict::Approve => RequestState::Approved { at: at(210) },
                Verdict::Reject => RequestState::Rejected { at: at(210) },
            };
            let saved = ApprovalRequest { state, ..found };
            let decision = decision(n, verdict);
            let decided = work.approvals().decide(saved.id, &decision).await;
            decided.expect("decided");
            let updated = work.approvals().update(&saved, StateKind::Pending).await;
            updated.expect("saved");
            commit(work).await;
            true
        }
    });
    let taken = join_all(answers).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 1);
    let found = last(store, &deployment).await.expect("there");
    assert_eq!(found.decisions.len(), 1);
}

/// What was read in a state that it is not in any more is not saved.
pub async fn a_change_from_another_state_is_a_conflict(store: &dyn Store) {
    let (_, deployment) = waiting(store).await;
    let opened = request(9, &deployment);
    open(store, &opened).await.expect("opened");
    let closed = ApprovalRequest {
        state: RequestState::Canceled { at: at(210) },
        ..opened
    };
    let mut work = begin(store).await;
    let saved = work.approvals().update(&closed, StateKind::Approved).await;
    assert!(matches!(saved, Err(StoreError::Conflict(_))), "{saved:?}");
    drop(work);
    let found = last(store, &deployment).await.expect("there");
    assert_eq!(found.state, RequestState::Pending);
}

/// Only what is pending, from the moment on at which it expires, longest overdue first.
pub async fn requests_become_overdue(store: &dyn Store) {
    let (world, deployment) = waiting(store).await;
    let mut ids = vec![deployment.id];
    open(store, &request(9, &deployment)).await.expect("opened");
    for (n, expires, state) in [
        (11, 250, StateKind::Pending),
        (12, 240, StateKind::Approved),
        (13, 301, StateKind::Pending),
    ] {
        let deployment = world.promotion(n, 0);
        let deployment = world.add(became(&deployment, State::PendingApproval)).await;
        let request = ApprovalRequest {
            expires_at: at(expires),
            state: RequestState::new(state, at(220)),
            ..request(n, &deployment)
        };
        open(store, &request).await.expect("opened");
        ids.push(deployment.id);
    }
    let overdue = async |now, most| {
        let found = store.reader().overdue_approvals(at(now), size(most)).await;
        found.expect("read")
    };
    assert_eq!(overdue(249, 9).await, []);
    assert_eq!(overdue(250, 9).await, [ids[1]]);
    assert_eq!(overdue(300, 9).await, [ids[1], ids[0]]);
    assert_eq!(overdue(999, 2).await, [ids[1], ids[0]]);
    assert_eq!(overdue(999, 9).await, [ids[1], ids[0], ids[3]]);
}

/// Newest first, those of one microsecond by id, highest first; by every filter.
pub async fn pages_equal_a_list_in_memory(store: &dyn Store) {
    let (world, _) = waiting(store).await;
    let world = &world;
    let other = World::new(store, 2, 2).await;
    let elsewhere = other
        .add(became(&other.promotion(900, 0), State::PendingApproval))
        .await;
    open(store, &request(900, &elsewhere))
        .await
        .expect("opened");
    let mut dice = Dice(17);
    let mut all = Vec::new();
    for n in 100..160 {
        let target = dice.below(3);
        let deployment = world.promotion(n, target);
        let deployment = world.add(became(&deployment, State::PendingApproval)).await;
        let mut request = ApprovalRequest {
            created_at: at(i64::try_from(dice.below(30)).expect("small")),
            state: RequestState::new(*dice.pick(&StateKind::ALL), at(290)),
            ..request(n, &deployment)
        };
        open(store, &request).await.expect("opened");
        if dice.one_in(2) {
            request.decisions = vec![decision(2, Verdict::Approve)];
            let mut work = begin(store).await;
            let decided = work.approvals().decide(request.id, &request.decisions[0]);
            decided.await.expect("decided");
            commit(work).await;
        }
        all.push(request);
    }
    all.sort_by_key(|request| std::cmp::Reverse((request.created_at, request.id)));
    let mut selected = 0;
    for round in 0..40 {
        let time = |dice: &mut Dice| at(i64::try_from(dice.below(30)).expect("small"));
        let mut states: Vec<_> = (0..dice.below(3))
            .map(|_| *dice.pick(&StateKind::ALL))
            .collect();
        states.sort_unstable();
        let filter = &ApprovalFilter {
            states,
            environment: dice.one_in(2).then(|| *dice.pick(&world.environments)),
            from: dice.one_in(3).then(|| time(&mut dice)),
            to: dice.one_in(3).then(|| time(&mut dice)),
        };
        let selects = |request: &&ApprovalRequest| {
            let state = request.state.kind();
            (filter.states.is_empty() || filter.states.contains(&state))
                && filter
                    .environment
                    .is_none_or(|of| of == request.environment)
                && filter.from.is_none_or(|from| request.created_at >= from)
                && filter.to.is_none_or(|to| request.created_at < to)
        };
        let expected: Vec<_> = all.iter().filter(selects).cloned().collect();
        selected += expected.len();
        let page_size = [1, 3, 20, 100][round % 4];
        let found = walk(|after: Option<ApprovalPlace>| async move {
            let reader = store.reader();
            reader
                .approval_requests(world.project, filter, after, size(page_size))
                .await
        })
        .await;
        assert_eq!(found, expected, "{filter:?} in pages of {page_size}");
    }
    assert!(
        selected > 200,
        "the filters select next to nothing: {selected}"
    );
}

/// An approval is withdrawn once, by whichever account, and is shown so.
pub async fn an_approval_is_withdrawn_once(store: &dyn Store) {
    let (_, deployment) = waiting(store).await;
    let opened = request(9, &deployment);
    open(store, &opened).await.expect("opened");
    let mut made = decision(2, Verdict::Approve);
    let withdrawal = Withdrawal {
        principal: principal_id(5),
        at: at(220),
        reason: name("not so"),
    };
    let mut work = begin(store).await;
    work.approvals()
        .decide(opened.id, &made)
        .await
        .expect("decided");
    let person = made.person;
    let taken = work.approvals().withdraw(opened.id, person, &withdrawal);
    taken.await.expect("withdrawn");
    commit(work).await;
    made.withdrawn = Some(withdrawal.clone());
    let found = last(store, &deployment).await.expect("there");
    assert_eq!(found.decisions, [made]);
    let mut work = begin(store).await;
    let again = work
        .approvals()
        .withdraw(opened.id, person, &withdrawal)
        .await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    drop(work);
    let mut work = begin(store).await;
    let nothing = work
        .approvals()
        .withdraw(opened.id, principal_id(3), &withdrawal);
    assert!(nothing.await.is_err(), "nobody decided");
}

/// One override for each request and one review of it; the one that nobody reviewed comes first.
pub async fn overrides_are_kept_and_reviewed_once(store: &dyn Store) {
    let (_, deployment) = waiting(store).await;
    let review = Review {
        principal: principal_id(3),
        person: principal_id(3),
        finding: Finding::Justified,
        comment: name("it was down"),
        at: at(400),
    };
    let mut overridden = Vec::new();
    for (n, created) in [(9, 200), (10, 201), (11, 202)] {
        let mut opened = ApprovalRequest {
            created_at: at(created),
            ..request(n, &deployment)
        };
        let mut work = begin(store).await;
        work.approvals().open(&opened).await.expect("opened");
        // The last one is not overridden.
        if n < 11 {
            let made = overriding(n - 5);
            let added = work.approvals().override_request(&opened, &made).await;
            added.expect("overridden");
            opened.overridden = Some(made);
        }
        opened.state = RequestState::Superseded { at: at(240) };
        let saved = work.approvals().update(&opened, StateKind::Pending).await;
        saved.expect("saved");
        commit(work).await;
        overridden.push(opened);
    }
    let last_overridden = async || {
        let mut work = begin(store).await;
        let found = work.approvals().overridden(deployment.id).await;
        found.expect("read").expect("there")
    };
    assert_eq!(last_overridden().await, overridden[1]);
    for (at, expected) in [(1, 0), (0, 1)] {
        let id = overridden[at].id;
        let mut work = begin(store).await;
        let added = work.approvals().review(id, &review).await;
        added.expect("reviewed");
        commit(work).await;
        let made = overridden[at].overridden.as_mut().expect("overridden");
        made.review = Some(review.clone());
        assert_eq!(last_overridden().await, overridden[expected]);
        let mut work = begin(store).await;
        let again = work.approvals().review(id, &review).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    let mut work = begin(store).await;
    let again = work
        .approvals()
        .override_request(&overridden[0], &overriding(7))
        .await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

/// Members and administrators of the installation, with what they are now; those asked for by id, members or not.
pub async fn voters_are_known_as_they_are(store: &dyn Store) {
    let (world, _) = waiting(store).await;
    let root = Principal {
        tenant_admin: true,
        ..user(20)
    };
    let machine = |n: u128, owner| Principal {
        kind: PrincipalKind::ServiceAccount {
            owner: principal_id(owner),
        },
        ..user(n)
    };
    let mut work = begin(store).await;
    for principal in [root, machine(21, 2), machine(22, 3)] {
        let added = work.principals().insert(&principal).await;
        assert!(added.expect("inserted"));
    }
    let disabled = Disabled {
        at: at(9),
        reason: name("left"),
    };
    let gone = work.principals().disable(principal_id(3), &disabled).await;
    assert!(gone.expect("disabled"));
    for n in [2, 3, 21, 22] {
        let member = Membership {
            roles: BTreeSet::from([Role::Approver, Role::Developer]),
            groups: BTreeSet::from([name("lead")]),
            ..membership(world.project, principal_id(n))
        };
        work.memberships().set(&member).await.expect("set");
    }
    let voter = |n: u128, owner: Option<u128>, disabled| Voter {
        person: Person {
            principal: principal_id(n),
            owner: owner.map(principal_id),
        },
        disabled,
        roles: BTreeSet::from([VoterRole::Developer, VoterRole::Approver]),
        groups: BTreeSet::from([name("lead")]),
    };
    let plain = |n, roles| Voter {
        roles,
        groups: BTreeSet::new(),
        ..voter(n, None, false)
    };
    let root = plain(20, BTreeSet::from([VoterRole::TenantAdmin]));
    let expected = vec![
        voter(2, None, false),
        voter(3, None, true),
        root.clone(),
        voter(21, Some(2), false),
        // Its owner is.
        voter(22, Some(3), true),
    ];
    let all = work.approvals().voters(world.project, None).await;
    assert_eq!(all.expect("read"), expected);
    let only = [principal_id(20), principal_id(9)];
    let found = work.approvals().voters(world.project, Some(&only)).await;
    assert_eq!(found.expect("read"), [plain(9, BTreeSet::new()), root]);
    let none = work.approvals().voters(world.project, Some(&[])).await;
    assert_eq!(none.expect("read"), []);
    commit(work).await;
    let read = store.reader().project_voters(world.project).await;
    assert_eq!(read.expect("read"), expected);
}

/// Whoever asked, and whoever wrote or made the versions that are deployed, with their owners.
pub async fn makers_had_a_part(store: &dyn Store) {
    let (world, _) = waiting(store).await;
    let mut work = begin(store).await;
    let machine = Principal {
        kind: PrincipalKind::ServiceAccount {
            owner: principal_id(4),
        },
        ..user(20)
    };
    assert!(work.principals().insert(&machine).await.expect("inserted"));
    let cart = Application {
        key: name("made"),
        kind: ApplicationKind::Workflow,
        ..application(90, world.project, "made")
    };
    work.applications()
        .insert(std::slice::from_ref(&cart))
        .await
        .expect("inserted");
    let document = Sha256::of_bytes(b"document");
    let made = Version {
        digest: Some(document),
        author: principal_id(3),
        created_by: principal_id(20),
        ..version(91, cart.id, "1")
    };
    let other = Version {
        digest: Some(Sha256::of_bytes(b"another document")),
        author: principal_id(5),
        ..version(92, cart.id, "2")
    };
    let versions = work.versions().insert(&[made, other]).await;
    versions.expect("inserted");
    commit(work).await;
    let mut deployment = became(&world.promotion(50, 1), State::PendingApproval);
    deployment.requested_by = principal_id(2);
    let written = Item {
        key: name("made"),
        change: Change::Updated,
        after: Some(document),
        ..item(0)
    };
    deployment.items = vec![written];
    let deployment = world.add(deployment).await;
    let person = |n, owner: Option<u128>| Person {
        principal: principal_id(n),
        owner: owner.map(principal_id),
    };
    let expected = vec![person(2, None), person(3, None), person(20, Some(4))];
    let mut work = begin(store).await;
    let found = work.approvals().had_a_part(deployment.id).await;
    assert_eq!(found.expect("read"), expected);
    drop(work);
    let read = store.reader().parts_in(&[deployment.id]).await;
    assert_eq!(read.expect("read").remove(&deployment.id), Some(expected));
}
