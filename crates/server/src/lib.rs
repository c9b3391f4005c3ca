//! The server: configuration, transport, and what watches over both. The binary `slipway` is a thin shell around it.

pub mod cli;
pub mod config;
pub mod grpc;
pub mod logging;
pub mod metrics;
pub mod operations;
pub mod outside;
pub mod rate_limit;
pub mod secret;
pub mod serve;
pub mod shutdown;
pub mod system;
pub mod tasks;
pub mod transport;
pub mod welcome;
pub mod wellknown;
pub mod wiring;
