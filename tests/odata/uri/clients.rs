//! The spellings of real clients, as recorded.

use super::request;
use super::shape::shape;

#[track_caller]
fn filter_of(address: &str) -> String {
    let read = request(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    shape(&read.options.filter.expect("there is a filter"))
}

#[test]
fn power_query_encodes_blanks_quotes_and_commas() {
    let address =
        "Observations?$filter=ContactTitle%20eq%20%27Sales%20Representative%27&$select=CustomerID%2CCountry";
    assert_eq!(filter_of(address), "(eq ContactTitle 'Sales Representative')");
    assert_eq!(request(address).unwrap().options.select.unwrap().len(), 2);
    let address = "Observations?%24filter=Omr%C3%A5de+eq+%27K%C3%B8benhavn%27&%24top=1000";
    assert_eq!(filter_of(address), "(eq Område 'København')");
}

#[test]
fn devextreme_brackets_every_term_and_suffixes_keys() {
    assert_eq!(
        filter_of(
            "Observations?$filter=(Period eq '2023M02') and (Value gt 1) and (contains(tolower(Area),'1'))"
        ),
        "(and (eq Period '2023M02') (gt Value 1) contains(tolower(Area) '1'))"
    );
    assert_eq!(request("Observations?$top=0&$count=true").unwrap().options.top, Some(0));
    request("Observations(4L)").unwrap();
}

#[test]
fn syncfusion_puts_a_slash_before_the_question_mark() {
    let read = request(
        "Observations/?$select=Area,Value&$count=true&$filter=(startswith(tolower(Area),'1'))&$skip=0&$top=10",
    )
    .unwrap();
    assert_eq!(read.path.segments.len(), 1);
    assert_eq!(read.options.count, Some(true));
}

#[test]
fn kendo_writes_dates_with_milliseconds_and_encodes_letters() {
    assert_eq!(
        filter_of(
            "Observations?$filter=(contains(tolower(Name),'O''Neil%20%26%20S%C3%B8n') and Value ge 3.5 and P eq null and D gt 2024-01-01T00:00:00.000Z and indexof(N,'x') eq -1)"
        ),
        "(and contains(tolower(Name) 'O''Neil & Søn') (ge Value 3.5) (eq P null) (gt D 2024-01-01T00:00:00Z) (eq indexof(N 'x') -1))"
    );
}

#[test]
fn sap_cloud_sdk_counts_with_a_filter() {
    assert_eq!(filter_of("Observations/$count?$filter=(Period eq '2023M02')"), "(eq Period '2023M02')");
}

#[test]
fn odata2ts_orders_and_compares_with_null() {
    let address = "Observations?$select=Area,Value&$filter=Period eq '2023M02' and Value ne null&$orderby=Value desc&$count=true&$top=5";
    assert_eq!(filter_of(address), "(and (eq Period '2023M02') (ne Value null))");
    assert!(request(address).unwrap().options.orderby.unwrap()[0].descending);
}

#[test]
fn cbsodata_doubles_its_brackets() {
    assert_eq!(
        filter_of("Observations?$filter=((Area eq '101' or Area eq '147')) and (Period eq '2023MM01')"),
        "(and (or (eq Area '101') (eq Area '147')) (eq Period '2023MM01'))"
    );
}

#[test]
fn aliases_are_replaced_by_their_values() {
    let read = request("Observations?$filter=Area eq @a&@a='147'").unwrap();
    assert_eq!(shape(&read.options.aliases[0].1), "'147'");
}

#[test]
fn old_suffixes_and_encoded_offsets_are_read() {
    assert_eq!(
        filter_of("A?$filter=V eq 5L or V eq 1.5m or V eq 2d or V eq 3F"),
        "(or (eq V 5) (eq V 1.5) (eq V 2e0) (eq V 3e0))"
    );
    assert_eq!(
        filter_of("A?$filter=D eq 2024-01-31T00:00:00.000%2B01:00"),
        "(eq D 2024-01-31T00:00:00+01:00)"
    );
}
