//! Being told what happens: a connection that is taken up again, and each thing once.

mod connection;
mod machine;
mod seen;

pub use connection::Subscription;
pub use machine::Update;
