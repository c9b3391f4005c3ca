//! What differs between two environments.

use std::cmp::Ordering;

use slipway_api::ledger::v1 as proto;
use slipway_application::ledger::{Comparison, Sides, compare_environments};
use slipway_kernel::Slug;
use slipway_ledger::Cell;

use super::cells::moment;
use crate::grpc::Api;
use crate::grpc::catalog::words::shown_application_kind;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn compare(
    api: &Api,
    session: &mut Session,
    message: proto::CompareEnvironmentsRequest,
) -> Result<proto::CompareEnvironmentsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let moment = moment(&mut fields, message.as_of_time, message.known_at_time);
    let left: Option<Slug> = fields.required("left_environment", &message.left_environment);
    let right: Option<Slug> = fields.required("right_environment", &message.right_environment);
    if left.is_some() && left == right {
        fields.refuse(
            "right_environment",
            "is the one on the left; name another environment",
        );
    }
    let comparison = fields.finish(|| {
        Some(Comparison {
            project: project?,
            left: left?,
            right: right?,
            moment,
            include_same: message.include_same,
        })
    })?;
    let list = List::of("CompareEnvironments", &comparison)?;
    let cursor = list.place(&message.page_token)?;
    let call = session.call("");
    let found =
        compare_environments(&api.context, &call, &comparison, cursor.as_ref(), size).await?;
    let page = found.page.map(shown);
    Ok(proto::CompareEnvironmentsResponse {
        differences: page.items,
        as_of_time: Some(show::time(found.as_of)),
        next_page_token: list.token(page.next)?,
    })
}

fn shown(sides: Sides) -> proto::ApplicationDifference {
    let cell = sides.any();
    let application = cell.application.to_string();
    let application_display_name = cell.application_name.clone();
    let kind = shown_application_kind(cell.application_kind);
    let (difference, left, right) = match sides {
        Sides::OnlyLeft(left) => (proto::Difference::OnlyInLeft, Some(left), None),
        Sides::OnlyRight(right) => (proto::Difference::OnlyInRight, None, Some(right)),
        Sides::Both { left, right, order } => {
            let difference = match order {
                Ordering::Less => proto::Difference::LeftOlder,
                Ordering::Equal => proto::Difference::Same,
                Ordering::Greater => proto::Difference::LeftNewer,
            };
            (difference, Some(left), Some(right))
        }
    };
    proto::ApplicationDifference {
        application,
        application_display_name,
        application_kind: kind.into(),
        difference: difference.into(),
        left: left.map(|cell| side(*cell)),
        right: right.map(|cell| side(*cell)),
    }
}

fn side(cell: Cell) -> proto::DeployedVersion {
    proto::DeployedVersion {
        version: cell.version.into(),
        deployed_time: Some(show::time(cell.deployed_at)),
        record_id: cell.record.to_string(),
    }
}
