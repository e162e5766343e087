//! Paged searches, partial documents, and refused searches.

use serde_json::{Value, json};
use wazuh_simulator::{Calls, Fault, Settings, Times};

use crate::client::Caller;

const INDEX: &str = "wazuh-alerts-4.x-*";

/// Five alerts, three of them at the same time, one without a level.
async fn start() -> Caller {
    let caller = Caller::start(Settings::default()).await;
    for (id, minute, level) in [("a", 1, 3), ("c", 2, 5), ("b", 2, 5), ("d", 2, 7)] {
        let timestamp = format!("2026-01-02T03:0{minute}:00.000+0000");
        let rule = json!({"id": "651", "level": level, "groups": ["x"]});
        caller.sim.add_alert(json!({"id": id, "timestamp": timestamp, "rule": rule}));
    }
    caller.sim.add_alert(json!({"id": "e", "timestamp": "2026-01-02T03:03:00.000+0000"}));
    caller
}

async fn hits(caller: &Caller, body: Value) -> Vec<Value> {
    let answer = caller.search(INDEX, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["hits"]["hits"].as_array().unwrap().clone()
}

async fn ids(caller: &Caller, body: Value) -> String {
    hits(caller, body).await.iter().map(|hit| hit["_source"]["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn sort_keys_apply_in_order_with_missing_values_last() {
    let caller = start().await;
    for (sort, wanted) in [
        (json!(["timestamp", "id"]), "abcde"),
        (json!([{"timestamp": "desc"}, {"id": {"order": "asc"}}]), "ebcda"),
        (json!([{"rule.level": {"order": "desc", "unmapped_type": "long"}}, "id"]), "dbcae"),
        (json!([{"rule.level": "asc"}, {"id": "desc"}]), "acbde"),
        (json!(["timestamp", "_id"]), "acbde"),
    ] {
        assert_eq!(ids(&caller, json!({"sort": sort})).await, wanted, "{sort}");
    }
}

#[tokio::test]
async fn prefix_finds_the_beginning_of_any_value() {
    let caller = start().await;
    for (id, args) in [("f", json!(["-", "tag=1"])), ("g", json!(["a tag=2"])), ("h", json!([]))] {
        caller.sim.add_alert(json!({"id": id, "args": args}));
    }
    let starts = json!({"prefix": {"args": "tag="}});
    assert_eq!(ids(&caller, json!({"query": starts})).await, "f");
    let others =
        json!({"bool": {"must_not": [starts], "filter": {"terms": {"id": ["f", "g", "h"]}}}});
    assert_eq!(ids(&caller, json!({"query": others, "sort": ["id"]})).await, "gh");
}

#[tokio::test]
async fn search_continues_after_last_hit() {
    let caller = start().await;
    for sort in
        [json!([{"timestamp": "asc"}, {"id": "asc"}]), json!([{"rule.level": "desc"}, "id"])]
    {
        let (mut seen, mut after) = (String::new(), None);
        loop {
            let mut body = json!({"size": 2, "sort": sort, "_source": ["id"]});
            if let Some(after) = after {
                body["search_after"] = after;
            }
            let page = hits(&caller, body).await;
            let Some(last) = page.last() else { break };
            after = Some(last["sort"].clone());
            seen.extend(page.iter().map(|hit| hit["_source"]["id"].as_str().unwrap()));
        }
        let wanted = ids(&caller, json!({"sort": sort})).await;
        assert_eq!(seen, wanted, "{sort}");
    }
    let first = hits(&caller, json!({"size": 1, "sort": ["timestamp"]})).await;
    assert_eq!(first[0]["sort"], json!([1_767_322_860_000_i64]));
    let body = json!({"sort": ["timestamp"], "search_after": ["2026-01-02T03:02:00Z"]});
    assert_eq!(ids(&caller, body).await, "e", "a date does as well");
}

#[tokio::test]
async fn hit_contains_only_requested_fields() {
    let caller = start().await;
    let query = json!({"term": {"id": "a"}});
    let hit = async |source: Value| {
        hits(&caller, json!({"query": query, "_source": source})).await[0].get("_source").cloned()
    };
    let wanted = json!({"id": "a", "rule": {"id": "651", "groups": ["x"]}});
    assert_eq!(hit(json!(["id", "rule.id", "rule.groups", "data.none"])).await, Some(wanted));
    let whole = json!({"rule": {"id": "651", "level": 3, "groups": ["x"]}});
    assert_eq!(hit(json!(["rule", "rule.id"])).await, Some(whole));
    assert_eq!(hit(json!("id")).await, Some(json!({"id": "a"})));
    assert_eq!(hit(json!(false)).await, None);
    assert_eq!(hit(json!(true)).await.unwrap()["rule"]["level"], 3);
}

#[tokio::test]
async fn time_ranges_and_value_lists_filter() {
    let caller = start().await;
    let range = |bounds: Value| json!({"range": {"timestamp": bounds}});
    for (query, wanted) in [
        (range(json!({"gt": "2026-01-02T03:01:00Z", "lte": "2026-01-02T04:02:00+01:00"})), "bcd"),
        (range(json!({"gte": 1_767_322_980_000_i64})), "e"),
        (json!({"terms": {"id": ["e", "a", "z"]}}), "ae"),
        (
            json!({"bool": {"filter": [range(json!({"lt": "2026-01-02T03:02:00.000+0000"})), {"terms": {"rule.level": [3, 5]}}]}}),
            "a",
        ),
    ] {
        let body = json!({"query": query, "sort": ["timestamp", "id"]});
        assert_eq!(ids(&caller, body).await, wanted, "{query}");
    }
}

#[tokio::test]
async fn alerts_are_counted_by_value_and_hour() {
    let caller = start().await;
    for (id, hour, place) in
        [("f", "03", "x"), ("g", "05", "y"), ("h", "05", "x"), ("i", "09", "z")]
    {
        let timestamp = format!("2026-01-02T{hour}:59:00.000+0000");
        let agent = json!({"id": place, "name": format!("name-{place}")});
        caller.sim.add_alert(json!({"id": id, "timestamp": timestamp, "agent": agent}));
    }
    let bounds = json!({"min": "2026-01-02T03:00:00Z", "max": "2026-01-02T06:00:00Z"});
    let hours = json!({"field": "timestamp", "fixed_interval": "1h", "hard_bounds": bounds});
    let names = json!({"name": {"terms": {"field": "agent.name", "size": 1}}});
    let body = json!({
        "size": 0,
        "timeout": "2s",
        "track_total_hits": true,
        "query": {"range": {"timestamp": {"gte": "2026-01-02T03:02:30Z"}}},
        "aggs": {
            "hours": {"date_histogram": hours},
            "places": {"terms": {"field": "agent.id", "size": 2}, "aggs": names},
        },
    });
    let answer = caller.search(INDEX, body).await.json();
    assert_eq!(
        (&answer["hits"]["total"]["value"], &answer["hits"]["hits"]),
        (&json!(5), &json!([]))
    );
    let name = |name| {
        json!({
            "doc_count_error_upper_bound": 0, "sum_other_doc_count": 0,
            "buckets": [{"key": name, "doc_count": if name == "name-x" { 2 } else { 1 }}],
        })
    };
    assert_eq!(
        answer["aggregations"],
        json!({
            // 06:00 is out of bounds, and so is what came at 09:59.
            "hours": {"buckets": [
                {"key": 1_767_322_800_000_i64, "key_as_string": "2026-01-02T03:00:00.000Z", "doc_count": 2},
                {"key": 1_767_326_400_000_i64, "key_as_string": "2026-01-02T04:00:00.000Z", "doc_count": 0},
                {"key": 1_767_330_000_000_i64, "key_as_string": "2026-01-02T05:00:00.000Z", "doc_count": 2},
            ]},
            "places": {
                "doc_count_error_upper_bound": 0, "sum_other_doc_count": 1,
                "buckets": [
                    {"key": "x", "doc_count": 2, "name": name("name-x")},
                    {"key": "y", "doc_count": 1, "name": name("name-y")},
                ],
            },
        })
    );
}

#[tokio::test]
async fn case_counts_unless_search_says_otherwise() {
    let caller = start().await;
    for (id, name) in [("f", "Alice"), ("g", "ALICE@corp"), ("h", "alice")] {
        caller.sim.add_alert(json!({"id": id, "name": name}));
    }
    for (query, wanted) in [
        (json!({"term": {"name": "alice"}}), "h"),
        (json!({"term": {"name": {"value": "alice", "case_insensitive": true}}}), "fh"),
        (json!({"prefix": {"name": {"value": "alice@", "case_insensitive": true}}}), "g"),
        (json!({"prefix": {"name": {"value": "alice@", "case_insensitive": false}}}), ""),
    ] {
        assert_eq!(ids(&caller, json!({"query": query, "sort": ["id"]})).await, wanted, "{query}");
    }
}

#[tokio::test]
async fn search_refuses_unknown_syntax() {
    for caller in [start().await, Caller::start(Settings::default()).await] {
        for body in [
            json!([]),
            json!({"aggs": []}),
            json!({"aggs": {"a": {}}}),
            json!({"aggs": {"a": {"max": {"field": "id"}}}}),
            json!({"aggs": {"a": {"terms": {"field": "id"}, "max": {"field": "id"}}}}),
            json!({"aggs": {"a": {"terms": {"size": 5}}}}),
            json!({"aggs": {"a": {"terms": {"field": "id", "order": {"_key": "asc"}}}}}),
            json!({"aggs": {"a": {"terms": {"field": "id"}, "aggs": {"b": {"sum": {}}}}}}),
            json!({"aggs": {"a": {"date_histogram": {"field": "timestamp"}}}}),
            json!({"aggs": {"a": {"date_histogram": {"field": "timestamp", "fixed_interval": "1w"}}}}),
            json!({"aggs": {"a": {"date_histogram": {
                "field": "timestamp", "fixed_interval": "1h", "hard_bounds": {"min": "now-1d"},
            }}}}),
            json!({"timeout": 2}),
            json!({"query": {"term": {"id": {"value": "a", "boost": 2}}}}),
            json!({"from": 5}),
            json!({"size": -1}),
            json!({"size": 10_001}),
            json!({"sort": [{"id": "up"}]}),
            json!({"sort": [{"id": {"order": "asc", "missing": "_first"}}]}),
            json!({"search_after": ["a"]}),
            json!({"sort": ["id"], "search_after": ["a", "b"]}),
            json!({"_source": {"includes": ["id"]}}),
            json!({"_source": ["rule.*"]}),
            json!({"query": {"terms": {"id": "a"}}}),
            json!({"query": {"wildcard": {"id": "a*"}}}),
            json!({"query": {"range": {"timestamp": {"gte": "now-1h"}}}}),
            json!({"query": {"range": {"timestamp": {"gte": "2026-01-02T03:02:00Z", "format": "x"}}}}),
            json!({"query": {"bool": {"must_not": [{"match_all": {}}], "filter": [{"fuzzy": {}}]}}}),
        ] {
            let answer = caller.search(INDEX, body.clone()).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn user_without_rights_may_not_search() {
    let settings = Settings { indexer_rights: false, ..Settings::default() };
    let caller = Caller::start(settings).await;
    let answer = caller.search(INDEX, json!({})).await;
    assert_eq!(answer.status, 403);
    let reason = answer.json()["error"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("no permissions for [indices:data/read/search]"), "{reason}");
}

#[tokio::test]
async fn failed_shards_hide_their_documents() {
    let caller = start().await;
    caller.sim.add_alert(json!({"id": "f", "timestamp": "2026-01-03T03:01:00.000+0000"}));
    let broken = Fault::ShardsFail("wazuh-alerts-4.x-2026.01.02".to_owned());
    caller.sim.misbehave_on(Calls::Search, broken, Times::Once);
    let answer = caller.search(INDEX, json!({})).await.json();
    assert_eq!(answer["hits"]["hits"].as_array().unwrap().len(), 1);
    assert_eq!(answer["hits"]["hits"][0]["_source"]["id"], "f");
    assert_eq!(answer["_shards"]["failed"], 1);
    let reason = answer["_shards"]["failures"][0]["reason"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("Data too large"), "{reason}");
    assert_eq!(caller.search(INDEX, json!({})).await.json()["_shards"]["failed"], 0);
}

#[tokio::test]
async fn search_out_of_time_says_so() {
    let caller = start().await;
    caller.sim.misbehave_on(Calls::Search, Fault::SearchTimesOut, Times::Once);
    let answer = caller.search(INDEX, json!({})).await.json();
    assert_eq!((&answer["timed_out"], &answer["hits"]["hits"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn sorting_without_template_fails_in_opensearch_words() {
    let caller = Caller::start(Settings { index_template: false, ..Settings::default() }).await;
    let sorted = || json!({"sort": [{"timestamp": "desc"}]});
    assert_eq!(caller.search(INDEX, sorted()).await.status, 200, "there is no index yet");
    caller.sim.add_alert(json!({"id": "a"}));
    assert_eq!(caller.search(INDEX, json!({})).await.status, 200);
    let counted = json!({"aggs": {"a": {"terms": {"field": "agent.id"}}}});
    assert_eq!(caller.search(INDEX, counted).await.status, 400);
    let answer = caller.search(INDEX, sorted()).await;
    assert_eq!(answer.status, 400);
    let error = &answer.json()["error"];
    assert_eq!(error["reason"], "all shards failed");
    let cause = error["root_cause"][0]["reason"].as_str().unwrap();
    assert!(cause.contains("fielddata=true on [timestamp]"), "{cause}");
}

#[tokio::test]
async fn document_indexed_again_differs_only_in_its_id() {
    let caller = start().await;
    let first =
        caller.sim.add_alert(json!({"id": "g", "timestamp": "2026-01-04T03:01:00.000+0000"}));
    let second = caller.sim.index_again(&first).unwrap();
    let found = hits(&caller, json!({"query": {"term": {"id": "g"}}})).await;
    assert_eq!((&found[0]["_id"], &found[1]["_id"]), (&json!(first), &json!(second)));
    assert_eq!(found[0]["_source"], found[1]["_source"]);
    assert_eq!(caller.sim.index_again("nobody"), None);
}
