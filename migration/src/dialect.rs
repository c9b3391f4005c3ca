//! The words that the two dialects spell differently.

use sea_orm::DbBackend;

/// Each word in braces, in the dialect of `SQLite` and in that of `PostgreSQL`.
///
/// Names are compared bytewise on both, so that pages come in the same order. A clustered table is one whose primary
/// key is its order on disk, where the database has that.
const WORDS: [(&str, &str, &str); 12] = [
    ("{uuid}", "BLOB", "UUID"),
    ("{name}", "TEXT", "TEXT COLLATE \"C\""),
    ("{text}", "TEXT", "TEXT"),
    ("{bytes}", "BLOB", "BYTEA"),
    ("{bool}", "INTEGER", "BOOLEAN"),
    ("{int}", "INTEGER", "INTEGER"),
    ("{bigint}", "INTEGER", "BIGINT"),
    (
        "{sequence}",
        "INTEGER PRIMARY KEY AUTOINCREMENT",
        "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    ),
    ("{length}", "length", "octet_length"),
    ("{table}", "STRICT", ""),
    ("{clustered}", "STRICT, WITHOUT ROWID", ""),
    (
        "{clustered, often updated}",
        "STRICT, WITHOUT ROWID",
        "WITH (fillfactor = 70)",
    ),
];

/// `text` with every word in braces in the words of `backend`.
pub fn spell(text: &str, backend: DbBackend) -> String {
    WORDS
        .iter()
        .fold(text.to_owned(), |text, (word, sqlite, postgres)| {
            text.replace(
                word,
                if backend == DbBackend::Postgres {
                    postgres
                } else {
                    sqlite
                },
            )
        })
}
