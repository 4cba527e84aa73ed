//! The server's certificate authority.

use bellwether_model::authority::AuthorityView;
use reqwest::Method;

use crate::{Client, Result};

impl Client {
    pub async fn authority(&self) -> Result<AuthorityView> {
        self.get("authority").await
    }

    /// Begins to put another one in its place.
    pub async fn rotate_authority(&self) -> Result<AuthorityView> {
        self.change_authority("rotation").await
    }

    pub async fn cancel_authority_rotation(&self) -> Result<AuthorityView> {
        self.change_authority("rotation/cancel").await
    }

    /// Lets the other one sign.
    pub async fn end_authority_rotation(&self) -> Result<AuthorityView> {
        self.change_authority("rotation/end").await
    }

    async fn change_authority(&self, what: &str) -> Result<AuthorityView> {
        self.read(self.request(Method::POST, &format!("authority/{what}"))).await
    }
}
