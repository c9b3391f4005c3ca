//! Following a deployment.

use std::collections::VecDeque;

use prost::Message;
use slipway_api::deployments::v1 as proto;
use slipway_application::deployments::{DeploymentWatch, WatchDeploymentError, Watched};
use slipway_deployments::DeploymentPulse;
use slipway_kernel::Slug;

use super::promotions::named;
use super::shown::shown;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::stream::{Ended, Source};

/// A watch, and what of its last news has not been sent yet.
pub(super) struct Following {
    watch: DeploymentWatch,
    project: Slug,
    waiting: VecDeque<proto::WatchDeploymentResponse>,
    max_bytes: usize,
}

pub(super) async fn start(
    api: &Api,
    session: &mut Session,
    message: proto::WatchDeploymentRequest,
) -> Result<Following, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let name = named(&mut fields, &message.deployment);
    let (project, name) = fields.finish(|| Some((project?, name?)))?;
    let call = session.call("");
    let watch = DeploymentWatch::start(session.context(), &call, &project, name).await?;
    Ok(Following {
        watch,
        project,
        waiting: VecDeque::new(),
        max_bytes: api.max_page_bytes,
    })
}

impl Source for Following {
    type Answer = proto::WatchDeploymentResponse;

    async fn next(&mut self, session: &mut Session) -> Result<Option<Self::Answer>, Ended> {
        if self.waiting.is_empty()
            && let Some(news) = self.watch.next().await.map_err(refusal)?
        {
            let Watched {
                deployment,
                changed,
                pulse,
            } = news;
            let deployment = shown(session.context(), deployment, self.project.as_str());
            let mut deployment = deployment.await.map_err(Refusal::from)?;
            let mut items: Vec<_> = std::mem::take(&mut deployment.items)
                .into_iter()
                .map(Some)
                .collect();
            let changed = changed
                .into_iter()
                .filter_map(|position| items.get_mut(position as usize)?.take());
            self.waiting = told(&deployment, changed, shown_pulse(pulse), self.max_bytes);
        }
        Ok(self.waiting.pop_front())
    }
}

/// As many messages as the items take.
fn told(
    deployment: &proto::Deployment,
    items: impl Iterator<Item = proto::DeploymentItem>,
    progress: proto::DeploymentProgress,
    max_bytes: usize,
) -> VecDeque<proto::WatchDeploymentResponse> {
    let message = || proto::WatchDeploymentResponse {
        deployment: Some(deployment.clone()),
        changed_items: Vec::new(),
        progress: Some(progress),
    };
    let overhead = message().encoded_len();
    let (mut messages, mut last, mut size) = (VecDeque::new(), message(), overhead);
    for item in items {
        // With its tag and length.
        let more = item.encoded_len() + 8;
        if size + more > max_bytes && !last.changed_items.is_empty() {
            messages.push_back(std::mem::replace(&mut last, message()));
            size = overhead;
        }
        size += more;
        last.changed_items.push(item);
    }
    messages.push_back(last);
    messages
}

fn shown_pulse(pulse: DeploymentPulse) -> proto::DeploymentProgress {
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    proto::DeploymentProgress {
        step_count: count(pulse.steps),
        over_count: count(pulse.over),
        under_way_count: count(pulse.under_way),
        undone_count: count(pulse.undone),
    }
}

fn refusal(error: WatchDeploymentError) -> Refusal {
    match error {
        WatchDeploymentError::Authentication(error) => error.into(),
        WatchDeploymentError::Deployment(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_are_too_long_for_one_message_go_into_several() {
        let item = |position| proto::DeploymentItem {
            position,
            display_name: "x".repeat(100),
            ..Default::default()
        };
        let deployment = proto::Deployment::default();
        let progress = proto::DeploymentProgress::default();
        for (count, messages) in [(0, 1), (3, 1), (4, 2), (7, 3)] {
            let told = told(&deployment, (0..count).map(item), progress, 350);
            assert_eq!(told.len(), messages, "{count} items");
            let positions = told.iter().flat_map(|message| &message.changed_items);
            assert!(positions.map(|item| item.position).eq(0..count));
        }
        let told = told(&deployment, (0..2).map(item), progress, 1);
        assert_eq!(told.len(), 2, "one that is too long goes alone");
    }
}
