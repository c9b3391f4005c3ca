use std::collections::{HashMap, HashSet};

use slipway_approvals::FreezeOverride;
use slipway_audit::report::{
    Bounds, DeploymentFacts, MAX_DEPLOYMENTS, MAX_ITEMS, MAX_RECORDS, Report, ReportedDeployment,
    StandingPolicy, unasked,
};
use slipway_catalog::Environment;
use slipway_identity::Command;
use slipway_kernel::{
    Attributes, DeploymentId, EnvironmentId, PageSize, PrincipalId, ProjectId, Slug, StoreError,
    Tier, Timestamp,
};
use slipway_ledger::{Record, RecordFilter};
use slipway_store::Reader;

use super::AuditError;
use crate::{Call, Context, error::dangling};

/// What to report about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportQuestion {
    /// The project.
    pub project: Slug,
    /// The beginning.
    pub from: Timestamp,
    /// The end, which is not part of it.
    pub to: Timestamp,
    /// One environment only.
    pub environment: Option<Slug>,
}

/// A report, and when it was made.
#[derive(Debug)]
pub struct ComplianceReport {
    /// The report.
    pub report: Report,
    /// When it was made.
    pub generated_at: Timestamp,
}

/// Everything that changed the environments of a project in a period, and who agreed to it, as the database has it at one
/// moment.
pub async fn compliance_report(
    context: &Context,
    call: &Call<'_>,
    question: ReportQuestion,
) -> Result<ComplianceReport, AuditError> {
    let project = context
        .authorise_in(call, Command::GetComplianceReport, &question.project)
        .await?;
    let moment = context.store.snapshot().await?;
    let reader = moment.as_ref();
    let environments = environments(reader, project).await?;
    let environment = match question.environment {
        None => None,
        Some(slug) => match environments.iter().find(|known| known.slug == slug) {
            Some(known) => Some((known.id, slug)),
            None => return Err(AuditError::EnvironmentNotFound { slug }),
        },
    };
    let bounds = Bounds {
        project,
        from: question.from,
        to: question.to,
        environment,
    };
    let tiers = environments.iter().map(|known| (known.id, known.tier));
    let report = Gathered::read(reader, &bounds).await?;
    let report = report.finish(reader, bounds, &tiers.collect()).await?;
    Ok(ComplianceReport {
        report,
        generated_at: context.clock.now(),
    })
}

async fn environments(
    reader: &dyn Reader,
    project: ProjectId,
) -> Result<Vec<Environment>, StoreError> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = reader
            .environments(project, true, after.as_ref(), PageSize::MAX)
            .await?;
        found.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// What a report is about.
struct Gathered {
    deployments: Vec<ReportedDeployment>,
    written: HashMap<DeploymentId, Vec<Record>>,
    reported: Vec<Record>,
}

impl Gathered {
    async fn read(reader: &dyn Reader, bounds: &Bounds) -> Result<Self, AuditError> {
        let limit = u32::try_from(MAX_DEPLOYMENTS + 1).unwrap_or(u32::MAX);
        let deployments = reader.reported_deployments(bounds, limit).await?;
        if deployments.len() > MAX_DEPLOYMENTS {
            return Err(AuditError::ReportTooLarge);
        }
        let mut gathered = Self {
            deployments,
            written: HashMap::new(),
            reported: Vec::new(),
        };
        gathered.read_records(reader, bounds).await?;
        Ok(gathered)
    }

    async fn read_records(
        &mut self,
        reader: &dyn Reader,
        bounds: &Bounds,
    ) -> Result<(), AuditError> {
        let filter = RecordFilter {
            environment: bounds.environment.as_ref().map(|(_, slug)| slug.clone()),
            from: Some(bounds.from),
            to: Some(bounds.to),
            include_retracted: true,
            ..RecordFilter::default()
        };
        let mut count = 0;
        let mut after = None;
        loop {
            let page = reader
                .records(bounds.project, &filter, after, PageSize::MAX)
                .await?;
            count += page.items.len();
            if count > MAX_RECORDS {
                return Err(AuditError::ReportTooLarge);
            }
            for mut record in page.items {
                // No report shows them, and they may be large.
                record.notes = String::new();
                record.attributes = Attributes::default();
                match record.deployment {
                    Some(id) => self.written.entry(id).or_default().push(record),
                    None => self.reported.push(record),
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn finish(
        mut self,
        reader: &dyn Reader,
        bounds: Bounds,
        tiers: &HashMap<EnvironmentId, Tier>,
    ) -> Result<Report, AuditError> {
        let ids: Vec<_> = self.deployments.iter().map(|found| found.id).collect();
        let mut items = reader.items_of(&ids, MAX_ITEMS + 1).await?;
        if items.values().map(Vec::len).sum::<usize>() > MAX_ITEMS {
            return Err(AuditError::ReportTooLarge);
        }
        let mut histories = reader.histories(&ids).await?;
        let mut requests = reader.requests_of(&ids).await?;
        let mut makers = reader.parts_in(&ids).await?;
        let mut freezes: HashMap<_, Vec<FreezeOverride>> = HashMap::new();
        for crossed in reader.freeze_overrides(&ids).await? {
            freezes.entry(crossed.deployment).or_default().push(crossed);
        }
        let policies = policies(reader, bounds.project).await?;
        let mut people: HashSet<PrincipalId> = HashSet::new();
        let mut facts = Vec::with_capacity(self.deployments.len());
        for deployment in self.deployments {
            let id = deployment.id;
            let requests = requests.remove(&id).unwrap_or_default();
            people.insert(deployment.requested_by);
            for request in &requests {
                people.extend(request.decisions.iter().map(|made| made.principal));
                let overridden = request.overridden.iter();
                people.extend(overridden.flat_map(|made| {
                    let reviewer = made.review.as_ref().map(|review| review.principal);
                    reviewer.into_iter().chain([made.principal])
                }));
            }
            let tier = tiers.get(&deployment.target);
            let tier = *tier.ok_or_else(|| dangling("environment", deployment.target))?;
            let unasked = if requests.is_empty() {
                unasked(&deployment, tier, &policies)
            } else {
                Vec::new()
            };
            // The history comes newest first.
            let mut records = self.written.remove(&id).unwrap_or_default();
            records.reverse();
            facts.push(DeploymentFacts {
                history: histories.remove(&id).unwrap_or_default(),
                requests,
                makers: makers.remove(&id).unwrap_or_default(),
                freezes: freezes.remove(&id).unwrap_or_default(),
                items: items.remove(&id).unwrap_or_default(),
                records,
                unasked,
                deployment,
            });
        }
        let people: Vec<_> = people.into_iter().collect();
        let people = reader.people(&people).await?;
        let report = Report::new(bounds, facts, self.reported, &people);
        Ok(report.map_err(|error| StoreError::Fault(Box::new(error)))?)
    }
}

async fn policies(
    reader: &dyn Reader,
    project: ProjectId,
) -> Result<Vec<StandingPolicy>, StoreError> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = reader.policies(project, None, after, PageSize::MAX).await?;
        found.extend(page.items.into_iter().map(|policy| StandingPolicy {
            scope: policy.scope,
            terms: policy.terms,
            since: policy.updated_at,
        }));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}
