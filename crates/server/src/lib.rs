//! The server: configuration, transport, and what watches over both. The binary `slipway` is a thin shell around it.

pub mod config;
pub mod secret;
