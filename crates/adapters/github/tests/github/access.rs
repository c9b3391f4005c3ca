//! Who we are, and what we may do.

use std::sync::LazyLock;

use rsa::{
    RsaPrivateKey,
    pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey, LineEnding},
};
use slipway_github::{Auth, GitHub, Options};
use slipway_github_stand_in::{self as stand_in, Access, App};
use slipway_snapshots::{GitError, GitStore, git::Committed};

use crate::world::{World, commit, count, files, options_for, production};

/// A key pair, private and public, in PEM. Making one takes seconds.
static KEYS: LazyLock<(String, String)> = LazyLock::new(|| {
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2_048).expect("a key");
    let public = key.to_public_key().to_pkcs1_pem(LineEnding::LF);
    let private = key.to_pkcs1_pem(LineEnding::LF).expect("a key in PEM");
    (private.to_string(), public.expect("a key in PEM"))
});

async fn world_with_app(access: Access) -> Option<World> {
    World::with(stand_in::Options {
        tokens: Vec::new(),
        app: Some(App {
            id: 12_345,
            installation: 67_890,
            public_key_pem: KEYS.1.clone(),
            access,
        }),
        ..stand_in::Options::default()
    })
    .await
}

fn app(world: &World, app_id: u64, installation_id: u64) -> Options {
    Options {
        auth: Auth::App {
            app_id,
            installation_id,
            private_key_pem: KEYS.0.clone().into(),
        },
        ..options_for(&world.server)
    }
}

#[tokio::test]
async fn an_app_asks_for_one_token_of_one_repository() {
    let Some(world) = world_with_app(Access::Write).await else {
        return;
    };
    let store = GitHub::new(&app(&world, 12_345, 67_890)).expect("a store");
    let content = files(&[("a", "\0"), ("b", "\0\0"), ("c", "\0\0\0")]);
    let made = commit(&store, None, &content).await;
    let Ok(Committed::New(first)) = made else {
        panic!("{made:?}");
    };
    assert_eq!(store.read(&first).await.expect("read"), Some(content));
    let asked = world.server.everything();
    assert_eq!(count(&asked, "POST", "/access_tokens"), 1);
    let token = asked
        .iter()
        .find(|asked| asked.path.ends_with("/access_tokens"));
    let body = token.and_then(|asked| asked.body.clone()).expect("a body");
    assert_eq!(body["repositories"][0], "snapshots");

    // A token that is revoked before its time is replaced by a new one.
    world.server.revoke_all();
    let made = commit(&store, Some(&first), &files(&[("a", "1")])).await;
    assert!(matches!(made, Ok(Committed::New(_))), "{made:?}");
    let asked = world.server.everything();
    assert_eq!(count(&asked, "POST", "/access_tokens"), 2);
    world.finish(2).await;
}

#[tokio::test]
async fn an_app_that_is_not_what_it_says_is_told() {
    let Some(world) = world_with_app(Access::Read).await else {
        return;
    };
    for (app_id, installation_id) in [(1, 67_890), (12_345, 1)] {
        let store = GitHub::new(&app(&world, app_id, installation_id)).expect("a store");
        let refused = store.head(&production()).await;
        let Err(error @ GitError::Unauthenticated { .. }) = refused else {
            panic!("{refused:?}");
        };
        let said = format!("{error:?}");
        assert!(!said.contains("ghs_") && !said.contains("eyJ"), "{said}");
    }
    // It may read, and not write.
    let store = GitHub::new(&app(&world, 12_345, 67_890)).expect("a store");
    assert_eq!(store.head(&production()).await.expect("a head"), None);
    let refused = commit(&store, None, &files(&[("a", "1")])).await;
    assert!(
        matches!(refused, Err(GitError::Unauthenticated { .. })),
        "{refused:?}"
    );
    // Its installation has no such repository.
    let mut options = app(&world, 12_345, 67_890);
    options.repository = "other".to_owned();
    let store = GitHub::new(&options).expect("a store");
    let refused = store.head(&production()).await;
    assert!(
        matches!(refused, Err(GitError::NoRepository { .. })),
        "{refused:?}"
    );
    let shown = format!("{options:?} {store:?}");
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    world.finish(0).await;
}

#[tokio::test]
async fn a_token_that_may_only_read_is_told() {
    let Some(world) = World::new().await else {
        return;
    };
    world.server.grant("ghp_read", Access::Read);
    let mut options = options_for(&world.server);
    options.auth = Auth::Token("ghp_read".into());
    let store = GitHub::new(&options).expect("a store");
    assert_eq!(store.head(&production()).await.expect("a head"), None);
    let refused = commit(&store, None, &files(&[("a", "1")])).await;
    let Err(GitError::Unauthenticated { message }) = refused else {
        panic!("{refused:?}");
    };
    assert!(message.contains("not accessible"), "{message}");
    world.finish(0).await;
}

#[tokio::test]
async fn a_repository_that_is_missing_or_hidden_is_told_apart_from_a_missing_branch() {
    let Some(world) = World::new().await else {
        return;
    };
    world.server.grant("ghp_nothing", Access::Nothing);
    let mut hidden = options_for(&world.server);
    hidden.auth = Auth::Token("ghp_nothing".into());
    let mut missing = options_for(&world.server);
    missing.repository = "no-such".to_owned();
    for options in [hidden, missing] {
        let store = GitHub::new(&options).expect("a store");
        let location = store.location();
        for refused in [
            store.head(&production()).await.map(drop),
            commit(&store, None, &files(&[("a", "1")])).await.map(drop),
            store
                .read(&crate::world::sha(
                    "0123456789012345678901234567890123456789",
                ))
                .await
                .map(drop),
        ] {
            let Err(GitError::NoRepository { location: told }) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(told, location);
        }
    }
    world.finish(0).await;
}

#[tokio::test]
async fn a_public_repository_hides_that_it_can_not_be_written_to() {
    let options = stand_in::Options {
        private: false,
        tokens: vec![("ghp_write".to_owned(), Access::Nothing)],
        ..stand_in::Options::default()
    };
    let Some(world) = World::with(options).await else {
        return;
    };
    let refused = world.try_commit(None, &files(&[("a", "1")])).await;
    let Err(GitError::Unauthenticated { message }) = refused else {
        panic!("{refused:?}");
    };
    assert!(message.contains("write access"), "{message}");
    world.finish(0).await;
}

#[tokio::test]
async fn nobody_is_there() {
    if !stand_in::available() {
        return;
    }
    let world = World::new().await.expect("a world");
    let options = options_for(&world.server);
    drop(world);
    let store = GitHub::new(&options).expect("a store");
    let refused = store.head(&production()).await;
    assert!(
        matches!(refused, Err(GitError::Unavailable { .. })),
        "{refused:?}"
    );
}
