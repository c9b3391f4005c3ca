//! Pages, whose cursor is a limit and an offset in base64.

use axum::Json;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::refusal::Refusal;

const DEFAULT: usize = 100;
const MOST: usize = 250;

/// What a caller asked of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PageQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    limit: usize,
    offset: usize,
}

impl PageQuery {
    pub(crate) fn of(limit: Option<String>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    fn cursor(&self) -> Result<Cursor, Refusal> {
        if let Some(cursor) = &self.cursor {
            let bytes = BASE64_STANDARD.decode(cursor).unwrap_or_default();
            return serde_json::from_slice(&bytes)
                .map_err(|_| Refusal::bad("An invalid cursor was provided"));
        }
        let limit = match &self.limit {
            None => DEFAULT,
            Some(limit) => limit.parse().map_err(|_| {
                Refusal::bad("request/query/limit Param `limit` must be a valid integer")
            })?,
        };
        Ok(Cursor { limit, offset: 0 })
    }

    /// The page of these rows.
    pub(crate) fn cut<T>(
        &self,
        rows: &[T],
        show: impl Fn(&T) -> Value,
    ) -> Result<Json<Value>, Refusal> {
        let Cursor { limit, offset } = self.cursor()?;
        let limit = limit.clamp(1, MOST);
        let page: Vec<_> = rows.iter().skip(offset).take(limit).map(show).collect();
        let next = Cursor {
            limit,
            offset: offset.saturating_add(limit),
        };
        let next_cursor = (next.offset < rows.len())
            .then(|| BASE64_STANDARD.encode(serde_json::to_vec(&next).unwrap_or_default()));
        Ok(Json(json!({ "data": page, "nextCursor": next_cursor })))
    }
}
