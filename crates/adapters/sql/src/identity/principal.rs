//! Principals, and the names of people.

use std::collections::HashMap;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_identity::{
    Principal, PrincipalKind, PrincipalRepository,
    principal::{Disabled, Email},
};
use slipway_kernel::{Page, PageSize, PrincipalId, StoreError, text::DisplayName};
use uuid::Uuid;

use crate::{
    SqlUnitOfWork,
    connection::{Connection, limit, list, rows_per_statement},
    row::Place,
};

const TABLE: &str = "principal";

/// What a [`Row`] is read from; `p` is the principal, `n` the person.
pub(super) const COLUMNS: &str = "p.id AS principal_id, p.kind, p.owner_id, p.tenant_admin, \
     p.created_at AS principal_created_at, p.disabled_at, p.disabled_reason, n.display_name, n.email";

#[derive(FromQueryResult)]
pub(super) struct Row {
    principal_id: Uuid,
    kind: String,
    owner_id: Option<Uuid>,
    tenant_admin: bool,
    principal_created_at: i64,
    disabled_at: Option<i64>,
    disabled_reason: Option<String>,
    /// Missing where the name was erased.
    display_name: Option<String>,
    email: Option<String>,
}

impl TryFrom<Row> for Principal {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.principal_id,
        };
        let kind = match (row.kind.as_str(), row.owner_id) {
            ("USER", None) => PrincipalKind::User,
            ("SERVICE_ACCOUNT", Some(owner)) => PrincipalKind::ServiceAccount {
                owner: PrincipalId::from_uuid(owner),
            },
            (kind, owner) => {
                let problem = format!("{kind:?} with the owner {owner:?}");
                return Err(place.inconsistent("kind", problem));
            }
        };
        let disabled = match (row.disabled_at, row.disabled_reason) {
            (None, None) => None,
            (Some(at), Some(reason)) => Some(Disabled {
                at: place.parse("disabled_at", at)?,
                reason: place.parse("disabled_reason", reason)?,
            }),
            (None, Some(_)) => {
                return Err(place.inconsistent("disabled_at", "a reason without a time"));
            }
            (Some(_), None) => {
                return Err(place.inconsistent("disabled_reason", "a time without a reason"));
            }
        };
        Ok(Self {
            id: PrincipalId::from_uuid(row.principal_id),
            kind,
            display_name: place.parse("display_name", row.display_name.unwrap_or_default())?,
            email: place.parse_option("email", row.email)?,
            tenant_admin: row.tenant_admin,
            created_at: place.parse("created_at", row.principal_created_at)?,
            disabled,
        })
    }
}

#[async_trait]
impl PrincipalRepository for SqlUnitOfWork {
    async fn insert(&mut self, principal: &Principal) -> Result<bool, StoreError> {
        let email = principal.email.as_ref().map(Email::as_str);
        let named = self.connection().await?
            .execute(
                "INSERT INTO person (id, display_name, email) VALUES ($1, $2, $3) \
                 ON CONFLICT (lower(email)) WHERE email IS NOT NULL AND project_id IS NULL DO NOTHING",
                [
                    principal.id.uuid().into(),
                    principal.display_name.as_str().into(),
                    email.into(),
                ],
            )
            .await?;
        if named == 0 {
            return Ok(false);
        }
        let (kind, owner) = match principal.kind {
            PrincipalKind::User => ("USER", None),
            PrincipalKind::ServiceAccount { owner } => ("SERVICE_ACCOUNT", Some(owner.uuid())),
        };
        let disabled = principal.disabled.as_ref();
        self.connection()
            .await?
            .execute(
                "INSERT INTO principal \
                 (id, kind, owner_id, tenant_admin, created_at, disabled_at, disabled_reason) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                [
                    principal.id.uuid().into(),
                    kind.into(),
                    owner.into(),
                    principal.tenant_admin.into(),
                    principal.created_at.micros().into(),
                    disabled.map(|disabled| disabled.at.micros()).into(),
                    disabled.map(|disabled| disabled.reason.as_str()).into(),
                ],
            )
            .await?;
        Ok(true)
    }

    async fn has_email(&mut self, email: &Email) -> Result<bool, StoreError> {
        #[derive(FromQueryResult)]
        struct Found {
            #[expect(dead_code, reason = "only whether it is there")]
            id: Uuid,
        }
        let sql = "SELECT id FROM person WHERE lower(email) = lower($1) AND email IS NOT NULL \
                   AND project_id IS NULL";
        let connection = self.connection().await?;
        let found: Option<Found> = connection.one(sql, [email.as_str().into()]).await?;
        Ok(found.is_some())
    }

    async fn set_tenant_admin(&mut self, id: PrincipalId, is: bool) -> Result<(), StoreError> {
        self.connection()
            .await?
            .execute(
                "UPDATE principal SET tenant_admin = $1 WHERE id = $2",
                [is.into(), id.uuid().into()],
            )
            .await?;
        Ok(())
    }

    async fn get(&mut self, id: PrincipalId) -> Result<Option<Principal>, StoreError> {
        by_id(self.connection().await?, id).await
    }

    async fn disable(&mut self, id: PrincipalId, disabled: &Disabled) -> Result<bool, StoreError> {
        let changed = self
            .connection()
            .await?
            .execute(
                "UPDATE principal SET disabled_at = $1, disabled_reason = $2 \
                 WHERE id = $3 AND disabled_at IS NULL",
                [
                    disabled.at.micros().into(),
                    disabled.reason.as_str().into(),
                    id.uuid().into(),
                ],
            )
            .await?;
        Ok(changed == 1)
    }

    async fn count_tenant_admins(&mut self) -> Result<u64, StoreError> {
        #[derive(FromQueryResult)]
        struct Admin {
            #[expect(dead_code, reason = "only counted")]
            id: Uuid,
        }
        // In one order, so that two of these wait for each other rather than deadlock.
        let lock = self
            .connection()
            .await?
            .dialect()
            .postgres_only("FOR UPDATE");
        let sql = format!(
            "SELECT id FROM principal WHERE tenant_admin AND disabled_at IS NULL ORDER BY id {lock}"
        );
        let admins: Vec<Admin> = self.connection().await?.all(sql, []).await?;
        Ok(admins.len() as u64)
    }
}

pub(super) async fn by_id(
    connection: &Connection,
    id: PrincipalId,
) -> Result<Option<Principal>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM principal p JOIN person n ON n.id = p.id WHERE p.id = $1");
    let row: Option<Row> = connection.one(sql, [id.uuid().into()]).await?;
    row.map(Principal::try_from).transpose()
}

pub(super) async fn page(
    connection: &Connection,
    users: Option<bool>,
    include_disabled: bool,
    after: Option<PrincipalId>,
    size: PageSize,
) -> Result<Page<Principal, PrincipalId>, StoreError> {
    let mut conditions = match users {
        None => "p.id > $2",
        Some(true) => "p.id > $2 AND p.kind = 'USER'",
        Some(false) => "p.id > $2 AND p.kind = 'SERVICE_ACCOUNT'",
    }
    .to_owned();
    if !include_disabled {
        conditions.push_str(" AND p.disabled_at IS NULL");
    }
    let values: [Value; 2] = [
        limit(size),
        after.map_or(Uuid::nil(), PrincipalId::uuid).into(),
    ];
    let sql = format!(
        "SELECT {COLUMNS} FROM principal p JOIN person n ON n.id = p.id WHERE {conditions} ORDER BY p.id LIMIT $1"
    );
    let rows: Vec<Row> = connection.all(sql, values).await?;
    let principals = rows
        .into_iter()
        .map(Principal::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page::from_rows(
        principals,
        size,
        |principal: &Principal| principal.id,
    ))
}

pub(super) async fn display_names(
    connection: &Connection,
    ids: &[PrincipalId],
) -> Result<HashMap<PrincipalId, DisplayName>, StoreError> {
    #[derive(FromQueryResult)]
    struct Named {
        id: Uuid,
        display_name: String,
    }
    let mut names = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(rows_per_statement(1)) {
        let places = list(ids.len());
        let sql = format!(
            "SELECT n.id, n.display_name FROM person n JOIN principal p ON p.id = n.id \
             WHERE n.id IN ({places}) AND n.display_name IS NOT NULL"
        );
        let rows: Vec<Named> = connection
            .all(sql, ids.iter().map(|id| id.uuid().into()))
            .await?;
        for row in rows {
            let place = Place {
                table: "person",
                row: &row.id,
            };
            let name = place.parse("display_name", row.display_name)?;
            names.insert(PrincipalId::from_uuid(row.id), name);
        }
    }
    Ok(names)
}
