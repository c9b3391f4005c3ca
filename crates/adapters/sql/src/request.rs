//! Requests that were made before.
