use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(n: u128) -> PrincipalId {
    PrincipalId::from_uuid(Uuid::from_u128(n))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("in range")
}

fn user(n: u128) -> Person {
    Person {
        principal: id(n),
        owner: None,
    }
}

fn admin(n: u128) -> Voter {
    Voter {
        person: user(n),
        disabled: false,
        administers: true,
    }
}

fn digest(of: &str) -> Sha256 {
    Sha256::of_bytes(of.as_bytes())
}

/// Asked for by the user 1 at the moment 100, open until 200.
fn request() -> ApprovalRequest {
    ApprovalRequest {
        id: ApprovalRequestId::from_uuid(Uuid::from_u128(7)),
        project: ProjectId::from_uuid(Uuid::from_u128(8)),
        deployment: DeploymentId::from_uuid(Uuid::from_u128(9)),
        deployment_number: 3,
        environment: EnvironmentId::from_uuid(Uuid::from_u128(10)),
        digest: digest("plan"),
        requester: id(1),
        created_at: at(100),
        expires_at: at(200),
        state: RequestState::Pending,
        decisions: Vec::new(),
    }
}

fn decision(n: u128, verdict: Verdict, micros: i64) -> Decision {
    Decision {
        principal: id(n),
        verdict,
        comment: Reason::default(),
        at: at(micros),
        digest: digest("plan"),
    }
}

fn approved() -> ApprovalRequest {
    let yes = decision(2, Verdict::Approve, 150);
    request()
        .decide(yes, admin(2), &[user(1)])
        .expect("decided")
}

#[test]
fn one_answer_ends_a_request() {
    let approved = approved();
    assert_eq!(approved.state, RequestState::Approved { at: at(150) });
    let again = decision(2, Verdict::Approve, 151);
    let refused = approved.clone().decide(again, admin(2), &[user(1)]);
    assert_eq!(refused, Err(NotDecided::AlreadyDecided));
    let late = decision(3, Verdict::Reject, 151);
    let refused = approved.decide(late, admin(3), &[user(1)]);
    let state = StateKind::Approved;
    assert_eq!(refused, Err(NotDecided::NotPending { state }));

    let no = decision(2, Verdict::Reject, 150);
    let rejected = request().decide(no, admin(2), &[user(1)]).expect("decided");
    assert_eq!(rejected.state, RequestState::Rejected { at: at(150) });
}

#[test]
fn an_answer_comes_in_time_from_another_and_to_what_was_asked() {
    let refused = |decision, voter| request().decide(decision, voter, &[user(1)]).unwrap_err();
    let state = StateKind::Expired;
    let late = decision(2, Verdict::Approve, 200);
    assert_eq!(refused(late, admin(2)), NotDecided::NotPending { state });
    let own = decision(1, Verdict::Reject, 150);
    let excluded = NotDecided::WhyNot(WhyNot::Excluded);
    assert_eq!(refused(own, admin(1)), excluded);
    let other = Decision {
        digest: digest("another plan"),
        ..decision(2, Verdict::Approve, 150)
    };
    assert_eq!(refused(other, admin(2)), NotDecided::OtherDigest);
}

#[test]
fn what_was_agreed_to_is_looked_at_again() {
    let now = at(160);
    let excluded = [user(1)];
    let ask = |request: &ApprovalRequest, digest, voters: &[Voter], now| {
        enough(request, digest, voters, &excluded, now)
    };
    let approved = approved();
    let plan = digest("plan");
    assert_eq!(ask(&approved, plan, &[admin(2)], now), Ok(id(2)));
    assert_eq!(
        ask(&approved, digest("another plan"), &[admin(2)], now),
        Err(NotEnough::OtherDigest)
    );
    assert_eq!(
        ask(&approved, plan, &[admin(2)], at(200)),
        Err(NotEnough::Expired)
    );
    let changed = [
        (
            Voter {
                disabled: true,
                ..admin(2)
            },
            WhyNot::Disabled,
        ),
        (
            Voter {
                administers: false,
                ..admin(2)
            },
            WhyNot::NotEligible,
        ),
    ];
    for (voter, why) in changed {
        let answer = ask(&approved, plan, &[voter], now);
        assert_eq!(answer, Err(NotEnough::Nobody(why)));
    }
    let nobody = ask(&approved, plan, &[admin(3)], now);
    assert_eq!(nobody, Err(NotEnough::Nobody(WhyNot::NotEligible)));
    for state in StateKind::ALL {
        let request = ApprovalRequest {
            state: RequestState::new(state, at(150)),
            ..approved.clone()
        };
        let answer = ask(&request, plan, &[admin(2)], now);
        if state != StateKind::Approved {
            assert_eq!(answer, Err(NotEnough::NotApproved { state }));
        }
    }
}

#[test]
fn an_illegal_step_is_named() {
    for from in StateKind::ALL {
        for to in StateKind::ALL {
            let request = ApprovalRequest {
                state: RequestState::new(from, at(150)),
                ..request()
            };
            let became = request.become_state(to, at(160));
            assert_eq!(became.is_ok(), from.may_become(to), "{from} to {to}");
        }
    }
    let error = IllegalStep {
        from: StateKind::Rejected,
        to: StateKind::Approved,
    };
    assert_eq!(
        error.to_string(),
        "an approval request that is REJECTED can't become APPROVED"
    );
}

proptest! {
    /// Whatever is answered in whatever order: the first valid answer decides, and an approval is never the requester's.
    #[test]
    fn the_first_valid_answer_decides(
        answers in prop::collection::vec((1_u128..5, any::<bool>(), any::<bool>(), 100_i64..220), 0..8),
    ) {
        let mut request = request();
        let mut expected = StateKind::Pending;
        for (who, agrees, right, time) in answers {
            let answer = Decision {
                digest: digest(if right { "plan" } else { "another plan" }),
                ..decision(who, if agrees { Verdict::Approve } else { Verdict::Reject }, time)
            };
            let valid = expected == StateKind::Pending && who != 1 && right && time < 200;
            let decided = request.clone().decide(answer, admin(who), &[user(1)]);
            prop_assert_eq!(decided.is_ok(), valid);
            if let Ok(decided) = decided {
                expected = if agrees { StateKind::Approved } else { StateKind::Rejected };
                request = decided;
            }
            prop_assert_eq!(request.state.kind(), expected);
        }
        let made = request.decisions.iter().all(|decision| decision.principal != id(1));
        prop_assert!(made);
        let voters: Vec<_> = (1..5).map(admin).collect();
        let agreed = enough(&request, digest("plan"), &voters, &[user(1)], at(199));
        prop_assert_eq!(agreed.is_ok(), expected == StateKind::Approved);
    }
}
