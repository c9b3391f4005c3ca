//! Generated requests: messages of the right form with whatever in them, to every method of every service.
//!
//! The administrator of the installation and an administrator of one project send them. Each answer must be a success
//! or a clear refusal, and what is refused must have written nothing: no event in the trail tells of anything done but
//! what was granted, and a project that no request names stays as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use slipway_api::audit::v1::{AuditEventFilter, AuditOutcome, ListAuditEventsRequest};
use slipway_api::deployments::v1::{CreateTemplateRequest, TemplateItem};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::{GetStatisticsRequest, ListDeploymentRecordsRequest};
use slipway_tests::backend::scaled;
use slipway_tests::contract::{Method, methods};
use slipway_tests::refusal::{self, check_details, reason_of};
use slipway_tests::world::{report, report_at, workflow};
use slipway_tests::{Backend, Client, Granted, Project, World, ago, raw};
use tonic::{Code, Status};

use crate::case::cases;
use crate::notifications::{creation, standard};

cases![
    requests_to_the_identity_service,
    requests_to_the_environment_service,
    requests_to_the_application_service,
    requests_to_the_ledger_service,
    requests_to_the_pipeline_service,
    requests_to_the_template_service,
    requests_to_the_deployment_service,
    requests_to_the_approval_service,
    requests_to_the_freeze_service,
    requests_to_the_snapshot_service,
    requests_to_the_webhook_service,
    requests_to_the_audit_service,
];

/// Requests for each service, at scale 1.
const REQUESTS: usize = 10_000;
/// How many are under way at a time.
const AT_ONCE: usize = 16;

async fn requests_to_the_identity_service(backend: Backend) {
    bombard(backend, "slipway.identity.v1.IdentityService").await;
}

async fn requests_to_the_environment_service(backend: Backend) {
    bombard(backend, "slipway.catalog.v1.EnvironmentService").await;
}

async fn requests_to_the_application_service(backend: Backend) {
    bombard(backend, "slipway.catalog.v1.ApplicationService").await;
}

async fn requests_to_the_ledger_service(backend: Backend) {
    bombard(backend, "slipway.ledger.v1.LedgerService").await;
}

async fn requests_to_the_pipeline_service(backend: Backend) {
    bombard(backend, "slipway.deployments.v1.PipelineService").await;
}

async fn requests_to_the_template_service(backend: Backend) {
    bombard(backend, "slipway.deployments.v1.TemplateService").await;
}

async fn requests_to_the_deployment_service(backend: Backend) {
    bombard(backend, "slipway.deployments.v1.DeploymentService").await;
}

async fn requests_to_the_approval_service(backend: Backend) {
    bombard(backend, "slipway.approvals.v1.ApprovalService").await;
}

async fn requests_to_the_freeze_service(backend: Backend) {
    bombard(backend, "slipway.approvals.v1.FreezeService").await;
}

async fn requests_to_the_snapshot_service(backend: Backend) {
    bombard(backend, "slipway.snapshots.v1.SnapshotService").await;
}

async fn requests_to_the_webhook_service(backend: Backend) {
    bombard(backend, "slipway.notifications.v1.WebhookService").await;
}

async fn requests_to_the_audit_service(backend: Backend) {
    bombard(backend, "slipway.audit.v1.AuditService").await;
}

async fn bombard(backend: Backend, service: &str) {
    let world = World::own(backend).await;
    let (target, untouched) = (world.project().await, world.project().await);
    let record = target
        .record(report_at(
            "app",
            "1",
            "prod",
            ago(slipway_tests::clock::HOUR),
        ))
        .await;
    let documents = [("one", workflow("One")), ("two", workflow("Two"))];
    let folder = world.server.workflows(&documents);
    target.environment_on("dev", &folder).await;
    target.pipeline("way", "prod", "dev").await;
    template(&target, "way").await;
    let hook = creation(&target, "hook", standard("http://127.0.0.1:9/hook"));
    target.admin.webhooks().create_webhook(hook).await.granted();
    let workflow = target.workflows("dev").await.remove(0);
    untouched.record(report("app", "1", "prod")).await;
    let member = target.member(Role::Admin).await;
    let stranger = untouched.member(Role::Viewer).await;
    let before = picture(&untouched).await;
    let done_before = events_of_deeds(&world, &target).await;

    let known = Arc::new(vec![
        target.slug.clone(),
        "app".to_owned(),
        "1".to_owned(),
        "prod".to_owned(),
        "dev".to_owned(),
        record.record_id,
        stranger.principal_id.clone(),
        "way".to_owned(),
        folder.display().to_string(),
        workflow.workflow_id,
        workflow.key,
    ]);
    let methods: Vec<_> = methods()
        .into_iter()
        .filter(|method| method.path.starts_with(service))
        .collect();
    let callers = [&world.admin, &member];
    let requests = generated(&methods, &known, scaled(REQUESTS));
    let total = requests.len();
    let outcomes = send(callers, requests).await;

    let mut granted_changes = 0;
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    for ((method, messages), answer) in &outcomes {
        let code = answer.as_ref().err().map_or(Code::Ok, Status::code);
        *codes.entry(format!("{code:?}")).or_default() += 1;
        match answer {
            Ok(()) if changes(method) => granted_changes += messages.len(),
            Ok(()) => {}
            Err(status) => {
                if method.name() == "ImportDeployments" {
                    // What was committed before the stream's fault stays.
                    granted_changes += messages.len();
                }
                let told = check_details(status).and_then(|()| allowed(status.code()));
                assert!(
                    told.is_ok(),
                    "{}: {told:?} {status:?}\n{}\n{}",
                    method.path,
                    written(messages),
                    world.server.log_tail()
                );
            }
        }
    }
    println!("{backend} {service}: {total} requests: {codes:?}");
    assert_eq!(
        picture(&untouched).await,
        before,
        "a project that nobody named"
    );
    let deeds = events_of_deeds(&world, &target).await;
    assert!(
        deeds - done_before <= granted_changes,
        "{deeds} deeds in the trail, {done_before} of them before, but only {granted_changes} were granted"
    );

    // Once more what is wrong in itself, whoever sends it and when: now exactly nothing may change.
    let invalid = Some(refusal::name(ErrorReason::InvalidField).to_owned());
    let faulty: Vec<_> = outcomes
        .into_iter()
        .filter(|((method, _), answer)| {
            let reason = answer.as_ref().err().and_then(reason_of);
            reason == invalid && method.name() != "ImportDeployments"
        })
        .map(|(request, _)| request)
        .collect();
    let before = picture(&target).await;
    // The other caller may be told something else, but no success.
    for ((method, messages), answer) in send(callers, faulty).await {
        assert!(
            answer.is_err(),
            "{}: granted\n{}",
            method.path,
            written(&messages)
        );
    }
    assert_eq!(picture(&target).await, before, "refused, and yet written");
    assert_eq!(events_of_deeds(&world, &target).await, deeds);
}

/// Adds a template.
async fn template(project: &Project, slug: &str) {
    let mut templates = project.admin.templates();
    let created = templates.create_template(CreateTemplateRequest {
        project: project.slug.clone(),
        slug: slug.to_owned(),
        items: vec![TemplateItem {
            application: "app".to_owned(),
            removal: true,
            ..Default::default()
        }],
        ..Default::default()
    });
    created.await.granted();
}

/// Messages as JSON, to be sent again by hand.
fn written(messages: &[DynamicMessage]) -> String {
    let written = messages.iter().map(serde_json::to_string);
    written.flatten().collect::<Vec<_>>().join("\n")
}

/// A call, with the messages that the caller sends.
type Call = (Method, Vec<DynamicMessage>);

/// Makes all calls, some at a time, the callers in turn.
async fn send(callers: [&Client; 2], calls: Vec<Call>) -> Vec<(Call, Result<(), Status>)> {
    stream::iter(calls.into_iter().enumerate())
        .map(|(number, call)| async move {
            let sent = call.1.iter().map(|message| message.encode_to_vec().into());
            let sent = sent.collect::<Vec<Bytes>>();
            let answer = raw::call(callers[number % 2], &call.0, sent).await;
            (call, answer.map(drop))
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

fn allowed(code: Code) -> Result<(), String> {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::ResourceExhausted => Ok(()),
        code => Err(format!("{code:?} is no clear refusal")),
    }
}

fn changes(method: &Method) -> bool {
    let reads = [
        "Get",
        "List",
        "WhoAmI",
        "Watch",
        "ResolveVersion",
        "Compare",
        "Export",
        "Verify",
        "Check",
        "Detect",
    ];
    !reads.iter().any(|verb| method.name().starts_with(verb))
}

/// All that can be seen of a project.
async fn picture(project: &Project) -> String {
    let statistics = project
        .admin
        .ledger()
        .get_statistics(GetStatisticsRequest {
            project: project.slug.clone(),
            ..Default::default()
        })
        .await
        .granted();
    let all = ListDeploymentRecordsRequest {
        include_retracted: true,
        ..Default::default()
    };
    let history = project.history(all).await;
    let matrix = project.matrix(None).await;
    format!("{statistics:?} {history:?} {matrix:?}")
}

/// How many events tell that something was done: in the project and in the installation.
async fn events_of_deeds(world: &World, project: &Project) -> usize {
    let mut count = 0;
    for chain in [project.slug.as_str(), ""] {
        let mut request = ListAuditEventsRequest {
            filter: Some(AuditEventFilter {
                project: chain.to_owned(),
                outcome: AuditOutcome::Allowed.into(),
                ..Default::default()
            }),
            page_size: 1_000,
            ..Default::default()
        };
        loop {
            let page = world
                .admin
                .audit()
                .list_audit_events(request.clone())
                .await
                .granted();
            count += page.events.len();
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
    }
    count
}

/// As many calls of these methods, in turn. The same in every run.
fn generated(methods: &[Method], known: &Arc<Vec<String>>, count: usize) -> Vec<Call> {
    let config = Config {
        rng_seed: RngSeed::Fixed(20_240_607),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let [wild, careful] = [true, false].map(|wild| Generator {
        known: Arc::clone(known),
        wild,
    });
    let strategies: Vec<_> = methods
        .iter()
        .map(|method| {
            let form = method.descriptor.input();
            let message = prop_oneof![wild.message(&form, 0), careful.message(&form, 0)];
            let streams = method.descriptor.is_client_streaming();
            let most = if streams { 4 } else { 1 };
            (method, prop::collection::vec(message, 1..=most))
        })
        .collect();
    (0..count)
        .map(|number| {
            let (method, strategy) = &strategies[number % strategies.len()];
            let tree = strategy.new_tree(&mut runner).unwrap();
            ((*method).clone(), tree.current())
        })
        .collect()
}

/// Makes messages: wild ones, whose fields hold anything of their kind, and careful ones, which mostly make sense and so
/// come further than the first check.
struct Generator {
    /// The project, application, version, environments, record, principal, pipeline and template (of one name),
    /// folder of workflows and workflow that are there.
    known: Arc<Vec<String>>,
    wild: bool,
}

impl Generator {
    /// Messages of this form: some fields set, each to something of its kind.
    fn message(&self, form: &MessageDescriptor, depth: usize) -> BoxedStrategy<DynamicMessage> {
        let fields: Vec<_> = form.fields().collect();
        let values: Vec<_> = fields
            .iter()
            .map(|field| {
                let weight = match depth {
                    5.. => 0.1,
                    _ if self.hint(field.name()).is_some() => 0.9,
                    _ => 0.5,
                };
                prop::option::weighted(weight, self.value(field, depth))
            })
            .collect();
        let form = form.clone();
        values
            .prop_map(move |values| {
                let mut message = DynamicMessage::new(form.clone());
                for (field, value) in fields.iter().zip(values) {
                    if let Some(value) = value {
                        message.set_field(field, value);
                    }
                }
                message
            })
            .boxed()
    }

    fn value(&self, field: &FieldDescriptor, depth: usize) -> BoxedStrategy<Value> {
        if field.is_map() {
            return prop::collection::btree_map(self.text(), self.text(), 0..4)
                .prop_map(|entries| {
                    let entries = entries
                        .into_iter()
                        .map(|(key, value)| (MapKey::String(key), Value::String(value)));
                    Value::Map(entries.collect())
                })
                .boxed();
        }
        let one = self.one_value(field, depth);
        if field.is_list() {
            return prop::collection::vec(one, 0..4)
                .prop_map(Value::List)
                .boxed();
        }
        one
    }

    fn one_value(&self, field: &FieldDescriptor, depth: usize) -> BoxedStrategy<Value> {
        match field.kind() {
            Kind::String => match self.hint(field.name()) {
                Some(sensible) => prop_oneof![
                    4 => prop::sample::select(sensible),
                    u32::from(self.wild) => self.text(),
                ]
                .prop_map(Value::String)
                .boxed(),
                None => self.text().prop_map(Value::String).boxed(),
            },
            Kind::Bytes => prop::collection::vec(any::<u8>(), 0..64)
                .prop_map(|bytes| Value::Bytes(bytes.into()))
                .boxed(),
            Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
            Kind::Int32 => self
                .number()
                .prop_map(clamp_to_i32)
                .prop_map(Value::I32)
                .boxed(),
            Kind::Int64 => self.number().prop_map(Value::I64).boxed(),
            Kind::Enum(_) => prop_oneof![4 => 0..4i32, u32::from(self.wild) => any::<i32>()]
                .prop_map(Value::EnumNumber)
                .boxed(),
            Kind::Message(inner) if inner.full_name() == "google.protobuf.Timestamp" => {
                self.time(&inner).prop_map(Value::Message).boxed()
            }
            Kind::Message(inner) => self
                .message(&inner, depth + 1)
                .prop_map(Value::Message)
                .boxed(),
            other => panic!("the contract has no {other:?} so far"),
        }
    }

    /// What a field of this name would sensibly hold.
    fn hint(&self, name: &str) -> Option<Vec<String>> {
        let index = match name {
            "project" => 0,
            "application" => 1,
            "version" => 2,
            "environment" | "environments" => return Some(self.known[3..=4].to_vec()),
            "issuer" => return Some(vec!["certificate".to_owned()]),
            "subject" => {
                return Some(vec![
                    "cn:machine".to_owned(),
                    "dns:ci.example.org".to_owned(),
                ]);
            }
            "left_environment" | "source_environment" => 3,
            "right_environment" | "target_environment" => 4,
            "record_id" => 5,
            "principal_id" | "author_principal_id" | "owner_principal_id" => 6,
            "pipeline" | "template" => 7,
            "path" => 8,
            "workflow_id" => 9,
            "webhook" => return Some(vec!["hook".to_owned()]),
            // Nobody answers there.
            "url" => return Some(vec!["http://127.0.0.1:9/hook".to_owned()]),
            "secret_reference" => return Some(vec!["env:WEBHOOK_SECRET".to_owned()]),
            "events" => return Some(vec!["deployment.failed".to_owned()]),
            "paths" => {
                let paths = [
                    "display_name",
                    "description",
                    "tier",
                    "position",
                    "workflow_engine",
                    "stages",
                    "items",
                    "required_locales",
                    "validation_rules",
                    "target",
                    "filter",
                    "enabled",
                ];
                return Some(paths.map(str::to_owned).to_vec());
            }
            "page_token" | "etag" | "digest" | "email" | "content_type" if !self.wild => {
                return Some(vec![String::new()]);
            }
            _ => return None,
        };
        Some(vec![self.known[index].clone()])
    }

    fn text(&self) -> BoxedStrategy<String> {
        #[rustfmt::skip]
        const NASTY: &[&str] = &[
            "", " ", "\0", "a\0b", "\n", "\u{feff}", "ä", "🙂", "' OR 1=1 --", "%00", "../..", "NULL", "-1", "a", "A",
            "sha256:", "0192aaaa-bbbb-7ccc-8ddd-eeeeffff0000", "\u{202e}abc", "display_name", "text/plain", "^1.2",
        ];
        let plain = "[a-z][a-z0-9-]{0,12}[a-z]";
        if !self.wild {
            return plain.boxed();
        }
        prop_oneof![
            3 => prop::sample::select(self.known.to_vec()),
            3 => prop::sample::select(NASTY).prop_map(str::to_owned),
            2 => plain,
            1 => "\\PC{0,40}",
            1 => (100usize..3_000).prop_map(|length| "x".repeat(length)),
        ]
        .boxed()
    }

    fn number(&self) -> BoxedStrategy<i64> {
        let odd = [-1, 1_000, 1_001, i64::from(i32::MAX), i64::MIN, i64::MAX];
        prop_oneof![
            4 => 1i64..20,
            2 * u32::from(self.wild) => prop::sample::select(odd.to_vec()),
            u32::from(self.wild) => any::<i64>(),
        ]
        .boxed()
    }

    fn time(&self, form: &MessageDescriptor) -> BoxedStrategy<DynamicMessage> {
        let odd = [0, -1, i64::MIN, i64::MAX, 253_402_300_800, -62_135_596_801];
        let seconds = prop_oneof![
            4 => 1_600_000_000i64..1_700_000_000,
            u32::from(self.wild) => prop::sample::select(odd.to_vec()),
        ];
        let nanos = prop_oneof![4 => 0i32..1_000_000_000, u32::from(self.wild) => any::<i32>()];
        let form = form.clone();
        (seconds, nanos)
            .prop_map(move |(seconds, nanos)| {
                let mut time = DynamicMessage::new(form.clone());
                time.set_field_by_name("seconds", Value::I64(seconds));
                time.set_field_by_name("nanos", Value::I32(nanos));
                time
            })
            .boxed()
    }
}

fn clamp_to_i32(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}
