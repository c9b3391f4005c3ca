//! Identities of principals at identity providers and in certificates.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_identity::{Account, Identity, IdentityKey, IdentityRepository, IssuerName, Subject};
use slipway_kernel::{PrincipalId, StoreError};
use uuid::Uuid;

use super::{membership, principal};
use crate::{
    SqlUnitOfWork,
    connection::{Connection, list},
    row::{Place, micros},
};

const TABLE: &str = "principal_identity";
const COLUMNS: &str = "i.issuer, i.subject, i.principal_id AS identity_of, i.tenant_admin AS by_issuer, i.asserted_at, \
     i.created_at AS linked_at";

#[derive(FromQueryResult)]
struct Row {
    issuer: String,
    subject: String,
    identity_of: Uuid,
    by_issuer: bool,
    asserted_at: Option<i64>,
    linked_at: i64,
}

impl TryFrom<Row> for Identity {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.identity_of,
        };
        Ok(Self {
            key: IdentityKey {
                issuer: place.parse("issuer", row.issuer)?,
                subject: place.parse("subject", row.subject)?,
            },
            principal: PrincipalId::from_uuid(row.identity_of),
            tenant_admin: row.by_issuer,
            asserted_at: place.parse_option("asserted_at", row.asserted_at)?,
            created_at: place.parse("created_at", row.linked_at)?,
        })
    }
}

#[async_trait]
impl IdentityRepository for SqlUnitOfWork {
    async fn insert(&mut self, identity: &Identity) -> Result<bool, StoreError> {
        let added = self
            .connection()
            .await?
            .execute(
                "INSERT INTO principal_identity \
                 (issuer, subject, principal_id, tenant_admin, asserted_at, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                [
                    identity.key.issuer.as_str().into(),
                    identity.key.subject.as_str().into(),
                    identity.principal.uuid().into(),
                    identity.tenant_admin.into(),
                    micros(identity.asserted_at).into(),
                    identity.created_at.micros().into(),
                ],
            )
            .await?;
        Ok(added == 1)
    }

    async fn get(&mut self, key: &IdentityKey) -> Result<Option<Identity>, StoreError> {
        let lock = self.dialect().postgres_only("FOR UPDATE");
        let sql = format!(
            "SELECT {COLUMNS} FROM principal_identity i WHERE i.issuer = $1 AND i.subject = $2 {lock}"
        );
        let row: Option<Row> = self
            .connection()
            .await?
            .one(
                sql,
                [key.issuer.as_str().into(), key.subject.as_str().into()],
            )
            .await?;
        row.map(Identity::try_from).transpose()
    }

    async fn of_principal(&mut self, id: PrincipalId) -> Result<Vec<Identity>, StoreError> {
        of_principal(self.connection().await?, id).await
    }

    async fn assert(&mut self, identity: &Identity) -> Result<(), StoreError> {
        self.connection()
            .await?
            .execute(
                "UPDATE principal_identity SET tenant_admin = $1, asserted_at = $2 \
                 WHERE issuer = $3 AND subject = $4",
                [
                    identity.tenant_admin.into(),
                    micros(identity.asserted_at).into(),
                    identity.key.issuer.as_str().into(),
                    identity.key.subject.as_str().into(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn remove(&mut self, key: &IdentityKey) -> Result<(), StoreError> {
        self.connection()
            .await?
            .execute(
                "DELETE FROM principal_identity WHERE issuer = $1 AND subject = $2",
                [key.issuer.as_str().into(), key.subject.as_str().into()],
            )
            .await?;
        Ok(())
    }
}

pub(super) async fn of_principal(
    connection: &Connection,
    id: PrincipalId,
) -> Result<Vec<Identity>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM principal_identity i WHERE i.principal_id = $1 ORDER BY i.issuer, i.subject"
    );
    let rows: Vec<Row> = connection.all(sql, [id.uuid().into()]).await?;
    rows.into_iter().map(Identity::try_from).collect()
}

pub(super) async fn accounts(
    connection: &Connection,
    issuer: &IssuerName,
    subjects: &[Subject],
) -> Result<Vec<Account>, StoreError> {
    #[derive(FromQueryResult)]
    struct Both {
        #[sea_orm(nested)]
        identity: Row,
        #[sea_orm(nested)]
        principal: principal::Row,
        owner_disabled_at: Option<i64>,
    }
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let places = list(subjects.len() + 1);
    let places = places.trim_start_matches("$1, ");
    let sql = format!(
        "SELECT {COLUMNS}, {}, o.disabled_at AS owner_disabled_at FROM principal_identity i \
         JOIN principal p ON p.id = i.principal_id JOIN person n ON n.id = p.id \
         LEFT JOIN principal o ON o.id = p.owner_id WHERE i.issuer = $1 AND i.subject IN ({places}) \
         ORDER BY i.subject",
        principal::COLUMNS
    );
    let values = std::iter::once(Value::from(issuer.as_str()))
        .chain(subjects.iter().map(|subject| subject.as_str().into()));
    let mut accounts = Vec::new();
    for both in connection.all::<Both>(sql, values).await? {
        let identity: Identity = both.identity.try_into()?;
        accounts.push(Account {
            memberships: membership::of_principal(connection, identity.principal).await?,
            identity,
            principal: both.principal.try_into()?,
            owner_disabled: both.owner_disabled_at.is_some(),
        });
    }
    Ok(accounts)
}
