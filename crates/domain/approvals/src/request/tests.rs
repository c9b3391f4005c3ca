use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    AtStart, NotDecided, NotEnough, NotOverridden, NotReviewed, NotWithdrawn, Person, Review, Rule,
    Source, Voter, VoterRole, WhyNot, overriding::Finding, stage_rule,
};

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
        roles: [VoterRole::Admin].into(),
        groups: BTreeSet::new(),
    }
}

fn admins() -> Vec<Voter> {
    (1..6).map(admin).collect()
}

fn digest(of: &str) -> Sha256 {
    Sha256::of_bytes(of.as_bytes())
}

fn asked(required: u8) -> Asked {
    let rule = Rule {
        required,
        ..stage_rule()
    };
    Asked::of(Source::Stage, rule, &admins())
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
        rules: vec![asked(1)],
        created_at: at(100),
        not_before: None,
        expires_at: at(200),
        state: RequestState::Pending,
        decisions: Vec::new(),
        overridden: None,
    }
}

fn of_two() -> ApprovalRequest {
    ApprovalRequest {
        rules: vec![asked(2)],
        ..request()
    }
}

fn decision(n: u128, verdict: Verdict, micros: i64) -> Decision {
    Decision {
        principal: id(n),
        person: id(n),
        verdict,
        rule: None,
        comment: Reason::default(),
        at: at(micros),
        digest: digest("plan"),
        withdrawn: None,
    }
}

fn yes(n: u128) -> Decision {
    decision(n, Verdict::Approve, 150)
}

fn take(request: ApprovalRequest, decision: Decision) -> Result<ApprovalRequest, NotDecided> {
    request.decide(decision, &admins(), &[user(1)])
}

fn approved() -> ApprovalRequest {
    take(request(), yes(2)).expect("decided")
}

fn withdrawal(n: u128) -> Withdrawal {
    Withdrawal {
        principal: id(n),
        at: at(160),
        reason: Reason::default(),
    }
}

fn overriding(n: u128) -> Override {
    Override {
        principal: id(n),
        person: id(n),
        at: at(150),
        reason: Reason::default(),
        digest: digest("plan"),
        review: None,
    }
}

/// Whether it may begin at the moment 160, asked of these voters, with these rules by then.
fn begins(request: &ApprovalRequest, voters: &[Voter], current: &[Rule]) -> Result<(), NotEnough> {
    request.enough(&AtStart {
        digest: digest("plan"),
        current,
        voters,
        excluded: &[user(1)],
        now: at(160),
    })
}

#[test]
fn one_answer_ends_a_request_of_one() {
    let approved = approved();
    assert_eq!(approved.state, RequestState::Approved { at: at(150) });
    let refused = take(approved.clone(), yes(2));
    assert_eq!(refused, Err(NotDecided::AlreadyDecided));
    let refused = take(approved, decision(3, Verdict::Reject, 151));
    let state = StateKind::Approved;
    assert_eq!(refused, Err(NotDecided::NotPending { state }));

    let rejected = take(request(), decision(2, Verdict::Reject, 150)).expect("decided");
    assert_eq!(rejected.state, RequestState::Rejected { at: at(150) });
}

#[test]
fn two_answers_end_a_request_of_two() {
    let half = take(of_two(), yes(2)).expect("decided");
    assert_eq!(half.state, RequestState::Pending);
    let machine = Decision {
        principal: id(20),
        ..yes(2)
    };
    let refused = take(half.clone(), machine);
    assert_eq!(refused, Err(NotDecided::AlreadyDecided));
    let whole = take(half.clone(), yes(3)).expect("decided");
    assert_eq!(whole.state.kind(), StateKind::Approved);
    let rejected = take(half, decision(3, Verdict::Reject, 150)).expect("decided");
    assert_eq!(rejected.state.kind(), StateKind::Rejected);
}

#[test]
fn an_answer_comes_in_time_from_another_and_to_what_was_asked() {
    let refused = |decision| take(request(), decision).unwrap_err();
    let state = StateKind::Expired;
    let late = decision(2, Verdict::Approve, 200);
    assert_eq!(refused(late), NotDecided::NotPending { state });
    let own = decision(1, Verdict::Reject, 150);
    assert_eq!(refused(own), NotDecided::WhyNot(WhyNot::Excluded));
    let other = Decision {
        digest: digest("another plan"),
        ..yes(2)
    };
    assert_eq!(refused(other), NotDecided::OtherDigest);
    let not_asked = NotDecided::WhyNot(WhyNot::NotEligible);
    // Who came after the request was opened.
    let mut later = admins();
    later.push(admin(9));
    let answer = request().decide(yes(9), &later, &[user(1)]);
    assert_eq!(answer, Err(not_asked.clone()));
    assert_eq!(refused(yes(9)), not_asked);
    let unknown = Decision {
        rule: Some(Slug::known("security")),
        ..yes(2)
    };
    let refused = refused(unknown);
    assert_eq!(refused, NotDecided::UnknownRule(Slug::known("security")));
}

#[test]
fn what_was_agreed_to_is_looked_at_again() {
    let approved = approved();
    assert_eq!(begins(&approved, &[admin(2)], &[]), Ok(()));
    let start = |digest, now| {
        approved.enough(&AtStart {
            digest,
            current: &[],
            voters: &admins(),
            excluded: &[user(1)],
            now,
        })
    };
    let other = start(digest("another plan"), at(160));
    assert_eq!(other, Err(NotEnough::OtherDigest));
    assert_eq!(start(digest("plan"), at(200)), Err(NotEnough::Expired));
    let rule = Slug::known("stage");
    let too_few = Err(NotEnough::TooFew { rule: rule.clone() });
    let disabled = Voter {
        disabled: true,
        ..admin(2)
    };
    let demoted = Voter {
        roles: [VoterRole::Developer].into(),
        ..admin(2)
    };
    for voters in [vec![disabled], vec![demoted], vec![admin(3)], vec![]] {
        assert_eq!(begins(&approved, &voters, &[]), too_few);
    }
    // Stricter rules win, looser ones don't.
    let two = [Rule {
        required: 2,
        ..stage_rule()
    }];
    let stricter = begins(&approved, &admins(), &two);
    assert_eq!(stricter, Err(NotEnough::Stricter { rule }));
    let half = ApprovalRequest {
        rules: vec![asked(2)],
        ..approved.clone()
    };
    assert_eq!(begins(&half, &admins(), &[stage_rule()]), too_few);
    for state in StateKind::ALL {
        let request = ApprovalRequest {
            state: RequestState::new(state, at(150)),
            ..approved.clone()
        };
        if state != StateKind::Approved {
            let answer = begins(&request, &admins(), &[]);
            assert_eq!(answer, Err(NotEnough::NotApproved { state }));
        }
    }
}

#[test]
fn an_approval_is_withdrawn_once_and_for_all() {
    let excluded = [user(1)];
    let back = approved()
        .withdraw(id(2), withdrawal(2), &admins(), &excluded)
        .expect("withdrawn");
    assert_eq!(back.state, RequestState::Pending);
    let again = back
        .clone()
        .withdraw(id(2), withdrawal(2), &admins(), &excluded);
    assert_eq!(again, Err(NotWithdrawn::Nothing));
    assert_eq!(take(back.clone(), yes(2)), Err(NotDecided::AlreadyDecided));
    let other = take(back, yes(3)).expect("decided");
    assert_eq!(other.state.kind(), StateKind::Approved);
    let rejected = take(request(), decision(2, Verdict::Reject, 150)).expect("decided");
    let state = StateKind::Rejected;
    let over = rejected.withdraw(id(2), withdrawal(2), &admins(), &excluded);
    assert_eq!(over, Err(NotWithdrawn::Over { state }));
}

#[test]
fn an_override_lets_it_pass_and_is_reviewed_by_somebody_else() {
    // Who asked for it may.
    let passed = of_two()
        .override_by(overriding(1), &admin(1))
        .expect("passed");
    assert_eq!(passed.state.kind(), StateKind::Approved);
    assert_eq!(begins(&passed, &[admin(1)], &[]), Ok(()));
    assert_eq!(begins(&passed, &[], &[]), Err(NotEnough::Override));
    let demoted = Voter {
        roles: [VoterRole::Approver].into(),
        ..admin(2)
    };
    let refused = of_two().override_by(overriding(2), &demoted);
    let why = NotOverridden::WhyNot(WhyNot::NotEligible);
    assert_eq!(refused, Err(why));
    let review = |n| Review {
        principal: id(n),
        person: id(n),
        finding: Finding::Justified,
        comment: Reason::default(),
        at: at(170),
    };
    let own = passed.clone().review(review(1), &[user(1)]);
    assert_eq!(own, Err(NotReviewed::OwnDoing));
    let reviewed = passed.review(review(3), &[user(1)]).expect("reviewed");
    let again = reviewed.review(review(4), &[user(1)]);
    assert_eq!(again, Err(NotReviewed::AlreadyReviewed));
    let nothing = approved().review(review(3), &[]);
    assert_eq!(nothing, Err(NotReviewed::NothingToReview));
}

#[test]
fn a_request_tells_who_can_still_answer() {
    let half = take(of_two(), yes(2)).expect("decided");
    let progress = half.progress(&admins(), &[user(1)]);
    assert_eq!(progress.tally.counted, [[id(2)]]);
    assert_eq!(progress.tally.missing, 1);
    assert_eq!(progress.can, [[id(3), id(4), id(5)]]);
    assert_eq!(progress.short, [0]);
    let alone = of_two().progress(&[admin(1), admin(2)], &[user(1)]);
    assert_eq!(alone.short, [1]);
    assert_eq!(alone.can, [[id(2)]]);
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
    /// Whatever is answered in whatever order: valid answers alone are taken, the first rejection or the second person ends
    /// it, and an approval is never the requester's.
    #[test]
    fn valid_answers_decide(
        answers in prop::collection::vec((1_u128..5, any::<bool>(), any::<bool>(), 100_i64..220), 0..8),
    ) {
        let mut request = of_two();
        let mut expected = StateKind::Pending;
        let mut agreed = BTreeSet::new();
        for (who, agrees, right, time) in answers {
            let answer = Decision {
                digest: digest(if right { "plan" } else { "another plan" }),
                ..decision(who, if agrees { Verdict::Approve } else { Verdict::Reject }, time)
            };
            let valid = expected == StateKind::Pending
                && who != 1
                && right
                && time < 200
                && !agreed.contains(&who);
            let decided = take(request.clone(), answer);
            prop_assert_eq!(decided.is_ok(), valid);
            if let Ok(decided) = decided {
                request = decided;
                if agrees {
                    agreed.insert(who);
                } else {
                    expected = StateKind::Rejected;
                }
                if agreed.len() == 2 {
                    expected = StateKind::Approved;
                }
            }
            prop_assert_eq!(request.state.kind(), expected);
        }
        let made = request.decisions.iter().all(|decision| decision.principal != id(1));
        prop_assert!(made);
        let begins = begins(&request, &admins(), &[stage_rule()]);
        prop_assert_eq!(begins.is_ok(), expected == StateKind::Approved);
    }
}
