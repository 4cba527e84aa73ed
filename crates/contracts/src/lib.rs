//! The traits adapters keep, and how they say what went wrong.
//!
//! Adapters classify a failure once, at the edge; nothing above them inspects text.

pub mod driver;
pub mod failure;
pub mod identity;
pub mod prober;
pub mod provider;
pub mod repository;
pub mod sessions;

pub use driver::Driver;
pub use failure::{Class, Failure};
pub use identity::IdentityProvider;
pub use prober::Prober;
pub use provider::Provider;
pub use repository::{OpenRepository, Repository};
pub use sessions::Sessions;
