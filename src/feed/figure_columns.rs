//! The columns of wide sets, for a period, an area, another dimension, a measure and a row's state, and the words in which all sets
//! describe dimensions and measures.

use crate::catalogue::dimension::Dimension;
use crate::catalogue::measure::{Measure, Unit};
use crate::feed::column::{Fact, MemberFact, PeriodFact};
use crate::feed::set_definition::ColumnDefinition;
use crate::odata::edm::AnnotationValue;
use crate::odata::value::PrimitiveType;

pub(super) const PERIOD: &str = "Periode";
pub(super) const AREA: &str = "Område";

/// The longest status code, `mangler`.
pub(super) const STATUS_LENGTH: u32 = 7;
/// The longest official area code, a region's.
const AREA_CODE_LENGTH: u32 = 4;

/// The sentence in the description of every set with parts; why it is so depends on the measure.
pub(super) const MAY_NOT_ADD_UP: &str = "Tallene må ikke lægges sammen. Brug den offentliggjorte total.";

/// The description of a measure: its label, its unit where the label does not say it, and why its figures may not be summed.
pub(super) fn measure_description(measure: &Measure) -> String {
    let label = label_or_id(&measure.heading, measure.id.as_str());
    let unit = measure.unit.filter(|unit| !unit.is_named_by(label));
    let unit = unit.map(|unit| format!(" ({})", unit.label())).unwrap_or_default();
    let named = format!("{label}{unit}");
    format!("{}. {}", named.trim_end_matches('.'), measure.additivity().danish())
}

/// The title of a dimension. The label of the area dimension differs from table to table, so it is not used.
pub(super) fn title_of(dimension: &Dimension) -> &str {
    if dimension.is_area() { AREA } else { label_or_id(&dimension.label, dimension.id.as_str()) }
}

/// The label, or the id where the label is empty.
pub(super) fn label_or_id<'a>(label: &'a str, id: &'a str) -> &'a str {
    if label.trim().is_empty() { id } else { label }
}

pub(super) fn period_columns() -> [ColumnDefinition; 4] {
    let column = |name, primitive, fact, description| {
        ColumnDefinition::new(name, primitive, Fact::Period(fact), description)
    };
    [
        column(
            PERIOD,
            PrimitiveType::String,
            PeriodFact::Id,
            "Periodens kode, for eksempel 2026M07 for juli 2026.",
        )
        .key(),
        column(
            "Periodetype",
            PrimitiveType::String,
            PeriodFact::Type,
            "M er måned, Q kvartal, Y år, QMAT rullende år, MYTD år til dato.",
        ),
        column("Fra", PrimitiveType::Date, PeriodFact::FirstDay, "Periodens første dag.").nullable(),
        column("Til", PrimitiveType::Date, PeriodFact::LastDay, "Periodens sidste dag.").nullable(),
    ]
}

pub(super) fn area_columns(index: usize) -> [ColumnDefinition; 4] {
    let column = |name, fact, description| {
        ColumnDefinition::new(name, PrimitiveType::String, Fact::Member(index, fact), description)
    };
    [
        column(AREA, MemberFact::Label, "Områdets navn."),
        column("Område_id", MemberFact::Id, "Områdets id i denne måling; T er hele landet. Det er et andet i andre målinger: saml målinger på Områdekode.").key(),
        column(
            "Områdekode",
            MemberFact::Code,
            "Officiel kode: 000, regionens fire cifre eller kommunens tre. Det er den, målinger samles på; den er tekst.",
        )
        .nullable()
        .max_length(AREA_CODE_LENGTH),
        // Nullable, because nothing but the label is known of a member that the upstream has not listed yet.
        column(
            "Områdeniveau",
            MemberFact::Level,
            "Land, Region, Kommune, RAR, Uoplyst eller et andet niveau.",
        )
        .nullable(),
    ]
}

pub(super) fn dimension_columns(index: usize, name: &str, label: &str) -> [ColumnDefinition; 4] {
    let column = |ending: &str, primitive, fact, description: &str| {
        ColumnDefinition::new(format!("{name}{ending}"), primitive, Fact::Member(index, fact), description)
    };
    [
        column("", PrimitiveType::String, MemberFact::Label, label),
        column(
            "_id",
            PrimitiveType::String,
            MemberFact::Id,
            &format!("Id i fordelingen {label}; T er totalen."),
        )
        .key(),
        column(
            "_niveau",
            PrimitiveType::String,
            MemberFact::Level,
            &format!("Niveau i fordelingen {label}; totalens er I alt."),
        )
        .nullable(),
        column(
            "_nr",
            PrimitiveType::Int32,
            MemberFact::Number,
            &format!("Rækkefølge i fordelingen {label}, til sortering."),
        )
        .nullable(),
    ]
}

pub(super) fn measure_column(index: usize, measure: &Measure, name: &str) -> ColumnDefinition {
    let description = measure_description(measure);
    let column =
        ColumnDefinition::new(name, PrimitiveType::Decimal, Fact::Measure(index), &description).nullable();
    let Some(unit) = measure.unit else { return column };
    let column = column.annotated("Measures.Scale", AnnotationValue::Int(i64::from(unit.decimals())));
    match unit {
        Unit::Kroner => column.annotated("Measures.ISOCurrency", AnnotationValue::String("DKK".to_owned())),
        Unit::Persons
        | Unit::FullTimePersons
        | Unit::Percent
        | Unit::PercentagePoints
        | Unit::Fraction
        | Unit::Spells
        | Unit::Weeks
        | Unit::Hours
        | Unit::Count => column.annotated("Measures.Unit", AnnotationValue::String(unit.label().to_owned())),
    }
}

pub(super) fn state_columns() -> [ColumnDefinition; 2] {
    [
        ColumnDefinition::new(
            "Status",
            PrimitiveType::String,
            Fact::Status,
            "Tom, når alle rækkens tal er offentliggjort; delvis, når nogle mangler; mangler, når ingen er det.",
        )
        .nullable()
        .max_length(STATUS_LENGTH),
        ColumnDefinition::new(
            "Opdateret",
            PrimitiveType::DateTimeOffset,
            Fact::Updated,
            "Hvornår det sidst blev konstateret, at et tal for perioden var ændret; til trinvis opdatering.",
        ),
    ]
}
