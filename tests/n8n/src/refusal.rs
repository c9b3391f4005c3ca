//! Answers that say no.

use axum::Json;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::Effect;

/// A refusal in JSON.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
    /// What was done all the same.
    effect: Option<Effect>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            effect: None,
        }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(crate) fn broken() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
    }

    /// The refusal of a call that changed something all the same.
    pub(crate) fn although(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({ "message": self.message }));
        let mut response = (self.status, body).into_response();
        if let Some(effect) = self.effect {
            response.extensions_mut().insert(effect);
        }
        response
    }
}

/// The page that n8n's web server shows for errors outside the API.
pub(crate) fn page(status: StatusCode, problem: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n\
         <pre>{problem}<br> &nbsp; &nbsp;at parse (/usr/lib/n8n/parse.js:92:19)</pre>\n</body>\n</html>\n"
    );
    (status, Html(page)).into_response()
}
