//! Builds lists: sets whose rows are made from the catalogue. Definition and values of each column are given together.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow_schema::{Field, Schema};
use chrono::{DateTime, NaiveDate, Utc};

use crate::catalogue::figures;
use crate::catalogue::value::{Figure, to_stored};
use crate::feed::RowSource;
use crate::feed::arrays;
use crate::feed::column::Fact;
use crate::feed::set_definition::{ColumnDefinition, SetDefinition};
use crate::feed::spelling::FormerNames;
use crate::odata::value::PrimitiveType;

/// A list under construction.
pub(super) struct Listing<'a, T> {
    rows: &'a [T],
    columns: Vec<ColumnDefinition>,
    arrays: Vec<ArrayRef>,
}

impl<'a, T> Listing<'a, T> {
    pub fn of(rows: &'a [T]) -> Self {
        Self { rows, columns: Vec::new(), arrays: Vec::new() }
    }

    /// A key column: a text that is different in every row.
    pub fn key(self, name: &str, description: &str, text: impl Fn(&'a T) -> &'a str) -> Self {
        let array = StringArray::from_iter_values(self.rows.iter().map(text));
        let column = self.column(name, PrimitiveType::String, description).key();
        self.with(column, array)
    }

    pub fn text(self, name: &str, description: &str, text: impl Fn(&'a T) -> &'a str) -> Self {
        let array = StringArray::from_iter_values(self.rows.iter().map(text));
        let column = self.column(name, PrimitiveType::String, description);
        self.with(column, array)
    }

    pub fn number(self, name: &str, description: &str, number: impl Fn(&'a T) -> i32) -> Self {
        let array = Int32Array::from_iter_values(self.rows.iter().map(number));
        let column = self.column(name, PrimitiveType::Int32, description);
        self.with(column, array)
    }

    pub fn optional_number(
        self,
        name: &str,
        description: &str,
        number: impl Fn(&'a T) -> Option<i32>,
    ) -> Self {
        let array: Int32Array = self.rows.iter().map(number).collect();
        let column = self.column(name, PrimitiveType::Int32, description).nullable();
        self.with(column, array)
    }

    pub fn flag(self, name: &str, description: &str, flag: impl Fn(&'a T) -> bool) -> Self {
        let array = BooleanArray::from_iter(self.rows.iter().map(|row| Some(flag(row))));
        let column = self.column(name, PrimitiveType::Boolean, description);
        self.with(column, array)
    }

    pub fn optional_text(
        self,
        name: &str,
        description: &str,
        text: impl Fn(&'a T) -> Option<&'a str>,
    ) -> Self {
        let array: StringArray = self.rows.iter().map(text).collect();
        let column = self.column(name, PrimitiveType::String, description).nullable();
        self.with(column, array)
    }

    pub fn optional_count(self, name: &str, description: &str, count: impl Fn(&'a T) -> Option<i64>) -> Self {
        let array: Int64Array = self.rows.iter().map(count).collect();
        let column = self.column(name, PrimitiveType::Int64, description).nullable();
        self.with(column, array)
    }

    pub fn optional_date(
        self,
        name: &str,
        description: &str,
        date: impl Fn(&'a T) -> Option<NaiveDate>,
    ) -> Self {
        let array = arrays::days(self.rows.iter().map(date));
        let column = self.column(name, PrimitiveType::Date, description).nullable();
        self.with(column, array)
    }

    pub fn optional_instant(
        self,
        name: &str,
        description: &str,
        instant: impl Fn(&'a T) -> Option<DateTime<Utc>>,
    ) -> Self {
        let array = arrays::instants(self.rows.iter().map(instant));
        let column = self.column(name, PrimitiveType::DateTimeOffset, description).nullable();
        self.with(column, array)
    }

    pub fn optional_figure(self, name: &str, description: &str, figure: impl Fn(&'a T) -> Figure) -> Self {
        let array = figures::column(self.rows.iter().map(|row| figure(row).and_then(to_stored)));
        let column = self.column(name, PrimitiveType::Decimal, description).nullable();
        self.with(column, array)
    }

    /// The finished list as a set.
    pub fn definition(
        self,
        name: impl Into<String>,
        title: impl Into<String>,
        description: &str,
    ) -> SetDefinition {
        let rows = RowSource::List(self.batch());
        SetDefinition {
            name: name.into(),
            alias: None,
            title: title.into(),
            description: description.to_owned(),
            rows,
            columns: self.columns,
            singleton: false,
            navigations: Vec::new(),
            former: FormerNames::default(),
        }
    }

    fn column(&self, name: &str, primitive: PrimitiveType, description: &str) -> ColumnDefinition {
        ColumnDefinition::new(name, primitive, Fact::Listed(self.columns.len()), description)
    }

    fn with(mut self, column: ColumnDefinition, array: impl Array + 'static) -> Self {
        self.columns.push(column);
        self.arrays.push(Arc::new(array));
        self
    }

    fn batch(&self) -> RecordBatch {
        let fields = self.columns.iter().zip(&self.arrays).map(|(column, array)| {
            Field::new(&column.column.name, array.data_type().clone(), column.column.nullable)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), self.arrays.clone(), &options);
        // Cannot fail: every array was made from the same rows and has its column's type.
        debug_assert!(batch.is_ok(), "{batch:?}");
        batch.unwrap_or_else(|_| RecordBatch::new_empty(schema))
    }
}
