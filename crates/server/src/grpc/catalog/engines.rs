//! The workflow engine of an environment, as messages have it.

use std::fmt::Display;

use slipway_api::catalog::v1 as proto;
use slipway_api::catalog::v1::workflow_engine::Engine;
use slipway_kernel::Text;
use slipway_workflows::EngineSettings;

use crate::grpc::fields::Fields;
use crate::secret::SecretReference;

/// How long an address or a path may be, in bytes.
const MAX_SETTING: usize = 1_000;

/// An engine that may be left out.
pub(super) fn engine(
    fields: &mut Fields,
    message: Option<proto::WorkflowEngine>,
) -> Option<EngineSettings> {
    match message?.engine {
        None => {
            fields.refuse("workflow_engine", "is empty; give `directory` or `n8n`");
            None
        }
        Some(Engine::Directory(directory)) => {
            let field = "workflow_engine.directory.path";
            let path = setting(fields, field, directory.path)?;
            Some(EngineSettings::Directory { path })
        }
        Some(Engine::N8n(n8n)) => {
            let field = "workflow_engine.n8n.base_url";
            let base_url = setting(fields, field, n8n.base_url).and_then(|url| {
                passed(fields, field, check_address(&url))?;
                Some(url)
            });
            let field = "workflow_engine.n8n.api_key_reference";
            let api_key = setting(fields, field, n8n.api_key_reference).and_then(|reference| {
                passed(fields, field, reference.parse::<SecretReference>())?;
                Some(reference)
            });
            Some(EngineSettings::N8n {
                base_url: base_url?,
                api_key: api_key?,
            })
        }
    }
}

/// A setting that must be there.
fn setting(fields: &mut Fields, field: &str, text: String) -> Option<String> {
    if text.is_empty() {
        fields.refuse(field, "is required");
        return None;
    }
    let text = passed(fields, field, Text::<MAX_SETTING>::try_from(text))?;
    Some(text.into())
}

fn passed<T, E: Display>(fields: &mut Fields, field: &str, result: Result<T, E>) -> Option<T> {
    result.map_err(|error| fields.refuse(field, error)).ok()
}

/// An address is shown to whoever may see the environment, so that it must hold no password.
fn check_address(url: &str) -> Result<(), &'static str> {
    let uri = url.parse::<http::Uri>().ok();
    let uri = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    let authority = uri.as_ref().and_then(http::Uri::authority);
    let authority = authority.ok_or("is no address like `https://n8n.example`")?;
    if authority.as_str().contains('@') {
        return Err("holds a user name or a password; leave them out");
    }
    if url.contains(['?', '#']) {
        return Err("has a query or a fragment; leave it out");
    }
    Ok(())
}

/// An engine as a message has it.
pub(super) fn shown(settings: EngineSettings) -> proto::WorkflowEngine {
    let engine = match settings {
        EngineSettings::Directory { path } => Engine::Directory(proto::WorkflowDirectory { path }),
        EngineSettings::N8n { base_url, api_key } => Engine::N8n(proto::N8nInstance {
            base_url,
            api_key_reference: api_key,
        }),
    };
    proto::WorkflowEngine {
        engine: Some(engine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n8n(base_url: &str, api_key_reference: &str) -> proto::WorkflowEngine {
        proto::WorkflowEngine {
            engine: Some(Engine::N8n(proto::N8nInstance {
                base_url: base_url.to_owned(),
                api_key_reference: api_key_reference.to_owned(),
            })),
        }
    }

    fn parsed(message: proto::WorkflowEngine) -> Result<EngineSettings, String> {
        let mut fields = Fields::default();
        let engine = engine(&mut fields, Some(message));
        fields.finish(|| engine).map_err(|refusal| refusal.message)
    }

    #[test]
    fn an_engine_comes_back_as_it_was_given() {
        let directory = proto::WorkflowEngine {
            engine: Some(Engine::Directory(proto::WorkflowDirectory {
                path: "/var/lib/workflows".to_owned(),
            })),
        };
        for message in [
            directory,
            n8n("http://[::1]:5678/n8n", "file:/run/secrets/key"),
            n8n("https://n8n.example", "env:N8N_KEY"),
        ] {
            assert_eq!(shown(parsed(message.clone()).unwrap()), message);
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_no_secret_repeated() {
        let empty = proto::WorkflowEngine { engine: None };
        assert!(
            parsed(empty)
                .unwrap_err()
                .contains("workflow_engine: is empty")
        );
        let both = parsed(n8n("n8n.example", "hunter2")).unwrap_err();
        assert!(both.contains("workflow_engine.n8n.base_url"), "{both}");
        assert!(
            both.contains("workflow_engine.n8n.api_key_reference"),
            "{both}"
        );
        assert!(!both.contains("hunter2"), "{both}");
        for url in [
            "https://me:hunter2@n8n.example",
            "https://n8n.example?key=hunter2",
            "ftp://n8n.example",
            "/api",
            "https://",
        ] {
            let told = parsed(n8n(url, "env:KEY")).unwrap_err();
            assert!(
                told.contains("base_url") && !told.contains("hunter2"),
                "{told}"
            );
        }
    }
}
