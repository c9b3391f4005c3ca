//! Somebody comes with a token of an identity provider.

use std::collections::BTreeMap;

use slipway_audit::Resource;
use slipway_identity::{Account, Assertion, Identity, Principal, PrincipalKind, principal::Email};
use slipway_kernel::{PrincipalId, StoreError};
use slipway_store::UnitOfWork;

use super::{
    Doing,
    assertion::{Carried, Wanted, is, is_open},
    described,
};
use crate::{Context, authentication::AuthenticationError, principals};

/// What the audit trail calls it.
const SIGN_IN: &str = "SignIn";
/// How often a first sign-in is tried anew because somebody else was faster. The next time that one is found.
const ATTEMPTS: u32 = 3;

/// The account of who an identity provider's token speaks for. Who was never here before becomes a principal; what the
/// token's groups mean is carried over, unless a newer token has said something else.
///
/// An e-mail address never leads to a principal. Where it is another principal's, nobody is made: that may be the same
/// person, who would count twice wherever two people have to agree. An administrator links the identity, or gives one of
/// the two another address.
pub(crate) async fn sign_in(
    context: &Context,
    assertion: &Assertion,
    correlation_id: &str,
) -> Result<Account, AuthenticationError> {
    let wanted = Wanted::of(context, &assertion.grants).await?;
    for _ in 0..ATTEMPTS {
        let Some(account) = known(context, assertion).await? else {
            match provision(context, assertion, &wanted, correlation_id).await? {
                Provisioned::Done | Provisioned::SomebodyWasFaster => continue,
                Provisioned::EmailTaken if known(context, assertion).await?.is_some() => continue,
                Provisioned::EmailTaken => {
                    return Err(AuthenticationError::EmailTaken {
                        key: assertion.key.clone(),
                    });
                }
            }
        };
        let disabled = account.principal.disabled.is_some() || account.owner_disabled;
        if disabled || is_settled(context, &account, assertion, &wanted).await? {
            return Ok(account);
        }
        catch_up(context, assertion, &wanted, correlation_id).await?;
        return known(context, assertion)
            .await?
            .ok_or_else(|| unknown(assertion));
    }
    let found = known(context, assertion).await?;
    found.ok_or_else(|| unknown(assertion))
}

fn unknown(assertion: &Assertion) -> AuthenticationError {
    AuthenticationError::IdentityUnknown {
        keys: vec![assertion.key.clone()],
    }
}

async fn known(context: &Context, assertion: &Assertion) -> Result<Option<Account>, StoreError> {
    let key = &assertion.key;
    let subjects = std::slice::from_ref(&key.subject);
    let mut accounts = context.reader().accounts(&key.issuer, subjects).await?;
    Ok(accounts.pop())
}

/// Whether this token, or a newer one, was carried over as it is understood now.
async fn is_settled(
    context: &Context,
    account: &Account,
    assertion: &Assertion,
    wanted: &Wanted,
) -> Result<bool, StoreError> {
    match account.identity.asserted_at {
        Some(newest) if newest > assertion.issued_at => return Ok(true),
        Some(newest) if newest == assertion.issued_at => {}
        _ => return Ok(false),
    }
    // Projects may have come, and the operator may have changed what groups mean.
    let given = context.reader().given(&[account.principal.id]).await?;
    let given: BTreeMap<_, _> = given
        .iter()
        .filter(|given| given.issuer == assertion.key.issuer)
        .map(|given| (given.membership.project, &given.membership))
        .collect();
    for (project, grant) in &wanted.projects {
        let same = given.get(project).is_some_and(|given| is(given, grant));
        if !same && is_open(context.reader().project_by_id(*project).await?) {
            return Ok(false);
        }
    }
    let wanted_all = given.keys().all(|of| wanted.projects.contains_key(of));
    let administers = wanted.tenant_admin == account.principal.tenant_admin
        || wanted.tenant_admin == account.identity.tenant_admin;
    Ok(wanted_all && administers)
}

async fn catch_up(
    context: &Context,
    assertion: &Assertion,
    wanted: &Wanted,
    correlation_id: &str,
) -> Result<(), StoreError> {
    let mut unit = context.store.begin().await?;
    let Some(identity) = unit.identities().get(&assertion.key).await? else {
        return Ok(());
    };
    // A newer token may have come meanwhile.
    if identity.asserted_at > Some(assertion.issued_at) {
        return Ok(());
    }
    let doing = Doing {
        context,
        command: SIGN_IN,
        principal: identity.principal,
        correlation_id,
        now: context.clock.now(),
    };
    let asserted_at = Some(assertion.issued_at);
    let carried = doing.carry_over(&mut *unit, &identity, wanted, asserted_at);
    let carried = carried.await?;
    if carried != Carried::Nothing {
        unit.commit().await?;
    }
    if carried == Carried::Rights {
        context.forget_bearers_of(identity.principal);
    }
    Ok(())
}

/// What came of a first sign-in.
enum Provisioned {
    Done,
    SomebodyWasFaster,
    EmailTaken,
}

async fn provision(
    context: &Context,
    assertion: &Assertion,
    wanted: &Wanted,
    correlation_id: &str,
) -> Result<Provisioned, AuthenticationError> {
    if !assertion.provision {
        return Err(unknown(assertion));
    }
    let mut unit = context.store.begin().await?;
    if unit.identities().get(&assertion.key).await?.is_some() {
        return Ok(Provisioned::SomebodyWasFaster);
    }
    let now = context.clock.now();
    let Some(email) = usable_email(&mut *unit, assertion).await? else {
        return Ok(Provisioned::EmailTaken);
    };
    let principal = Principal {
        id: PrincipalId::new(&*context.ids),
        kind: PrincipalKind::User,
        display_name: assertion.name.clone(),
        email,
        tenant_admin: false,
        created_at: now,
        disabled: None,
    };
    if !unit.principals().insert(&principal).await? {
        return Ok(Provisioned::EmailTaken);
    }
    let identity = Identity {
        key: assertion.key.clone(),
        principal: principal.id,
        tenant_admin: false,
        asserted_at: None,
        created_at: now,
    };
    if !unit.identities().insert(&identity).await? {
        return Ok(Provisioned::SomebodyWasFaster);
    }
    let doing = Doing {
        context,
        command: SIGN_IN,
        principal: principal.id,
        correlation_id,
        now,
    };
    let mut after = principals::described(&principal);
    after["identity"] = described(&identity);
    let resource = Resource::new("principal", &principal.id);
    let event = doing.event(None, resource, None, Some(after));
    unit.audit().append(&event).await?;
    let asserted_at = Some(assertion.issued_at);
    doing
        .carry_over(&mut *unit, &identity, wanted, asserted_at)
        .await?;
    unit.commit().await?;
    Ok(Provisioned::Done)
}

/// The address to keep, which may be none; `None` where it is another principal's. One that the issuer never checked is
/// not kept: it would keep out the person whose it is.
async fn usable_email(
    unit: &mut dyn UnitOfWork,
    assertion: &Assertion,
) -> Result<Option<Option<Email>>, StoreError> {
    let Some(email) = &assertion.email else {
        return Ok(Some(None));
    };
    if unit.principals().has_email(email).await? {
        return Ok(None);
    }
    Ok(Some((!assertion.email_unverified).then(|| email.clone())))
}
