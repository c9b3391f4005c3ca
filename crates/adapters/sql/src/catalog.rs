//! The catalog: environments, applications, versions.
