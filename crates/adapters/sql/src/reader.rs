//! Reads: the query ports' implementations stand beside their nouns.

use std::sync::Arc;

use crate::connection::Connection;

/// Reads, each statement for itself, or all of them in one moment where it was made as a snapshot.
#[derive(Debug, Clone)]
pub struct SqlReader {
    pub(crate) connection: Arc<Connection>,
}

impl SqlReader {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection: Arc::new(connection),
        }
    }
}
