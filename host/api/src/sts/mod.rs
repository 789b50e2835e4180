//! Temporary credentials: AWS's Security Token Service on the same port, in its query protocol, so that
//! the `sts` clients of all SDKs work when they are pointed here.
//!
//! | module | holds |
//! |---|---|
//! | `parameters` | what a request says |
//! | `answer` | XML, for answers and errors |
//! | `role` | `AssumeRole` and `AssumeRoleWithWebIdentity` |
//! | `grant` | what the credentials of a role say |
//! | `providers` | identity providers and their tokens |
//!
//! Anything signed for the service `sts` may come; `GetCallerIdentity` and `GetSessionToken` need no permission.

mod answer;
mod grant;
mod parameters;
mod providers;
mod role;

use axum::body::Body;
use axum::response::Response;
use http::Method;
use http::request::Parts;
use jiff::SignedDuration;
use pinion_domain::id::{Region, Tenant};

use crate::Api;
use crate::auth::session::Session;
use crate::auth::sigv4::{RequestView, Rules, Verifier};
use crate::auth::{Authority, Facts, Identity};
use crate::error::ApiError;
use crate::extract::Query;
use crate::serve::{authenticate, connection, log, read, with_host};
use answer::{Element, Fault, credentials};
use parameters::Parameters;
pub use providers::{FetchKeys, KeySource, Provider, Providers};

/// Bytes of a request; session policies and web identity tokens have limits of their own.
const LARGEST_BODY: usize = 64 * 1024;
/// Seconds that a user's session token lasts, and at the most; a root's lasts an hour.
const USER_SESSION: (u32, u32) = (43_200, 129_600);
const ROOT_SESSION: (u32, u32) = (3_600, 3_600);

/// What answers such requests.
pub(crate) struct Sts {
    verifier: Verifier,
    pub(crate) providers: Providers,
}

impl Sts {
    /// `rules` are those of the API. Old SDKs sign for the one global endpoint, which is `us-east-1`.
    pub(crate) fn new(rules: &Rules) -> Self {
        let regions = rules.regions.clone().map(|mut regions| {
            regions.push("us-east-1".to_owned());
            regions
        });
        Self {
            verifier: Verifier::new(Rules {
                service: "sts".to_owned(),
                regions,
                ..rules.clone()
            }),
            providers: Providers::default(),
        }
    }
}

/// Is a request one of these?
pub(crate) fn is_asked(head: &Parts) -> bool {
    let query = head.uri.query().unwrap_or_default();
    let named = || query.split('&').any(|pair| pair.starts_with("Action="));
    head.uri.path() == "/" && (head.method == Method::POST || (head.method == Method::GET && named()))
}

/// Answers one; never fails.
pub(crate) async fn answer(api: &Api, head: Parts, body: Body, request_id: &str) -> Response {
    match act(api, head, body).await {
        Ok((action, result)) => answer::success(&action, &result, request_id),
        Err(fault) => {
            if let Fault::Api(error) = &fault {
                log(error);
            }
            fault.response(request_id)
        }
    }
}

/// One request while it is answered.
struct Asked<'a> {
    api: &'a Api,
    parameters: Parameters,
    facts: Facts<'a>,
}

/// The action, and the elements of its result.
async fn act(api: &Api, head: Parts, body: Body) -> Result<(String, Vec<Element>), Fault> {
    let head = with_host(head);
    let connection = connection(&head);
    let body = read(body, LARGEST_BODY).await?;
    let raw_query = head.uri.query().unwrap_or_default();
    let parameters = Parameters::read(raw_query, &body)?;
    let action = parameters.required("Action")?.to_owned();
    let view = RequestView {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: raw_query,
        headers: &head.headers,
    };
    let query = Query::default();
    // Whoever brings a token of an identity provider has no key yet.
    let signed = if action == "AssumeRoleWithWebIdentity" {
        None
    } else {
        Some(authenticate(api, &api.sts.verifier, view, &body).await?)
    };
    let (authority, tenant) = match signed {
        Some((authority, region)) => {
            let account = authority.principal.account.clone();
            (Some(authority), Tenant { account, region })
        }
        None => {
            let (account, region) = ("".into(), Region::from("us-east-1"));
            (None, Tenant { account, region })
        }
    };
    let asked = Asked {
        api,
        parameters,
        facts: Facts {
            tenant: &tenant,
            connection,
            headers: &head.headers,
            query: &query,
            body: &body,
            now: api.clock().now(),
        },
    };
    let result = match (action.as_str(), &authority) {
        ("AssumeRoleWithWebIdentity", _) => asked.assume_role_with_web_identity().await?,
        ("AssumeRole", Some(authority)) => asked.assume_role(authority).await?,
        ("GetCallerIdentity", Some(authority)) => caller_identity(authority),
        ("GetSessionToken", Some(authority)) => asked.session_token(authority)?,
        _ => {
            let sentence = format!("Could not find operation {action} for version 2011-06-15");
            return Err(Fault::sender("InvalidAction", sentence));
        }
    };
    Ok((action, result))
}

fn caller_identity(authority: &Authority) -> Vec<Element> {
    let principal = &authority.principal;
    vec![
        Element::text("Arn", principal.arn()),
        Element::text("UserId", principal.user_id()),
        Element::text("Account", principal.account.as_str()),
    ]
}

impl Asked<'_> {
    /// The same principal for a while. The credentials end with the key that asked for them.
    fn session_token(&self, authority: &Authority) -> Result<Vec<Element>, Fault> {
        let principal = &authority.principal;
        if principal.session.is_some() {
            let sentence = "Cannot call GetSessionToken with session credentials";
            return Err(Fault::denied(sentence));
        }
        if let Some(name) = ["SerialNumber", "TokenCode"]
            .into_iter()
            .find(|name| self.parameters.get(name).is_some())
        {
            return Err(Fault::invalid(format!("{name}: there are no MFA devices here")));
        }
        let (usual, most) = match principal.identity {
            Identity::Root => ROOT_SESSION,
            _ => USER_SESSION,
        };
        let seconds = self.parameters.seconds(usual, most)?;
        let now = self.facts.now;
        let session = Session {
            account: principal.account.clone(),
            holder: principal.identity.holder().map(|holder| holder.to_string()),
            id: principal.user_id(),
            name: String::new(),
            parent: Some(principal.access_key_id.clone()),
            issued: now,
            expires: now + SignedDuration::from_secs(i64::from(seconds)),
            policy: None,
            policies: Vec::new(),
            tags: Default::default(),
            transitive: Vec::new(),
            source_identity: None,
            provider: None,
        };
        let given = self.api.access.tokens.give(&session);
        Ok(vec![credentials(&given, session.expires)])
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}
