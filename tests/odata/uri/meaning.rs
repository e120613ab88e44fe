//! The syntax trees of expressions and options.

use jobindsats_bridge::odata::uri::syntax::{
    AggregateWhat, ExpandSuffix, GroupItem, KeySyntax, Levels, PathSegment, SearchExpr, SelectItem,
    SystemSegment, Transformation,
};

use super::shape::shape;
use super::{expression, options, request};

#[track_caller]
fn means(text: &str, expected: &str) {
    let found = expression(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(shape(&found), expected, "{text}");
}

#[test]
fn operators_bind_as_the_standard_says() {
    means("A or B and C", "(or A (and B C))");
    means("A and B or C", "(or (and A B) C)");
    means("A eq 1 and B gt 2", "(and (eq A 1) (gt B 2))");
    means("A add B mul C eq 7", "(eq (add A (mul B C)) 7)");
    means("A sub B sub C", "(sub (sub A B) C)");
    means("A div B divby C mod D", "(mod (divby (div A B) C) D)");
    means("A lt B eq C", "(eq (lt A B) C)");
    means("A eq B lt C", "(eq A (lt B C))");
    means("not A and B", "(and (not A) B)");
    means("not (A eq 1)", "(not (eq A 1))");
    means("not(A eq 1)", "(not (eq A 1))");
    means("not contains(A,'x') eq true", "(eq (not contains(A 'x')) true)");
    means("- A mul B", "(mul (- A) B)");
    means("-A add --1", "(add (- A) (- -1))");
    means("A in (1,2) and B", "(and (in A [1 2]) B)");
    means("A add 1 in (1, 2)", "(in (add A 1) [1 2])");
    means("A in ()", "(in A [])");
    means("A in @p", "(in A @p)");
    means("A in ['x',\"y\"]", "(in A ['x' 'y'])");
    means("A has N.E'x,1'", "(has A N.E'x,1')");
}

#[test]
fn long_chains_keep_their_order_and_stay_shallow() {
    let terms: Vec<String> = (0..4000).map(|number| format!("A eq {number}")).collect();
    let expected: Vec<String> = (0..4000).map(|number| format!("(eq A {number})")).collect();
    means(&terms.join(" or "), &format!("(or {})", expected.join(" ")));
}

#[test]
fn words_are_operators_only_where_an_operator_can_stand() {
    means("and eq or", "(eq and or)");
    means("not/A eq 1", "(eq not/A 1)");
    means("in in (in)", "(in in [in])");
    means("null/A eq true/B", "(eq null/A true/B)");
    means("A EQ 1 AnD Not B", "(and (eq A 1) (not B))");
}

#[test]
fn letters_beyond_ascii_make_names() {
    means("Område eq 'Hele landet'", "(eq Område 'Hele landet')");
    means("tolower(Målgruppe) eq 'æøå'", "(eq tolower(Målgruppe) 'æøå')");
    means(&"æ".repeat(128), &"æ".repeat(128));
    assert!(expression(&"æ".repeat(129)).is_err());
}

#[test]
fn functions_of_the_language_bear_their_standard_names() {
    means("TOLOWER(A) eq 'x'", "(eq tolower(A) 'x')");
    means("matchespattern(A,'^x')", "matchesPattern(A '^x')");
    means("substring(A,1,2)", "substring(A 1 2)");
    means("now( )", "now()");
    means("cast(A,Edm.String)", "Cast(A Edm.String)");
    means("isof(Collection(N.T))", "IsOf( Collection(N.T))");
    means("case(A gt 0:1,true:0)", "case((gt A 0):1 true:0)");
    means("foo(A,1)", "foo(A 1)");
    means("foo()", "foo()");
}

#[test]
fn paths_keep_their_steps() {
    means("A/B eq $it/C", "(eq A/B $it/C)");
    means("A/any(x:x/B eq 1)", "A/any(x:(eq x/B 1))");
    means("A/any()", "A/any(:)");
    means("A/$count gt 1", "(gt A/$count 1)");
    means("A/$count($filter=B eq 1;$search=x) gt 1", "(gt A/$count((eq B 1)) 1)");
    means("A/$filter(B eq 1)/$count eq 2", "(eq A/$filter((eq B 1))/$count 2)");
    means("A(1)/B", "A(1)/B");
    means("N.F(a=1,b=@p)/B", "N.F(a=1,b=@p)/B");
    means("A/N.F(a=1)(2)/B", "A/N.F(a=1)/(2)/B");
    means("F()(2)/B eq N.F(a=1)(2)", "(eq F()/(2)/B N.F(a=1)/(2))");
    means("$root/A('x')/B", "$root/A('x')/B");
    means("@p eq @q/A", "(eq @p @q/A)");
    means("A/@N.T#Q eq 1", "(eq A/@N.T#Q 1)");
    means("{\"a\":[1,{\"b\":\"c\\u0041\"}]}", "{a:[1 {b:'cA'}]}");
}

#[test]
fn spans_count_characters_from_the_start_of_the_option() {
    let options = options("$filter=Omr%C3%A5de eq 'x'");
    let span = options.filter.unwrap().span;
    assert_eq!((span.start, span.end), (0, 13));
    let request = request("/A/B('x')").unwrap();
    let PathSegment::Name { span, .. } = request.path.segments[1] else {
        panic!("B is a name");
    };
    assert_eq!((span.start, span.end), (2, 8));
}

#[test]
fn option_names_are_taken_in_any_case_and_without_the_dollar_sign() {
    let options = options("$TOP=1&skip=2&Count=TRUE&x=y&@p='z'&api_key=a+b");
    assert_eq!((options.top, options.skip, options.count), (Some(1), Some(2), Some(true)));
    assert_eq!(options.aliases[0].0, "p");
    assert_eq!(options.custom, [("x".to_owned(), "y".to_owned()), ("api_key".to_owned(), "a b".to_owned())]);
}

#[test]
fn a_plus_sign_is_a_blank_except_in_opaque_values() {
    assert_eq!(shape(&options("$filter=A+eq+'a%2Bb'").filter.unwrap()), "(eq A 'a+b')");
    assert_eq!(options("$skiptoken=a+b").skiptoken.unwrap(), "a+b");
    assert_eq!(options("$format=application/atom+xml").format.unwrap(), "application/atom+xml");
}

#[test]
fn splitting_comes_before_decoding() {
    let found = options("$filter=A eq 'x%26$top=5%3D'&$top=2");
    assert_eq!(shape(&found.filter.unwrap()), "(eq A 'x&$top=5=')");
    assert_eq!(found.top, Some(2));
    let path = request("A('x%2Fy')").unwrap().path;
    assert!(matches!(&path.segments[0],
        PathSegment::Name { key: Some(KeySyntax::Single(key)), .. } if shape(key) == "'x/y'"));
}

#[test]
fn path_segments_are_names_keys_or_the_systems() {
    let path = request("Koder/Hele%20landet/%C3%85r/$count/").unwrap().path;
    let names: Vec<&str> = path
        .segments
        .iter()
        .filter_map(|segment| match segment {
            PathSegment::Name { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["Koder", "Hele landet", "År"]);
    assert!(matches!(path.segments.last(), Some(PathSegment::System { name: SystemSegment::Count, .. })));
    assert!(request("/").unwrap().path.segments.is_empty());
    assert!(request("").unwrap().path.segments.is_empty());
}

#[test]
fn expand_takes_options_of_its_own() {
    let terms = options(
        "$expand=A/B($select=X,Y;$expand=C;$top=1;@p=2;$levels=max),D/$ref($filter=E eq 1),F/$count,*",
    )
    .expand
    .unwrap();
    assert_eq!(terms[0].path, ["A", "B"]);
    assert_eq!(terms[0].options.levels, Some(Levels::Max));
    assert_eq!(terms[0].options.top, Some(1));
    assert_eq!(terms[1].suffix, ExpandSuffix::Ref);
    assert!(terms[1].options.filter.is_some());
    assert_eq!(terms[2].suffix, ExpandSuffix::Count);
    assert_eq!(terms[3].path, ["*"]);
}

#[test]
fn select_takes_paths_stars_and_operations() {
    let terms = options("$select=*, A/B ,N.*,N.F(a,b),C($top=1)").select.unwrap();
    let items: Vec<&SelectItem> = terms.iter().map(|term| &term.item).collect();
    let path = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(*items[0], SelectItem::Star);
    assert_eq!(*items[1], SelectItem::Path(path(&["A", "B"])));
    assert_eq!(*items[2], SelectItem::QualifiedStar("N".to_owned()));
    assert_eq!(*items[3], SelectItem::Operation(path(&["N.F"]), path(&["a", "b"])));
    assert_eq!(terms[4].options.as_ref().unwrap().top, Some(1));
}

#[test]
fn search_knows_its_operators_by_their_place() {
    let search = |text: &str| options(&format!("$search={text}")).search.unwrap();
    let word = |text: &str| Box::new(SearchExpr::Word(text.to_owned()));
    assert_eq!(
        search("a OR b c"),
        SearchExpr::Or(word("a"), Box::new(SearchExpr::And(word("b"), word("c"))))
    );
    assert_eq!(search("NOT a AND b"), SearchExpr::And(Box::new(SearchExpr::Not(word("a"))), word("b")));
    assert_eq!(
        search("not a or"),
        SearchExpr::And(Box::new(SearchExpr::And(word("not"), word("a"))), word("or"),)
    );
    assert_eq!(search("\"OR\""), SearchExpr::Phrase("OR".to_owned()));
    for operators in ["AND", "OR", "NOT", "a AND", "OR a", "a OR", "a NOT", "(AND)", "a AND OR b", "NOT AND"]
    {
        let address = format!("Observations?$search={operators}").replace(' ', "%20");
        assert!(request(&address).is_err(), "{operators}");
    }
    assert_eq!(search("\"a AND b\""), SearchExpr::Phrase("a AND b".to_owned()));
    assert_eq!(search("a%3Bb"), *word("a;b"));
}

#[test]
fn apply_keeps_what_can_be_offered_and_names_the_rest() {
    let steps = options(
        "$apply=filter(A eq 1)/groupby((P,Q/R),aggregate(Value,$count as N,V with sum as S))/topcount(2,V)/N.f(a=1)/identity",
    )
    .apply
    .unwrap();
    assert!(matches!(steps[0], Transformation::Filter(_)));
    let Transformation::GroupBy { groups, then } = &steps[1] else {
        panic!("{:?}", steps[1]);
    };
    assert!(matches!(&groups[1], GroupItem::Path(path, _) if *path == ["Q", "R"]));
    let Transformation::Aggregate(terms) = &then[0] else {
        panic!("{then:?}");
    };
    assert!(matches!(&terms[0].what, AggregateWhat::Custom(path) if *path == ["Value"]));
    assert!(matches!(&terms[1].what, AggregateWhat::Count(path) if path.is_empty()));
    assert!(matches!(&terms[2].what, AggregateWhat::With { method, .. } if method == "sum"));
    assert!(matches!(&steps[2], Transformation::Extremes { greatest: true, .. }));
    assert!(matches!(&steps[3], Transformation::Other { name, .. } if name == "N.f"));
    assert_eq!(steps[4], Transformation::Identity);
}
