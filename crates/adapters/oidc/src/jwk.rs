//! A JSON Web Key Set: which of its keys can check a signature, and by which algorithms.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm as Library, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::options::Algorithm;

/// The most keys of a set that are looked at.
const MAX_KEYS: usize = 100;
/// The most bytes of a key's name.
const MAX_NAME_BYTES: usize = 512;
/// What an RSA key has at least and at most, in bytes of its modulus: 2,048 and 8,192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

const OF_RSA: &[Library] = &[
    Library::RS256,
    Library::RS384,
    Library::RS512,
    Library::PS256,
    Library::PS384,
    Library::PS512,
];

/// Keys by their names.
pub(crate) type Keys = HashMap<String, Vec<Key>>;

/// A key that checks signatures.
pub(crate) struct Key {
    algorithms: Vec<Library>,
    key: Arc<DecodingKey>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The keys of a document that can check a signature. Keys of other kinds, which such sets have too, are left out.
pub(crate) fn parse(document: &[u8]) -> Result<Keys, String> {
    let document: Document = serde_json::from_slice(document)
        .map_err(|error| format!("what is there is no JSON Web Key Set: {error}"))?;
    if document.keys.len() > MAX_KEYS {
        return Err(format!(
            "the set has {} keys; at most {MAX_KEYS} are taken",
            document.keys.len()
        ));
    }
    let mut keys = Keys::new();
    for value in document.keys {
        // One that is malformed takes nothing from the others.
        if let Ok(jwk) = serde_json::from_value::<Jwk>(value)
            && let Some((name, key)) = usable(&jwk)
        {
            keys.entry(name).or_default().push(key);
        }
    }
    if keys.is_empty() {
        return Err(
            "the set has no key that is named (`kid`), public and fit to check a signature"
                .to_owned(),
        );
    }
    Ok(keys)
}

/// The key with this name that is for this algorithm.
pub(crate) fn find(keys: &Keys, name: &str, algorithm: Algorithm) -> Option<Arc<DecodingKey>> {
    let key = keys
        .get(name)?
        .iter()
        .find(|key| key.algorithms.contains(&algorithm.of_library()))?;
    Some(Arc::clone(&key.key))
}

fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    let common = &jwk.common;
    let name = common.key_id.clone()?;
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    if let Some(operations) = &common.key_operations
        && !operations.contains(&KeyOperations::Verify)
    {
        return None;
    }
    let mut algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
            let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
            if !RSA_BYTES.contains(&significant) {
                return None;
            }
            OF_RSA.to_vec()
        }
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => vec![Library::ES256],
            EllipticCurve::P384 => vec![Library::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            vec![Library::EdDSA]
        }
        // A secret that both sides know: whoever checks could sign.
        AlgorithmParameters::OctetKeyPair(_) | AlgorithmParameters::OctetKey(_) => return None,
    };
    if let Some(only) = common.key_algorithm {
        algorithms.retain(|algorithm| only.to_string() == format!("{algorithm:?}"));
    }
    if algorithms.is_empty() {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((
        name,
        Key {
            algorithms,
            key: Arc::new(key),
        },
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The names of the keys that are taken.
    fn names(keys: &Value) -> Vec<String> {
        let document = json!({ "keys": keys }).to_string();
        let mut names: Vec<_> = parse(document.as_bytes())
            .map(|keys| keys.into_keys().collect())
            .unwrap_or_default();
        names.sort();
        names
    }

    fn rsa(name: &str, bytes: usize) -> Value {
        let n = URL_SAFE_NO_PAD.encode(vec![0xc5; bytes]);
        json!({ "kty": "RSA", "kid": name, "n": n, "e": "AQAB" })
    }

    fn with(mut key: Value, field: &str, value: Value) -> Value {
        key[field] = value;
        key
    }

    #[test]
    fn only_named_public_keys_for_signatures_are_taken() {
        let unnamed = json!({ "kty": "RSA", "n": rsa("", 256)["n"], "e": "AQAB" });
        let curve = |name: &str, curve: &str| json!({ "kty": "EC", "kid": name, "crv": curve, "x": "AQ", "y": "AQ" });
        let keys = json!([
            rsa("good", 256),
            rsa("short", 128),
            rsa("padded", 256),
            unnamed,
            with(rsa("for-secrets", 256), "use", json!("enc")),
            with(rsa("encrypts", 256), "key_ops", json!(["encrypt"])),
            with(rsa("other-algorithm", 256), "alg", json!("RSA-OAEP")),
            with(rsa("mac", 256), "alg", json!("HS256")),
            with(rsa("pinned", 256), "alg", json!("PS256")),
            with(rsa("pinned-too", 256), "use", json!("sig")),
            { "kty": "oct", "kid": "secret", "k": "c2VjcmV0" },
            curve("p256", "P-256"),
            curve("p521", "P-521"),
            { "kty": "quantum", "kid": "unknown" },
            7,
        ]);
        assert_eq!(
            names(&keys),
            ["good", "p256", "padded", "pinned", "pinned-too"]
        );
    }

    #[test]
    fn a_key_is_for_its_own_algorithms_only() {
        let document = json!({ "keys": [
            with(rsa("pinned", 256), "alg", json!("PS256")),
            rsa("free", 256),
        ]});
        let keys = parse(document.to_string().as_bytes()).expect("keys");
        let is_for = |name: &str, algorithm: &str| {
            find(&keys, name, algorithm.parse().expect("an algorithm")).is_some()
        };
        assert!(is_for("pinned", "PS256") && !is_for("pinned", "RS256"));
        assert!(is_for("free", "RS512") && is_for("free", "PS256"));
        assert!(!is_for("free", "ES256") && !is_for("free", "EdDSA"));
        assert!(!is_for("none", "RS256"));
    }

    #[test]
    fn what_is_no_set_says_so() {
        let many = json!({ "keys": vec![rsa("a", 256); MAX_KEYS + 1] }).to_string();
        for (document, told) in [
            ("<html>", "no JSON Web Key Set"),
            ("{}", "no JSON Web Key Set"),
            ("[]", "no JSON Web Key Set"),
            (r#"{"keys":[]}"#, "no key that is named"),
            (many.as_str(), "has 101 keys"),
        ] {
            let error = parse(document.as_bytes()).err().unwrap_or_default();
            assert!(error.contains(told), "{document:.40}: {error}");
        }
    }
}
