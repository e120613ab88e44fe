//! Writes entities: control information, properties and expanded navigation properties. Names and types are prepared once per
//! batch; each row then only copies bytes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::column::{ColumnValues, no_such_row};
use super::control::{write_context, write_control_name, write_count};
use super::{
    ExpandedRows, Identity, JsonContext, Output, OutputExpand, OutputProperty, PayloadError, scalar,
};
use crate::odata::media_type::MetadataLevel;
use crate::odata::value::PrimitiveType;
use crate::odata::version::Version;

/// Everything outside RFC 3986's unreserved characters and the quotes around a key.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'\'');

/// An output with its columns looked up and its names encoded.
pub(super) struct EntityWriter<'a> {
    context: &'a JsonContext<'a>,
    rows: usize,
    properties: Vec<PropertyWriter<'a>>,
    expands: Vec<ExpandWriter<'a>>,
    identity: Option<IdentityWriter<'a>>,
    references: bool,
}

struct PropertyWriter<'a> {
    /// `"Name":`
    name: Vec<u8>,
    /// `"Name@odata.type":"#Decimal"`, where the type does not follow from the JSON value.
    type_annotation: Option<Vec<u8>>,
    cells: ColumnValues<'a>,
    quoted: bool,
}

struct ExpandWriter<'a> {
    expand: &'a OutputExpand<'a>,
    target: EntityWriter<'a>,
}

struct IdentityWriter<'a> {
    identity: Identity<'a>,
    key: Vec<ColumnValues<'a>>,
}

impl<'a> EntityWriter<'a> {
    pub(super) fn new(context: &'a JsonContext<'a>, output: &'a Output<'a>) -> Result<Self, PayloadError> {
        let identity = output
            .identity
            .filter(|identity| output.references || says_identity(context, identity))
            .map(|identity| IdentityWriter::new(output, identity))
            .transpose()?;
        if output.references && identity.is_none() {
            return Err(PayloadError::NoIdentity);
        }
        let properties = output.properties.iter();
        let expands = output.expands.iter();
        Ok(Self {
            context,
            rows: output.batch.num_rows(),
            properties: properties
                .map(|property| PropertyWriter::new(context, output, property))
                .collect::<Result<_, _>>()?,
            expands: expands.map(|expand| ExpandWriter::new(context, expand)).collect::<Result<_, _>>()?,
            identity,
            references: output.references,
        })
    }

    /// Writes the entity of a row, with the context URL when it is the whole answer.
    pub(super) fn write(&self, out: &mut Vec<u8>, row: usize, whole: bool) -> Result<(), PayloadError> {
        if row >= self.rows {
            return Err(no_such_row(row, self.rows));
        }
        out.push(b'{');
        if whole {
            write_context(out, self.context);
        }
        if let Some(identity) = &self.identity {
            identity.write(out, self.context, row, self.references)?;
        }
        if !self.references {
            self.write_members(out, row)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn write_members(&self, out: &mut Vec<u8>, row: usize) -> Result<(), PayloadError> {
        for property in &self.properties {
            let null = property.cells.is_null(row);
            if null && self.context.omit_nulls {
                continue;
            }
            if let Some(annotation) = property.type_annotation.as_ref().filter(|_| !null) {
                scalar::separate(out);
                out.extend_from_slice(annotation);
            }
            scalar::separate(out);
            out.extend_from_slice(&property.name);
            property.cells.write_json(out, row, property.quoted)?;
        }
        for expand in &self.expands {
            expand.write(out, self.context, row)?;
        }
        Ok(())
    }
}

impl<'a> PropertyWriter<'a> {
    fn new(
        context: &JsonContext<'_>,
        output: &'a Output<'a>,
        property: &OutputProperty<'_>,
    ) -> Result<Self, PayloadError> {
        let mut name = Vec::new();
        scalar::write_string(&mut name, property.name);
        name.push(b':');
        let cells = ColumnValues::of(output.batch, property)?;
        Ok(Self {
            name,
            type_annotation: type_annotation(context, property.name, property.primitive, &cells),
            cells,
            quoted: is_quoted(context, property.primitive),
        })
    }
}

impl<'a> ExpandWriter<'a> {
    fn new(context: &'a JsonContext<'a>, expand: &'a OutputExpand<'a>) -> Result<Self, PayloadError> {
        let target = EntityWriter::new(context, expand.target)?;
        Ok(Self { expand, target })
    }

    fn write(&self, out: &mut Vec<u8>, context: &JsonContext<'_>, row: usize) -> Result<(), PayloadError> {
        match self.expand.rows {
            ExpandedRows::One(rows) => match *at(rows, row)? {
                None if context.omit_nulls => Ok(()),
                target => {
                    self.write_name(out);
                    match target {
                        Some(target) => self.target.write(out, target, false),
                        None => {
                            out.extend_from_slice(b"null");
                            Ok(())
                        }
                    }
                }
            },
            ExpandedRows::Many { rows, counts } => {
                if let Some(counts) = counts {
                    self.write_count(out, context, *at(counts, row)?);
                }
                self.write_name(out);
                self.write_many(out, at(rows, row)?)
            }
            ExpandedRows::Count(counts) => {
                self.write_count(out, context, *at(counts, row)?);
                Ok(())
            }
        }
    }

    fn write_many(&self, out: &mut Vec<u8>, rows: &[usize]) -> Result<(), PayloadError> {
        out.push(b'[');
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.target.write(out, *row, false)?;
        }
        out.push(b']');
        Ok(())
    }

    fn write_name(&self, out: &mut Vec<u8>) {
        scalar::separate(out);
        scalar::write_string(out, self.expand.name);
        out.push(b':');
    }

    fn write_count(&self, out: &mut Vec<u8>, context: &JsonContext<'_>, count: u64) {
        scalar::separate(out);
        write_control_name(out, context, self.expand.name, "count");
        write_count(out, context, count);
    }
}

impl<'a> IdentityWriter<'a> {
    fn new(output: &'a Output<'a>, identity: Identity<'a>) -> Result<Self, PayloadError> {
        let key = identity.key.iter();
        let key = key.map(|property| ColumnValues::of(output.batch, property)).collect::<Result<_, _>>()?;
        Ok(Self { identity, key })
    }

    /// Type, id and navigation links. There are no edit links, because the service is read-only.
    fn write(
        &self,
        out: &mut Vec<u8>,
        context: &JsonContext<'_>,
        row: usize,
        reference: bool,
    ) -> Result<(), PayloadError> {
        if self.identity.is_transient() {
            scalar::separate(out);
            write_control_name(out, context, "", "id");
            out.extend_from_slice(b"null");
            return Ok(());
        }
        let id = self.id(row)?;
        let mut member = |property: &str, name: &str, value: &str| {
            scalar::separate(out);
            write_control_name(out, context, property, name);
            scalar::write_string(out, value);
        };
        if reference {
            member("", "id", &id);
            return Ok(());
        }
        member("", "type", &format!("#{}", self.identity.entity_type));
        member("", "id", &id);
        for name in self.identity.navigation {
            let link = format!("{id}/{}", utf8_percent_encode(name, KEY));
            member(name, "associationLink", &format!("{link}/$ref"));
            member(name, "navigationLink", &link);
        }
        Ok(())
    }

    /// The canonical address: `Set('key')`, or `Set(A='x',B=2)` for a key of several parts.
    fn id(&self, row: usize) -> Result<String, PayloadError> {
        let mut id = self.identity.set_url.to_owned();
        let named = self.key.len() > 1;
        for (index, (property, cells)) in self.identity.key.iter().zip(&self.key).enumerate() {
            id.push(if index == 0 { '(' } else { ',' });
            if named {
                id.extend(utf8_percent_encode(property.name, KEY));
                id.push('=');
            }
            id.extend(utf8_percent_encode(&key_literal(cells, property.primitive, row)?, KEY));
        }
        if !self.key.is_empty() {
            id.push(')');
        }
        Ok(id)
    }
}

/// A key value as a URL literal, not yet percent-encoded.
fn key_literal(
    cells: &ColumnValues<'_>,
    primitive: PrimitiveType,
    row: usize,
) -> Result<String, PayloadError> {
    let mut raw = Vec::new();
    cells.write_raw(&mut raw, row)?;
    let text = String::from_utf8_lossy(&raw);
    Ok(match primitive {
        PrimitiveType::String => format!("'{}'", text.replace('\'', "''")),
        _ => text.into_owned(),
    })
}

/// Whether type, id and links are written at this metadata level.
fn says_identity(context: &JsonContext<'_>, identity: &Identity<'_>) -> bool {
    match context.metadata {
        MetadataLevel::None => false,
        _ if identity.is_transient() => context.version == Version::V4,
        level => level == MetadataLevel::Full,
    }
}

fn at<T>(items: &[T], row: usize) -> Result<&T, PayloadError> {
    items.get(row).ok_or_else(|| no_such_row(row, items.len()))
}

/// Whether numbers of the type are strings for this client.
pub(super) fn is_quoted(context: &JsonContext<'_>, primitive: PrimitiveType) -> bool {
    let wide = matches!(primitive, PrimitiveType::Int64 | PrimitiveType::Decimal);
    context.ieee754_compatible && wide
}

/// The type annotation that `metadata=full` requires where the type does not follow from the JSON value.
pub(super) fn type_annotation(
    context: &JsonContext<'_>,
    property: &str,
    primitive: PrimitiveType,
    cells: &ColumnValues<'_>,
) -> Option<Vec<u8>> {
    let many = matches!(cells, ColumnValues::List(_, _));
    let evident = matches!(primitive, PrimitiveType::String | PrimitiveType::Boolean | PrimitiveType::Double);
    if (evident && !many) || context.metadata != MetadataLevel::Full {
        return None;
    }
    let mut out = Vec::new();
    write_control_name(&mut out, context, property, "type");
    // 4.01 writes built-in types without the hash.
    let hash = match context.version {
        Version::V4 => "#",
        Version::V401 => "",
    };
    let name = primitive.name().trim_start_matches("Edm.");
    let name = match many {
        true => format!("{hash}Collection({name})"),
        false => format!("{hash}{name}"),
    };
    scalar::write_string(&mut out, &name);
    Some(out)
}
