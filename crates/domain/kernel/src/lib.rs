//! What every domain of Slipway shares, and nothing that belongs to one of them: identifiers, names, time, pages,
//! digests, the words several domains decide by, and the ports for what is outside of a decision: the clock, new ids,
//! the object store.
//!
//! Nothing here does I/O. A value that exists is valid: text from outside is parsed once, at the edge, into these types.

pub mod attributes;
pub mod digest;
pub mod id;
pub mod name;
pub mod object;
pub mod page;
pub mod port;
pub mod requirements;
pub mod revision;
pub mod text;
pub mod time;
pub mod version_order;
pub mod vocabulary;

pub use attributes::{Attributes, AttributesError};
pub use digest::{Sha256, digest_of};
pub use id::{
    ApplicationId, ApprovalRequestId, DeliveryId, DeploymentId, EnvironmentId, EventId,
    FreezeWindowId, IdGenerator, PersonId, PipelineId, PolicyId, PrincipalId, ProjectId, RecordId,
    SnapshotId, TemplateId, TokenId, VersionId, WebhookId,
};
pub use name::{Key, NameError, Slug};
pub use page::{Page, PageSize};
pub use port::StoreError;
pub use requirements::Requirements;
pub use revision::Revision;
pub use text::{Text, TextError};
pub use time::{Clock, Timestamp};
pub use vocabulary::{ApplicationKind, RiskLevel, Tier};
