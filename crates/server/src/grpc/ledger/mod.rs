//! `slipway.ledger.v1`.

mod record;
mod report;
