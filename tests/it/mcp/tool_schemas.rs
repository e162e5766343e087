//! What clients are told of the tools.

use countersign::{
    domain::{action::Catalogue, proposal::Proposal},
    mcp::tools::ToolName,
};
use expect_test::expect_file;
use serde_json::{Map, Value};

use crate::harness::fixtures::QUARANTINE_ENTRY;

/// Words of JSON Schema that every client understands.
const PORTABLE: [&str; 13] = [
    "type",
    "description",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "default",
    "minimum",
    "maximum",
    "pattern",
    "minLength",
    "maxLength",
];

/// What it answers about what is built in.
fn answers(tool: ToolName) -> Map<String, Value> {
    tool.answers(Catalogue::built_in().all())
}

fn schemas() -> Vec<(String, Value)> {
    ToolName::all(Catalogue::built_in())
        .flat_map(|name| {
            let takes = (*name.tool().input_schema).clone();
            [("takes", takes), ("answers", answers(name))]
                .map(|(part, schema)| (format!("{} {part}", name.name()), schema.into()))
        })
        .collect()
}

fn walk(place: &str, schema: &Value, seen: &mut usize) {
    *seen += 1;
    for word in schema.as_object().unwrap().keys() {
        let known =
            PORTABLE.contains(&word.as_str()) || ["minItems", "maxItems"].contains(&&**word);
        assert!(known, "{place}: {word}");
    }
    assert!(schema["type"].is_string(), "{place}: one type, by name");
    // What a step of a plan takes is declared by the tool that it names.
    if schema["type"] == "object" && !place.ends_with("steps[].arguments") {
        assert_eq!(schema["additionalProperties"], false, "{place}");
        let properties = schema["properties"].as_object().unwrap();
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(properties.contains_key(name.as_str().unwrap()), "{place}: {name}");
        }
        for (name, part) in properties {
            let place = format!("{place}.{name}");
            assert!(part["description"].as_str().is_some_and(|text| text.len() > 4), "{place}");
            walk(&place, part, seen);
        }
    }
    if schema["type"] == "array" {
        walk(&format!("{place}[]"), &schema["items"], seen);
    }
}

#[test]
fn every_schema_is_flat_and_every_property_described() {
    let mut seen = 0;
    for (place, schema) in schemas() {
        assert_eq!(schema["type"], "object", "{place}");
        walk(&place, &schema, &mut seen);
    }
    assert!(seen > 100, "the walk saw {seen} schemas only");
}

#[test]
fn output_schemas_are_golden() {
    let told = |tool: ToolName| format!("{:#}\n", Value::from(answers(tool)));
    expect_file!["../../golden/mcp_output_request.json"].assert_eq(&told(ToolName::GetRequest));
    expect_file!["../../golden/mcp_output_list.json"].assert_eq(&told(ToolName::ListRequests));
    let look_ups =
        [ToolName::ListEndpoints, ToolName::FindResponses, ToolName::GetAlert, ToolName::GetLimits];
    let all = look_ups.map(told).concat();
    expect_file!["../../golden/mcp_output_look_ups.json"].assert_eq(&all);
    let plans = [ToolName::ProposePlan, ToolName::GetPlan, ToolName::CancelPlan];
    for tool in plans {
        expect_file!["../../golden/mcp_output_plan.json"].assert_eq(&told(tool));
    }
    let others = |tool: &ToolName| {
        *tool != ToolName::ListRequests && !look_ups.contains(tool) && !plans.contains(tool)
    };
    for tool in ToolName::all(Catalogue::built_in()).filter(others) {
        assert_eq!(told(tool), told(ToolName::GetRequest), "{tool:?}");
    }
}

#[test]
fn list_of_tools_stays_below_20_kb() {
    let tools: Vec<_> = ToolName::all(Catalogue::built_in()).map(ToolName::tool).collect();
    let bytes = serde_json::to_string(&tools).unwrap().len();
    let size = |tool: &rmcp::model::Tool| {
        format!("{} {}", tool.name, serde_json::to_string(tool).unwrap().len())
    };
    let sizes: Vec<_> = tools.iter().map(size).collect();
    assert!(bytes < 20_000, "{bytes}: {sizes:?}");
}

#[test]
fn listed_output_schema_outlines_the_whole_one() {
    for name in ToolName::all(Catalogue::built_in()) {
        let Some(listed) = name.tool().output_schema else {
            let shown = [ToolName::GetRequest, ToolName::GetPlan].map(answers);
            assert!(shown.contains(&answers(name)), "{name:?}");
            continue;
        };
        let listed = Value::from((*listed).clone());
        let whole = Value::from(answers(name));
        // What it does not name is allowed, so that every answer conforms to it.
        assert_eq!(listed.as_object().unwrap().len(), 2, "{listed}");
        let always: Vec<_> = whole["required"].as_array().into_iter().flatten().collect();
        let (listed, whole) = (&listed["properties"], &whole["properties"]);
        assert_eq!(listed.as_object().unwrap().len(), always.len());
        assert!(always.iter().all(|name| listed.get(name.as_str().unwrap()).is_some()));
        for (field, part) in listed.as_object().unwrap() {
            assert_eq!(part["type"], whole[field]["type"], "{field}");
            assert_eq!(part["items"]["type"], whole[field]["items"]["type"], "{field}");
        }
    }
}

#[test]
fn tools_have_fixed_order_title_and_hints() {
    let tools: Vec<_> = ToolName::all(Catalogue::built_in()).map(ToolName::tool).collect();
    let names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(
        names,
        [
            "block_ip",
            "disable_account",
            "isolate_host",
            "kill_process",
            "quarantine_file",
            "block_domain",
            "undo_request",
            "get_request",
            "wait_for_decision",
            "list_requests",
            "cancel_request",
            "propose_plan",
            "get_plan",
            "cancel_plan",
            "list_endpoints",
            "find_responses",
            "get_alert",
            "get_limits"
        ]
    );
    for tool in tools {
        let hints = tool.annotations.unwrap();
        let all = [
            hints.read_only_hint,
            hints.destructive_hint,
            hints.idempotent_hint,
            hints.open_world_hint,
        ];
        assert!(all.iter().all(Option::is_some), "{}", tool.name);
        assert!(tool.title.is_some() && tool.description.is_some(), "{}", tool.name);
    }
}

#[test]
fn action_tool_schema_matches_the_proposal_parser() {
    for kind in Catalogue::built_in().all().iter().filter(|kind| kind.is_undo()) {
        assert_eq!(
            ToolName::parse(kind.name(), Catalogue::built_in()),
            None,
            "it is asked for by undo_request"
        );
    }
    for kind in Catalogue::built_in().responses().iter().copied() {
        let mut all = Map::new();
        for (name, _) in ToolName::parse(kind.name(), Catalogue::built_in()).unwrap().fields() {
            all.insert(name.to_owned(), Value::Null);
        }
        let first = Proposal::parse(kind, &all).unwrap_err();
        let wanted = kind.parameters().first().map_or("agent_ids", |one| &one.name);
        assert_eq!(first.field, wanted, "no field is unknown: {first}");
        let unknown = Map::from_iter([("nonsense".to_owned(), Value::Null)]);
        let told = Proposal::parse(kind, &unknown).unwrap_err().allowed;
        let mut told: Vec<_> = told.split(", ").collect();
        let mut declared: Vec<_> = all.keys().map(String::as_str).collect();
        told.retain(|field| *field != "duration_seconds" || kind.entry().terms.timed);
        told.sort_unstable();
        declared.sort_unstable();
        assert_eq!(told, declared);
    }
}

#[test]
fn entry_of_a_file_stands_in_output_schemas() {
    let own = Catalogue::with([("site.toml", QUARANTINE_ENTRY)].into_iter()).unwrap();
    let names: Vec<_> = own.all().iter().map(|kind| kind.name()).collect();
    assert!(names.contains(&"hide_file") && names.contains(&"show_file"), "{names:?}");
    let request = Value::from(ToolName::GetRequest.answers(own.all()));
    assert_eq!(request["properties"]["action"]["enum"], serde_json::json!(names));
    let list = Value::from(ToolName::ListRequests.answers(own.all()));
    let one = &list["properties"]["requests"]["items"]["properties"];
    assert_eq!(one["action"]["enum"], serde_json::json!(names));
    for tool in ToolName::all(&own) {
        if let Some(listed) = tool.tool().output_schema {
            assert!(!Value::from((*listed).clone()).to_string().contains("enum"), "{tool:?}");
        }
    }
}
