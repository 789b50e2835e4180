//! From a raw path to an operation. The path is split on `/` before anything is decoded, and the
//! routed, the authorized and the verified path all come from one [`RawPath`].

use std::sync::LazyLock;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::error::{ApiError, Result};
use crate::extract::Labels;
use crate::operations::{OPERATIONS, Operation, label};

/// A path as it was on the wire, whose segments mean the same to every reader.
#[derive(Clone, Copy, Debug)]
pub struct RawPath<'a>(&'a str);

impl<'a> RawPath<'a> {
    /// Refuses what a client may have signed as another path than it sent: empty segments, `.` and
    /// `..`, spelled out or encoded (botocore signs `/v1/apps/A/` when it sends
    /// `/v1/apps/A/endpoints/..`).
    pub fn parse(path: &'a str) -> Result<Self> {
        let ambiguous = |segment: &str| {
            let decoded: Vec<u8> = percent_decode_str(segment).collect();
            matches!(decoded.as_slice(), b"" | b"." | b"..")
        };
        match path.strip_prefix('/') {
            Some("") => Ok(Self(path)),
            Some(rest) if !rest.split('/').any(ambiguous) => Ok(Self(path)),
            _ => Err(ApiError::bad_request(
                "The path must begin with / and have no segment that is empty, '.' or '..'.",
            )),
        }
    }

    /// As on the wire.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    fn segments(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/').skip(1)
    }
}

/// Operations by the number of segments of their paths.
static ROUTES: LazyLock<Vec<Vec<Route>>> = LazyLock::new(|| {
    let mut routes: Vec<Vec<Route>> = Vec::new();
    for operation in OPERATIONS {
        let pattern: Vec<_> = operation.path.split('/').skip(1).collect();
        if routes.len() <= pattern.len() {
            routes.resize_with(pattern.len() + 1, Vec::new);
        }
        routes[pattern.len()].push(Route { pattern, operation });
    }
    routes
});

struct Route {
    pattern: Vec<&'static str>,
    operation: &'static Operation,
}

/// The operation that a request asks for, with the decoded labels of its path.
pub fn route(method: &Method, path: RawPath<'_>) -> Result<(&'static Operation, Labels)> {
    let segments: Vec<&str> = path.segments().collect();
    let fits = |route: &&Route| {
        route
            .pattern
            .iter()
            .zip(&segments)
            .all(|(pattern, segment)| label(pattern).is_some() || pattern == segment)
    };
    let mut allowed = Vec::new();
    for route in ROUTES.get(segments.len()).into_iter().flatten().filter(fits) {
        if route.operation.method == method {
            return Ok((route.operation, labels(&route.pattern, &segments)?));
        }
        allowed.push(&route.operation.method);
    }
    Err(if allowed.is_empty() {
        ApiError::not_found("There is no operation under this path.")
    } else {
        ApiError::method_not_allowed(format!("{method} is not a method of this resource."), &allowed)
    })
}

fn labels(pattern: &[&'static str], segments: &[&str]) -> Result<Labels> {
    let labelled = pattern.iter().zip(segments);
    labelled
        .filter_map(|(pattern, segment)| Some((label(pattern)?, *segment)))
        .map(
            |(name, segment)| match percent_decode_str(segment).decode_utf8() {
                // PostgreSQL has no such character in text, and no name needs it.
                Ok(value) if !value.contains('\0') => Ok((name, value.into_owned())),
                _ => Err(ApiError::bad_request(format!("{name}: is not readable text"))),
            },
        )
        .collect::<Result<_>>()
        .map(Labels::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> std::result::Result<String, u16> {
        let path = RawPath::parse(path).map_err(|error| error.status.as_u16())?;
        let (operation, labels) = route(method, path).map_err(|error| error.status.as_u16())?;
        Ok(format!("{} {labels:?}", operation.name))
    }

    #[test]
    fn labels_are_decoded_after_the_split() {
        for (path, expected) in [
            ("/v1/apps/a1", r#"GetApp [("application-id", "a1")]"#),
            (
                "/v1/apps/a1/endpoints/user%2Fx%40example.com",
                r#"GetEndpoint [("application-id", "a1"), ("endpoint-id", "user/x@example.com")]"#,
            ),
            (
                "/v1/tags/arn%3Aaws%3Amobiletargeting%3Aeu-west-1%3A1%3Aapps%2Fa1",
                r#"ListTagsForResource [("resource-arn", "arn:aws:mobiletargeting:eu-west-1:1:apps/a1")]"#,
            ),
            (
                "/v1/templates/t%20%C5%BC/EMAIL/versions",
                r#"ListTemplateVersions [("template-name", "t ż"), ("template-type", "EMAIL")]"#,
            ),
            ("/pinion/v1/plugins/x", r#"GetPlugin [("plugin-name", "x")]"#),
        ] {
            assert_eq!(found(&Method::GET, path).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_not_a_path_of_ours_is_refused() {
        for (method, path, status) in [
            (Method::GET, "/", 404),
            (Method::GET, "/v1/apps/a/nothing", 404),
            (Method::GET, "/V1/apps", 404),
            (Method::PATCH, "/v1/apps", 405),
            (Method::PUT, "/v1/apps/a", 405),
            (Method::GET, "/v1/apps/", 400),
            (Method::GET, "//v1/apps", 400),
            (Method::GET, "/v1/apps/a/endpoints/..", 400),
            (Method::GET, "/v1/apps/a/endpoints/%2E%2e", 400),
            (Method::GET, "/v1/apps/./a", 400),
            (Method::GET, "/v1/apps/.%2e/a", 400),
            (Method::GET, "v1/apps", 400),
            (Method::GET, "/v1/apps/%FF", 400),
            (Method::GET, "/v1/apps/%00", 400),
        ] {
            assert_eq!(found(&method, path), Err(status), "{method} {path}");
        }
    }
}
