use std::collections::HashMap;

use serde_json::json;
use slipway_audit::Resource;
use slipway_identity::{Caller, Command, Credential, Principal, PrincipalKind, Token, TokenSecret};
use slipway_kernel::{PageSize, PrincipalId, StoreError, text::DisplayName};

use super::{described, mint};
use crate::{
    Call, CommandError, Context,
    change::{Change, Done},
    error::meets_command_errors,
    principals,
};

/// Why no token of an administrator was made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The token could not be handed over; nothing was made.
    #[error("no token was made")]
    Keep(#[source] std::io::Error),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(IssueError);

/// Makes a token of an administrator of the installation, for whoever may run programs on the server's machine: so
/// access is recovered when all tokens are lost. It never expires.
///
/// It speaks for the oldest enabled user who administers the installation, or for a new one where there is none. The
/// audit trail says that this user made it, and that it was made on the server's machine.
///
/// The token is handed to `keep` before it can be used: where that fails, no token is made.
pub async fn issue_administrator_token(
    context: &Context,
    keep: impl FnOnce(&TokenSecret) -> std::io::Result<()>,
) -> Result<(), IssueError> {
    let existing = oldest_administrator(context).await?;
    let administrator = Administrator::new(context, existing.as_ref());
    let call = administrator.call();
    let mut change = Change::begin(context, &call, Command::CreateToken, None).await?;
    if existing.is_none() {
        administrator.insert_principal(&mut change).await?;
    }
    administrator.insert_token(&mut change).await?;
    keep(&administrator.secret).map_err(IssueError::Keep)?;
    change.commit().await?;
    Ok(())
}

/// The oldest enabled user who administers the installation.
async fn oldest_administrator(context: &Context) -> Result<Option<Principal>, StoreError> {
    let mut after = None;
    loop {
        let page = context
            .reader()
            .principals(Some(true), false, after, PageSize::MAX)
            .await?;
        let found = page.items.into_iter().find(|user| user.tenant_admin);
        if found.is_some() || page.next.is_none() {
            return Ok(found);
        }
        after = page.next;
    }
}

/// An administrator who acts before anybody can call: with a new token, and as a new principal where there is none.
pub(crate) struct Administrator {
    principal: Principal,
    token: Token,
    /// The secret of the new token.
    pub(crate) secret: TokenSecret,
    caller: Caller,
}

impl Administrator {
    pub(crate) fn new(context: &Context, existing: Option<&Principal>) -> Self {
        let now = context.clock.now();
        let principal = existing.cloned().unwrap_or_else(|| Principal {
            id: PrincipalId::new(&*context.ids),
            kind: PrincipalKind::User,
            display_name: name("Administrator"),
            email: None,
            tenant_admin: true,
            created_at: now,
            disabled: None,
        });
        let (token, secret) = mint(context, principal.id, name("administrator"), now, None);
        let caller = Caller {
            principal: principal.id,
            credential: Credential::Token(token.id),
            tenant_admin: true,
            grants: HashMap::new(),
        };
        Self {
            principal,
            token,
            secret,
            caller,
        }
    }

    /// What it does as its own doing.
    pub(crate) const fn call(&self) -> Call<'_> {
        Call {
            caller: &self.caller,
            correlation_id: "",
            request_id: None,
        }
    }

    pub(crate) async fn insert_principal(
        &self,
        change: &mut Change<'_>,
    ) -> Result<(), CommandError> {
        // It has no e-mail address, and so none that is another's.
        change.unit.principals().insert(&self.principal).await?;
        change.command = Command::CreatePrincipal;
        change
            .audit(Done {
                resource: Resource::new("principal", &self.principal.id),
                before: None,
                after: Some(principals::described(&self.principal)),
                facts: &[],
            })
            .await
    }

    pub(crate) async fn insert_token(&self, change: &mut Change<'_>) -> Result<(), CommandError> {
        change.unit.tokens().insert(&self.token).await?;
        let mut after = described(&self.token);
        after["made_on"] = json!("the server's machine");
        change.command = Command::CreateToken;
        change
            .audit(Done {
                resource: Resource::new("token", &self.token.id),
                before: None,
                after: Some(after),
                facts: &[],
            })
            .await
    }
}

fn name(text: &str) -> DisplayName {
    text.parse().unwrap_or_default()
}
