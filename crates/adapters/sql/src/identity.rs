//! Identity: projects, principals, memberships, tokens.
