//! Brings what waits in the mirror to the repository elsewhere.

use slipway_kernel::Slug;
use slipway_snapshots::{CommitSha, Committed, GitError, GitStore as _};

use super::Mirrored;

/// The most commits that are brought to the other repository in one go.
const MAX_PUBLISHED: usize = 100;

impl Mirrored {
    /// Brings commits that wait in the mirror to the upstream, some at a time. Answers how many were brought. Fails where the
    /// upstream can't be reached or refuses; those that were brought before stay there.
    pub async fn publish(&self) -> Result<usize, GitError> {
        let mut published = 0;
        for environment in self.mirror.ahead().await? {
            published += self.publish_branch(&environment).await?;
        }
        Ok(published)
    }

    pub(super) async fn publish_branch(&self, environment: &Slug) -> Result<usize, GitError> {
        let _alone = self.publishing.lock().await;
        let tips = self.mirror.tips(environment).await?;
        let Some(tip) = tips.here.as_ref().filter(|_| tips.is_ahead()) else {
            return Ok(0);
        };
        let found = self.look(environment).await?;
        let waiting = self.mirror.waiting(tip, found.as_ref()).await?;
        let Some(waiting) = waiting else {
            return self.part(environment, tip, found.as_ref()).await;
        };
        let mut published = 0;
        for commit in waiting.into_iter().take(MAX_PUBLISHED) {
            let Some(made) = self.mirror.made_of(environment, &commit).await? else {
                return self.part(environment, tip, found.as_ref()).await;
            };
            let (Committed::New(sha) | Committed::Unchanged(sha)) =
                self.upstream.commit(&made.as_new()).await?;
            self.mirror.note(environment, Some(&sha)).await?;
            if sha != commit {
                return self.part(environment, tip, Some(&sha)).await;
            }
            published += 1;
        }
        if published == 0 {
            self.mirror.note(environment, found.as_ref()).await?;
        } else {
            tracing::info!(
                %environment, published, location = self.upstream.location(),
                "brought snapshots that waited here to the Git store"
            );
        }
        Ok(published)
    }

    /// The upstream went another way.
    async fn part(
        &self,
        environment: &Slug,
        tip: &CommitSha,
        found: Option<&CommitSha>,
    ) -> Result<usize, GitError> {
        self.mirror.let_go(environment, tip).await?;
        tracing::warn!(
            %environment,
            commit = %tip,
            "snapshots that were taken while {} could not be reached can't be added to its branch env/{environment}, which \
             is at {} now; they stay readable on this server alone. To keep them there too: git --git-dir {} push URL \
             {tip}:refs/heads/kept/{environment}-{tip}",
            self.upstream.location(),
            found.map_or("no commit", CommitSha::as_str),
            self.mirror.repository().location(),
        );
        Ok(0)
    }
}
