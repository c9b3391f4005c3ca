//! `slipway.identity.v1`.

mod projects;
