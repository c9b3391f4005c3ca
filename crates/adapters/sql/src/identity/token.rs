//! Tokens.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_identity::{Bearer, Token, TokenRepository};
use slipway_kernel::{Page, PageSize, PrincipalId, StoreError, Timestamp, TokenId};
use uuid::Uuid;

use super::{membership, principal};
use crate::{
    SqlUnitOfWork,
    connection::{Connection, limit, placeholders, rows_per_statement},
    row::{Place, micros},
};

const TABLE: &str = "token";
const COLUMNS: &str = "t.id, t.principal_id AS bearer_id, t.name, t.digest, t.created_at, t.expires_at, t.revoked_at, \
     t.last_used_at";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    bearer_id: Uuid,
    name: String,
    digest: Vec<u8>,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl TryFrom<Row> for Token {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        Ok(Self {
            id: TokenId::from_uuid(row.id),
            principal: PrincipalId::from_uuid(row.bearer_id),
            name: place.parse("name", row.name)?,
            digest: place.digest("digest", &row.digest)?,
            created_at: place.parse("created_at", row.created_at)?,
            expires_at: place.parse_option("expires_at", row.expires_at)?,
            revoked_at: place.parse_option("revoked_at", row.revoked_at)?,
            last_used_at: place.parse_option("last_used_at", row.last_used_at)?,
        })
    }
}

#[async_trait]
impl TokenRepository for SqlUnitOfWork {
    async fn insert(&mut self, token: &Token) -> Result<(), StoreError> {
        self.connection().await?
            .execute(
                "INSERT INTO token \
                 (id, principal_id, name, digest, created_at, expires_at, revoked_at, last_used_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                [
                    token.id.uuid().into(),
                    token.principal.uuid().into(),
                    token.name.as_str().into(),
                    token.digest.as_bytes().to_vec().into(),
                    token.created_at.micros().into(),
                    micros(token.expires_at).into(),
                    micros(token.revoked_at).into(),
                    micros(token.last_used_at).into(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn get(&mut self, id: TokenId) -> Result<Option<Token>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM token t WHERE t.id = $1");
        let row: Option<Row> = self
            .connection()
            .await?
            .one(sql, [id.uuid().into()])
            .await?;
        row.map(Token::try_from).transpose()
    }

    async fn revoke(&mut self, id: TokenId, at: Timestamp) -> Result<bool, StoreError> {
        let changed = self
            .connection()
            .await?
            .execute(
                "UPDATE token SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
                [at.micros().into(), id.uuid().into()],
            )
            .await?;
        Ok(changed == 1)
    }

    async fn used(&mut self, uses: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        // One use each, the latest: an update takes any of several.
        let mut latest = BTreeMap::new();
        for (id, at) in uses {
            let noted = latest.entry(*id).or_insert(*at);
            *noted = (*noted).max(*at);
        }
        let latest: Vec<_> = latest.into_iter().collect();
        for uses in latest.chunks(rows_per_statement(2)) {
            let sql = format!(
                "UPDATE token SET last_used_at = u.column2 FROM (VALUES {}) AS u \
                 WHERE token.id = u.column1 \
                 AND (token.last_used_at IS NULL OR token.last_used_at < u.column2)",
                placeholders(uses.len(), 2)
            );
            let values = uses
                .iter()
                .flat_map(|(id, at)| [id.uuid().into(), at.micros().into()]);
            self.connection().await?.execute(sql, values).await?;
        }
        Ok(())
    }
}

pub(super) async fn page(
    connection: &Connection,
    principal: PrincipalId,
    active_at: Option<Timestamp>,
    after: Option<TokenId>,
    size: PageSize,
) -> Result<Page<Token, TokenId>, StoreError> {
    let mut values: Vec<Value> = vec![
        principal.uuid().into(),
        limit(size),
        // Every identifier but the nil one is behind it, and no token has that.
        after.map_or(Uuid::nil(), TokenId::uuid).into(),
    ];
    let mut conditions = "t.principal_id = $1 AND t.id > $3".to_owned();
    if let Some(now) = active_at {
        values.push(now.micros().into());
        conditions
            .push_str(" AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $4)");
    }
    let sql = format!("SELECT {COLUMNS} FROM token t WHERE {conditions} ORDER BY t.id LIMIT $2");
    let rows: Vec<Row> = connection.all(sql, values).await?;
    let tokens = rows
        .into_iter()
        .map(Token::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page::from_rows(tokens, size, |token: &Token| token.id))
}

pub(super) async fn bearer(
    connection: &Connection,
    id: TokenId,
) -> Result<Option<Bearer>, StoreError> {
    #[derive(FromQueryResult)]
    struct Both {
        #[sea_orm(nested)]
        token: Row,
        #[sea_orm(nested)]
        principal: principal::Row,
        owner_disabled_at: Option<i64>,
    }
    let sql = format!(
        "SELECT {COLUMNS}, {}, o.disabled_at AS owner_disabled_at FROM token t \
         JOIN principal p ON p.id = t.principal_id JOIN person n ON n.id = p.id \
         LEFT JOIN principal o ON o.id = p.owner_id WHERE t.id = $1",
        principal::COLUMNS
    );
    let Some(both) = connection.one::<Both>(sql, [id.uuid().into()]).await? else {
        return Ok(None);
    };
    let token: Token = both.token.try_into()?;
    Ok(Some(Bearer {
        owner_disabled: both.owner_disabled_at.is_some(),
        principal: both.principal.try_into()?,
        memberships: membership::of_principal(connection, token.principal).await?,
        token,
    }))
}
