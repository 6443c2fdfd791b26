//! The whole server without a listener: for tests of handlers, in the process of the test.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use voxpost_proto::api::SessionCreated;
use voxpost_proto::{ErrorCode, PROBLEM_JSON};

use crate::app::App;
use crate::config::Config;

/// A server on a data directory of its own.
pub(crate) struct TestApp {
    pub(crate) app: App,
    router: Router,
    _dir: TempDir,
}

/// Good for every account in tests.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With further arguments of `voxpost serve`.
    pub(crate) async fn with(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let app = crate::serve::open(config(dir.path(), args)).await.unwrap();
        let router = crate::http::router(app.clone());
        Self {
            app,
            router,
            _dir: dir,
        }
    }

    /// The next process on the same data directory.
    pub(crate) async fn restart(self) -> Self {
        crate::serve::close(&self.app).await;
        let app = crate::serve::open(self.app.config.clone()).await.unwrap();
        let router = crate::http::router(app.clone());
        Self {
            app,
            router,
            _dir: self._dir,
        }
    }

    /// Signs somebody up.
    pub(crate) async fn person(&self, username: &str) -> SessionCreated {
        let body = json!({"username": username, "password": PASSWORD});
        self.post("/v1/accounts", "", body).await.expect(201).parse()
    }

    /// Sends a request; `token` may be empty, a `body` of null is none.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let name = format!("{} {}", request.method(), request.uri());
        let response = self.router.clone().oneshot(request).await.unwrap();
        Answer::read(name, response).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, body).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, token, body).await
    }

    pub(crate) async fn patch(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, token, body).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(Method::DELETE, path, token, Value::Null).await
    }
}

/// The configuration that `voxpost serve --data-dir DIR ARGS` gives.
pub(crate) fn config(data_dir: &std::path::Path, args: &[&str]) -> Config {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        config: Config,
    }
    let data_dir = data_dir.to_str().unwrap();
    // A test asks again and again until something is so; tests of the limit set it themselves.
    let line = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir];
    let unlimited = ["--rate-requests", "0"];
    let unlimited = unlimited.iter().filter(|_| !args.contains(&"--rate-requests"));
    let parsed = <Line as clap::Parser>::try_parse_from(line.iter().chain(unlimited).chain(args));
    parsed.unwrap_or_else(|error| panic!("{error}")).config
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    request: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    async fn read(request: String, response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            request,
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}: {text}", self.request);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        self.parse()
    }

    #[track_caller]
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "{}: {error}: {:?}",
                self.request,
                String::from_utf8_lossy(&self.body)
            )
        })
    }

    /// Fails unless it is a problem of this code; gives its detail.
    #[track_caller]
    pub(crate) fn problem(self, code: ErrorCode) -> String {
        let answer = self.expect(code.status());
        assert_eq!(answer.header("content-type"), PROBLEM_JSON);
        let problem: voxpost_proto::Problem = answer.parse();
        assert_eq!(problem.code, code);
        problem.detail
    }

    /// Empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A token (RFC 7515, compact) with the signature that `sign` makes of its text.
pub(crate) fn glue(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let part = |value: &Value| BASE64.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = BASE64.encode(sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// A token signed with a shared secret.
pub(crate) fn hs256(secret: &[u8], claims: &Value) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let header = json!({"alg": "HS256", "typ": "JWT"});
    glue(&header, claims, |text| {
        ring::hmac::sign(&key, text).as_ref().to_vec()
    })
}
