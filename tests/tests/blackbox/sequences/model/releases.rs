//! What becomes of releases and rollbacks.

use std::collections::BTreeSet;

use slipway_api::deployments::v1::DeploymentState as State;
use tonic::Code;

use super::{
    Answer, Bound, Cells, Chosen, Deployment, Fault, LeftOut, Model, Record, Time, failed,
    not_found, number, refused,
};
use crate::sequences::operations::{Item, Looked, Release};
use crate::sequences::world::{APPLICATIONS, ENVIRONMENTS, Person, needs};

/// The deployment to go back to: whether one is named, and where there is one of that name, which.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) by_name: bool,
    pub(super) deployment: Option<usize>,
}

impl Deployment {
    pub(super) fn become_state(&mut self, state: State) {
        self.state = state;
        self.history.push(state);
    }

    /// The applications that it changed.
    fn wrote(&self) -> impl Iterator<Item = usize> {
        let changed = self
            .items
            .iter()
            .filter(|it| self.begun.is_some() && it.changes());
        changed.map(|it| it.application)
    }
}

impl Model {
    fn bound(&self, environment: usize, items: &[Chosen]) -> Bound {
        let cells = self.cells(environment);
        let mut base = Cells::new();
        let mut rests_on = |application: usize| {
            if let Some(version) = cells.get(&application) {
                base.insert(application, *version);
            }
        };
        for item in items {
            rests_on(item.application);
            if let Some(version) = item.after {
                needs(item.application, version).for_each(|need| rests_on(need.application));
            }
        }
        let mut items: Vec<_> = items.iter().map(|it| (it.application, it.after)).collect();
        items.sort_unstable();
        Bound {
            environment,
            items,
            base,
        }
    }

    /// What stands against a release.
    fn findings(&self, environment: usize, items: &[Item]) -> Vec<(Option<usize>, String)> {
        let cells = self.cells(environment);
        let mut found = Vec::new();
        let mut changes = false;
        for (at, item) in items.iter().enumerate() {
            let mut find = |reason: &str| found.push((Some(at), reason.to_owned()));
            let current = cells.get(&item.application).copied();
            changes |= current != item.version;
            if APPLICATIONS.get(item.application).is_none() {
                find("APPLICATION_NOT_FOUND");
                continue;
            }
            let Some(version) = item.version else {
                continue;
            };
            if version >= 3 {
                find("VERSION_NOT_FOUND");
                continue;
            }
            if self.deprecated.contains(&(item.application, version)) {
                find("VERSION_DEPRECATED");
            }
            // Versions stand in their order.
            if current.is_some_and(|current| version < current) && !item.allow_older {
                find("VERSION_GOES_BACK");
            }
            for need in needs(item.application, version) {
                let brought = items.iter().find(|it| it.application == need.application);
                let there = match brought {
                    Some(brought) => brought.version,
                    None => cells.get(&need.application).copied(),
                };
                match there {
                    None => find("DEPENDENCY_MISSING"),
                    Some(there) if !need.met_by.contains(&there) => find("DEPENDENCY_INCOMPATIBLE"),
                    Some(_) => {}
                }
            }
        }
        if !changes {
            found.push((None, "NOTHING_TO_DO".to_owned()));
        }
        found.sort();
        found
    }

    pub(super) fn create_release(
        &mut self,
        who: Person,
        release: &Release,
    ) -> Result<Answer, Answer> {
        self.must_write(who)?;
        let environment = release.environment;
        let keys: BTreeSet<_> = release.items.iter().map(|it| it.application).collect();
        if keys.len() < release.items.len() {
            return refused(Code::InvalidArgument, "INVALID_FIELD");
        }
        let kept_as = release
            .request_id
            .filter(|_| !release.validate_only)
            .map(|id| (who, id));
        if let Some((earlier, of)) = kept_as.and_then(|key| self.repeated.get(&key)) {
            return if earlier == release {
                Ok(self.told(*of))
            } else {
                refused(Code::InvalidArgument, "REQUEST_ID_REUSED")
            };
        }
        if ENVIRONMENTS.get(environment).is_none() {
            return not_found("ENVIRONMENT_NOT_FOUND");
        }
        let findings = self.findings(environment, &release.items);
        if !findings.is_empty() {
            return Err(Answer::Findings(findings));
        }
        self.must_be_let_ask(who, environment)?;
        let cells = self.cells(environment);
        let items = release.items.iter().map(|item| Chosen {
            application: item.application,
            before: cells.get(&item.application).copied(),
            after: item.version,
            allow_older: item.allow_older,
        });
        let deployment = self.asked_for(who, environment, items.collect());
        let state = deployment.state;
        if release.validate_only {
            return Ok(Answer::Deployment(0, state));
        }
        let of = self.deployments.len();
        self.deployments.push(deployment);
        if let Some(key) = kept_as {
            self.repeated.insert(key, (release.clone(), of));
        }
        Ok(self.told(of))
    }

    /// A deployment as it is when nobody has been asked yet.
    fn asked_for(&self, requester: Person, environment: usize, items: Vec<Chosen>) -> Deployment {
        let bound = self.bound(environment, &items);
        let deployment = Deployment {
            requester,
            environment,
            undoes: None,
            back_to: None,
            state: State::Approved,
            history: Vec::new(),
            items,
            first: bound.clone(),
            bound,
            requests: Vec::new(),
            approved: false,
            begun: None,
            left: Cells::new(),
            undone_by: None,
        };
        self.asking(deployment)
    }

    /// The deployment as it begins: it waits where somebody has to agree.
    fn asking(&self, mut deployment: Deployment) -> Deployment {
        let rules = self.demanded(&deployment);
        deployment.history.clear();
        deployment.requests.clear();
        if rules.is_empty() {
            deployment.become_state(State::Approved);
        } else {
            deployment.become_state(State::PendingApproval);
            deployment.requests.push(self.ask(rules));
        }
        deployment
    }

    pub(super) fn has_changed(&self, of: usize) -> bool {
        let deployment = &self.deployments[of];
        self.bound(deployment.environment, &deployment.items) != deployment.bound
    }

    pub(super) fn brings_deprecated(&self, of: usize) -> bool {
        let deprecated = |it: &Chosen| {
            let version = it.after.map(|version| (it.application, version));
            it.changes() && version.is_some_and(|version| self.deprecated.contains(&version))
        };
        self.deployments[of].items.iter().any(deprecated)
    }

    pub(super) fn rebase(&mut self, of: usize) {
        let deployment = &self.deployments[of];
        let cells = self.cells(deployment.environment);
        let bound = self.bound(deployment.environment, &deployment.items);
        let deployment = &mut self.deployments[of];
        deployment.bound = bound;
        for item in &mut deployment.items {
            item.before = cells.get(&item.application).copied();
        }
    }

    pub(super) fn execute(
        &mut self,
        who: Person,
        of: Option<usize>,
        looked: Looked,
    ) -> Result<Answer, LeftOut> {
        let of = match self.executable(who, of, looked) {
            Ok(of) => of,
            Err(refusal) => return Ok(refusal),
        };
        if self.objects(of) && !self.wrongly(Fault::ExecutesWithoutApproval) {
            self.fall(of);
            return Ok(failed("APPROVAL_FELL").unwrap_or_else(|refusal: Answer| refusal));
        }
        if self.has_changed(of) {
            if !self.wrongly(Fault::ApprovalSurvivesChange) {
                self.fall(of);
                return Ok(Answer::Refused(Code::Aborted, "PLAN_CHANGED".to_owned()));
            }
            self.rebase(of);
        }
        if self.brings_deprecated(of) {
            return Ok(Answer::Refused(
                Code::FailedPrecondition,
                "PLAN_HAS_PROBLEMS".to_owned(),
            ));
        }
        let deployment = &self.deployments[of];
        let items: Vec<_> = deployment
            .items
            .iter()
            .map(|it| Item {
                application: it.application,
                version: it.after,
                allow_older: it.allow_older,
            })
            .collect();
        let findings = self.findings(deployment.environment, &items);
        if findings.iter().any(|(item, _)| item.is_some()) {
            return Ok(Answer::Refused(
                Code::FailedPrecondition,
                "PLAN_HAS_PROBLEMS".to_owned(),
            ));
        }
        // Everything in it became current by other ways, which people agreed to once more.
        if !findings.is_empty() {
            return Err(LeftOut);
        }
        self.carry_out(of);
        Ok(self.told(of))
    }

    fn executable(&self, who: Person, of: Option<usize>, looked: Looked) -> Result<usize, Answer> {
        self.must_write(who)?;
        let of = Self::found(of)?;
        let deployment = &self.deployments[of];
        self.must_be_let_ask(who, deployment.environment)?;
        let waits = self.wrongly(Fault::ExecutesWithoutApproval)
            && deployment.state == State::PendingApproval;
        if deployment.state != State::Approved && !waits {
            return failed("DEPLOYMENT_NOT_EXECUTABLE");
        }
        self.is_looked_at(of, looked)?;
        Ok(of)
    }

    /// Everything that it chose becomes current at one moment.
    pub(super) fn carry_out(&mut self, of: usize) {
        let deployment = self.deployments[of].clone();
        for item in deployment.items.iter().filter(|it| it.changes()) {
            let Some(version) = item.after.or(item.before) else {
                continue;
            };
            self.records.push(Record {
                application: item.application,
                version,
                environment: deployment.environment,
                removed: item.after.is_none(),
                time: Time::WhenRecorded,
                reporter: deployment.requester,
                external_id: None,
                retracted: false,
                outside: false,
                deployment: Some(of),
            });
        }
        self.carried_out += 1;
        let (begun, left) = (self.carried_out, self.cells(deployment.environment));
        let carried_out = &mut self.deployments[of];
        carried_out.begun = Some(begun);
        carried_out.left = left;
        for state in [State::Queued, State::Running, State::Succeeded] {
            carried_out.become_state(state);
        }
        if let Some(undone) = deployment.undoes {
            self.deployments[undone].become_state(State::RolledBack);
            self.deployments[undone].undone_by = Some(of);
        }
    }

    pub(super) fn cancel(&mut self, who: Person, of: Option<usize>) -> Result<Answer, Answer> {
        self.must_write(who)?;
        let of = Self::found(of)?;
        match self.deployments[of].state {
            State::PendingApproval | State::Approved => {
                self.close(of);
                self.deployments[of].become_state(State::Canceled);
            }
            State::Canceled => {}
            _ => return failed("DEPLOYMENT_NOT_CANCELABLE"),
        }
        Ok(self.told(of))
    }

    pub(super) fn rollback(
        &mut self,
        who: Person,
        of: Option<usize>,
        back_to: Named,
    ) -> Result<Answer, Answer> {
        let rollback = self.reversible(who, of, back_to)?;
        let of = self.deployments.len();
        let state = rollback.state;
        self.deployments.push(rollback);
        if state == State::Approved {
            self.carry_out(of);
        }
        Ok(self.told(of))
    }

    /// The rollback, where nothing stands against it.
    fn reversible(
        &self,
        who: Person,
        of: Option<usize>,
        back_to: Named,
    ) -> Result<Deployment, Answer> {
        self.must_write(who)?;
        let of = Self::found(of)?;
        let undone = &self.deployments[of];
        let undoes = |it: &Deployment| {
            it.undoes == Some(of) && !matches!(it.state, State::Canceled | State::Rejected)
        };
        if self.deployments.iter().any(undoes) {
            return failed("UNDONE_ALREADY");
        }
        if undone.undoes.is_some() || undone.state != State::Succeeded {
            return failed("DEPLOYMENT_NOT_REVERSIBLE");
        }
        if self
            .deployments
            .iter()
            .any(|later| self.stands_on(later, undone))
        {
            return failed("LATER_DEPLOYMENTS");
        }
        let back_to = if back_to.by_name {
            Some(self.target(undone, back_to.deployment)?)
        } else {
            self.last_before(undone)
        };
        let cells = self.cells(undone.environment);
        let items = undone.items.iter().map(|it| Chosen {
            application: it.application,
            before: cells.get(&it.application).copied(),
            after: match back_to {
                Some(back_to) => self.deployments[back_to].left.get(&it.application).copied(),
                None => it.before,
            },
            allow_older: true,
        });
        let items: Vec<_> = items.collect();
        if !items.iter().any(Chosen::changes) {
            return failed("NOTHING_TO_DO");
        }
        self.must_be_let_ask(who, undone.environment)?;
        let rollback = Deployment {
            undoes: Some(of),
            back_to,
            ..self.asked_for(who, undone.environment, items)
        };
        Ok(self.asking(rollback))
    }

    /// Whether a deployment wrote later what another one chose. Both of a pair that undid each other count for nothing.
    fn stands_on(&self, later: &Deployment, undone: &Deployment) -> bool {
        let is_later = |it: &Deployment| it.begun > undone.begun;
        let of_a_pair = later
            .undoes
            .is_some_and(|it| self.deployments[it].begun >= undone.begun);
        later.environment == undone.environment
            && is_later(later)
            && later.state != State::RolledBack
            && !of_a_pair
            && later
                .wrote()
                .any(|it| undone.items.iter().any(|item| item.application == it))
    }

    fn target(&self, undone: &Deployment, named: Option<usize>) -> Result<usize, Answer> {
        let at = Self::found(named)?;
        let found = &self.deployments[at];
        let fits = found.environment == undone.environment
            && found.state == State::Succeeded
            && found.begun < undone.begun;
        if fits {
            Ok(at)
        } else {
            failed("NOT_A_ROLLBACK_TARGET")
        }
    }

    /// The last one that succeeded there before, and was not undone since.
    fn last_before(&self, undone: &Deployment) -> Option<usize> {
        let fits = |it: &&Deployment| {
            let earlier = it.begun < undone.begun || self.wrongly(Fault::RollbackGoesToTheLastOne);
            it.environment == undone.environment && it.state == State::Succeeded && earlier
        };
        let found = self
            .deployments
            .iter()
            .filter(fits)
            .max_by_key(|it| it.begun)?;
        self.deployments
            .iter()
            .position(|it| it.begun == found.begun)
    }

    /// What people call a deployment, where there is one.
    pub(in crate::sequences) fn named(deployment: Option<usize>) -> String {
        deployment.map_or(999, number).to_string()
    }
}
