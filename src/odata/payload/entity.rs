//! Writes entities: control information, properties and expanded navigation properties. Names and types are prepared once per batch, the
//! values of dictionaries when they are first met; each row then only copies bytes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::column::{ColumnValues, no_such_row};
use super::control::{write_context, write_control_name, write_count};
use super::documents::write_messages;
use super::ready::ReadyTexts;
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
    omit_nulls: bool,
    /// `,"Name":`
    name: Vec<u8>,
    type_annotation: Option<TypeAnnotation>,
    cells: ColumnValues<'a>,
    quoted: bool,
    /// Members that are written for many rows: `,"Name":"value"`.
    ready: ReadyTexts,
}

/// `"Name@odata.type":"#Decimal"`, where the type does not follow from the JSON value.
pub(super) struct TypeAnnotation {
    pub(super) text: Vec<u8>,
    /// Whether only the doubles that JSON writes as strings need it (`"NaN"`, `"INF"`).
    only_not_finite: bool,
}

/// What is said of an entity beside its properties.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Id,
    /// Type, id and navigation links.
    All,
}

struct ExpandWriter<'a> {
    expand: &'a OutputExpand<'a>,
    target: EntityWriter<'a>,
}

struct IdentityWriter<'a> {
    context: &'a JsonContext<'a>,
    identity: Identity<'a>,
    said: Said,
    /// The member of the id as far as all rows have it: `,"@odata.id":"…/Set`
    start: Vec<u8>,
    key: Vec<KeyPart<'a>>,
}

/// A part of the key in an address: `Name='value'`, percent-encoded.
struct KeyPart<'a> {
    /// `Name=`; empty where the key has one part.
    name: String,
    primitive: PrimitiveType,
    cells: ColumnValues<'a>,
    /// With the name.
    ready: ReadyTexts,
}

impl<'a> EntityWriter<'a> {
    /// A writer that will write so many rows.
    pub(super) fn new(
        context: &'a JsonContext<'a>,
        output: &'a Output<'a>,
        rows: usize,
    ) -> Result<Self, PayloadError> {
        let said =
            |identity: &Identity<'_>| if output.references { Said::Id } else { said(context, identity) };
        let identity = output
            .identity
            .map(|identity| (identity, said(&identity)))
            .filter(|(_, said)| *said != Said::Nothing)
            .map(|(identity, said)| IdentityWriter::new(context, output, identity, said, rows))
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
                .map(|property| PropertyWriter::new(context, output, property, rows))
                .collect::<Result<_, _>>()?,
            expands: expands.map(|expand| ExpandWriter::new(context, expand)).collect::<Result<_, _>>()?,
            identity,
            references: output.references,
        })
    }

    /// Writes the entity of a row, with the context URL when it is the whole answer.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, row: usize, whole: bool) -> Result<(), PayloadError> {
        if row >= self.rows {
            return Err(no_such_row(row, self.rows));
        }
        out.push(b'{');
        if whole {
            write_context(out, self.context);
            write_messages(out, self.context.messages);
        }
        if let Some(identity) = &mut self.identity {
            identity.write(out, row)?;
        }
        if !self.references {
            self.write_members(out, row)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn write_members(&mut self, out: &mut Vec<u8>, row: usize) -> Result<(), PayloadError> {
        for property in &mut self.properties {
            property.write(out, row)?;
        }
        for expand in &mut self.expands {
            expand.write(out, row)?;
        }
        Ok(())
    }
}

impl<'a> PropertyWriter<'a> {
    fn new(
        context: &JsonContext<'_>,
        output: &'a Output<'a>,
        property: &OutputProperty<'_>,
        rows: usize,
    ) -> Result<Self, PayloadError> {
        let mut name = vec![b','];
        scalar::write_string(&mut name, property.name);
        name.push(b':');
        let cells = ColumnValues::of(output.batch, property)?;
        Ok(Self {
            omit_nulls: context.omit_nulls,
            type_annotation: TypeAnnotation::of(context, property.name, property, &cells),
            quoted: is_quoted(context, property.primitive),
            ready: ReadyTexts::of(&cells, rows),
            cells,
            name,
        })
    }

    fn write(&mut self, out: &mut Vec<u8>, row: usize) -> Result<(), PayloadError> {
        let is_null = self.cells.is_null(row);
        if is_null && self.omit_nulls {
            return Ok(());
        }
        if let Some(annotation) = &self.type_annotation
            && annotation.is_needed(&self.cells, row)
        {
            scalar::separate(out);
            out.extend_from_slice(&annotation.text);
        }
        if is_null {
            write_member(out, &self.name);
            out.extend_from_slice(b"null");
            return Ok(());
        }
        let Self { name, cells, quoted, ready, .. } = self;
        let make = |member: &mut Vec<u8>| {
            member.extend_from_slice(name);
            cells.write_json(member, row, *quoted)
        };
        match ready.text(cells, row, make)? {
            Some(member) => write_member(out, member),
            None => {
                write_member(out, name);
                cells.write_json(out, row, *quoted)?;
            }
        }
        Ok(())
    }
}

/// Appends a member that begins with a comma, which the first one of an object does not have.
fn write_member(out: &mut Vec<u8>, member: &[u8]) {
    let is_first = out.last() == Some(&b'{');
    out.extend_from_slice(member.get(usize::from(is_first)..).unwrap_or_default());
}

impl<'a> ExpandWriter<'a> {
    fn new(context: &'a JsonContext<'a>, expand: &'a OutputExpand<'a>) -> Result<Self, PayloadError> {
        let target = EntityWriter::new(context, expand.target, expand.target.batch.num_rows())?;
        Ok(Self { expand, target })
    }

    fn write(&mut self, out: &mut Vec<u8>, row: usize) -> Result<(), PayloadError> {
        match self.expand.rows {
            ExpandedRows::One(rows) => match *at(rows, row)? {
                None if self.target.context.omit_nulls => Ok(()),
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
                    self.write_count(out, *at(counts, row)?);
                }
                self.write_name(out);
                self.write_many(out, at(rows, row)?)
            }
            ExpandedRows::Count(counts) => {
                self.write_count(out, *at(counts, row)?);
                Ok(())
            }
        }
    }

    fn write_many(&mut self, out: &mut Vec<u8>, rows: &[usize]) -> Result<(), PayloadError> {
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

    fn write_count(&self, out: &mut Vec<u8>, count: u64) {
        let context = self.target.context;
        scalar::separate(out);
        write_control_name(out, context, self.expand.name, "count");
        write_count(out, context, count);
    }
}

impl<'a> IdentityWriter<'a> {
    fn new(
        context: &'a JsonContext<'a>,
        output: &'a Output<'a>,
        identity: Identity<'a>,
        said: Said,
        rows: usize,
    ) -> Result<Self, PayloadError> {
        let named = identity.key.len() > 1;
        let key = identity.key.iter();
        let key =
            key.map(|property| KeyPart::new(output, property, named, rows)).collect::<Result<_, _>>()?;
        let mut start = vec![b','];
        write_control_name(&mut start, context, "", "id");
        start.push(b'"');
        scalar::write_escaped(&mut start, identity.set_url);
        Ok(Self { context, identity, said, start, key })
    }

    /// What is said of the entity. There are no edit links, because the service is read-only.
    fn write(&mut self, out: &mut Vec<u8>, row: usize) -> Result<(), PayloadError> {
        let context = self.context;
        if self.identity.is_transient() {
            scalar::separate(out);
            write_control_name(out, context, "", "id");
            out.extend_from_slice(b"null");
            return Ok(());
        }
        if self.said == Said::Id {
            write_member(out, &self.start);
            self.write_key(out, row)?;
            out.push(b'"');
            return Ok(());
        }
        let mut id = self.identity.set_url.as_bytes().to_vec();
        self.write_key(&mut id, row)?;
        let id = String::from_utf8_lossy(&id);
        let mut member = |property: &str, name: &str, value: &str| {
            scalar::separate(out);
            write_control_name(out, context, property, name);
            scalar::write_string(out, value);
        };
        member("", "type", &format!("#{}", self.identity.entity_type));
        member("", "id", &id);
        for name in self.identity.navigation {
            let link = format!("{id}/{}", utf8_percent_encode(name, KEY));
            member(name, "associationLink", &format!("{link}/$ref"));
            member(name, "navigationLink", &link);
        }
        Ok(())
    }

    /// The key in the canonical address: `('key')`, or `(A='x',B=2)` if it has several parts. Percent-encoded, so that JSON needs no escapes.
    fn write_key(&mut self, out: &mut Vec<u8>, row: usize) -> Result<(), PayloadError> {
        for (index, part) in self.key.iter_mut().enumerate() {
            out.push(if index == 0 { b'(' } else { b',' });
            part.write(out, row)?;
        }
        if !self.key.is_empty() {
            out.push(b')');
        }
        Ok(())
    }
}

impl<'a> KeyPart<'a> {
    fn new(
        output: &'a Output<'a>,
        property: &OutputProperty<'_>,
        named: bool,
        rows: usize,
    ) -> Result<Self, PayloadError> {
        let name =
            if named { format!("{}=", utf8_percent_encode(property.name, KEY)) } else { String::new() };
        let (primitive, cells) = (property.primitive, ColumnValues::of(output.batch, property)?);
        let ready = ReadyTexts::of(&cells, rows);
        Ok(Self { name, primitive, cells, ready })
    }

    fn write(&mut self, out: &mut Vec<u8>, row: usize) -> Result<(), PayloadError> {
        let Self { name, primitive, cells, ready } = self;
        let make = |part: &mut Vec<u8>| {
            let mut raw = Vec::new();
            cells.write_raw(&mut raw, row)?;
            part.extend_from_slice(name.as_bytes());
            part.extend_from_slice(key_literal(&String::from_utf8_lossy(&raw), *primitive).as_bytes());
            Ok(())
        };
        match ready.text(cells, row, make)? {
            Some(part) => out.extend_from_slice(part),
            None => make(out)?,
        }
        Ok(())
    }
}

/// A key value as a URL literal, percent-encoded.
fn key_literal(text: &str, primitive: PrimitiveType) -> String {
    match primitive {
        PrimitiveType::String => {
            utf8_percent_encode(&format!("'{}'", text.replace('\'', "''")), KEY).to_string()
        }
        _ => utf8_percent_encode(text, KEY).to_string(),
    }
}

/// What is said of an entity at this metadata level (JSON Format 4.5.8, 4.6.9). Clients work out an id from the key, so it stands in
/// minimal metadata where the key does not. The null id of a row that is no entity always stands in 4.0; in 4.01 it does where the row
/// has all columns of the key, so that it could be taken for the entity with that key.
fn said(context: &JsonContext<'_>, identity: &Identity<'_>) -> Said {
    match context.metadata {
        MetadataLevel::None => Said::Nothing,
        _ if identity.is_transient() => match context.version {
            Version::V401 if !identity.shows_key => Said::Nothing,
            Version::V4 | Version::V401 => Said::Id,
        },
        MetadataLevel::Full => Said::All,
        MetadataLevel::Minimal if identity.shows_key => Said::Nothing,
        MetadataLevel::Minimal => Said::Id,
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

impl TypeAnnotation {
    /// The annotation that a property needs: at `metadata=full` every property whose type does not follow from its JSON value, at
    /// `metadata=minimal` only those that the model does not declare (JSON Format 4.5.3).
    pub(super) fn of(
        context: &JsonContext<'_>,
        name: &str,
        property: &OutputProperty<'_>,
        cells: &ColumnValues<'_>,
    ) -> Option<Self> {
        use PrimitiveType as Type;
        let wanted = match context.metadata {
            MetadataLevel::None => false,
            MetadataLevel::Minimal => !property.declared,
            MetadataLevel::Full => true,
        };
        let many = matches!(cells, ColumnValues::List(_, _));
        let evident = match property.primitive {
            Type::String | Type::Boolean => !many,
            Type::Double => !many && property.declared,
            _ => false,
        };
        if !wanted || evident {
            return None;
        }
        let mut text = Vec::new();
        write_control_name(&mut text, context, name, "type");
        // 4.01 writes built-in types without the hash.
        let hash = match context.version {
            Version::V4 => "#",
            Version::V401 => "",
        };
        let primitive = property.primitive.name().trim_start_matches("Edm.");
        scalar::write_string(
            &mut text,
            &match many {
                true => format!("{hash}Collection({primitive})"),
                false => format!("{hash}{primitive}"),
            },
        );
        Some(Self { text, only_not_finite: property.primitive == Type::Double && !many })
    }

    /// Whether the value of a row needs it; null has no type.
    fn is_needed(&self, cells: &ColumnValues<'_>, row: usize) -> bool {
        let follows = self.only_not_finite && cells.is_finite(row);
        !cells.is_null(row) && !follows
    }
}
