//! What people may answer, and what comes of it.

use std::collections::BTreeSet;

use slipway_api::deployments::v1::DeploymentState as State;

use super::{
    Answer, Asking, Decision, Deployment, Fault, LeftOut, Model, Request, Rule, denied, failed,
    not_found,
};
use crate::sequences::operations::Looked;
use crate::sequences::world::{APPLICATIONS, PEOPLE, Person};

/// A rule, and who alone may count for it, where that is limited.
pub(super) type Asked<'a> = (Rule, Option<&'a BTreeSet<Person>>);

impl Deployment {
    pub(super) fn has_approval_of(&self, who: Person) -> bool {
        self.requests
            .last()
            .is_some_and(|request| request.voters().contains(&who))
    }

    /// Who had a part in it: whoever asked for it, and whoever made what it deploys.
    fn had_a_part(&self) -> BTreeSet<Person> {
        let versions = self
            .items
            .iter()
            .filter_map(|it| Some((it.application, it.after?)));
        let makers = versions.flat_map(|(application, at)| APPLICATIONS[application].makers[at]);
        makers.chain([self.requester]).collect()
    }

    pub(super) fn was_overridden(&self) -> bool {
        self.requests.iter().any(|it| it.overridden.is_some())
    }
}

impl Request {
    /// Who agreed, and has not taken that back.
    fn voters(&self) -> Vec<Person> {
        let counting = self.decisions.iter().filter(|made| made.counts);
        counting.map(|made| made.who).collect()
    }

    fn asked(&self) -> Vec<Asked<'_>> {
        let rules = self.rules.iter();
        rules
            .map(|(rule, asked)| (rule.clone(), Some(asked)))
            .collect()
    }
}

impl Model {
    /// Whether these people can be given to the rules so that each has as many as it needs, and nobody counts twice.
    pub(super) fn met(&self, rules: &[Asked<'_>], people: &[Person]) -> bool {
        let missing: Vec<_> = rules.iter().map(|(rule, _)| rule.required).collect();
        if self.wrongly(Fault::OnePersonCountsTwice) {
            let enough = |asked: &Asked<'_>| {
                people
                    .iter()
                    .filter(|who| self.may_count(**who, asked))
                    .count()
                    >= asked.0.required
            };
            return rules.iter().all(enough);
        }
        self.can_be_given(rules, &missing, people)
    }

    fn can_be_given(&self, rules: &[Asked<'_>], missing: &[usize], people: &[Person]) -> bool {
        if missing.iter().all(|so_many| *so_many == 0) {
            return true;
        }
        let Some((who, others)) = people.split_first() else {
            return false;
        };
        if self.can_be_given(rules, missing, others) {
            return true;
        }
        rules.iter().enumerate().any(|(at, asked)| {
            missing[at] > 0 && self.may_count(*who, asked) && {
                let mut missing = missing.to_vec();
                missing[at] -= 1;
                self.can_be_given(rules, &missing, others)
            }
        })
    }

    fn may_count(&self, who: Person, (rule, asked): &Asked<'_>) -> bool {
        let was_asked = asked.is_none_or(|asked| asked.contains(&who));
        if self.wrongly(Fault::DemotedStillCounts) && asked.is_some() {
            return was_asked;
        }
        was_asked && (rule.takes)(self.standing[&who])
    }

    /// The rules that a deployment has to meet by now.
    pub(super) fn demanded(&self, deployment: &Deployment) -> Vec<Rule> {
        let goes_back = self.goes_back(deployment);
        let brings_prompts = deployment
            .items
            .iter()
            .any(|it| !APPLICATIONS[it.application].is_service);
        let mut rules = self.rules(deployment.environment);
        rules.retain(|rule| {
            (!goes_back || rule.about_going_back) && (!rule.prompts_only || brings_prompts)
        });
        rules
    }

    /// Whether it only goes back to versions that people had approved for the environment before. What is taken away was not
    /// there after the deployment that it goes back to, and that people had to have approved.
    fn goes_back(&self, deployment: &Deployment) -> bool {
        let changed = || deployment.items.iter().filter(|it| it.changes());
        let removes = changed().any(|it| it.after.is_none());
        let was_left_so = deployment.back_to.is_some_and(|back_to| {
            let back_to = &self.deployments[back_to];
            back_to.approved && !back_to.was_overridden()
        });
        if deployment.undoes.is_none() || (removes && !was_left_so) {
            return false;
        }
        let was_approved = |application: usize, version: usize| {
            self.deployments.iter().any(|it| {
                let brought = it.items.iter().any(|item| {
                    item.application == application && item.after == Some(version) && item.changes()
                });
                it.environment == deployment.environment
                    && matches!(it.state, State::Succeeded | State::RolledBack)
                    && it.approved
                    && !it.was_overridden()
                    && brought
            })
        };
        let mut versions = changed().filter_map(|it| Some((it.application, it.after?)));
        versions.all(|(application, version)| was_approved(application, version))
    }

    /// A request that asks whoever can answer now.
    pub(super) fn ask(&self, rules: Vec<Rule>) -> Request {
        let rules = rules.into_iter().map(|rule| {
            let takes = |who: &&Person| (rule.takes)(self.standing[who]);
            let asked = PEOPLE.iter().filter(takes).copied().collect();
            (rule, asked)
        });
        Request {
            state: Asking::Pending,
            rules: rules.collect(),
            decisions: Vec::new(),
            overridden: None,
        }
    }

    fn is_met(&self, of: usize) -> bool {
        let deployment = &self.deployments[of];
        let Some(request) = deployment.requests.last() else {
            return true;
        };
        self.met(&request.asked(), &self.counting(deployment, request))
    }

    fn counting(&self, deployment: &Deployment, request: &Request) -> Vec<Person> {
        let excluded = deployment.had_a_part();
        let mut voters = request.voters();
        voters.retain(|who| !excluded.contains(who) || self.wrongly(Fault::SelfApprovalCounts));
        voters
    }

    /// Whether what people answered still lets a deployment begin: by what was asked, and by what would be asked now.
    pub(super) fn objects(&self, of: usize) -> bool {
        let deployment = &self.deployments[of];
        let demanded = self.demanded(deployment);
        let Some(request) = deployment.requests.last() else {
            return !demanded.is_empty();
        };
        if let Some(who) = request.overridden {
            return !self.administers(who);
        }
        let now: Vec<_> = demanded.into_iter().map(|rule| (rule, None)).collect();
        !self.is_met(of) || !self.met(&now, &self.counting(deployment, request))
    }

    /// The deployment, where it waits for an answer that this one may give.
    pub(super) fn answerable(
        &self,
        who: Person,
        of: Option<usize>,
        looked: Looked,
    ) -> Result<usize, Answer> {
        let of = Self::found(of)?;
        let deployment = &self.deployments[of];
        let Some(request) = deployment.requests.last() else {
            return not_found("APPROVAL_REQUEST_NOT_FOUND");
        };
        if request.decisions.iter().any(|made| made.who == who) {
            return failed("ALREADY_DECIDED");
        }
        if request.state != Asking::Pending {
            return failed("APPROVAL_NOT_PENDING");
        }
        if deployment.had_a_part().contains(&who) && !self.wrongly(Fault::SelfApprovalCounts) {
            return denied("SELF_APPROVAL");
        }
        if !request
            .asked()
            .iter()
            .any(|asked| self.may_count(who, asked))
        {
            return denied("APPROVER_NOT_ELIGIBLE");
        }
        self.is_looked_at(of, looked)?;
        Ok(of)
    }

    fn request(&mut self, of: usize) -> &mut Request {
        self.deployments[of].requests.last_mut().unwrap()
    }

    pub(super) fn approve(
        &mut self,
        who: Person,
        of: Option<usize>,
        looked: Looked,
    ) -> Result<Answer, LeftOut> {
        let of = match self.answerable(who, of, looked) {
            Ok(of) => of,
            Err(refusal) => return Ok(refusal),
        };
        self.request(of)
            .decisions
            .push(Decision { who, counts: true });
        let no_longer_asked = self.wrongly(Fault::LooserPolicyMeetsRequests)
            && self.demanded(&self.deployments[of]).is_empty();
        if !self.is_met(of) && !no_longer_asked {
            return Ok(self.told(of));
        }
        self.go_on(of)
    }

    pub(super) fn override_approval(
        &mut self,
        who: Person,
        of: Option<usize>,
        looked: Looked,
    ) -> Result<Answer, LeftOut> {
        let of = match self.overridable(who, of, looked) {
            Ok(of) => of,
            Err(refusal) => return Ok(refusal),
        };
        self.request(of).overridden = Some(who);
        self.go_on(of)
    }

    fn overridable(&self, who: Person, of: Option<usize>, looked: Looked) -> Result<usize, Answer> {
        self.must_administer(who)?;
        let of = Self::found(of)?;
        let Some(request) = self.deployments[of].requests.last() else {
            return not_found("APPROVAL_REQUEST_NOT_FOUND");
        };
        if request.state != Asking::Pending {
            return failed("APPROVAL_NOT_PENDING");
        }
        self.is_looked_at(of, looked)?;
        Ok(of)
    }

    /// A release waits for whoever executes it; a rollback begins at once.
    fn go_on(&mut self, of: usize) -> Result<Answer, LeftOut> {
        self.request(of).state = Asking::Approved;
        let deployment = &mut self.deployments[of];
        deployment.become_state(State::Approved);
        deployment.approved = true;
        if deployment.undoes.is_some() {
            // What does not begin now is tried again later.
            if self.objects(of) || self.has_changed(of) || self.brings_deprecated(of) {
                return Err(LeftOut);
            }
            self.carry_out(of);
        }
        Ok(self.told(of))
    }

    pub(super) fn reject(
        &mut self,
        who: Person,
        of: Option<usize>,
        looked: Looked,
    ) -> Result<Answer, Answer> {
        let of = self.answerable(who, of, looked)?;
        let request = self.request(of);
        request.decisions.push(Decision { who, counts: false });
        request.state = Asking::Over;
        self.deployments[of].become_state(State::Rejected);
        Ok(self.told(of))
    }

    pub(super) fn withdraw(&mut self, who: Person, of: Option<usize>) -> Result<Answer, Answer> {
        let of = Self::found(of)?;
        let deployment = &self.deployments[of];
        if deployment.requests.is_empty() {
            return not_found("APPROVAL_REQUEST_NOT_FOUND");
        }
        match deployment.state {
            State::PendingApproval | State::Approved => {}
            State::Rejected | State::Canceled => return failed("APPROVAL_NOT_PENDING"),
            _ => return failed("APPROVAL_USED"),
        }
        let mut decisions = self.request(of).decisions.iter_mut();
        match decisions.find(|made| made.who == who && made.counts) {
            Some(made) => made.counts = false,
            None => return failed("NOTHING_TO_WITHDRAW"),
        }
        let overridden = self.request(of).overridden.is_some();
        if self.deployments[of].state == State::Approved && !overridden && !self.is_met(of) {
            self.request(of).state = Asking::Pending;
            let deployment = &mut self.deployments[of];
            deployment.approved = false;
            deployment.become_state(State::PendingApproval);
        }
        Ok(self.told(of))
    }

    /// What was agreed to does not count any more: the deployment waits anew, for what it would do now, where somebody has
    /// to agree, or had to.
    pub(super) fn fall(&mut self, of: usize) {
        self.rebase(of);
        let mut rules = self.demanded(&self.deployments[of]);
        if rules.is_empty() && !self.deployments[of].approved {
            return;
        }
        if rules.is_empty() {
            let asked = self.deployments[of].requests.last();
            rules = asked.map_or(Vec::new(), |it| {
                it.rules.iter().map(|(rule, _)| rule.clone()).collect()
            });
        }
        let request = self.ask(rules);
        let deployment = &mut self.deployments[of];
        if let Some(last) = deployment.requests.last_mut() {
            last.state = Asking::Over;
        }
        deployment.requests.push(request);
        deployment.approved = false;
        deployment.become_state(State::PendingApproval);
    }

    pub(super) fn close(&mut self, of: usize) {
        if let Some(last) = self.deployments[of].requests.last_mut()
            && last.state == Asking::Pending
        {
            last.state = Asking::Over;
        }
    }
}
