//! Page tokens: opaque, and bound to the list they came from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use slipway_api::errors::v1::ErrorReason;
use slipway_kernel::{Sha256, digest_of};
use tonic::Code;

use super::refusal::Refusal;

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 2_048;

/// A list that has pages: its method and everything of the request but the page.
pub(super) struct List {
    digest: Sha256,
}

#[derive(Serialize, Deserialize)]
struct Token<C> {
    /// The list.
    l: Sha256,
    /// Where the next page starts.
    c: C,
}

impl List {
    /// The list that `method` gives for `asked`.
    pub(super) fn of(method: &str, asked: &(impl Serialize + Sync)) -> Result<Self, Refusal> {
        let digest = digest_of("slipway.list.v1", &(method, asked)).map_err(Refusal::internal)?;
        Ok(Self { digest })
    }

    /// The token of the page that starts behind `place`; empty where there is none.
    pub(super) fn token<C: Serialize>(&self, place: Option<C>) -> Result<String, Refusal> {
        let Some(place) = place else {
            return Ok(String::new());
        };
        let json = serde_json::to_vec(&Token {
            l: self.digest,
            c: place,
        })
        .map_err(Refusal::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    /// Where the page of this token starts; `None` for the first page.
    pub(super) fn place<C: DeserializeOwned>(&self, token: &str) -> Result<Option<C>, Refusal> {
        if token.is_empty() {
            return Ok(None);
        }
        let parsed: Option<Token<C>> = (token.len() <= MAX_TOKEN)
            .then(|| URL_SAFE_NO_PAD.decode(token).ok())
            .flatten()
            .and_then(|json| serde_json::from_slice(&json).ok());
        match parsed {
            Some(parsed) if parsed.l == self.digest => Ok(Some(parsed.c)),
            _ => Err(Refusal::new(
                Code::InvalidArgument,
                ErrorReason::PageTokenInvalid,
                "the page token is malformed, or belongs to another list, filter or time; start again from the first \
                 page",
            )
            .field("page_token")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_its_own_list_only() {
        let list = List::of("ListProjects", &("filter", 1)).expect("canonical");
        let token = list.token(Some(7_u32)).expect("JSON");
        assert_eq!(list.place::<u32>(&token).expect("its own"), Some(7));
        assert_eq!(list.place::<u32>("").expect("first page"), None);
        let other = List::of("ListProjects", &("filter", 2)).expect("canonical");
        for wrong in [token.as_str(), "x", "e30", &"A".repeat(3_000)] {
            let refusal = other.place::<u32>(wrong).expect_err("not its own");
            assert_eq!(refusal.reason, ErrorReason::PageTokenInvalid);
        }
        assert_eq!(list.token(None::<u32>).expect("JSON"), "");
    }
}
