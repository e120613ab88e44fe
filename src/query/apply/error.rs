//! Errors of `$apply`: mostly aggregations for which figures would have to be summed.

use thiserror::Error;

use crate::catalogue::measure::NotAdditive;
use crate::error::{DescribeError, ErrorDescription};

/// An aggregation that cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    #[error(
        "{method} over {expression} would compute with figures that are not additive; only published totals are answered"
    )]
    Computed { expression: String, method: String, measure: String, why: NotAdditive },
    #[error("several members of {dimension} would have to be added up, and figures are not additive")]
    PartsAddedUp { dimension: String },
    #[error("no total is published across {column}: it must be grouped by or pinned to one value")]
    NotPinned { column: String },
    #[error(
        "several members share a value of {column}, so a group has no published total: group by {id} as well"
    )]
    SharedLabel { column: String, id: String },
    #[error("published totals are those of the set's own rows, not of rows that were cut or grouped before")]
    NotOfTheSet { aggregate: String },
    #[error("published totals and counts of rows in one aggregate() speak of different rows")]
    MixedAggregates { dimension: String },
    #[error("{name} is no custom aggregate of {set}")]
    UnknownAggregate { name: String, set: String, example: Option<String> },
    #[error("figures are not grouped by: {column}")]
    GroupedByFigure { column: String },
    #[error("{method} over {expression} is not offered")]
    Method { method: String, expression: String },
    #[error("the name {alias} is taken")]
    TakenAlias { alias: String },
}

impl DescribeError for ApplyError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Computed { expression, method, measure, why } => {
                let why = why.because().map(|why| format!(": {why}")).unwrap_or_default();
                ErrorDescription::new(
                    501,
                    "NotAdditive",
                    format!(
                        "Der kan ikke regnes med {method} på {expression}{why}; bed om den offentliggjorte total med \
                         aggregate({measure})."
                    ),
                )
            }
            Self::PartsAddedUp { dimension } => ErrorDescription::new(
                501,
                "NotAdditive",
                format!(
                    "Svaret kræver, at tal lægges sammen på tværs af {dimension}, og det kan de ikke; gruppér efter \
                     {dimension}, eller fasthold én værdi, for eksempel totalen med filter({dimension} eq 'T')."
                ),
            ),
            Self::NotPinned { column } => ErrorDescription::new(
                400,
                "NotPinned",
                format!(
                    "Der er ingen offentliggjort total på tværs af {column}; gruppér efter {column}, eller fasthold én \
                     værdi med filter({column} eq '…')."
                ),
            ),
            Self::SharedLabel { column, id } => ErrorDescription::new(
                400,
                "SharedLabel",
                format!(
                    "Flere værdier har samme tekst i {column}, og deres tal kan ikke lægges sammen; gruppér (også) efter \
                     {id}."
                ),
            ),
            Self::NotOfTheSet { aggregate } => ErrorDescription::new(
                501,
                "NotOffered",
                format!(
                    "Den offentliggjorte total af {aggregate} findes kun for sættets egne rækker; sæt \
                     aggregate({aggregate}) først, efter filter og før andre trin."
                ),
            ),
            Self::MixedAggregates { dimension } => ErrorDescription::new(
                501,
                "NotOffered",
                format!(
                    "Offentliggjorte totaler på tværs af {dimension} og optællinger af rækker kan ikke stå i samme \
                     aggregate; bed om dem hver for sig."
                ),
            ),
            Self::UnknownAggregate { name, set, example } => ErrorDescription::new(
                400,
                "UnknownAggregate",
                match example {
                    Some(example) => format!(
                        "'{name}' er ikke et mål, der har en total; brug et af målene, for eksempel aggregate({example})."
                    ),
                    None => format!(
                        "'{name}' er ikke et mål, og {set} har ingen; tæl rækker med aggregate($count as Antal)."
                    ),
                },
            ),
            Self::GroupedByFigure { column } => ErrorDescription::new(
                501,
                "NotOffered",
                format!(
                    "Der kan ikke grupperes efter tallene i {column}; gruppér efter fordelingerne i stedet."
                ),
            ),
            Self::Method { method, expression } => ErrorDescription::new(
                501,
                "NotOffered",
                format!(
                    "{method} kan ikke bruges på {expression}; brug min, max eller countdistinct på en kolonne, der \
                     ikke er et mål."
                ),
            ),
            Self::TakenAlias { alias } => ErrorDescription::new(
                400,
                "TakenAlias",
                format!("Navnet '{alias}' er brugt i forvejen; vælg et andet efter as."),
            ),
        }
    }
}
