//! What must happen: slow, obvious, and written from what the contract promises, not from how the server does it.

mod approvals;
mod ledger;
mod releases;

use std::collections::{BTreeMap, BTreeSet};

use slipway_api::deployments::v1::DeploymentState;
use tonic::Code;

use super::operations::{Looked, Operation, Pick, Release};
use super::world::{PEOPLE, PRODUCTION, Person, Standing, Terms};

/// What a call answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// Whether it was there already.
    Recorded(bool),
    /// How many lines were recorded, how many were there already, and which were refused with what reason.
    Imported(i32, i32, Vec<(i64, String)>),
    /// The number of a deployment, and its state.
    Deployment(i64, DeploymentState),
    /// The version in a cell.
    Cell(Option<String>),
    Counted(usize),
    Refused(Code, String),
    /// What stands against a release, by the places of its items.
    Findings(Vec<(Option<usize>, String)>),
}

fn refused<T>(code: Code, reason: &str) -> Result<T, Answer> {
    Err(Answer::Refused(code, reason.to_owned()))
}

fn not_found<T>(reason: &str) -> Result<T, Answer> {
    refused(Code::NotFound, reason)
}

fn failed<T>(reason: &str) -> Result<T, Answer> {
    refused(Code::FailedPrecondition, reason)
}

fn denied<T>(reason: &str) -> Result<T, Answer> {
    refused(Code::PermissionDenied, reason)
}

/// Why a call is not made: what would come of it depends on when the server looks again by itself.
#[derive(Debug)]
pub(super) struct LeftOut;

/// A rule of the model that is wrong on purpose: whoever compares must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    SelfApprovalCounts,
    LateReportMoves,
    ApprovalSurvivesChange,
    RetractionLeavesState,
    ExecutesWithoutApproval,
    DemotedStillCounts,
    OnePersonCountsTwice,
    ReportsGoAroundPolicies,
    RepeatedReportIsNew,
    RollbackGoesToTheLastOne,
    LooserPolicyMeetsRequests,
}

/// What is in the cells of an environment, by application.
pub(super) type Cells = BTreeMap<usize, usize>;

/// The whole world, as it must be.
#[derive(Debug, Clone)]
pub(super) struct Model {
    fault: Option<Fault>,
    pub(super) records: Vec<Record>,
    pub(super) deployments: Vec<Deployment>,
    deprecated: BTreeSet<(usize, usize)>,
    policies: BTreeMap<usize, Terms>,
    standing: BTreeMap<Person, Standing>,
    /// What calls with an id made, by who called.
    repeated: BTreeMap<(Person, u8), (Release, usize)>,
    /// How many deployments were carried out.
    carried_out: usize,
}

/// A record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) application: usize,
    pub(super) version: usize,
    pub(super) environment: usize,
    pub(super) removed: bool,
    pub(super) time: Time,
    pub(super) reporter: Person,
    pub(super) external_id: Option<u8>,
    pub(super) retracted: bool,
    pub(super) outside: bool,
    pub(super) deployment: Option<usize>,
}

/// When something was deployed: late reports are about hours that are over when the sequence begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Time {
    Before(u8),
    /// When it was recorded, so that the order of the records is that of the times.
    WhenRecorded,
}

/// A deployment.
#[derive(Debug, Clone)]
pub(super) struct Deployment {
    pub(super) requester: Person,
    pub(super) environment: usize,
    pub(super) undoes: Option<usize>,
    pub(super) back_to: Option<usize>,
    pub(super) state: DeploymentState,
    pub(super) history: Vec<DeploymentState>,
    items: Vec<Chosen>,
    /// What it does and rests on, when it was made and as it was last looked at.
    first: Bound,
    pub(super) bound: Bound,
    requests: Vec<Request>,
    /// Whether people agreed, or one overrode that.
    approved: bool,
    /// Its place among all that were carried out.
    begun: Option<usize>,
    /// What was current in the environment right after it.
    left: Cells,
    pub(super) undone_by: Option<usize>,
}

/// An application in a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chosen {
    application: usize,
    before: Option<usize>,
    after: Option<usize>,
    allow_older: bool,
}

impl Chosen {
    fn changes(&self) -> bool {
        self.before != self.after
    }
}

/// What people agree to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bound {
    environment: usize,
    items: Vec<(usize, Option<usize>)>,
    base: Cells,
}

/// A request for approval.
#[derive(Debug, Clone)]
struct Request {
    state: Asking,
    rules: Vec<(Rule, BTreeSet<Person>)>,
    decisions: Vec<Decision>,
    overridden: Option<Person>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    Pending,
    Approved,
    Over,
}

#[derive(Debug, Clone)]
struct Decision {
    who: Person,
    counts: bool,
}

/// How many people of which sort have to agree to what.
#[derive(Debug, Clone)]
struct Rule {
    required: usize,
    takes: fn(Standing) -> bool,
    prompts_only: bool,
    about_going_back: bool,
}

/// What a call is about, once the picks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct About {
    pub(super) deployment: Option<usize>,
    /// The deployment to go back to, where one is named.
    pub(super) back_to: Option<usize>,
    pub(super) record: Option<usize>,
}

impl Model {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            records: Vec::new(),
            deployments: Vec::new(),
            deprecated: BTreeSet::new(),
            policies: BTreeMap::new(),
            standing: PEOPLE.map(|person| (person, person.standing())).into(),
            repeated: BTreeMap::new(),
            carried_out: 0,
        }
    }

    fn wrongly(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// What a call is about.
    pub(super) fn about(&self, operation: &Operation) -> About {
        use DeploymentState::{Approved, PendingApproval, Succeeded};
        use Operation as Op;
        let in_state = |state| move |it: &Deployment| it.state == state;
        match operation {
            Op::Approve(who, pick, _) | Op::Reject(who, pick, _) => {
                let fits = |of: &usize| self.answerable(*who, Some(*of), Looked::Now).is_ok();
                match (0..self.deployments.len()).rfind(fits) {
                    Some(of) if *pick == Pick::Fit => About {
                        deployment: Some(of),
                        ..About::default()
                    },
                    _ => self.picked(*pick, in_state(PendingApproval)),
                }
            }
            Op::Override(_, pick, _) => self.picked(*pick, in_state(PendingApproval)),
            Op::Execute(_, pick, _) => self.picked(*pick, in_state(Approved)),
            Op::Withdraw(who, pick) => self.picked(*pick, |it| it.has_approval_of(*who)),
            Op::Cancel(_, pick) | Op::GetDeployment(_, pick) => self.picked(*pick, |_| true),
            Op::Rollback(_, pick, back_to) => {
                let releases = |it: &Deployment| it.undoes.is_none() && it.state == Succeeded;
                let undone = self.picked(*pick, releases).deployment;
                let environment = undone.map(|undone| self.deployments[undone].environment);
                let earlier = |it: &Deployment| {
                    it.state == Succeeded
                        && Some(it.environment) == environment
                        && it.begun < undone.and_then(|undone| self.deployments[undone].begun)
                };
                let back_to = back_to.map(|pick| self.picked(pick, earlier));
                About {
                    deployment: undone,
                    back_to: back_to.and_then(|about| about.deployment),
                    record: None,
                }
            }
            Op::Retract(_, at) => About {
                record: match *at {
                    0..240 => usize::from(*at).checked_rem(self.records.len()),
                    _ => None,
                },
                ..About::default()
            },
            _ => About::default(),
        }
    }

    fn picked(&self, pick: Pick, fits: impl Fn(&Deployment) -> bool) -> About {
        let last = self.deployments.len().checked_sub(1);
        let deployment = match pick {
            Pick::Fit => self.deployments.iter().rposition(fits).or(last),
            Pick::Back(so_many) => last.map(|last| last.saturating_sub(usize::from(so_many))),
            Pick::Absent => None,
        };
        About {
            deployment,
            ..About::default()
        }
    }

    /// What a call must answer; afterwards the model is as the world must be.
    pub(super) fn call(&mut self, op: &Operation, about: About) -> Result<Answer, LeftOut> {
        use Operation as Op;
        let of = about.deployment;
        let answer = match op {
            Op::Record(who, report) => self.record(*who, report),
            Op::Import(who, reports) => self.import(*who, reports),
            Op::Retract(who, _) => self.retract(*who, about.record),
            Op::Deprecate(who, application, version) => {
                self.deprecate(*who, *application, *version)
            }
            Op::CreateRelease(who, release) => self.create_release(*who, release),
            Op::Approve(who, _, looked) => return self.approve(*who, of, *looked),
            Op::Reject(who, _, looked) => self.reject(*who, of, *looked),
            Op::Withdraw(who, _) => self.withdraw(*who, of),
            Op::Override(who, _, looked) => return self.override_approval(*who, of, *looked),
            Op::Execute(who, _, looked) => return self.execute(*who, of, *looked),
            Op::Cancel(who, _) => self.cancel(*who, of),
            Op::Rollback(who, _, back_to) => {
                let back_to = releases::Named {
                    by_name: back_to.is_some(),
                    deployment: about.back_to,
                };
                self.rollback(*who, of, back_to)
            }
            Op::SetPolicy(who, environment, terms) => self.set_policy(*who, *environment, *terms),
            Op::SetMembership(who, whom, standing) => self.set_membership(*who, *whom, *standing),
            Op::GetCurrentState(_, application, environment) => {
                self.get_current_state(*application, *environment)
            }
            Op::ListRecords(_, application, all) => self.list_records(*application, *all),
            Op::GetDeployment(..) => Self::found(of).map(|of| self.told(of)),
        };
        Ok(answer.unwrap_or_else(|refusal| refusal))
    }

    fn told(&self, of: usize) -> Answer {
        Answer::Deployment(number(of), self.deployments[of].state)
    }

    fn found(deployment: Option<usize>) -> Result<usize, Answer> {
        deployment.map_or_else(|| not_found("DEPLOYMENT_NOT_FOUND"), Ok)
    }

    fn administers(&self, who: Person) -> bool {
        matches!(self.standing[&who], Standing::TenantAdmin | Standing::Admin)
    }

    fn must_administer(&self, who: Person) -> Result<(), Answer> {
        if self.administers(who) {
            Ok(())
        } else {
            denied("PERMISSION_MISSING")
        }
    }

    fn must_write(&self, who: Person) -> Result<(), Answer> {
        if self.administers(who) || self.standing[&who] == Standing::Developer {
            Ok(())
        } else {
            denied("PERMISSION_MISSING")
        }
    }

    /// The rules of an environment.
    fn rules(&self, environment: usize) -> Vec<Rule> {
        let mut rules = self
            .policies
            .get(&environment)
            .map_or(Vec::new(), |terms| rules_of(*terms));
        if environment == PRODUCTION {
            rules.push(Rule {
                required: 2,
                takes: |it| !matches!(it, Standing::Developer | Standing::Viewer),
                prompts_only: false,
                about_going_back: false,
            });
        }
        rules
    }

    fn governed(&self, environment: usize) -> bool {
        !self.rules(environment).is_empty()
    }

    fn must_be_let_ask(&self, who: Person, environment: usize) -> Result<(), Answer> {
        let terms = self.policies.get(&environment);
        let developers = matches!(terms, Some(Terms::OneApprover | Terms::TwoPeople));
        let lets = !self.governed(environment)
            || self.administers(who)
            || developers && self.standing[&who] == Standing::Developer;
        if lets {
            Ok(())
        } else {
            denied("REQUESTER_NOT_ELIGIBLE")
        }
    }

    fn set_policy(
        &mut self,
        who: Person,
        environment: usize,
        terms: Terms,
    ) -> Result<Answer, Answer> {
        self.must_administer(who)?;
        if super::world::ENVIRONMENTS.get(environment).is_none() {
            return not_found("ENVIRONMENT_NOT_FOUND");
        }
        let rules: Vec<_> = rules_of(terms)
            .into_iter()
            .map(|rule| (rule, None))
            .collect();
        if !self.met(&rules, &PEOPLE) {
            return failed("POLICY_UNSATISFIABLE");
        }
        self.policies.insert(environment, terms);
        Ok(Answer::Done)
    }

    fn set_membership(
        &mut self,
        who: Person,
        whom: Person,
        standing: Standing,
    ) -> Result<Answer, Answer> {
        self.must_administer(who)?;
        self.standing.insert(whom, standing);
        Ok(Answer::Done)
    }

    fn is_looked_at(&self, of: usize, looked: Looked) -> Result<(), Answer> {
        let deployment = &self.deployments[of];
        let same = match looked {
            Looked::Now => true,
            Looked::AtFirst => deployment.first == deployment.bound,
            Looked::AtNothing => false,
        };
        if same {
            Ok(())
        } else {
            refused(Code::Aborted, "PLAN_CHANGED")
        }
    }
}

/// What people call the deployment of this place.
pub(super) fn number(of: usize) -> i64 {
    i64::try_from(of).unwrap() + 1
}

fn rules_of(terms: Terms) -> Vec<Rule> {
    let approvers = Rule {
        required: 1,
        takes: |it| it == Standing::Approver,
        prompts_only: false,
        about_going_back: false,
    };
    // Every approver of this world is a technical lead, and nobody else is.
    let lead = Rule {
        prompts_only: true,
        ..approvers.clone()
    };
    match terms {
        Terms::Nothing => Vec::new(),
        Terms::OneApprover => vec![approvers],
        Terms::TwoPeople => vec![Rule {
            required: 2,
            takes: |it| !matches!(it, Standing::Developer | Standing::Viewer),
            ..approvers
        }],
        Terms::Strict => vec![Rule {
            takes: |it| matches!(it, Standing::Admin | Standing::TenantAdmin),
            about_going_back: true,
            ..approvers
        }],
        Terms::LeadForPrompts => vec![approvers, lead],
        Terms::PromptsOnly => vec![lead],
        Terms::Impossible => vec![Rule {
            required: 3,
            ..approvers
        }],
    }
}
