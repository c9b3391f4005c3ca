//! Workflow engines, as far as the operator allows them.

use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf, absolute};
use std::sync::{Arc, Mutex, PoisonError};

use slipway_application::outside::{Engines, NotAllowed};
use slipway_directory::WorkflowDirectory;
use slipway_kernel::Sha256;
use slipway_n8n::N8n;
use slipway_workflows::{EngineSettings, WorkflowEngine};

use crate::config;
use crate::secret::{SecretError, SecretReference};

/// Opens the engines that the operator allows, each once, so that its limits hold for all who use it.
pub struct AllowedEngines {
    rules: config::Engines,
    /// The folders in and below which workflow directories may lie, absolute.
    directories: Vec<PathBuf>,
    /// By what they were opened with.
    open: Mutex<HashMap<Sha256, Arc<dyn WorkflowEngine>>>,
}

impl AllowedEngines {
    /// Allows what these rules do; `directories` are the rules' own or their default.
    pub fn new(rules: config::Engines, directories: &[PathBuf]) -> io::Result<Self> {
        let directories = directories.iter().map(absolute).collect::<Result<_, _>>()?;
        Ok(Self {
            rules,
            directories,
            open: Mutex::default(),
        })
    }

    fn once(
        &self,
        opened_with: &[&str],
        open: impl FnOnce() -> Result<Arc<dyn WorkflowEngine>, NotAllowed>,
    ) -> Result<Arc<dyn WorkflowEngine>, NotAllowed> {
        let place = Sha256::of_bytes(opened_with.join("\0").as_bytes());
        let mut known = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = known.get(&place) {
            return Ok(Arc::clone(engine));
        }
        let engine = open()?;
        known.insert(place, Arc::clone(&engine));
        Ok(engine)
    }

    /// The folder that a path names, absolute.
    fn folder(&self, path: &str) -> Result<PathBuf, NotAllowed> {
        let refused = |problem: String| NotAllowed {
            field: "path",
            problem,
        };
        let given = Path::new(path);
        let climbs = |part: Component<'_>| part == Component::ParentDir;
        if path.is_empty() {
            return Err(refused("is empty; name a folder".to_owned()));
        }
        if given.components().any(climbs) {
            return Err(refused(format!(
                "`{path}` has `..` in it; name the folder itself"
            )));
        }
        let found = self
            .directories
            .iter()
            .map(|allowed| (allowed, allowed.join(given)))
            .find(|(allowed, wanted)| wanted.starts_with(allowed));
        found.map(|(_, wanted)| wanted).ok_or_else(|| {
            let allowed = self.directories.iter();
            let allowed: Vec<_> = allowed
                .map(|path| format!("`{}`", path.display()))
                .collect();
            refused(format!(
                "`{path}` does not lie in what the server's setting engines.directories allows ({})",
                allowed.join(", ")
            ))
        })
    }

    fn directory(&self, path: &str) -> Result<Arc<dyn WorkflowEngine>, NotAllowed> {
        let wanted = self.folder(path)?;
        self.once(&["directory", &wanted.display().to_string()], || {
            Ok(Arc::new(WorkflowDirectory::new(wanted.clone())))
        })
    }

    fn n8n(&self, base_url: &str, api_key: &str) -> Result<Arc<dyn WorkflowEngine>, NotAllowed> {
        let bad_url = |problem: String| NotAllowed {
            field: "base_url",
            problem,
        };
        let bad_key = |problem: String| NotAllowed {
            field: "api_key",
            problem,
        };
        let url = url::Url::parse(base_url).map_err(|error| bad_url(error.to_string()))?;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if !self.rules.allows_host(host, port) {
            return Err(bad_url(format!(
                "the server's setting engines.hosts does not allow `{host}` at port {port}"
            )));
        }
        if !self.rules.allows_secret(api_key) {
            return Err(bad_key(format!(
                "the server's setting engines.secrets does not allow `{api_key}`"
            )));
        }
        let reference: SecretReference = api_key
            .parse()
            .map_err(|error: SecretError| bad_key(error.to_string()))?;
        // Read each time, so that a key that was rotated is taken up.
        let key = reference
            .resolve()
            .map_err(|error| bad_key(error.to_string()))?;
        self.once(&["n8n", base_url, key.expose()], || {
            let options = slipway_n8n::Options {
                timeout: self.rules.timeout,
                max_parallel: self.rules.max_parallel,
                ..slipway_n8n::Options::new(base_url, slipway_n8n::ApiKey::new(key.expose()))
            };
            let engine = N8n::new(&options).map_err(|error| bad_url(error.to_string()))?;
            Ok(Arc::new(engine))
        })
    }
}

impl Engines for AllowedEngines {
    fn open(&self, settings: &EngineSettings) -> Result<Arc<dyn WorkflowEngine>, NotAllowed> {
        match settings {
            EngineSettings::Directory { path } => self.directory(path),
            EngineSettings::N8n { base_url, api_key } => self.n8n(base_url, api_key),
        }
    }

    fn settled(&self, settings: EngineSettings) -> EngineSettings {
        match settings {
            EngineSettings::Directory { path } => {
                let folder = self.folder(&path);
                let path = folder.map_or(path, |folder| folder.display().to_string());
                EngineSettings::Directory { path }
            }
            settings @ EngineSettings::N8n { .. } => settings,
        }
    }
}
