//! `GET /healthz`: the process is alive.

pub(crate) async fn alive() -> &'static str {
    "ok\n"
}
