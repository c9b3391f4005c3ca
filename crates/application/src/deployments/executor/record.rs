//! What is where now: the catalog's versions and the ledger's records of everything that succeeded.

use std::collections::BTreeMap;

use slipway_audit::{Event, Fact, FactKind};
use slipway_catalog::{Application, Content, Version};
use slipway_deployments::{Change, Deployment, Item, ItemStatus};
use slipway_kernel::{
    ApplicationId, ApplicationKind, Attributes, Key, PersonId, RecordId, Revision, Sha256,
    StoreError, Timestamp, VersionId,
    text::{Description, DisplayName, Notes},
};
use slipway_ledger::{
    CellPlace, NewRecord, RecordKind,
    record::{ExternalId, Placed, Target, TargetNames},
};
use slipway_store::UnitOfWork;
use slipway_workflows::Workflow;

use crate::{
    CommandError, Context,
    deployments::{
        documents, environment,
        event::{CARRY_OUT, event},
    },
};

/// A version that an item brought or took away.
struct Moved<'a> {
    item: &'a Item,
    kind: RecordKind,
    version: Key,
    kept: Sha256,
    size: usize,
    external_id: ExternalId,
}

/// Writes the versions and records of all items that succeeded, and sets the items' applications.
pub(super) async fn write(
    context: &Context,
    deployment: &mut Deployment,
    unit: &mut dyn UnitOfWork,
) -> Result<(), CommandError> {
    let moved = moved(context, deployment).await?;
    if moved.is_empty() {
        return Ok(());
    }
    let now = context.clock.now();
    let target = environment(context, deployment.target).await?;
    let applications = applications(context, deployment, &moved, unit, now).await?;
    add_versions(context, deployment, &moved, &applications, unit, now).await?;
    let names: Vec<_> = moved
        .iter()
        .map(|moved| TargetNames {
            application: &moved.item.key,
            version: &moved.version,
            environment: &target.slug,
            deployed_by: None,
            reporter: deployment.requested_by,
            external_id: Some(&moved.external_id),
            reported_at: now,
            kind: moved.kind,
        })
        .collect();
    let targets = unit.records().targets(deployment.project, &names).await?;
    let mut records = Vec::with_capacity(moved.len());
    for (moved, found) in moved.iter().zip(targets) {
        if found.known.is_none() {
            let record = record(context, deployment, moved, &found, now)?;
            records.push((record, found.sequence, moved.item.key.clone()));
        }
    }
    let mut placed = Vec::with_capacity(records.len());
    let mut facts = Vec::with_capacity(records.len());
    for (record, sequence, application) in &records {
        facts.push(Fact {
            kind: FactKind::DeploymentRecord,
            record: record.id,
            digest: record.digest(*sequence)?,
        });
        placed.push(Placed {
            record,
            sequence: *sequence,
            cell: CellPlace {
                application: application.clone(),
                environment: target.slug.clone(),
            },
        });
    }
    if !placed.is_empty() {
        unit.records().add(&placed).await?;
        let after = Some(serde_json::json!({ "recorded": facts.len() }));
        let event = event(context, deployment, CARRY_OUT, (None, after), now);
        unit.audit().append(&Event { facts, ..event }).await?;
    }
    let positions: Vec<_> = moved.iter().map(|moved| moved.item.position).collect();
    let mut items = Vec::with_capacity(positions.len());
    for position in positions {
        let item = &mut deployment.items[position as usize];
        item.application = applications.get(&item.key).copied();
        items.push(item.clone());
    }
    unit.deployments()
        .update_items(deployment.id, &items)
        .await?;
    Ok(())
}

async fn moved<'d>(
    context: &Context,
    deployment: &'d Deployment,
) -> Result<Vec<Moved<'d>>, CommandError> {
    let mut moved = Vec::new();
    let succeeded = |item: &&Item| item.status == ItemStatus::Succeeded;
    for item in deployment.items.iter().filter(succeeded) {
        let (kind, digest) = match item.change {
            Change::Created | Change::Updated => (RecordKind::Deployed, item.after),
            Change::Deleted => (RecordKind::Removed, item.before),
            Change::Unchanged | Change::Skipped => continue,
        };
        let document = documents::read(context, digest)
            .await
            .map_err(|problem| StoreError::Fault(problem.message.into()))?;
        let (Some(kept), Some(document)) = (digest, document) else {
            continue;
        };
        moved.push(Moved {
            item,
            kind,
            version: version_of(&document)?,
            kept,
            size: document.to_pretty_json().len(),
            external_id: external_id(deployment, item)?,
        });
    }
    Ok(moved)
}

/// A workflow version's identifier: the first 12 hexadecimal digits of its document hash.
fn version_of(document: &Workflow) -> Result<Key, StoreError> {
    let hash = document.document_hash().to_string();
    hash[..12].parse().map_err(fault)
}

/// One record for each item of a deployment, however often it is written.
fn external_id(deployment: &Deployment, item: &Item) -> Result<ExternalId, StoreError> {
    format!("slipway:deployment:{}:{}", deployment.id, item.position)
        .parse()
        .map_err(fault)
}

fn fault(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Fault(Box::new(error))
}

/// The applications of the items, made where they are new.
async fn applications(
    context: &Context,
    deployment: &Deployment,
    moved: &[Moved<'_>],
    unit: &mut dyn UnitOfWork,
    now: Timestamp,
) -> Result<BTreeMap<Key, ApplicationId>, StoreError> {
    let new: Vec<_> = moved
        .iter()
        .map(|moved| Application {
            id: ApplicationId::new(&*context.ids),
            project: deployment.project,
            key: moved.item.key.clone(),
            kind: ApplicationKind::Workflow,
            display_name: display_name(&moved.item.name),
            description: Description::default(),
            created_at: now,
            archived_at: None,
            revision: Revision::FIRST,
        })
        .collect();
    unit.applications().insert(&new).await?;
    let mut applications = BTreeMap::new();
    for moved in moved {
        let key = &moved.item.key;
        let found = unit.applications().find(deployment.project, key).await?;
        applications.extend(found.map(|found| (key.clone(), found.id)));
    }
    Ok(applications)
}

/// A workflow's name as a display name, cut where it is too long.
fn display_name(name: &str) -> DisplayName {
    let mut cut = name.to_owned();
    while cut.len() > 200 {
        cut.pop();
    }
    cut.parse().unwrap_or_default()
}

async fn add_versions(
    context: &Context,
    deployment: &Deployment,
    moved: &[Moved<'_>],
    applications: &BTreeMap<Key, ApplicationId>,
    unit: &mut dyn UnitOfWork,
    now: Timestamp,
) -> Result<(), StoreError> {
    let versions = moved.iter().filter_map(|moved| {
        let small = moved.size <= slipway_catalog::version::MAX_CONTENT;
        let held = small.then(|| Content {
            size: moved.size as u64,
            media_type: "application/json".parse().unwrap_or_default(),
        });
        Some(Version {
            id: VersionId::new(&*context.ids),
            application: *applications.get(&moved.item.key)?,
            identifier: moved.version.clone(),
            digest: Some(moved.kept),
            content: held,
            dependencies: Vec::new(),
            attributes: Attributes::default(),
            notes: Notes::default(),
            author: deployment.requested_by,
            created_by: deployment.requested_by,
            created_at: now,
            deprecated: None,
        })
    });
    let versions: Vec<_> = versions.collect();
    // Those that are there already stay as they are.
    unit.versions().insert(&versions).await?;
    Ok(())
}

fn record(
    context: &Context,
    deployment: &Deployment,
    moved: &Moved<'_>,
    found: &Target,
    now: Timestamp,
) -> Result<NewRecord, StoreError> {
    let missing = |what: &str| {
        StoreError::Fault(format!("the {what} of `{}` is not there", moved.item.key).into())
    };
    Ok(NewRecord {
        id: RecordId::new(&*context.ids),
        project: deployment.project,
        application: found
            .application
            .as_ref()
            .ok_or_else(|| missing("application"))?
            .id,
        version: found.version.ok_or_else(|| missing("version"))?.id,
        environment: deployment.target,
        kind: moved.kind,
        deployed_at: now,
        reported_at: now,
        recorded_at: now,
        reporter: deployment.requested_by,
        deployed_by: Some(PersonId::from_uuid(deployment.requested_by.uuid())),
        risk: None,
        notes: Notes::default(),
        attributes: Attributes::default(),
        external_id: Some(moved.external_id.clone()),
        deployment: Some(deployment.id),
        outside_governance: false,
    })
}
