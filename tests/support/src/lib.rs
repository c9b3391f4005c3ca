//! Real parts for tests. A part that a machine does not have is skipped in one line that says why; with
//! `SLIPWAY_TEST_REQUIRE=all` it is a failure instead.

pub mod postgres;

use std::io::Write;

/// Says in one line why tests are skipped.
///
/// # Panics
///
/// With `SLIPWAY_TEST_REQUIRE=all`.
pub fn skip(why: &str) {
    assert!(
        std::env::var("SLIPWAY_TEST_REQUIRE").as_deref() != Ok("all"),
        "SLIPWAY_TEST_REQUIRE=all: {why}"
    );
    // Not println!: its output is kept from whoever runs the tests as long as they pass.
    let line = format!("skipped: {why}\n");
    drop(std::io::stderr().write_all(line.as_bytes()));
}

/// Says in one line which tests are left out because something is not here that only some checkouts have beside them: no
/// failure anywhere.
pub fn absent(what: &str) {
    let line = format!("left out: {what}\n");
    drop(std::io::stderr().write_all(line.as_bytes()));
}
