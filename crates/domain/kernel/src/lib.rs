//! Shared values.
