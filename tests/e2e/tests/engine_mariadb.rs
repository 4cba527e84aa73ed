//! MariaDB's driver on real nodes.

use crate::mysql_family::{self, Engine};

const ENGINE: Engine = Engine {
    name: "mariadb",
    version: "11.8",
    process: "mariadbd",
    client: "mariadb",
    verifies: "--ssl-verify-server-cert",
    unencrypted: "--skip-ssl",
};

#[tokio::test]
async fn mariadb_only_the_clusters_users_get_in_and_only_by_tls() -> anyhow::Result<()> {
    mysql_family::only_the_clusters_users_get_in_and_only_by_tls(&ENGINE).await
}

#[tokio::test]
async fn mariadb_a_killed_node_is_replaced_and_comes_back() -> anyhow::Result<()> {
    mysql_family::a_killed_node_is_replaced_and_comes_back(&ENGINE).await
}

#[tokio::test]
async fn mariadb_a_dead_engine_is_replaced_again_and_again() -> anyhow::Result<()> {
    mysql_family::a_dead_engine_is_replaced_again_and_again(&ENGINE).await
}

#[tokio::test]
async fn mariadb_all_engines_may_die_at_once() -> anyhow::Result<()> {
    mysql_family::all_engines_may_die_at_once(&ENGINE).await
}

#[tokio::test]
async fn mariadb_a_planned_change_loses_nothing() -> anyhow::Result<()> {
    mysql_family::a_planned_change_loses_nothing(&ENGINE).await
}

#[tokio::test]
async fn mariadb_what_only_a_former_primary_held_is_kept() -> anyhow::Result<()> {
    mysql_family::what_only_a_former_primary_held_is_kept(&ENGINE).await
}

#[tokio::test]
async fn mariadb_a_change_that_cannot_be_applied_is_told() -> anyhow::Result<()> {
    mysql_family::a_change_that_cannot_be_applied_is_told(&ENGINE).await
}

#[tokio::test]
async fn mariadb_a_single_one_is_started_again_and_grows() -> anyhow::Result<()> {
    mysql_family::a_single_one_is_started_again_and_grows(&ENGINE).await
}

#[tokio::test]
async fn mariadb_settings_change_under_load() -> anyhow::Result<()> {
    mysql_family::settings_change_under_load(&ENGINE).await
}
