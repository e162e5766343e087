//! Who may see requests of before there were teams.

use countersign::{
    domain::request::StateName,
    store::{Store, requests},
};

use super::{connect, execute, first_states, first_version, id_of};

#[tokio::test]
async fn earlier_requests_are_at_the_sites_of_their_endpoints() {
    let (_folder, path) = first_version().await;
    let mut database = connect(&path).await;
    for (state, groups) in [(StateName::Pending, "not JSON"), (StateName::Denied, "[1, null]")] {
        let of = id_of(state);
        let sql = format!(
            "UPDATE request_endpoint SET endpoint_groups = '{groups}' WHERE request_id = '{of}'"
        );
        execute(&mut database, sql).await;
    }
    drop(database);
    let store = Store::open(&path).await.unwrap();
    let mut reader = store.reader().await.unwrap();
    for state in first_states() {
        let id = id_of(state).parse().unwrap();
        let sites = requests::sites_of_request(&mut reader, id).await.unwrap();
        assert!(!sites.is_empty(), "{state}");
        if let Ok(Some(request)) = requests::load(&mut reader, id).await {
            assert_eq!(sites, request.sites(), "{state}");
        }
    }
}
