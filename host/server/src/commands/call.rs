//! `pinion call`: a signed request by hand.

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use pinion_api::auth::sigv4::{Credentials, Signer};

use super::say;
use crate::cli::Call;
use crate::wiring::system_clock;

/// Prints the body; fails if the status is not 2xx.
pub(crate) async fn run(call: Call) -> Result<()> {
    let body = match call.body.as_deref() {
        None => Vec::new(),
        Some(text) => match text.strip_prefix('@') {
            Some(file) => std::fs::read(file).with_context(|| format!("cannot read {file}"))?,
            None => text.as_bytes().to_vec(),
        },
    };
    let uri: http::Uri = format!("{}{}", call.endpoint.trim_end_matches('/'), call.path)
        .parse()
        .with_context(|| format!("{} is not a path", call.path))?;
    let method = call.method.to_uppercase();
    let credentials = Credentials::new(call.access_key_id, call.secret_access_key);
    let signer = Signer {
        credentials: &credentials,
        region: &call.region,
        service: "mobiletargeting",
    };
    let mut headers = http::HeaderMap::new();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    headers.extend(signer.sign_headers(&method, &uri, &headers.clone(), &body, system_clock().now()));
    let mut request = http::Request::builder().method(method.as_str()).uri(uri);
    if let Some(all) = request.headers_mut() {
        *all = headers;
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let answer = client
        .request(request.body(Full::new(body.into()))?)
        .await
        .with_context(|| format!("cannot reach {}", call.endpoint))?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    say(&String::from_utf8_lossy(&body))?;
    if !status.is_success() {
        bail!("{status}");
    }
    Ok(())
}
