//! Syntax errors: what is wrong, in which option, at which character.

use super::request;
use jobindsats_bridge::error::DescribeError;

/// Address, option and position of the fault, and a part of what is said about it.
const REFUSED: [(&str, &str, usize, &str); 57] = [
    ("A?$filter=", "$filter", 0, "expected an expression, found the end"),
    ("A?$filter= A eq 1", "$filter", 0, "expected an expression"),
    ("A?$filter=A eq", "$filter", 4, "expected an expression, found the end"),
    ("A?$filter=A eq ", "$filter", 5, "expected an expression"),
    ("A?$filter=A eq 'x", "$filter", 7, "closing quote"),
    ("A?$filter=(A eq 1", "$filter", 7, "expected ')'"),
    ("A?$filter=A eq 1)", "$filter", 6, "expected an operator or the end"),
    ("A?$filter=A === 1", "$filter", 2, "expected an operator"),
    ("A?$filter=A eq 2026M06", "$filter", 5, "\"2026M06\" is not a valid literal"),
    ("A?$filter=A eq 2024-13-01", "$filter", 5, "not a valid literal"),
    ("A?$filter=A eq 2024-02-30", "$filter", 5, "not a valid literal"),
    ("A?$filter=A eq 1e999", "$filter", 5, "not a valid literal"),
    ("A?$filter=A eq X'00'", "$filter", 5, "not a valid literal"),
    ("A?$filter=A eq duration'P1Y'", "$filter", 5, "not a valid literal"),
    ("A?$filter=A eq binary'Zg=x'", "$filter", 5, "not a valid literal"),
    ("A?$filter=substring(A)", "$filter", 0, "substring takes 2 to 3 arguments, found 1"),
    ("A?$filter=now(1)", "$filter", 0, "now takes 0 to 0 arguments"),
    ("A?$filter=any(x:true)", "$filter", 0, "expected a path in front"),
    ("A?$filter=B/any(x)", "$filter", 7, "expected ':'"),
    ("A?$filter=B/$value eq 1", "$filter", 2, "expected a property"),
    ("A?$filter=A eq %ZZ", "$filter", 5, "invalid percent-encoding"),
    ("A?$filter=A eq '%C3'", "$filter", 6, "invalid UTF-8"),
    ("A?$filter=A eq '%C0%AF'", "$filter", 6, "invalid UTF-8"),
    ("A?$filter=A eq '%00'", "$filter", 6, "control characters"),
    ("A?$top=", "$top", 0, "expected an integer"),
    ("A?$top=-1", "$top", 0, "expected an integer"),
    ("A?$top=abc", "$top", 0, "expected an integer"),
    ("A?$top=1.5", "$top", 1, "expected"),
    ("A?$skip=99999999999999999999", "$skip", 0, "expected an integer"),
    ("A?$count=1", "$count", 0, "true or false"),
    ("A?$count", "$count", 0, "has no value"),
    ("A?$top=1&top=2", "top", 0, "$top is given more than once"),
    ("A?@p=1&@p=2", "@p", 0, "@p is given more than once"),
    ("A?$foo=1", "$foo", 0, "unknown system query option $foo"),
    ("A?$levels=1", "$levels", 0, "not allowed"),
    ("A?$select=A,,B", "$select", 2, "expected a name"),
    ("A?$orderby=A down", "$orderby", 2, "expected"),
    ("A?$expand=B($foo=1)", "$expand", 2, "unknown system query option $foo"),
    ("A?$expand=B($top=1;$top=2)", "$expand", 9, "more than once"),
    ("A?$search=(a", "$search", 2, "expected ')'"),
    ("A//B", "path", 2, "expected a path segment"),
    ("A/$count/B", "path", 9, "expected the end of the path"),
    ("A(1)(2)", "path", 4, "expected the end"),
    ("A(1,2)", "path", 2, "expected a key value"),
    ("A(null)", "path", 2, "expected a key value"),
    ("A(x=1)(y", "path", 8, "expected ')'"),
    (".A", "path", 0, "expected a path segment"),
    ("N.A", "path", 1, "expected"),
    ("$all/A/B", "path", 7, "expected the end of the path"),
    ("$all/$count", "path", 5, "expected the end of the path"),
    ("A/$each/$count", "path", 8, "expected the end of the path"),
    ("A/$foo", "path", 2, "expected a path segment"),
    ("$count", "path", 0, "expected a path segment"),
    ("$entity", "path", 0, "$id is required here"),
    ("$entity?$id=A(1)&$select=B", "$select", 0, "not allowed here"),
    ("A(B)", "path", 2, "expected a key value"),
    ("$metadata?$filter=true", "$filter", 0, "not allowed here"),
];

#[test]
fn every_refusal_says_where_and_why() {
    for (address, option, position, said) in REFUSED {
        let error = request(address).expect_err(address);
        assert_eq!((error.option.as_str(), error.position), (option, position), "{address}: {error}");
        assert!(error.to_string().contains(said), "{address}: {error}");
    }
}

#[test]
fn the_danish_message_is_one_sentence_that_says_what_to_do() {
    for (address, option, ..) in REFUSED {
        let message = request(address).expect_err(address).describe().danish;
        if address == "$entity" {
            assert_eq!(message, "Tilføj $id: den er nødvendig her.");
            continue;
        }
        let place = if option == "path" { "adressens sti" } else { option.trim_start_matches('$') };
        assert!(message.contains(place), "{message}");
        assert!(message.ends_with('.') && !message.contains('\n'), "{message}");
        let verbs = ["Ret ", "Fjern ", "Angiv ", "Skriv ", "Tilføj "];
        assert!(verbs.iter().any(|verb| message.starts_with(verb)), "{message}");
    }
}

#[test]
fn a_danish_message_reads_like_danish() {
    let message = |address: &str| request(address).unwrap_err().describe().danish;
    assert_eq!(
        message("A?$filter=(A eq 1"),
        "Ret $filter ved tegn 8: her skal stå ')', men teksten slutter."
    );
    assert_eq!(
        message("A?$top=-1"),
        "Ret $top ved tegn 1: her skal stå et helt tal, som ikke er for stort, men der står \"-1\"."
    );
    assert_eq!(
        message("A?$filter=D eq 2024-01-31T12:00:00+01:00"),
        "Ret værdien \"2024-01-31T12:00:00\" i $filter ved tegn 6: den er ikke en gyldig værdi (skriv tidspunkter som 2024-01-31T12:00:00Z, og et plus som %2B)."
    );
    assert_eq!(
        message("A?$filter=A eq 2026M06"),
        "Ret værdien \"2026M06\" i $filter ved tegn 6: den er ikke en gyldig værdi (skriv tekst i enkelte anførselstegn)."
    );
    assert_eq!(message("A?$foo=1"), "Fjern eller ret $foo: der findes ingen OData-indstilling med det navn.");
}
