//! The methods that are served, as their descriptors tell.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message;
use prost_types::FileDescriptorSet;

/// Walks over a whole chain.
const VERIFY: &str = "/slipway.audit.v1.AuditService/VerifyAuditTrail";

/// The known methods by path. Knowing them keeps the metrics' labels bounded and tells streams from unary calls.
#[derive(Debug)]
pub struct Methods {
    by_path: HashMap<Arc<str>, Method>,
    unknown: Method,
    services: Vec<String>,
}

/// One method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// `/package.Service/Method`, or `unknown`.
    pub path: Arc<str>,
    /// Whether the caller, the server or both send more than one message.
    pub streaming: bool,
}

impl Methods {
    /// The methods of these encoded `google.protobuf.FileDescriptorSet`s.
    pub fn from_descriptor_sets(sets: &[&[u8]]) -> Result<Self, prost::DecodeError> {
        let mut methods = Self {
            by_path: HashMap::new(),
            unknown: Method {
                path: Arc::from("unknown"),
                streaming: false,
            },
            services: Vec::new(),
        };
        for set in sets {
            for file in FileDescriptorSet::decode(*set)?.file {
                for service in &file.service {
                    methods.add(file.package(), service);
                }
            }
        }
        methods.services.sort();
        methods.services.dedup();
        Ok(methods)
    }

    /// The method at `path`. All unknown paths share one method, which counts as unary.
    pub fn at(&self, path: &str) -> &Method {
        self.by_path.get(path).unwrap_or(&self.unknown)
    }

    /// Whether there is a method at `path`.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    /// The full names of the services, ascending.
    pub fn services(&self) -> &[String] {
        &self.services
    }

    fn add(&mut self, package: &str, service: &prost_types::ServiceDescriptorProto) {
        let name = match package {
            "" => service.name().to_owned(),
            package => format!("{package}.{}", service.name()),
        };
        for method in &service.method {
            let path: Arc<str> = Arc::from(format!("/{name}/{}", method.name()));
            let streaming = method.client_streaming() || method.server_streaming();
            self.by_path
                .insert(path.clone(), Method { path, streaming });
        }
        self.services.push(name);
    }
}

impl Method {
    /// Whether it may take as long as a stream: what it does grows with the data, and it can't be asked for in parts.
    pub(super) fn is_long(&self) -> bool {
        self.streaming || &*self.path == VERIFY
    }

    /// Whether this is the health service, which has to answer while others are refused.
    pub(super) fn is_health(&self) -> bool {
        self.path.starts_with("/grpc.health.v1.Health/")
    }

    /// Whether this belongs to health or reflection, whose streams don't end by themselves when the process drains.
    pub(super) fn is_infrastructure(&self) -> bool {
        self.path.starts_with("/grpc.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verification_has_the_time_of_a_stream() {
        let methods = Methods::from_descriptor_sets(&[slipway_api::FILE_DESCRIPTOR_SET]).unwrap();
        let verify = methods.at(VERIFY);
        assert!(verify.is_long() && !verify.streaming, "{verify:?}");
        let other = methods.at("/slipway.audit.v1.AuditService/ListAuditEvents");
        assert!(!other.is_long(), "{other:?}");
    }

    #[test]
    fn descriptors_tell_streams_from_unary_calls() {
        let methods =
            Methods::from_descriptor_sets(&[tonic_health::pb::FILE_DESCRIPTOR_SET]).unwrap();

        assert_eq!(methods.services(), ["grpc.health.v1.Health"]);
        assert!(!methods.at("/grpc.health.v1.Health/Check").streaming);
        assert!(methods.at("/grpc.health.v1.Health/Watch").streaming);
        assert_eq!(&*methods.at("/no.Such/Method").path, "unknown");
    }
}
