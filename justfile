# `just` is a convenience: `cargo run` and `cargo test --workspace` need none of this. CI calls these recipes as they are.

target := env("CARGO_TARGET_DIR", justfile_directory() / "target")
export PATH := target / "tools/bin" + ":" + env("PATH")

# Show the recipes.
default:
    @just --list --unsorted

# Everything that must pass before a change goes in, cheapest first.
check: fmt proto deny clippy doc test

# The formatting is rustfmt's.
fmt:
    cargo fmt --all --check

# Put the formatting right, in Rust and in the protos.
fmt-fix: (tools "buf")
    cargo fmt --all
    buf format --write

# No warning, pedantic ones included.
clippy:
    cargo clippy --workspace --all-targets -- -D warnings

# Licences, banned crates, and where crates come from.
deny: (tools "cargo-deny")
    cargo deny check --hide-inclusion-graph bans licenses sources

# The protos: style, comments, formatting, and what the last release promised.
proto: (tools "buf")
    buf lint
    buf format --diff --exit-code
    .ci/breaking

# The documentation builds without a warning.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# All tests. Suites whose parts are missing say so and are skipped, unless SLIPWAY_TEST_REQUIRE=all.
test:
    cargo test --workspace

# The README's first command, and clients that nobody here wrote.
smoke: (tools "buf" "grpcio")
    .ci/smoke

# Run a benchmark, `just bench ledger`, `promotion` or `governance`; it writes target/bench/NAME.json.
bench NAME *ARGS:
    .ci/postgres run cargo run --release --package slipway-bench -- {{NAME}} {{ARGS}}

# Line coverage of crates/, without generated code and benchmarks; below 80 % it fails.
coverage *ARGS: (tools "cargo-llvm-cov")
    .ci/coverage {{ARGS}}

# The fault tests (kill loops, races, tampering; promotions that are aborted, killed, paused and failed at every point of
# their steps, the simulation of executors, and 1,000 sequences of calls beside a model) at ten times CI's size.
chaos SCALE="10":
    SLIPWAY_TEST_SCALE={{SCALE}} SLIPWAY_TEST_REQUIRE=all .ci/postgres run cargo test --workspace

# Property tests and generated requests with many more cases than CI's.
fuzz CASES="100000":
    PROPTEST_CASES={{CASES}} SLIPWAY_TEST_REQUIRE=all .ci/postgres run cargo test --workspace

# What a recipe needs, installed under target/tools.
[private]
tools +NAMES:
    @.ci/tools {{NAMES}}
