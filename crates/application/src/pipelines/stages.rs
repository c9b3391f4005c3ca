use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use slipway_deployments::{Gates, MAX_STAGES, Stage};
use slipway_kernel::{EnvironmentId, ProjectId, Slug};

use super::PipelineError;
use crate::change::Change;

/// A stage whose environments are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedStage {
    /// Where workflows come from.
    pub source: Slug,
    /// Where they go.
    pub target: Slug,
    /// What has to hold, and how it is done.
    pub gates: Gates,
}

/// The stages of a pipeline: 1 to [`MAX_STAGES`], each between two environments, and no two with the same target, by
/// which a promotion names its stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stages(Vec<NamedStage>);

/// What is wrong with a list of stages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StageFault {
    /// There is none.
    #[error("is required; give 1 to {MAX_STAGES} stages")]
    None,
    /// There are too many.
    #[error("has {count} stages; at most {MAX_STAGES} are allowed")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A stage leads to where it begins.
    #[error("is `{environment}` like the source; name another environment")]
    Circle {
        /// Which stage, from 0.
        stage: usize,
        /// The environment.
        environment: Slug,
    },
    /// Two stages lead to the same environment.
    #[error("is `{target}` like the target of stage {first}; name each target once")]
    SameTarget {
        /// Which stage, from 0.
        stage: usize,
        /// The stage before it, from 0.
        first: usize,
        /// The environment.
        target: Slug,
    },
}

impl Stages {
    /// These stages, or all that is wrong with them.
    pub fn new(stages: Vec<NamedStage>) -> Result<Self, Vec<StageFault>> {
        let count = stages.len();
        if count == 0 {
            return Err(vec![StageFault::None]);
        }
        if count > MAX_STAGES {
            return Err(vec![StageFault::TooMany { count }]);
        }
        let mut faults = Vec::new();
        let mut targets = BTreeMap::new();
        for (number, stage) in stages.iter().enumerate() {
            if stage.source == stage.target {
                faults.push(StageFault::Circle {
                    stage: number,
                    environment: stage.target.clone(),
                });
            }
            if let Some(first) = targets.get(&stage.target) {
                faults.push(StageFault::SameTarget {
                    stage: number,
                    first: *first,
                    target: stage.target.clone(),
                });
            } else {
                targets.insert(&stage.target, number);
            }
        }
        if faults.is_empty() {
            Ok(Self(stages))
        } else {
            Err(faults)
        }
    }

    /// The stages by their environments' ids. The environments are held until the change ends, in the order of their
    /// slugs, so that two changes never wait for each other.
    pub(super) async fn resolve(
        &self,
        change: &mut Change<'_>,
        project: ProjectId,
    ) -> Result<Vec<Stage>, PipelineError> {
        let slugs: BTreeSet<&Slug> = self
            .0
            .iter()
            .flat_map(|stage| [&stage.source, &stage.target])
            .collect();
        let mut ids: BTreeMap<&Slug, EnvironmentId> = BTreeMap::new();
        for slug in slugs {
            let found = change.unit.environments().find(project, slug).await?;
            let found =
                found.ok_or_else(|| PipelineError::EnvironmentNotFound { slug: slug.clone() })?;
            if found.archived_at.is_some() {
                return Err(PipelineError::EnvironmentArchived { slug: slug.clone() });
            }
            ids.insert(slug, found.id);
        }
        let resolved = self.0.iter().map(|stage| Stage {
            source: ids[&stage.source],
            target: ids[&stage.target],
            gates: stage.gates,
        });
        Ok(resolved.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(source: &str, target: &str) -> NamedStage {
        NamedStage {
            source: source.parse().expect("a slug"),
            target: target.parse().expect("a slug"),
            gates: Gates::default(),
        }
    }

    #[test]
    fn targets_differ_from_sources_and_from_each_other() {
        let good = [
            stage("dev", "staging"),
            stage("staging", "prod-a"),
            stage("staging", "prod-b"),
        ];
        assert!(Stages::new(good.to_vec()).is_ok());

        let bad = vec![
            stage("dev", "prod"),
            stage("dev", "dev"),
            stage("staging", "prod"),
        ];
        let told: Vec<_> = Stages::new(bad)
            .expect_err("faulty")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "is `dev` like the source; name another environment",
                "is `prod` like the target of stage 0; name each target once"
            ]
        );
    }

    #[test]
    fn their_number_has_bounds() {
        assert_eq!(Stages::new(Vec::new()), Err(vec![StageFault::None]));
        let many = |count: usize| -> Vec<_> {
            (0..count)
                .map(|number| stage("dev", &format!("e{number}")))
                .collect()
        };
        assert!(Stages::new(many(MAX_STAGES)).is_ok());
        assert_eq!(
            Stages::new(many(MAX_STAGES + 1)),
            Err(vec![StageFault::TooMany {
                count: MAX_STAGES + 1
            }])
        );
    }
}
