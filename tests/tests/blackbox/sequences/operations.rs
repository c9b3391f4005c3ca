//! What happens in a sequence, and how often what.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use super::world::{PEOPLE, Person, Standing, Terms};

/// How many operations a sequence has.
pub(super) const LENGTH: usize = 30;

/// With how many of them it begins.
const OPENING: usize = 8;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Record(Person, Report),
    Import(Person, Vec<Report>),
    Retract(Person, u8),
    Deprecate(Person, usize, usize),
    CreateRelease(Person, Release),
    Approve(Person, Pick, Looked),
    Reject(Person, Pick, Looked),
    Withdraw(Person, Pick),
    Override(Person, Pick, Looked),
    Execute(Person, Pick, Looked),
    Cancel(Person, Pick),
    Rollback(Person, Pick, Option<Pick>),
    SetPolicy(Person, usize, Terms),
    SetMembership(Person, Person, Standing),
    GetCurrentState(Person, usize, usize),
    ListRecords(Person, usize, bool),
    GetDeployment(Person, Pick),
}

/// What somebody reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Report {
    pub(super) application: usize,
    pub(super) version: usize,
    pub(super) environment: usize,
    pub(super) when: When,
    pub(super) removed: bool,
    pub(super) external_id: Option<u8>,
}

/// When that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum When {
    /// Without a time.
    Now,
    /// So many minutes into the hours before the sequence began: late, and the same again now and then.
    Before(u8),
    /// An hour ahead.
    Ahead,
}

/// A release to make.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Release {
    pub(super) environment: usize,
    pub(super) items: Vec<Item>,
    pub(super) validate_only: bool,
    pub(super) request_id: Option<u8>,
}

/// One of its items; without a version, a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Item {
    pub(super) application: usize,
    pub(super) version: Option<usize>,
    pub(super) allow_older: bool,
}

/// Which deployment is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// The last one that the call may be good for; else the last one.
    Fit,
    /// So many before the last one.
    Back(u8),
    /// One that is not there.
    Absent,
}

/// The digest that comes with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// The one that the deployment has.
    Now,
    /// The one that it had first.
    AtFirst,
    /// None that anything ever had.
    AtNothing,
}

impl Operation {
    /// The method that it calls.
    pub(super) const fn method(&self) -> &'static str {
        match self {
            Self::Record(..) => "RecordDeployment",
            Self::Import(..) => "ImportDeployments",
            Self::Retract(..) => "RetractDeploymentRecord",
            Self::Deprecate(..) => "DeprecateVersion",
            Self::CreateRelease(..) => "CreateRelease",
            Self::Approve(..) => "Approve",
            Self::Reject(..) => "Reject",
            Self::Withdraw(..) => "WithdrawApproval",
            Self::Override(..) => "OverrideApproval",
            Self::Execute(..) => "ExecuteDeployment",
            Self::Cancel(..) => "CancelDeployment",
            Self::Rollback(..) => "RollbackDeployment",
            Self::SetPolicy(..) => "SetPolicy",
            Self::SetMembership(..) => "SetMembership",
            Self::GetCurrentState(..) => "GetCurrentState",
            Self::ListRecords(..) => "ListDeploymentRecords",
            Self::GetDeployment(..) => "GetDeployment",
        }
    }
}

/// A whole sequence. At first there is little that could be granted, so it begins with what makes something.
pub(super) fn sequence() -> impl Strategy<Value = Vec<Operation>> {
    (vec(opening(), OPENING), vec(operation(), LENGTH - OPENING)).prop_map(
        |(mut opening, operations)| {
            opening.extend(operations);
            opening
        },
    )
}

fn opening() -> impl Strategy<Value = Operation> {
    prop_oneof![
        2 => (writer(), report()).prop_map(|(who, it)| Operation::Record(who, it)),
        2 => met_terms().prop_map(|it| Operation::SetPolicy(Person::Root, 1, it)),
        4 => (admin(), release()).prop_map(|(who, it)| Operation::CreateRelease(who, it)),
        3 => Just(Operation::Execute(Person::Ada, Pick::Fit, Looked::Now)),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (writer(), report()).prop_map(|(who, it)| Operation::Record(who, it)),
        2 => (writer(), vec(import_line(), 1..4)).prop_map(|(who, it)| Operation::Import(who, it)),
        4 => (admin(), any::<u8>()).prop_map(|(who, it)| Operation::Retract(who, it)),
        1 => (writer(), application(), version()).prop_map(|(who, a, v)| Operation::Deprecate(who, a, v)),
        14 => (asker(), release()).prop_map(|(who, it)| Operation::CreateRelease(who, it)),
        22 => (approver(), pick(), looked()).prop_map(|(who, of, at)| Operation::Approve(who, of, at)),
        2 => (approver(), pick(), looked()).prop_map(|(who, of, at)| Operation::Reject(who, of, at)),
        4 => (approver(), pick()).prop_map(|(who, of)| Operation::Withdraw(who, of)),
        3 => (admin(), pick(), looked()).prop_map(|(who, of, at)| Operation::Override(who, of, at)),
        18 => (admin(), pick(), looked()).prop_map(|(who, of, at)| Operation::Execute(who, of, at)),
        2 => (writer(), pick()).prop_map(|(who, of)| Operation::Cancel(who, of)),
        8 => (asker(), pick(), weighted(0.3, pick())).prop_map(|(who, of, to)| Operation::Rollback(who, of, to)),
        5 => (admin(), prop_oneof![2 => Just(0_usize), 4 => Just(1), 4 => Just(2), 1 => Just(3)], terms()).prop_map(|(who, at, it)| Operation::SetPolicy(who, at, it)),
        4 => membership(),
        2 => (anybody(), application(), environment())
            .prop_map(|(who, a, e)| Operation::GetCurrentState(who, a, e)),
        2 => (anybody(), application(), any::<bool>())
            .prop_map(|(who, a, all)| Operation::ListRecords(who, a, all)),
        2 => (anybody(), pick()).prop_map(|(who, of)| Operation::GetDeployment(who, of)),
    ]
}

fn anybody() -> impl Strategy<Value = Person> {
    prop::sample::select(PEOPLE.to_vec())
}

fn writer() -> impl Strategy<Value = Person> {
    prop_oneof![4 => Just(Person::Ada), 4 => Just(Person::Dev), 2 => Just(Person::Root), 1 => anybody()]
}

fn asker() -> impl Strategy<Value = Person> {
    prop_oneof![6 => Just(Person::Ada), 2 => Just(Person::Root), 2 => Just(Person::Dev), 1 => anybody()]
}

fn admin() -> impl Strategy<Value = Person> {
    prop_oneof![5 => Just(Person::Ada), 3 => Just(Person::Root), 1 => anybody()]
}

fn approver() -> impl Strategy<Value = Person> {
    prop_oneof![
        4 => Just(Person::Pia), 4 => Just(Person::Quin), 2 => Just(Person::Ada), 1 => Just(Person::Root), 1 => anybody(),
    ]
}

fn application() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 0..4_usize, 1 => Just(4)]
}

fn environment() -> impl Strategy<Value = usize> {
    prop_oneof![30 => 0..3_usize, 1 => Just(3)]
}

fn version() -> impl Strategy<Value = usize> {
    prop_oneof![40 => 0..3_usize, 1 => Just(3), 1 => Just(4)]
}

fn report() -> impl Strategy<Value = Report> {
    report_at(
        prop_oneof![6 => Just(When::Now), 6 => (0..4_u8).prop_map(When::Before), 1 => Just(When::Ahead)],
    )
}

fn import_line() -> impl Strategy<Value = Report> {
    report_at(prop_oneof![12 => (0..4_u8).prop_map(When::Before), 1 => Just(When::Ahead)])
}

fn report_at(when: impl Strategy<Value = When>) -> impl Strategy<Value = Report> {
    let external_id = weighted(0.3, 0..3_u8);
    (
        application(),
        version(),
        environment(),
        when,
        prop::bool::weighted(0.2),
        external_id,
    )
        .prop_map(
            |(application, version, environment, when, removed, external_id)| Report {
                application,
                version,
                environment,
                when,
                removed,
                external_id,
            },
        )
}

fn release() -> impl Strategy<Value = Release> {
    let environment = prop_oneof![7 => Just(0_usize), 12 => Just(1), 8 => Just(2), 1 => Just(3)];
    let request_id = weighted(0.15, 0..2_u8);
    let validate_only = prop::bool::weighted(0.1);
    let twice = prop::bool::weighted(0.05);
    (
        environment,
        vec(item(), 1..4),
        twice,
        validate_only,
        request_id,
    )
        .prop_map(
            |(environment, mut items, twice, validate_only, request_id)| {
                if !twice {
                    items.sort_by_key(|item| item.application);
                    items.dedup_by_key(|item| item.application);
                }
                Release {
                    environment,
                    items,
                    validate_only,
                    request_id,
                }
            },
        )
}

fn item() -> impl Strategy<Value = Item> {
    let application =
        prop_oneof![12 => Just(0_usize), 6 => Just(1), 9 => Just(2), 9 => Just(3), 1 => Just(4)];
    (
        application,
        weighted(0.85, version()),
        prop::bool::weighted(0.6),
    )
        .prop_map(|(application, version, allow_older)| Item {
            application,
            version,
            allow_older,
        })
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![30 => Just(Pick::Fit), 8 => (0..4_u8).prop_map(Pick::Back), 1 => Just(Pick::Absent)]
}

fn looked() -> impl Strategy<Value = Looked> {
    prop_oneof![20 => Just(Looked::Now), 2 => Just(Looked::AtFirst), 1 => Just(Looked::AtNothing)]
}

fn terms() -> impl Strategy<Value = Terms> {
    prop_oneof![6 => met_terms(), 3 => Just(Terms::Nothing), 1 => Just(Terms::Impossible)]
}

/// Terms that people can meet, as they are at first.
fn met_terms() -> impl Strategy<Value = Terms> {
    prop::sample::select(vec![
        Terms::OneApprover,
        Terms::TwoPeople,
        Terms::Strict,
        Terms::LeadForPrompts,
        Terms::PromptsOnly,
    ])
}

fn membership() -> impl Strategy<Value = Operation> {
    let whom = prop_oneof![3 => Just(Person::Pia), 3 => Just(Person::Quin), 2 => Just(Person::Ada), 2 => Just(Person::Dev)];
    let standing = prop_oneof![
        3 => Just(None),
        3 => Just(Some(Standing::Viewer)),
        2 => Just(Some(Standing::Admin)),
        3 => Just(Some(Standing::Approver)),
        1 => Just(Some(Standing::Developer)),
    ];
    (admin(), whom, standing).prop_map(|(who, whom, standing)| {
        Operation::SetMembership(who, whom, standing.unwrap_or(whom.standing()))
    })
}
