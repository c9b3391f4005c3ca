//! What a release does and rests on, as things are at a moment: nobody else changes what is current before the unit of work
//! ends.

use std::collections::BTreeMap;

use slipway_catalog::Version;
use slipway_deployments::{
    Bound, BoundItem, Deployment, DeploymentKind, Item, Problem, Released, VersionRef,
    release::{
        ApplicationFacts, Draft, DraftItem, Factor, Facts, Wanted, against_current, assess,
        circumstances,
    },
};
use slipway_kernel::{
    Key, Requirements, RiskLevel, Sha256, StoreError, Tier, Timestamp, VersionId,
    digest::CanonicalError,
};
use slipway_ledger::CurrentVersion;
use slipway_store::UnitOfWork;

use super::{create::change_of, facts};

/// The versions that a release chose, and what is current of everything that it rests on.
pub(super) struct Base {
    versions: BTreeMap<VersionId, Version>,
    current: BTreeMap<Key, CurrentVersion>,
    latest: Option<Timestamp>,
}

impl Base {
    /// Two statements; what is current is held.
    pub(super) async fn hold(
        unit: &mut dyn UnitOfWork,
        deployment: &Deployment,
    ) -> Result<Self, StoreError> {
        let chosen = deployment.items.iter().filter_map(|item| {
            let released = item.released.as_ref()?;
            Some(released.after.as_ref()?.id)
        });
        let versions = unit.versions().with_ids(&chosen.collect()).await?;
        let keys = deployment.items.iter().map(|item| item.key.clone());
        let rested_on = facts::rested_on(keys.collect(), versions.iter());
        let held = unit
            .records()
            .hold_versions(deployment.target, &rested_on)
            .await?;
        Ok(Self {
            versions: versions.into_iter().map(|it| (it.id, it)).collect(),
            current: facts::by_key(held.versions),
            latest: held.latest,
        })
    }

    /// The moment at which a release is carried out that is carried out now: the clock of another server may have been ahead,
    /// and nothing becomes current that was deployed before what is.
    pub(super) fn moment(&self, now: Timestamp) -> Timestamp {
        self.latest.map_or(now, |latest| latest.max(now))
    }

    /// The digest of what people agree to.
    pub(super) fn digest(&self, deployment: &Deployment) -> Result<Sha256, CanonicalError> {
        let items = deployment.items.iter().filter_map(|item| {
            let version = self.chosen(item.released.as_ref()?);
            let bound = BoundItem {
                application: item.application?,
                version: version.map(|version| version.id),
                content: version.and_then(|version| version.digest),
            };
            Some((item.key.clone(), bound))
        });
        let base = self.current.iter();
        let bound = Bound {
            target: deployment.target,
            items: items.collect(),
            base: base.map(|(key, it)| (key.clone(), it.version)).collect(),
            workflows: deployment.workflows,
        };
        bound.digest()
    }

    /// What stands against carrying a release out by what is current. What goes back was there before.
    pub(super) fn objection(&self, deployment: &Deployment, tier: Tier) -> Option<Problem> {
        if deployment.kind == DeploymentKind::Rollback {
            return None;
        }
        let (draft, facts) = self.described(deployment, tier);
        let findings = against_current(&draft, &facts);
        let first = findings.errors().next()?;
        Some(Problem {
            reason: first.reason.as_str().to_owned(),
            message: format!(
                "{}; what stands in a release stays as it is: cancel it, and ask anew",
                first.message
            ),
        })
    }

    /// Lets a deployment say what it would do now: its digest, what its items take the place of, and how risky that is.
    pub(super) fn apply(
        &self,
        deployment: &mut Deployment,
        tier: Tier,
    ) -> Result<(), CanonicalError> {
        deployment.plan_digest = self.digest(deployment)?;
        let (draft, facts) = self.described(deployment, tier);
        for (item, drafted) in deployment.items.iter_mut().zip(&draft.items) {
            let Some(released) = &mut item.released else {
                continue;
            };
            released.before = self.current.get(&item.key).map(|it| VersionRef {
                id: it.version,
                identifier: it.identifier.clone(),
            });
            if let Some(given) = circumstances(&draft, drafted, &facts) {
                let assessment = assess(released.declared, given);
                released.risk = assessment.level;
                released.factors = assessment.factors;
            }
            // What is done to the engine stays as it was planned.
            if item.before.is_none() && item.after.is_none() {
                item.change = change_of(released);
            }
        }
        deployment.risk = riskiest(&deployment.items);
        Ok(())
    }

    fn chosen(&self, released: &Released) -> Option<&Version> {
        self.versions.get(&released.after.as_ref()?.id)
    }

    /// The release as it was asked for, and what matters of it that may be another thing than then.
    fn described(&self, deployment: &Deployment, tier: Tier) -> (Draft, Facts) {
        let mut draft = Draft::default();
        let mut applications = BTreeMap::new();
        for item in &deployment.items {
            let Some(released) = &item.released else {
                continue;
            };
            let wanted = released.after.as_ref().map(|it| it.identifier.clone());
            let known = self.chosen(released).map(|version| {
                // Whether a person made it was found out when the release was made.
                let by_nobody = |it: &_| matches!(it, Factor::NoAuthor);
                let known = !released.factors.iter().any(|it| by_nobody(&it.factor));
                facts::version_facts(version, known, None)
            });
            applications.insert(
                item.key.clone(),
                ApplicationFacts {
                    kind: released.kind,
                    archived: false,
                    versions: wanted.clone().zip(known).into_iter().collect(),
                },
            );
            draft.items.push(DraftItem {
                application: item.key.clone(),
                wanted: wanted.map_or(Wanted::Removal, Wanted::Version),
                message: released.message.clone(),
                declared: released.declared,
                allow_older: released.allow_older,
            });
        }
        let current = self.current.iter();
        let facts = Facts {
            tier,
            requirements: Requirements::default(),
            applications,
            current: current
                .map(|(key, it)| (key.clone(), facts::current_facts(it)))
                .collect(),
        };
        (draft, facts)
    }
}

/// A deployment is as risky as its riskiest item.
pub(super) fn riskiest(items: &[Item]) -> RiskLevel {
    let risks = items.iter().filter_map(|item| {
        let released = item.released.as_ref()?;
        Some(released.risk)
    });
    risks.max().unwrap_or(RiskLevel::Low)
}
