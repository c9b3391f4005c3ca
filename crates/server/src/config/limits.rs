//! `[limits]`: what one caller, one connection and one process may use.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The `[limits]` section. Every limit has a bound of its own, so that a typing error can't switch it off.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest message taken, in bytes. Default: 4 MiB, which is also what most clients take.
    pub max_receive_bytes: usize,
    /// The largest message sent, in bytes. Default: 4 MiB.
    pub max_send_bytes: usize,
    /// How long one unary call may take, if the caller's own deadline isn't sooner. Default: 30 s.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How long one stream may live, or the verification of an audit chain take, if the caller's own deadline isn't
    /// sooner. Default: 1 h.
    #[serde(with = "humantime_serde")]
    pub stream_timeout: Duration,
    /// How long a stream may go without a message in either direction. Default: 15 min.
    #[serde(with = "humantime_serde")]
    pub stream_idle_timeout: Duration,
    /// How many unary calls may be in flight in the process; beyond that they are refused at once. Default: 1,024.
    pub max_concurrent_requests: usize,
    /// How many streaming calls may be open in the process; counted apart, so that idle watchers can't stop unary
    /// calls. Default: 1,024.
    pub max_open_streams: usize,
    /// How many calls may be open on one connection; a client waits before it opens more. Default: 256.
    pub max_concurrent_streams: u32,
    /// How many connections may be open; further ones are closed at once. Default: 1,024.
    pub max_connections: usize,
    /// When a connection is asked to reconnect, which spreads clients over replicas again; it is closed
    /// `stream_timeout` later, whatever it does. Default: 2 h.
    #[serde(with = "humantime_serde")]
    pub max_connection_age: Duration,
    /// How many calls per second one principal may make, on this server. Default: no limit.
    pub requests_per_second_per_principal: Option<NonZeroU32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_receive_bytes: 4 * MIB,
            max_send_bytes: 4 * MIB,
            request_timeout: Duration::from_secs(30),
            stream_timeout: Duration::from_hours(1),
            stream_idle_timeout: Duration::from_mins(15),
            max_concurrent_requests: 1024,
            max_open_streams: 1024,
            max_concurrent_streams: 256,
            max_connections: 1024,
            max_connection_age: Duration::from_hours(2),
            requests_per_second_per_principal: None,
        }
    }
}

impl Limits {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let counts = [
            (
                "max_receive_bytes",
                self.max_receive_bytes,
                64 * KIB..=64 * MIB,
            ),
            ("max_send_bytes", self.max_send_bytes, 64 * KIB..=64 * MIB),
            (
                "max_concurrent_requests",
                self.max_concurrent_requests,
                1..=100_000,
            ),
            ("max_open_streams", self.max_open_streams, 1..=100_000),
            (
                "max_concurrent_streams",
                self.max_concurrent_streams as usize,
                1..=10_000,
            ),
            ("max_connections", self.max_connections, 1..=100_000),
        ];
        for (key, value, allowed) in counts {
            if !allowed.contains(&value) {
                let (least, most) = allowed.into_inner();
                problems.push(format!(
                    "limits.{key} = {value} is out of range; choose from {least} to {most}"
                ));
            }
        }
        let millisecond = Duration::from_millis(1);
        let day = Duration::from_hours(24);
        for (key, value) in [
            ("limits.request_timeout", self.request_timeout),
            ("limits.stream_timeout", self.stream_timeout),
            ("limits.stream_idle_timeout", self.stream_idle_timeout),
            ("limits.max_connection_age", self.max_connection_age),
        ] {
            check_duration(key, value, millisecond..=day, problems);
        }
    }
}

/// Adds a problem where `value` lies outside of `allowed`.
pub(super) fn check_duration(
    key: &str,
    value: Duration,
    allowed: RangeInclusive<Duration>,
    problems: &mut Vec<String>,
) {
    if !allowed.contains(&value) {
        problems.push(format!(
            "{key} = \"{}\" is out of range; choose from {} to {}",
            humantime::format_duration(value),
            humantime::format_duration(*allowed.start()),
            humantime::format_duration(*allowed.end()),
        ));
    }
}
