//! Answers and failures as JSON.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Value, json};

use crate::cli::call_error::CallError;
use crate::cli::{Failure, explain};
use crate::transport::code_name;

static POOL: LazyLock<Result<DescriptorPool, DescriptorError>> =
    LazyLock::new(|| DescriptorPool::decode(slipway_api::FILE_DESCRIPTOR_SET));

/// A message as its proto's JSON, with the proto's field names. `name` is the full name of its type.
pub(super) fn of_message(name: &str, message: &impl Message) -> Result<Value, Failure> {
    let descriptor = POOL
        .as_ref()
        .map_err(ToString::to_string)?
        .get_message_by_name(name)
        .ok_or_else(|| format!("the contract has no message `{name}`"))?;
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
    let options = SerializeOptions::new().use_proto_field_name(true);
    Ok(message.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// What failed: `{"error": {…}}`, with the server's code and reason where it gave them.
pub(super) fn of_failure(failure: &(dyn std::error::Error + 'static)) -> Value {
    let Some(call) = failure.downcast_ref::<CallError>() else {
        return json!({"error": {"message": explain(failure)}});
    };
    let unmet = call
        .unmet()
        .into_iter()
        .map(|it| json!({"reason": it.r#type, "subject": it.subject, "message": it.description}));
    let faulty = call
        .faulty_fields()
        .into_iter()
        .map(|it| json!({"reason": it.reason, "subject": it.field, "message": it.description}));
    let violations: Vec<_> = unmet.chain(faulty).collect();
    let message = match call.reason().as_str() {
        "" => call.to_string(),
        _ => call.message().to_owned(),
    };
    json!({"error": {
        "code": code_name(call.code()),
        "reason": call.reason(),
        "message": message,
        "violations": violations,
    }})
}

#[cfg(test)]
mod tests {
    use slipway_api::deployments::v1::{CreateReleaseResponse, Deployment, DeploymentState};
    use slipway_api::errors::v1::ErrorReason;
    use tonic::Code;

    use super::*;
    use crate::transport::refusal;

    #[test]
    fn a_message_has_the_names_of_its_proto() {
        let answer = CreateReleaseResponse {
            deployment: Some(Deployment {
                number: 7,
                state: DeploymentState::Approved.into(),
                plan_digest: "00".to_owned(),
                ..Deployment::default()
            }),
            ..CreateReleaseResponse::default()
        };
        let value = of_message("slipway.deployments.v1.CreateReleaseResponse", &answer).unwrap();
        let expected = json!({"deployment": {
            "number": "7",
            "state": "DEPLOYMENT_STATE_APPROVED",
            "plan_digest": "00",
        }});
        assert_eq!(value, expected);
        assert!(of_message("slipway.deployments.v1.Nothing", &answer).is_err());
    }

    #[test]
    fn a_refusal_has_code_and_reason() {
        let status = refusal(Code::Aborted, ErrorReason::PlanChanged, "words");
        let error = CallError::new("http://127.0.0.1:1", "the variable SLIPWAY_TOKEN", status);
        let expected = json!({"error": {
            "code": "ABORTED",
            "reason": "PLAN_CHANGED",
            "message": "words",
            "violations": [],
        }});
        assert_eq!(of_failure(&error), expected);
        let other = std::io::Error::other("disk full");
        assert_eq!(
            of_failure(&other),
            json!({"error": {"message": "disk full"}})
        );
    }
}
