//! Tokens of identity providers, and client certificates.

use std::sync::Arc;

use slipway_identity::{Account, Caller, IdentityKey, Proof, Subject, identity::CERTIFICATE};
use slipway_kernel::{Sha256, Timestamp};

use super::AuthenticationError;
use crate::{Context, identities::sign_in};

/// The most names of a certificate that are looked at.
const MAX_NAMES: usize = 32;

/// Somebody who proved to be the principal of an identity, as of a few seconds ago.
#[derive(Debug)]
pub(crate) struct Session {
    expires_at: Timestamp,
    disabled: bool,
    caller: Arc<Caller>,
}

/// A client certificate that the transport has found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What it calls its bearer: `uri:…`, `email:…`, `dns:…`, or `cn:…` where there is nothing else.
    pub names: Vec<Subject>,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// Who bears this token of an identity provider, with all it may do; who was never here before becomes a principal. Costs
/// nothing where the token was used here within the last seconds, and else its signature and three queries.
pub async fn authenticate_issued(
    context: &Context,
    token: &str,
    correlation_id: &str,
) -> Result<Arc<Caller>, AuthenticationError> {
    let digest = Sha256::of_bytes(token.as_bytes());
    if let Some(session) = context.sessions.get(&digest) {
        return session.check(context);
    }
    let assertion = context.issuers.verify(token, context.clock.now()).await?;
    let account = sign_in(context, &assertion, correlation_id).await?;
    remember(context, &account, digest, assertion.expires_at).check(context)
}

/// Who bears this client certificate, with all it may do. `read` reads it, where it was not used here within the last
/// seconds.
pub async fn authenticate_certificate(
    context: &Context,
    digest: Sha256,
    read: impl FnOnce() -> Option<Certificate> + Send,
) -> Result<Arc<Caller>, AuthenticationError> {
    if let Some(session) = context.sessions.get(&digest) {
        return session.check(context);
    }
    let certificate = read();
    let mut names = certificate
        .as_ref()
        .map_or_else(Vec::new, |certificate| certificate.names.clone());
    names.truncate(MAX_NAMES);
    let issuer = CERTIFICATE.parse().unwrap_or_default();
    let mut accounts = context.reader().accounts(&issuer, &names).await?;
    let keys = || {
        let key = |subject: &Subject| IdentityKey {
            issuer: issuer.clone(),
            subject: subject.clone(),
        };
        names.iter().map(key).collect()
    };
    let (Some(account), Some(certificate)) = (accounts.pop(), certificate) else {
        return Err(AuthenticationError::IdentityUnknown { keys: keys() });
    };
    if accounts
        .iter()
        .any(|other| other.principal.id != account.principal.id)
    {
        return Err(AuthenticationError::IdentityAmbiguous { keys: keys() });
    }
    remember(context, &account, digest, certificate.expires_at).check(context)
}

/// Who proved to be somebody before: whether that is good still.
pub(super) async fn authenticate_again(
    context: &Context,
    proof: &Proof,
) -> Result<Arc<Caller>, AuthenticationError> {
    if let Some(session) = context.sessions.get(&proof.digest) {
        return session.check(context);
    }
    let key = &proof.key;
    let subjects = std::slice::from_ref(&key.subject);
    let account = context
        .reader()
        .accounts(&key.issuer, subjects)
        .await?
        .pop();
    let account = account.ok_or_else(|| AuthenticationError::IdentityUnknown {
        keys: vec![key.clone()],
    })?;
    remember(context, &account, proof.digest, proof.expires_at).check(context)
}

fn remember(
    context: &Context,
    account: &Account,
    digest: Sha256,
    expires_at: Timestamp,
) -> Arc<Session> {
    let proof = Proof {
        digest,
        key: account.identity.key.clone(),
        expires_at,
    };
    let session = Arc::new(Session {
        expires_at,
        disabled: account.principal.disabled.is_some() || account.owner_disabled,
        caller: Arc::new(Caller::proven(account, proof)),
    });
    context.sessions.insert(digest, Arc::clone(&session));
    session
}

impl Session {
    /// Who that is.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    fn check(&self, context: &Context) -> Result<Arc<Caller>, AuthenticationError> {
        if self.expires_at <= context.clock.now() {
            Err(AuthenticationError::ProofExpired)
        } else if self.disabled {
            Err(AuthenticationError::Disabled)
        } else {
            Ok(Arc::clone(&self.caller))
        }
    }
}
