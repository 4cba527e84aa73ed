//! Databases of clusters and their users.

use bellwether_model::connection::Connection;
use bellwether_model::database::{
    DatabaseUserChange, DatabaseUserView, DatabaseView, Grant, NewDatabase, NewDatabaseUser,
    RotationEnd,
};
use reqwest::Method;

use crate::{Client, Result, segment};

impl Client {
    pub async fn databases(&self, cluster: &str) -> Result<Vec<DatabaseView>> {
        self.get(&format!("clusters/{}/databases", segment(cluster))).await
    }

    pub async fn create_database(&self, cluster: &str, name: &str) -> Result<DatabaseView> {
        let path = format!("clusters/{}/databases", segment(cluster));
        self.post(&path, &NewDatabase { name: name.to_owned() }).await
    }

    pub async fn drop_database(&self, cluster: &str, name: &str) -> Result<DatabaseView> {
        let path = format!("clusters/{}/databases/{}", segment(cluster), segment(name));
        self.read(self.request(Method::DELETE, &path).query(&[("confirm", name)])).await
    }

    pub async fn database_users(&self, cluster: &str) -> Result<Vec<DatabaseUserView>> {
        self.get(&format!("clusters/{}/database-users", segment(cluster))).await
    }

    pub async fn database_user(
        &self,
        cluster: &str,
        name: &str,
        reveal: bool,
    ) -> Result<DatabaseUserView> {
        self.get(&format!("{}?reveal={reveal}", user(cluster, name))).await
    }

    pub async fn create_database_user(
        &self,
        cluster: &str,
        new: &NewDatabaseUser,
    ) -> Result<DatabaseUserView> {
        self.post(&format!("clusters/{}/database-users", segment(cluster)), new).await
    }

    /// Gives a user these rights and no others.
    pub async fn grant(
        &self,
        cluster: &str,
        name: &str,
        grants: Vec<Grant>,
    ) -> Result<DatabaseUserView> {
        let request = self.request(Method::PATCH, &user(cluster, name));
        self.read(request.json(&DatabaseUserChange { grants })).await
    }

    pub async fn drop_database_user(&self, cluster: &str, name: &str) -> Result<DatabaseUserView> {
        self.read(self.request(Method::DELETE, &user(cluster, name))).await
    }

    pub async fn rotate(&self, cluster: &str, name: &str) -> Result<DatabaseUserView> {
        let path = format!("{}/rotation", user(cluster, name));
        self.read(self.request(Method::POST, &path)).await
    }

    pub async fn cancel_rotation(&self, cluster: &str, name: &str) -> Result<DatabaseUserView> {
        let path = format!("{}/rotation/cancel", user(cluster, name));
        self.read(self.request(Method::POST, &path)).await
    }

    pub async fn end_rotation(
        &self,
        cluster: &str,
        name: &str,
        even_if_used: bool,
    ) -> Result<DatabaseUserView> {
        let path = format!("{}/rotation/end", user(cluster, name));
        self.post(&path, &RotationEnd { even_if_used }).await
    }

    /// How that user connects.
    pub async fn connection_of(
        &self,
        cluster: &str,
        user: &str,
        reveal: bool,
    ) -> Result<Connection> {
        let (cluster, user) = (segment(cluster), segment(user));
        self.get(&format!("clusters/{cluster}/connection?reveal={reveal}&user={user}")).await
    }
}

fn user(cluster: &str, name: &str) -> String {
    format!("clusters/{}/database-users/{}", segment(cluster), segment(name))
}
