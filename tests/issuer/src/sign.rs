//! Keys, and tokens that they sign.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use serde_json::{Value, json};

/// The time, in seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a stand-in signs in real time, as the server under test checks"
)]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs().try_into().unwrap()
}

/// A pair of keys with a name.
pub struct Key {
    /// What tokens and key sets call it.
    pub kid: String,
    algorithm: Algorithm,
    signing: EncodingKey,
    /// What everybody may know, as a JSON Web Key without its name.
    public: Value,
    raw: Vec<u8>,
}

impl Key {
    /// A new one that signs by ES256.
    pub fn new(kid: &str) -> Self {
        Self::of(kid, Algorithm::ES256)
    }

    /// A new one that signs by ES256, ES384 or `EdDSA`.
    pub fn of(kid: &str, algorithm: Algorithm) -> Self {
        let pair = KeyPair::generate_for(match algorithm {
            Algorithm::ES384 => &PKCS_ECDSA_P384_SHA384,
            Algorithm::EdDSA => &PKCS_ED25519,
            _ => &PKCS_ECDSA_P256_SHA256,
        });
        let pair = pair.unwrap();
        let der = pair.serialize_der();
        let raw = pair.public_key_raw().to_vec();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (signing, public) = if algorithm == Algorithm::EdDSA {
            (
                EncodingKey::from_ed_der(&der),
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(&raw) }),
            )
        } else {
            // 4, and two numbers of equal length.
            let (x, y) = raw[1..].split_at((raw.len() - 1) / 2);
            let curve = if x.len() == 32 { "P-256" } else { "P-384" };
            (
                EncodingKey::from_ec_der(&der),
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) }),
            )
        };
        Self {
            kid: kid.to_owned(),
            algorithm,
            signing,
            public,
            raw,
        }
    }

    /// What everybody may know, as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The public key as it stands in certificates: what somebody would take for the secret of a symmetric signature.
    pub fn public_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// The private key itself.
    pub const fn signing(&self) -> &EncodingKey {
        &self.signing
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.kid, claims)
    }

    /// A token that is signed symmetrically, by the public key as the secret.
    pub fn sign_by_public(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.kid.clone());
        encode(&header, claims, &EncodingKey::from_secret(&self.raw)).unwrap()
    }

    /// A token that says it was signed by another key.
    pub fn sign_as(&self, kid: &str, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(kid.to_owned());
        encode(&header, claims, &self.signing).unwrap()
    }
}

/// A token with this header, claims and signature, whether they fit together or not.
pub fn by_hand(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!(
        "{}.{}.{}",
        part(header.to_string().as_bytes()),
        part(claims.to_string().as_bytes()),
        part(signature)
    )
}
