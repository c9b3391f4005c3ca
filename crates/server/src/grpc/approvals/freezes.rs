//! Freeze windows, and what is let through.

use std::collections::BTreeSet;

use slipway_api::approvals::v1 as proto;
use slipway_application::freezes::{
    CreateFreezeWindow, DeleteFreezeWindow, ListFreezeWindows, NamedScope, Overridden,
    OverrideFreeze, UpdateFreezeWindow, create_freeze_window, delete_freeze_window,
    get_freeze_window, list_freeze_windows, override_freeze, update_freeze_window,
};
use slipway_approvals::freeze::MAX_WINDOWS;
use slipway_approvals::{FreezeAction, FreezePlace};
use slipway_kernel::{Page, Slug};

use super::schedules::{schedule, shown};
use super::words::action;
use crate::grpc::Api;
use crate::grpc::catalog::words::tier;
use crate::grpc::deployments::{named, shown as shown_deployment};
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Names};

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateFreezeWindowRequest,
) -> Result<proto::CreateFreezeWindowResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let slug = fields.required("slug", &message.slug);
    let scope = scope(&mut fields, message.scope);
    let schedule = schedule(&mut fields, message.schedule);
    let actions = actions(&mut fields, &message.actions);
    let reason = fields.required_text("reason", message.reason);
    let command = fields.finish(|| {
        Some(CreateFreezeWindow {
            project: project?,
            slug: slug?,
            scope: scope?,
            schedule: schedule?,
            actions,
            reason,
            suspended: message.suspended,
        })
    })?;
    let call = session.call(&message.request_id);
    let window = create_freeze_window(&api.context, &call, command).await?;
    Ok(proto::CreateFreezeWindowResponse {
        freeze_window: Some(shown(&api.context, window, &message.project).await?),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetFreezeWindowRequest,
) -> Result<proto::GetFreezeWindowResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let slug: Option<Slug> = fields.required("freeze_window", &message.freeze_window);
    let (project, slug) = fields.finish(|| Some((project?, slug?)))?;
    let window = get_freeze_window(&api.context, &session.call(""), &project, &slug).await?;
    Ok(proto::GetFreezeWindowResponse {
        freeze_window: Some(shown(&api.context, window, &message.project).await?),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListFreezeWindowsRequest,
) -> Result<proto::ListFreezeWindowsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let wanted = ListFreezeWindows {
        environment: fields.optional("environment", &message.environment),
        include_deleted: message.include_deleted,
    };
    let project = fields.finish(|| project)?;
    let list = List::of("ListFreezeWindows", &(&project, &wanted))?;
    let after: Option<FreezePlace> = list.place(&message.page_token)?;
    let call = session.call("");
    let page =
        list_freeze_windows(&api.context, &call, &project, wanted, after.as_ref(), size).await?;
    let mut windows = Vec::with_capacity(page.items.len());
    for window in page.items {
        let place = FreezePlace {
            slug: window.slug.clone(),
            id: window.id,
        };
        windows.push((place, shown(&api.context, window, &message.project).await?));
    }
    let page = Page {
        items: windows,
        next: page.next,
    };
    let place = |(place, _): &(FreezePlace, proto::FreezeWindow)| place.clone();
    let page = fitting(page, api.max_page_bytes, place, |(_, window)| window);
    Ok(proto::ListFreezeWindowsResponse {
        freeze_windows: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn update(
    api: &Api,
    session: &mut Session,
    message: proto::UpdateFreezeWindowRequest,
) -> Result<proto::UpdateFreezeWindowResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let window = fields.required("freeze_window", &message.freeze_window);
    let mask = fields.mask(
        message.update_mask,
        &["scope", "schedule", "actions", "reason", "suspended"],
    );
    let changes = |field: &str| mask.iter().any(|path| path == field);
    let scope = changes("scope")
        .then(|| scope(&mut fields, message.scope))
        .flatten();
    let schedule = changes("schedule")
        .then(|| schedule(&mut fields, message.schedule))
        .flatten();
    let actions = changes("actions").then(|| actions(&mut fields, &message.actions));
    let reason = changes("reason").then(|| fields.required_text("reason", message.reason));
    let suspended = changes("suspended").then_some(message.suspended);
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(UpdateFreezeWindow {
            project: project?,
            window: window?,
            scope,
            schedule,
            actions,
            reason,
            suspended,
            etag,
        })
    })?;
    let call = session.call(&message.request_id);
    let window = update_freeze_window(&api.context, &call, command).await?;
    Ok(proto::UpdateFreezeWindowResponse {
        freeze_window: Some(shown(&api.context, window, &message.project).await?),
    })
}

pub(super) async fn delete(
    api: &Api,
    session: &mut Session,
    message: proto::DeleteFreezeWindowRequest,
) -> Result<proto::DeleteFreezeWindowResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let window = fields.required("freeze_window", &message.freeze_window);
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(DeleteFreezeWindow {
            project: project?,
            window: window?,
            etag,
        })
    })?;
    let call = session.call(&message.request_id);
    let window = delete_freeze_window(&api.context, &call, command).await?;
    Ok(proto::DeleteFreezeWindowResponse {
        freeze_window: Some(shown(&api.context, window, &message.project).await?),
    })
}

pub(super) async fn let_through(
    api: &Api,
    session: &mut Session,
    message: proto::OverrideFreezeRequest,
) -> Result<proto::OverrideFreezeResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let plan_digest = fields.required("plan_digest", &message.plan_digest);
    let windows = windows(&mut fields, &message.freeze_windows);
    let reason = fields.required_text("reason", message.reason);
    let command = fields.finish(|| {
        Some(OverrideFreeze {
            project: project?,
            deployment: deployment?,
            plan_digest: plan_digest?,
            windows,
            reason,
        })
    })?;
    let call = session.call(&message.request_id);
    let Overridden {
        deployment,
        overrides,
    } = override_freeze(&api.context, &call, command).await?;
    let people = overrides.iter().map(|made| made.by).collect::<Vec<_>>();
    let names = Names(api.context.display_names(people).await?);
    let overrides = overrides.into_iter().map(|made| proto::FreezeOverride {
        deployment_id: made.deployment.to_string(),
        freeze_window_id: made.window.to_string(),
        freeze_window: made.slug.into(),
        overridden_by: Some(names.principal(made.by)),
        overridden_time: Some(show::time(made.at)),
        reason: made.reason.into(),
        plan_digest: made.digest.to_string(),
    });
    Ok(proto::OverrideFreezeResponse {
        overrides: overrides.collect(),
        deployment: Some(shown_deployment(&api.context, deployment, &message.project).await?),
    })
}

/// The windows that are overridden: at least one, and no more than a project has.
fn windows(fields: &mut Fields, slugs: &[String]) -> BTreeSet<Slug> {
    let most = usize::try_from(MAX_WINDOWS).unwrap_or(usize::MAX);
    if slugs.is_empty() || slugs.len() > most {
        let given = slugs.len();
        fields.refuse(
            "freeze_windows",
            format_args!("has {given} entries; name 1 to {MAX_WINDOWS} windows"),
        );
        return BTreeSet::new();
    }
    let named = slugs.iter().enumerate();
    let named =
        named.filter_map(|(at, slug)| fields.required(&format!("freeze_windows[{at}]"), slug));
    named.collect()
}

/// `None` where there is a fault.
fn scope(fields: &mut Fields, scope: Option<proto::FreezeScope>) -> Option<NamedScope> {
    use proto::freeze_scope::Scope;
    match scope.and_then(|scope| scope.scope) {
        None => Some(NamedScope::Project),
        Some(Scope::Tier(number)) => fields
            .required_choice("scope.tier", number, tier)
            .map(NamedScope::Tier),
        Some(Scope::Environment(slug)) => fields
            .required("scope.environment", &slug)
            .map(NamedScope::Environment),
    }
}

fn actions(fields: &mut Fields, numbers: &[i32]) -> BTreeSet<FreezeAction> {
    let given = numbers.iter().enumerate();
    let given = given.filter_map(|(at, number)| {
        fields.required_choice(&format!("actions[{at}]"), *number, action)
    });
    given.collect()
}
