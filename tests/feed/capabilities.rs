//! Tries every capability in `$metadata`: those announced as supported work, the others are refused. A capability that is not
//! annotated is supported by the vocabulary's default, and is tried too.

use serde_json::{Map, Value};

use crate::support::app::{Answer, App};

const ROOTS: [&str; 2] = ["/odata", "/odata/jobindsats/y25i10"];

type Object = Map<String, Value>;

struct Metadata {
    schema: Object,
    container: Object,
}

impl Metadata {
    async fn of(app: &App, root: &str) -> Self {
        let metadata = app.get(&format!("{root}/$metadata?$format=json")).await.json();
        let name = metadata["$EntityContainer"].as_str().unwrap().to_owned();
        let (namespace, container) = name.rsplit_once('.').unwrap();
        let schema = metadata[namespace].as_object().unwrap().clone();
        let container = schema[container].as_object().unwrap().clone();
        Self { schema, container }
    }

    /// The annotations of the container and of what is in it, wherever they stand.
    fn annotation(&self, target: &Object, term: &str) -> Option<Value> {
        target.get(&format!("@Capabilities.{term}")).cloned()
    }

    fn says(&self, target: &Object, term: &str, field: &str) -> bool {
        let said = self.annotation(target, term);
        let said =
            said.as_ref().and_then(|value| if field.is_empty() { Some(value) } else { value.get(field) });
        said.and_then(Value::as_bool).unwrap_or(true)
    }

    /// The sets with their types.
    fn sets(&self) -> Vec<(&String, &Object, &Object)> {
        let sets =
            self.container.iter().filter(|(name, value)| !name.contains('@') && value["$Collection"] == true);
        sets.map(|(name, set)| {
            let of = set["$Type"].as_str().unwrap().rsplit_once('.').unwrap().1;
            (name, set.as_object().unwrap(), self.schema[of].as_object().unwrap())
        })
        .collect()
    }
}

fn names(entity_type: &Object, navigation: bool) -> impl Iterator<Item = &String> {
    let is_wanted = move |value: &Value| (value["$Kind"] == "NavigationProperty") == navigation;
    let members = entity_type.iter().filter(|(name, _)| !name.starts_with('$') && !name.contains('@'));
    members.filter(move |(_, value)| is_wanted(value)).map(|(name, _)| name)
}

fn check(answer: &Answer, is_supported: bool, what: &str) {
    match is_supported {
        true => assert_eq!(answer.status, 200, "{what}: {}", answer.text()),
        false => assert!(matches!(answer.status, 400 | 501), "{what} was answered with {}", answer.status),
    }
}

#[actix_web::test]
async fn every_set_does_what_it_says_and_refuses_what_it_says_not_to() {
    let app = App::start().await;
    for root in ROOTS {
        let metadata = Metadata::of(&app, root).await;
        for (set, said, entity_type) in metadata.sets() {
            let key = entity_type["$Key"][0].as_str().unwrap();
            let few = format!("$filter=startswith({key},'2026')&$top=3");
            let ask = async |options: &str| app.get(&format!("{root}/{set}?{options}")).await;
            for property in names(entity_type, false) {
                let filter =
                    ask(&format!("$filter={property} eq null and startswith({key},'2026')&$top=3")).await;
                check(
                    &filter,
                    metadata.says(said, "FilterRestrictions", "Filterable"),
                    &format!("{set} {property}"),
                );
                let order = ask(&format!("{few}&$orderby={property} desc")).await;
                check(
                    &order,
                    metadata.says(said, "SortRestrictions", "Sortable"),
                    &format!("{set} {property}"),
                );
                let select = ask(&format!("{few}&$select={property}")).await;
                check(
                    &select,
                    metadata.says(said, "SelectSupport", "Supported"),
                    &format!("{set} {property}"),
                );
            }
            for navigation in names(entity_type, true) {
                let expand = ask(&format!("{few}&$expand={navigation}($select=*)&$top=1")).await;
                let expand = if expand.status == 400 {
                    ask(&format!("$top=1&$expand={navigation}/$ref")).await
                } else {
                    expand
                };
                check(
                    &expand,
                    metadata.says(said, "ExpandRestrictions", "Expandable"),
                    &format!("{set} {navigation}"),
                );
            }
            for (options, term, field) in [
                ("$search=a", "SearchRestrictions", "Searchable"),
                ("$search=NOT a OR \"b\"", "SearchRestrictions", "Searchable"),
                ("$count=true", "CountRestrictions", "Countable"),
                ("$skip=1", "SkipSupported", ""),
                ("$compute=1 as X", "ComputeSupported", ""),
            ] {
                check(&ask(&format!("{options}&{few}")).await, metadata.says(said, term, field), options);
            }
            for (method, term, field) in [
                ("POST", "InsertRestrictions", "Insertable"),
                ("PATCH", "UpdateRestrictions", "Updatable"),
                ("DELETE", "DeleteRestrictions", "Deletable"),
            ] {
                assert!(!metadata.says(said, term, field), "{set} {term}");
                let answer = app.send(method, &format!("{root}/{set}"), &[]).await;
                assert_eq!(answer.status, 405, "{method} {set}");
            }
        }
    }
}

#[actix_web::test]
async fn the_container_says_what_the_service_does() {
    let app = App::start().await;
    for root in ROOTS {
        let metadata = Metadata::of(&app, root).await;
        let of = &metadata.container;
        let set = metadata.sets()[0].0;
        let list = if root == "/odata" { "Datasets" } else { "OmrådeCodes" };
        let key = app.get(&format!("{root}/{list}?$top=1&$select=Identifier")).await.rows()[0]["Identifier"]
            .clone();
        let key = key.as_str().unwrap();
        let ask = async |path: &str| app.get(&format!("{root}/{path}")).await;
        let says = |term, field| metadata.says(of, term, field);
        check(&ask(&format!("$crossjoin({set},{list})")).await, says("CrossJoinSupported", ""), "crossjoin");
        assert!(!says("CrossJoinSupported", ""));
        let tracked =
            metadata.says(metadata.container[list].as_object().unwrap(), "ChangeTracking", "Supported");
        check(&ask(&format!("{list}?$deltatoken=x")).await, tracked, "delta");
        assert!(!tracked);
        check(&ask(&format!("{list}/{key}")).await, says("KeyAsSegmentSupported", ""), "key as segment");
        let plain = [("Content-Type", "text/plain")];
        let posted = app.post(&format!("{root}/{list}/$query"), &plain, b"$top=1".to_vec()).await;
        check(&posted, says("QuerySegmentSupported", ""), "query segment");

        let batch = metadata.annotation(of, "BatchSupport").unwrap();
        let forms: Vec<&str> = texts(&batch["SupportedFormats"]);
        assert_eq!(
            (forms.as_slice(), says("BatchSupported", "")),
            (&["multipart/mixed", "application/json"][..], true)
        );
        for format in texts(&metadata.annotation(of, "SupportedMetadataFormats").unwrap()) {
            let answer = app.get_with(&format!("{root}/$metadata"), &[("Accept", format)]).await;
            assert!(answer.header("Content-Type").starts_with(format), "{format}");
        }
        let versions = of["@Core.ODataVersions"].as_str().unwrap();
        assert_eq!(versions, "4.0 4.01");
        for version in versions.split(' ') {
            let answer =
                app.get_with(&format!("{root}/{list}?$top=1"), &[("OData-MaxVersion", version)]).await;
            assert_eq!(answer.header("OData-Version"), version);
        }
        assert_eq!(of["@Capabilities.ConformanceLevel"], "Advanced");
    }
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[actix_web::test]
async fn every_function_that_is_said_to_filter_does() {
    let app = App::start().await;
    let metadata = Metadata::of(&app, "/odata").await;
    let functions = metadata.annotation(&metadata.container, "FilterFunctions").unwrap();
    for function in texts(&functions) {
        let condition = match function {
            "contains" | "startswith" | "endswith" => format!("{function}(Title,'a')"),
            "matchesPattern" => "matchesPattern(Title,'^A.*')".to_owned(),
            "length" => "length(Title) gt 1".to_owned(),
            "indexof" => "indexof(Title,'a') gt 1".to_owned(),
            "substring" => "substring(Title,1,2) eq 'nt'".to_owned(),
            "tolower" | "toupper" | "trim" => format!("{function}(Title) eq 'x'"),
            "concat" => "concat(Title,Title) eq 'x'".to_owned(),
            "year" | "month" | "day" | "hour" | "minute" | "second" | "fractionalseconds"
            | "totaloffsetminutes" => {
                format!("{function}(Modified) eq 1")
            }
            "totalseconds" => "totalseconds(Modified sub Modified) eq 0".to_owned(),
            "date" => "date(Modified) eq 2026-01-01".to_owned(),
            "time" => "time(Modified) eq 00:00:00".to_owned(),
            "now" | "mindatetime" | "maxdatetime" => format!("Modified lt {function}()"),
            "round" | "floor" | "ceiling" => format!("{function}(length(Title) divby 2) eq 3"),
            "case" => "case(length(Title) gt 5:true,true:false)".to_owned(),
            "cast" => "cast(length(Title),Edm.String) eq '5'".to_owned(),
            "isof" => "isof(Title,Edm.String)".to_owned(),
            other => panic!("{other} is tried nowhere"),
        };
        let answer = app.get(&format!("/odata/Datasets?$filter={condition}&$top=1")).await;
        assert_eq!(answer.status, 200, "{condition}: {}", answer.text());
    }
}

/// To which elements of a model the terms apply that are used here, by their vocabularies.
const APPLIES_TO: [(&str, &[&str]); 22] = [
    ("Core.Description", &["schema", "container", "set", "singleton", "property"]),
    ("Core.LongDescription", &["schema", "container", "set", "singleton", "property"]),
    ("Core.ODataVersions", &["container"]),
    ("Capabilities.ConformanceLevel", &["container"]),
    ("Capabilities.SupportedFormats", &["container"]),
    ("Capabilities.SupportedMetadataFormats", &["container"]),
    ("Capabilities.FilterFunctions", &["container", "set"]),
    ("Capabilities.BatchSupported", &["container"]),
    ("Capabilities.BatchSupport", &["container"]),
    ("Capabilities.KeyAsSegmentSupported", &["container"]),
    ("Capabilities.QuerySegmentSupported", &["container", "set"]),
    ("Capabilities.CrossJoinSupported", &["container"]),
    ("Capabilities.ChangeTracking", &["set"]),
    ("Capabilities.InsertRestrictions", &["set"]),
    ("Capabilities.UpdateRestrictions", &["set", "singleton"]),
    ("Capabilities.DeleteRestrictions", &["set", "singleton"]),
    ("Aggregation.ApplySupported", &["container", "set"]),
    ("Aggregation.CustomAggregate", &["container", "set"]),
    ("Aggregation.ContextDefiningProperties", &["property"]),
    ("Measures.Unit", &["property"]),
    ("Measures.ISOCurrency", &["property"]),
    ("Measures.Scale", &["property"]),
];

/// The terms on an element; annotations of annotations have more than one `@`.
fn check_terms(element: &Object, kind: &str) {
    let terms = element.keys().filter_map(|key| key.strip_prefix('@')).filter(|term| !term.contains('@'));
    for term in terms.map(|term| term.split('#').next().unwrap()) {
        let (_, kinds) =
            APPLIES_TO.iter().find(|(known, _)| *known == term).unwrap_or_else(|| panic!("{term} is new"));
        assert!(kinds.contains(&kind), "{term} does not apply to a {kind}");
    }
}

#[actix_web::test]
async fn terms_stand_where_they_apply_and_navigation_may_be_null_where_its_column_may() {
    let app = App::start().await;
    let (mut properties, mut navigations) = (0, 0);
    for root in ["/odata", "/odata/jobindsats/y25i01", "/odata/jobindsats/y30r21"] {
        let metadata = Metadata::of(&app, root).await;
        check_terms(&metadata.schema, "schema");
        check_terms(&metadata.container, "container");
        for (name, element) in
            metadata.container.iter().filter(|(name, value)| !name.contains('@') && value.is_object())
        {
            let kind = if element["$Collection"] == true { "set" } else { "singleton" };
            assert!(!name.is_empty());
            check_terms(element.as_object().unwrap(), kind);
        }
        let types = metadata.schema.iter().filter(|(_, value)| value["$Kind"] == "EntityType");
        for (_, entity_type) in types {
            let members = entity_type
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, value)| !name.contains(['@', '$']) && value.is_object());
            for (name, member) in members {
                if member["$Kind"] != "NavigationProperty" {
                    check_terms(member.as_object().unwrap(), "property");
                    assert_eq!(member.get("$Scale"), None, "{name}: no scale is a variable one");
                    properties += 1;
                    continue;
                }
                for column in member["$ReferentialConstraint"].as_object().into_iter().flat_map(Object::keys)
                {
                    assert_eq!(member["$Nullable"], entity_type[column]["$Nullable"], "{name} over {column}");
                    navigations += 1;
                }
            }
        }
    }
    assert!(properties > 100 && navigations > 5, "{properties} {navigations}");
}
