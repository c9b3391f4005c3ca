//! What reflection serves: every service with its methods, everything it refers to, and no comments.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto};

#[test]
fn the_descriptors_are_complete_and_bare() {
    let set = FileDescriptorSet::decode(slipway_api::FILE_DESCRIPTOR_SET).expect("descriptors");

    let services: BTreeSet<&str> = set
        .file
        .iter()
        .flat_map(|file| &file.service)
        .inspect(|service| assert!(!service.method.is_empty(), "{}", service.name()))
        .map(ServiceDescriptorProto::name)
        .collect();
    assert_eq!(
        services,
        BTreeSet::from([
            "ApplicationService",
            "ApprovalService",
            "AuditService",
            "DeploymentService",
            "EnvironmentService",
            "FreezeService",
            "IdentityService",
            "LedgerService",
            "PipelineService",
            "SnapshotService",
            "TemplateService",
            "WebhookService",
        ])
    );

    let names: BTreeSet<&str> = set.file.iter().map(FileDescriptorProto::name).collect();
    for file in &set.file {
        assert!(file.source_code_info.is_none(), "{}", file.name());
        for import in &file.dependency {
            assert!(
                names.contains(import.as_str()),
                "{} lacks {import}",
                file.name()
            );
        }
    }
}
