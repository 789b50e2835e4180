//! Who may look at the pages: whoever holds a one-time link of `pinion console link`, until there are
//! accounts.
//!
//! The command may run beside the server, so a link is signed with a key that both read and carries
//! everything that is needed to check it. The server remembers which links were used, and takes none
//! that is older than itself, since it cannot know whether those were.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use pinion_domain::clock::Clock;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::pages;

/// How long a link can be used.
const LINK: SignedDuration = SignedDuration::from_mins(15);
/// How long a session lasts.
const SESSION: SignedDuration = SignedDuration::from_hours(12);
const COOKIE: &str = "pinion_session";
/// Keeps these signatures apart from others made with the same key.
const PURPOSE: &[u8] = b"pinion console link 1";

const NONCE: usize = 16;
const EXPIRY: usize = 8;
const SIGNED: usize = EXPIRY + NONCE;
const TOKEN: usize = SIGNED + 32;

/// Links and sessions. Sessions live in memory: a restart ends them.
pub struct Sessions {
    key: [u8; 32],
    clock: Arc<dyn Clock>,
    started: Timestamp,
    secure: bool,
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Nonces of used links, until they expire.
    used: HashMap<[u8; NONCE], Timestamp>,
    /// Digests of session ids, with the end of each.
    open: HashMap<[u8; 32], Timestamp>,
}

impl Sessions {
    /// No sessions. `key` is the one that the command signs links with.
    pub fn new(key: [u8; 32], clock: Arc<dyn Clock>) -> Self {
        Self {
            key,
            started: clock.now(),
            clock,
            secure: false,
            state: Mutex::default(),
        }
    }

    /// Marks the cookie `Secure`, for servers that browsers reach over https.
    pub fn over_https(mut self, https: bool) -> Self {
        self.secure = https;
        self
    }

    /// A token for `/console/enter?token=…`, good once and for fifteen minutes.
    pub fn issue_link_token(&self) -> String {
        let expires = self.clock.now() + LINK;
        let nonce: [u8; NONCE] = rand::rng().random();
        let mut token = Vec::with_capacity(TOKEN);
        token.extend_from_slice(&expires.as_millisecond().to_be_bytes());
        token.extend_from_slice(&nonce);
        let signature = self.mac(&token).finalize().into_bytes();
        token.extend_from_slice(&signature);
        BASE64.encode(token)
    }

    /// Exchanges a token for the id of a new session; nothing if it is not ours, too old, or used.
    pub fn redeem(&self, token: &str) -> Option<String> {
        let token = BASE64.decode(token).ok().filter(|token| token.len() == TOKEN)?;
        let (signed, signature) = token.split_at(SIGNED);
        self.mac(signed).verify_slice(signature).ok()?;
        let (expires, nonce) = signed.split_at(EXPIRY);
        let expires = i64::from_be_bytes(expires.try_into().ok()?);
        let expires = Timestamp::from_millisecond(expires).ok()?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let now = self.clock.now();
        let started = Timestamp::from_millisecond(self.started.as_millisecond()).ok()?;
        if expires <= now || expires - LINK < started {
            return None;
        }

        let session: [u8; 32] = rand::rng().random();
        let session = BASE64.encode(session);
        let mut known = self.state.lock();
        known.used.retain(|_, expires| *expires > now);
        known.open.retain(|_, ends| *ends > now);
        if known.used.insert(nonce, expires).is_some() {
            return None;
        }
        known.open.insert(digest(&session), now + SESSION);
        Some(session)
    }

    /// Does the request come from an open session?
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let now = self.clock.now();
        let known = self.state.lock();
        cookies(headers).any(|id| known.open.get(&digest(id)).is_some_and(|ends| *ends > now))
    }

    /// Ends the request's session.
    pub fn close(&self, headers: &HeaderMap) {
        let mut known = self.state.lock();
        for id in cookies(headers) {
            known.open.remove(&digest(id));
        }
    }

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(PURPOSE);
        mac.update(signed);
        mac
    }

    fn cookie(&self, session: &str, lasts: SignedDuration) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = format!(
            "{COOKIE}={session}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}{secure}",
            lasts.as_secs()
        );
        HeaderValue::from_str(&cookie).expect("Base64 is fine in a header")
    }
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn digest(session: &str) -> [u8; 32] {
    Sha256::digest(session.as_bytes()).into()
}

/// `GET /console/enter?token=…[&next=/outbox]` opens a session, `POST /console/leave` ends it.
pub fn router(sessions: Arc<Sessions>) -> Router {
    Router::new()
        .route("/console/enter", get(enter))
        .route("/console/leave", post(leave))
        .with_state(sessions)
}

/// Middleware that lets only open sessions through: `from_fn_with_state(sessions, require)`.
pub async fn require(State(sessions): State<Arc<Sessions>>, request: Request, next: Next) -> Response {
    if sessions.admits(request.headers()) {
        return next.run(request).await;
    }
    if request.uri().path().contains("/api/") {
        return pages::json_error(StatusCode::UNAUTHORIZED, "no session; run `pinion console link`");
    }
    pages::sorry(
        StatusCode::UNAUTHORIZED,
        "No session",
        "Run “pinion console link” on the server and open the address that it prints.",
    )
}

#[derive(Deserialize)]
struct Enter {
    #[serde(default)]
    token: String,
    next: Option<String>,
}

#[derive(Serialize)]
struct Entered {
    next: String,
}

/// Answers a page that goes on by itself rather than a redirect: a browser that came here from
/// another site would not send a `SameSite=Strict` cookie along with a redirect.
async fn enter(State(sessions): State<Arc<Sessions>>, Query(enter): Query<Enter>) -> Response {
    let Some(session) = sessions.redeem(&enter.token) else {
        return pages::sorry(
            StatusCode::UNAUTHORIZED,
            "This link does not work any more",
            "A link is good once, for fifteen minutes, and until the server restarts. \
             “pinion console link” makes another.",
        );
    };
    let next = enter.next.filter(|next| is_ours(next));
    let next = next.unwrap_or_else(|| "/console".to_owned());
    let mut response = pages::html("entered.html", &Entered { next });
    let cookie = sessions.cookie(&session, SESSION);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

async fn leave(State(sessions): State<Arc<Sessions>>, headers: HeaderMap) -> Response {
    sessions.close(&headers);
    let cookie = sessions.cookie("", SignedDuration::ZERO);
    ([(header::SET_COOKIE, cookie)], Redirect::to("/console")).into_response()
}

/// A page of ours, not a way to lead people elsewhere.
fn is_ours(path: &str) -> bool {
    ["/console", "/outbox"]
        .iter()
        .filter_map(|root| path.strip_prefix(root))
        .any(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && !path.contains(['\\', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use pinion_domain::clock::ManualClock;
    use tower::ServiceExt;

    use super::*;

    fn setting() -> (Arc<ManualClock>, Arc<Sessions>) {
        let clock = Arc::new(ManualClock::new("2026-11-23T10:00:00.0005Z".parse().unwrap()));
        (clock.clone(), Arc::new(Sessions::new([7; 32], clock)))
    }

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn a_link_is_good_once() {
        let (_, sessions) = setting();
        let token = sessions.issue_link_token();
        let session = sessions.redeem(&token).unwrap();
        assert_eq!(sessions.redeem(&token), None);
        assert!(sessions.admits(&headers(&format!("a=b; pinion_session={session}"))));
        for other in [
            "pinion_session=",
            "pinion_session=x",
            &*format!("x{COOKIE}={session}"),
            "a",
        ] {
            assert!(!sessions.admits(&headers(other)), "{other}");
        }
        sessions.close(&headers(&format!("pinion_session={session}")));
        assert!(!sessions.admits(&headers(&format!("pinion_session={session}"))));
    }

    #[test]
    fn links_and_sessions_end() {
        let (clock, sessions) = setting();
        let (early, late) = (sessions.issue_link_token(), sessions.issue_link_token());
        clock.advance(LINK - SignedDuration::from_secs(1));
        let session = sessions.redeem(&early).unwrap();
        clock.advance(SignedDuration::from_secs(1));
        assert_eq!(sessions.redeem(&late), None);
        let cookie = headers(&format!("pinion_session={session}"));
        clock.advance(SESSION - SignedDuration::from_secs(2));
        assert!(sessions.admits(&cookie));
        clock.advance(SignedDuration::from_secs(1));
        assert!(!sessions.admits(&cookie));
        // What is over is forgotten.
        clock.advance(SESSION);
        assert!(sessions.redeem(&sessions.issue_link_token()).is_some());
        let known = sessions.state.lock();
        assert_eq!((known.used.len(), known.open.len()), (1, 1));
    }

    #[test]
    fn the_command_beside_the_server_can_make_links() {
        let (clock, server) = setting();
        let command = Sessions::new([7; 32], clock.clone());
        assert!(server.redeem(&command.issue_link_token()).is_some());
        let stranger = Sessions::new([8; 32], clock.clone());
        assert_eq!(server.redeem(&stranger.issue_link_token()), None);
        // A link that an earlier process may have seen used.
        let before = command.issue_link_token();
        clock.advance(SignedDuration::from_millis(1));
        let restarted = Sessions::new([7; 32], clock);
        assert_eq!(restarted.redeem(&before), None);
    }

    #[test]
    fn changed_tokens_are_refused() {
        let (_, sessions) = setting();
        let token = BASE64.decode(sessions.issue_link_token()).unwrap();
        for position in 0..TOKEN {
            let mut changed = token.clone();
            changed[position] ^= 1;
            assert_eq!(sessions.redeem(&BASE64.encode(changed)), None, "byte {position}");
        }
        for text in ["", "x", "äöü", &BASE64.encode(&token[1..])] {
            assert_eq!(sessions.redeem(text), None, "{text}");
        }
        assert!(sessions.redeem(&BASE64.encode(token)).is_some());
    }

    #[test]
    fn going_on_stays_here() {
        for (path, ours) in [
            ("/console", true),
            ("/outbox?to=a", true),
            ("/console/apps/1", true),
            ("/consolex", false),
            ("//evil.test", false),
            ("https://evil.test/console", false),
            ("/console\\..\\x", false),
            ("javascript:alert(1)", false),
        ] {
            assert_eq!(is_ours(path), ours, "{path}");
        }
    }

    #[tokio::test]
    async fn pages_open_after_entering() {
        let (_, sessions) = setting();
        let app = Router::new()
            .route("/page", get(|| async { "secret" }))
            .route("/x/api/page", get(|| async { "secret" }))
            .layer(from_fn_with_state(sessions.clone(), require))
            .merge(router(sessions.clone()));
        let ask = |path: String, cookie: String| {
            let request = Request::get(path).header(header::COOKIE, cookie);
            app.clone().oneshot(request.body(Body::empty()).unwrap())
        };
        for path in ["/page", "/x/api/page"] {
            let refused = ask(path.to_owned(), String::new()).await.unwrap();
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        }
        let token = sessions.issue_link_token();
        let entering = format!("/console/enter?token={token}&next=/outbox");
        let entered = ask(entering.clone(), String::new()).await.unwrap();
        assert_eq!(entered.status(), StatusCode::OK);
        let cookie = entered.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        assert!(
            cookie.contains("; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200"),
            "{cookie}"
        );
        let cookie = cookie.split(';').next().unwrap().to_owned();
        assert_eq!(
            ask("/page".to_owned(), cookie).await.unwrap().status(),
            StatusCode::OK
        );
        let again = ask(entering, String::new()).await.unwrap();
        assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
        assert!(!again.headers().contains_key(header::SET_COOKIE));
    }
}
