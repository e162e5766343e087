//! Where the endpoints of requests are: what decides who may see them.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    domain::{
        id::{PlanId, RequestId},
        request::Request,
        site::Site,
    },
    store::{
        Read, StoreError, Tx,
        row::{At, text},
        sqlite::{Query, query},
    },
};

/// Stores where the endpoints of a new request are.
pub(super) async fn insert(tx: &mut Tx<'_>, request: &Request) -> Result<(), StoreError> {
    let id = request.id.to_string();
    let at = At { table: "request_site", id: &id };
    let row = |site: &Site| Ok(json!([site.manager, at.to_json(&site.groups)?]));
    let rows = request.sites().iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
    query(
        "INSERT INTO request_site (request_id, manager, endpoint_groups)
         SELECT $1, value ->> 0, value ->> 1 FROM json_each($2)",
    )
    .bind(&id)
    .bind(at.to_json(&rows)?)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Every site that a request was ever about.
pub async fn sites(read: &mut impl Read) -> Result<BTreeSet<Site>, StoreError> {
    found(read, query("SELECT manager, endpoint_groups FROM site")).await
}

/// Where the endpoints of a request are.
pub async fn sites_of_request(
    read: &mut impl Read,
    id: RequestId,
) -> Result<BTreeSet<Site>, StoreError> {
    let rows = query("SELECT manager, endpoint_groups FROM request_site WHERE request_id = $1");
    found(read, rows.bind(id.to_string())).await
}

/// Where the endpoints of all steps of a plan are.
pub async fn sites_of_plan(read: &mut impl Read, id: PlanId) -> Result<BTreeSet<Site>, StoreError> {
    let rows = query(
        "SELECT manager, endpoint_groups FROM request_site
         WHERE request_id IN (SELECT id FROM request WHERE plan_id = $1)",
    );
    found(read, rows.bind(id.to_string())).await
}

async fn found(read: &mut impl Read, rows: Query) -> Result<BTreeSet<Site>, StoreError> {
    let mut sites = BTreeSet::new();
    for row in &rows.fetch_all(read.connection()).await? {
        let manager = text(row, "manager")?;
        let at = At { table: "site", id: &manager };
        sites.insert(Site { groups: at.columns(row).json("endpoint_groups")?, manager });
    }
    Ok(sites)
}
