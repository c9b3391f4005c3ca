//! The contract as data: which methods there are, and the form of their messages.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MethodDescriptor};

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(slipway_api::FILE_DESCRIPTOR_SET).unwrap());

/// One method of one service.
#[derive(Debug, Clone)]
pub struct Method {
    /// Its name on the wire, without the leading slash: `slipway.audit.v1.AuditService/ListAuditEvents`.
    pub path: String,
    /// Its messages, and which of its sides stream.
    pub descriptor: MethodDescriptor,
}

impl Method {
    /// Its short name, which is also the name of its command.
    pub fn name(&self) -> &str {
        self.descriptor.name()
    }
}

/// All methods of Slipway's own services, in the order of the protos.
pub fn methods() -> Vec<Method> {
    POOL.services()
        .filter(|service| service.full_name().starts_with("slipway."))
        .flat_map(|service| {
            service
                .methods()
                .map(|descriptor| Method {
                    path: format!("{}/{}", service.full_name(), descriptor.name()),
                    descriptor,
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The method with this short name.
pub fn method(name: &str) -> Method {
    methods()
        .into_iter()
        .find(|method| method.name() == name)
        .unwrap_or_else(|| panic!("the contract has no method {name}"))
}
