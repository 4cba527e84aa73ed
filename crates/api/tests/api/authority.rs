//! The rotation of the certificate authority, as far as the API goes.

use bellwether_model::NodePhase;
use bellwether_model::access::{Access, Scope};
use bellwether_store::Txn;
use bellwether_store::settings::ServerSettings;

use crate::permissions::{call, somebody};
use crate::world::World;

/// What the control loop does once somebody asked.
async fn introduce(world: &World) {
    let mut settings = ServerSettings::of(&world.store).expect("there");
    let key = world.store.seal("authority-key", b"another");
    settings.object.introduce(1, "-----BEGIN CERTIFICATE-----\nBBBB\n".to_owned(), key);
    world.store.commit(Txn::new().update(&settings)).await.expect("saved");
}

#[tokio::test]
async fn another_authority_signs_when_nobody_is_waited_for() {
    walk(&World::new().await).await;
}

/// All that can be asked and answered, in a world without nodes.
pub(crate) async fn walk(world: &World) {
    let change = |what: &str| world.call("POST", format!("/v1/authority/rotation{what}"));
    let shown = world.get("/v1/authority").expect(200).await;
    assert_eq!(shown.at("/state"), "settled");
    assert!(shown.at("/authorities/0/fingerprint").starts_with("70:9E:80:C8:"), "{:?}", shown.body);
    change("/end").refused(409, "operation-refused").await;
    change("/cancel").refused(409, "operation-refused").await;

    assert_eq!(change("").expect(200).await.at("/state"), "introducing");
    change("").refused(409, "operation-refused").await;
    change("/end").refused(409, "operation-refused").await;
    assert_eq!(change("/cancel").expect(200).await.at("/state"), "settled");

    change("").expect(200).await;
    introduce(world).await;
    let shown = world.get("/v1/authority").expect(200).await;
    assert_eq!(shown.at("/state"), "introduced");
    assert_eq!(shown.at("/authorities/1/role"), "next");
    assert_eq!(shown.at("/ca_certificate").matches("BEGIN").count(), 2);
    let ended = change("/end").expect(200).await;
    assert_eq!((ended.at("/state"), ended.at("/authorities/1/role")), ("replacing", "former"));
    change("/cancel").refused(409, "operation-refused").await;
    change("").refused(409, "operation-refused").await;

    let nobody = somebody(world, "of-no-role", Access::default(), Scope::default()).await;
    let uri = "/v1/authority".to_owned();
    call(world, &nobody, "GET", uri).await.refused(403, "forbidden").await;
}

#[tokio::test]
async fn the_new_authority_does_not_sign_before_every_node_trusts_it() {
    let world = World::new().await;
    let cluster = world.healthy_cluster("orders", 2).await;
    let change = |what: &str| world.call("POST", format!("/v1/authority/rotation{what}"));
    change("").expect(200).await;
    introduce(&world).await;
    let shown = world.get("/v1/authority").expect(200).await;
    assert_eq!((shown.at("/state"), shown.at("/waiting/0/node")), ("introducing", "orders-1"));
    let refused = change("/end").refused(409, "operation-refused").await;
    assert!(refused.at("/detail").contains("orders-2 of orders"), "{:?}", refused.body);
    let uri = format!("/v1/clusters/{}/connection", cluster.spec.name);
    let connection = world.get(uri).expect(200).await;
    assert!(connection.at("/ca_note").contains("give it to every client"));
    let nodes = bellwether_store::nodes::of_cluster(&world.store, &cluster.id);
    assert!(nodes.iter().all(|node| node.object.phase == NodePhase::Active));
    assert_eq!(change("/cancel").expect(200).await.at("/state"), "settled");
}
