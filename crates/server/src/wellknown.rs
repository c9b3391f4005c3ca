//! The services that every gRPC server has: health, and reflection in both versions that clients ask for.

use tonic::service::RoutesBuilder;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

/// The descriptors of what this file adds.
pub const DESCRIPTOR_SETS: [&[u8]; 3] = [
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];

/// Tells `grpc.health.v1.Health` how each service is.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    services: Vec<String>,
}

impl Health {
    /// Adds the health service to `routes`, with `services` and the server as a whole (the empty name) serving.
    pub async fn add(routes: &mut RoutesBuilder, services: &[String]) -> Self {
        let reporter = HealthReporter::new();
        routes.add_service(HealthServer::new(HealthService::from_health_reporter(
            reporter.clone(),
        )));
        let services = services.iter().cloned().chain([String::new()]).collect();
        let health = Self { reporter, services };
        health.set(ServingStatus::Serving).await;
        health
    }

    /// Everything is `NOT_SERVING` from now on; whoever watches is told.
    pub async fn stop(&self) {
        self.set(ServingStatus::NotServing).await;
    }

    async fn set(&self, status: ServingStatus) {
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }
}

/// Adds reflection over `descriptor_sets` to `routes`: v1, and v1alpha for clients that know no other.
pub fn add_reflection(
    routes: &mut RoutesBuilder,
    descriptor_sets: &[&'static [u8]],
) -> Result<(), tonic_reflection::server::Error> {
    let configure = || {
        descriptor_sets.iter().chain(&DESCRIPTOR_SETS).fold(
            tonic_reflection::server::Builder::configure().include_reflection_service(false),
            |reflection, set| reflection.register_encoded_file_descriptor_set(set),
        )
    };
    routes.add_service(configure().build_v1()?);
    routes.add_service(configure().build_v1alpha()?);
    Ok(())
}
