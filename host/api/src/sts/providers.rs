//! Identity providers: who may vouch for others, and how their tokens are checked (OpenID Connect Core,
//! "ID Token Validation"). Only RS256 and ES256 count, whatever a token says of itself.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use parking_lot::Mutex;
use pinion_domain::iam::Json;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use url::Url;

use super::answer::Fault;

/// Tokens are larger than cookies and smaller than letters.
const LONGEST_TOKEN: usize = 20_000;
/// How long a provider's keys are believed.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// An unknown key makes us ask again, but not more often than this.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);
/// How far a provider's clock may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// One that may vouch.
#[derive(Clone, Debug)]
pub struct Provider {
    /// As its tokens name it: `https://login.example.com/path`.
    pub issuer: String,
    /// For whom its tokens must be; one of them is enough.
    pub audiences: Vec<String>,
    /// Where its public keys are.
    pub keys: KeySource,
}

impl Provider {
    /// As policies name it: the issuer without its scheme.
    fn name(&self) -> &str {
        let issuer = self.issuer.strip_prefix("https://").unwrap_or(&self.issuer);
        issuer.trim_end_matches('/')
    }
}

/// Where a set of public keys (JWKS) is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// Fetched.
    Url(Url),
    /// Read.
    File(PathBuf),
}

/// Gets sets of public keys. Whoever wires the server gives one, for this crate has no HTTP client.
pub trait FetchKeys: Send + Sync {
    /// The document, or why there is none.
    fn fetch<'a>(&'a self, source: &'a KeySource) -> BoxFuture<'a, Result<Vec<u8>, String>>;
}

/// All that are believed.
#[derive(Default)]
pub struct Providers {
    list: Vec<Provider>,
    fetch: Option<Arc<dyn FetchKeys>>,
    /// Keys by issuer.
    keys: Mutex<HashMap<String, Fetched>>,
}

#[derive(Clone)]
struct Fetched {
    at: Timestamp,
    set: Arc<JwkSet>,
}

/// What a token says, once it is believed.
#[derive(Debug)]
pub(super) struct Claims {
    /// As policies name the provider.
    pub provider: String,
    pub issuer: String,
    pub subject: String,
    /// The audience that we know.
    pub audience: String,
    /// Every claim that is a text or a list of texts: the values of condition keys.
    pub texts: BTreeMap<String, Vec<String>>,
}

/// The claims that are checked.
#[derive(Deserialize)]
struct Checked {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Providers {
    /// Believes these.
    pub fn new(list: Vec<Provider>, fetch: Arc<dyn FetchKeys>) -> Self {
        Self {
            list,
            fetch: Some(fetch),
            keys: Mutex::default(),
        }
    }

    /// Checks a token.
    pub(super) async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Fault> {
        let malformed = || invalid("The token is not a JWT that is signed with RS256 or ES256");
        if token.len() > LONGEST_TOKEN {
            return Err(malformed());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| malformed())?;
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
            return Err(malformed());
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (_, payload) = signed.split_once('.').ok_or_else(malformed)?;
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed());
        let (payload, signature) = (decode(payload)?, decode(signature)?);
        // Refuses claims that are given twice.
        let document: Json = serde_json::from_slice(&payload).map_err(|_| malformed())?;
        let checked: Checked = serde_json::from_slice(&payload)
            .map_err(|error| invalid(format!("The token's claims cannot be read: {error}")))?;

        // Which keys may have signed depends on who the token says it is from; nothing else is believed yet.
        let provider = self
            .list
            .iter()
            .find(|provider| provider.issuer == checked.iss)
            .ok_or_else(|| invalid("No OpenIDConnect provider is known for the token's issuer"))?;
        let id = header.kid.as_deref();
        let keys = self.keys(provider, header.alg, id, now).await?;
        if !keys
            .iter()
            .any(|key| is_signed_by(key, header.alg, signed.as_bytes(), &signature))
        {
            return Err(invalid("The token's signature is not of a key of its issuer"));
        }
        check_times(&checked, now)?;
        let audience = checked
            .aud
            .all()
            .iter()
            .find(|audience| provider.audiences.contains(audience));
        let audience = audience.ok_or_else(|| invalid("Incorrect token audience"))?;
        Ok(Claims {
            provider: provider.name().to_owned(),
            audience: audience.clone(),
            texts: texts(document),
            issuer: checked.iss,
            subject: checked.sub,
        })
    }

    /// The provider's keys that may have made such a signature.
    async fn keys(
        &self,
        provider: &Provider,
        algorithm: Algorithm,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Jwk>, Fault> {
        let fitting = |fetched: &Fetched| -> Vec<Jwk> {
            let keys = fetched.set.keys.iter();
            keys.filter(|key| fits(key, algorithm, id)).cloned().collect()
        };
        let known = self.keys.lock().get(&provider.issuer).cloned();
        if let Some(known) = &known {
            let age = now.duration_since(known.at).abs();
            let keys = fitting(known);
            if (age < FRESH && !keys.is_empty()) || age < PATIENCE {
                return Ok(keys);
            }
        }
        let failed = |problem: String| {
            tracing::warn!(
                issuer = provider.issuer,
                problem,
                "the keys of an identity provider are not to be had"
            );
            Fault::sender(
                "IDPCommunicationError",
                "The keys of the token's issuer cannot be had at the moment",
            )
        };
        let fetch = self
            .fetch
            .as_ref()
            .ok_or_else(|| failed("nothing fetches them".to_owned()))?;
        let fetched = match fetch.fetch(&provider.keys).await {
            Ok(document) => serde_json::from_slice(&document).map_err(|error| error.to_string()),
            Err(problem) => Err(problem),
        };
        let set: JwkSet = fetched.map_err(failed)?;
        let fetched = Fetched {
            at: now,
            set: Arc::new(set),
        };
        self.keys.lock().insert(provider.issuer.clone(), fetched.clone());
        Ok(fitting(&fetched))
    }
}

fn invalid(sentence: impl Into<String>) -> Fault {
    Fault::sender("InvalidIdentityToken", sentence)
}

/// Is a key for signatures of that algorithm, and of that id if the token names one?
fn fits(key: &Jwk, algorithm: Algorithm, id: Option<&str>) -> bool {
    let common = &key.common;
    let (declared, kind) = match algorithm {
        Algorithm::RS256 => (
            KeyAlgorithm::RS256,
            matches!(key.algorithm, AlgorithmParameters::RSA(_)),
        ),
        _ => (
            KeyAlgorithm::ES256,
            matches!(&key.algorithm, AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256),
        ),
    };
    kind && common
        .key_algorithm
        .as_ref()
        .is_none_or(|known| *known == declared)
        && common
            .public_key_use
            .as_ref()
            .is_none_or(|known| *known == PublicKeyUse::Signature)
        && id.is_none_or(|id| common.key_id.as_deref() == Some(id))
}

fn is_signed_by(key: &Jwk, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text);
    match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(rsa), Algorithm::RS256) => {
            let (Ok(n), Ok(e)) = (decode(&rsa.n), decode(&rsa.e)) else {
                return false;
            };
            let key = RsaPublicKeyComponents { n, e };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
        }
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES256) => {
            let (Ok(x), Ok(y)) = (decode(&curve.x), decode(&curve.y)) else {
                return false;
            };
            // Uncompressed: 4 and both coordinates.
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed, signature)
                .is_ok()
        }
        _ => false,
    }
}

fn check_times(checked: &Checked, now: Timestamp) -> Result<(), Fault> {
    let now = now.as_second() as f64;
    let ahead = now + SKEW.as_secs_f64();
    if checked.exp <= now {
        return Err(Fault::sender(
            "ExpiredTokenException",
            "The web identity token is expired",
        ));
    }
    let from_the_future = |at: Option<f64>| at.is_some_and(|at| at > ahead);
    if from_the_future(checked.nbf) || from_the_future(checked.iat) {
        return Err(invalid("The token is not valid yet"));
    }
    Ok(())
}

fn texts(document: Json) -> BTreeMap<String, Vec<String>> {
    let Json::Object(claims) = document else {
        return BTreeMap::new();
    };
    let text = |value| match value {
        Json::Text(text) => Some(text),
        _ => None,
    };
    let values = |value| match value {
        Json::List(items) => items.into_iter().map(text).collect(),
        one => text(one).map(|text| vec![text]),
    };
    let claims = claims.into_iter();
    claims
        .filter_map(|(name, value)| Some((name, values(value)?)))
        .collect()
}
