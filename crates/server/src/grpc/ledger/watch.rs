//! Following the current state.

use slipway_api::ledger::v1 as proto;
use slipway_api::ledger::v1::watch_current_state_response::Event;
use slipway_application::ledger::{Watch, WatchEvent};
use slipway_kernel::Slug;
use slipway_ledger::CellFilter;

use super::cells::shown;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::count;
use crate::grpc::stream::{Ended, Source};

pub(super) async fn start(
    session: &mut Session,
    message: proto::WatchCurrentStateRequest,
) -> Result<Watch, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let filter = CellFilter {
        application: fields.optional("application", &message.application),
        environment: fields.optional("environment", &message.environment),
        include_archived: false,
    };
    let project = fields.finish(|| project)?;
    Ok(Watch::start(session.context(), &session.call(""), &project, filter).await?)
}

impl Source for Watch {
    type Answer = proto::WatchCurrentStateResponse;

    async fn next(&mut self, session: &mut Session) -> Result<Option<Self::Answer>, Ended> {
        let event = match Watch::next(self).await.map_err(Refusal::from)? {
            WatchEvent::Filled(cell) => Event::State(shown(*cell, session.context().clock.now())),
            WatchEvent::SnapshotComplete { cells } => {
                Event::SnapshotComplete(proto::SnapshotComplete {
                    cell_count: count(cells),
                })
            }
            WatchEvent::Emptied(place) => Event::EmptiedCell(proto::EmptiedCell {
                application: place.application.into(),
                environment: place.environment.into(),
            }),
        };
        Ok(Some(proto::WatchCurrentStateResponse {
            event: Some(event),
        }))
    }
}
