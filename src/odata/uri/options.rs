//! Query options: which exist, where each is allowed, and parsing their values. Names may have any letter case, with or without the
//! dollar sign.

use super::Limits;
use super::decode::{Plus, Text, decode, encoded};
use super::error::{Expected, SyntaxError, SyntaxErrorKind};
use super::lexer::{Parsed, Parser};
use super::literal::boolean;
use super::syntax::{Levels, QueryOptions};

/// The system query options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SystemOption {
    Select,
    Expand,
    Filter,
    OrderBy,
    Top,
    Skip,
    Count,
    Search,
    Compute,
    Apply,
    Levels,
    Format,
    SkipToken,
    DeltaToken,
    SchemaVersion,
    Index,
    Id,
    At,
    From,
    To,
    ToInclusive,
}

impl SystemOption {
    const ALL: [(Self, &'static str); 21] = [
        (Self::Select, "$select"),
        (Self::Expand, "$expand"),
        (Self::Filter, "$filter"),
        (Self::OrderBy, "$orderby"),
        (Self::Top, "$top"),
        (Self::Skip, "$skip"),
        (Self::Count, "$count"),
        (Self::Search, "$search"),
        (Self::Compute, "$compute"),
        (Self::Apply, "$apply"),
        (Self::Levels, "$levels"),
        (Self::Format, "$format"),
        (Self::SkipToken, "$skiptoken"),
        (Self::DeltaToken, "$deltatoken"),
        (Self::SchemaVersion, "$schemaversion"),
        (Self::Index, "$index"),
        (Self::Id, "$id"),
        (Self::At, "$at"),
        (Self::From, "$from"),
        (Self::To, "$to"),
        (Self::ToInclusive, "$toInclusive"),
    ];

    /// The option of that name. Those of the temporal extension have no form without the dollar sign.
    fn from_name(name: &str) -> Option<Self> {
        let (option, _) = Self::ALL.into_iter().find(|(_, known)| {
            name.eq_ignore_ascii_case(known) || name.eq_ignore_ascii_case(known.trim_start_matches('$'))
        })?;
        (!option.is_temporal() || name.starts_with('$')).then_some(option)
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(option, _)| *option == self).map_or("", |(_, name)| name)
    }

    fn is_temporal(self) -> bool {
        matches!(self, Self::At | Self::From | Self::To | Self::ToInclusive)
    }

    /// Whether the value ends in an expression, which an operator could continue.
    fn is_expression(self) -> bool {
        matches!(self, Self::Filter | Self::OrderBy) || self.is_temporal()
    }

    /// Whether the value is taken literally: a plus sign in it is not a blank.
    fn is_opaque(self) -> bool {
        matches!(self, Self::Format | Self::SkipToken | Self::DeltaToken | Self::Id | Self::SchemaVersion)
    }
}

/// Where in a request options occur; each place allows other options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionScope {
    /// After the question mark.
    Request,
    /// In parentheses after a property in `$select`.
    Select,
    /// In parentheses after a navigation property in `$expand`.
    Expand,
    ExpandRef,
    ExpandStar,
    /// In parentheses after `/$count`.
    Count,
}

impl OptionScope {
    fn allows(self, option: SystemOption) -> bool {
        use SystemOption as O;
        let rows = matches!(option, O::OrderBy | O::Top | O::Skip | O::Count);
        let counted = matches!(option, O::Filter | O::Search);
        match self {
            Self::Request => option != O::Levels,
            Self::Select => counted || rows || matches!(option, O::Select | O::Compute),
            Self::Expand => {
                let shape = matches!(option, O::Select | O::Expand | O::Compute | O::Apply);
                counted || rows || shape || option == O::Levels || option.is_temporal()
            }
            Self::ExpandRef => counted || rows,
            Self::ExpandStar => option == O::Levels,
            Self::Count => counted,
        }
    }

    /// Whether parameter aliases may be given a value here.
    fn allows_aliases(self) -> bool {
        matches!(self, Self::Request | Self::Select | Self::Expand)
    }
}

/// How many levels of brackets one level of nested options counts as: they need more stack, and no client nests them deeply.
const OPTION_LEVELS: usize = 4;

/// The options parsed so far, with their names.
#[derive(Debug, Default)]
struct Collected {
    options: QueryOptions,
    seen: Vec<SystemOption>,
}

impl Collected {
    fn note(&mut self, option: SystemOption) -> Result<(), SyntaxErrorKind> {
        if self.seen.contains(&option) {
            return Err(SyntaxErrorKind::DuplicateOption { name: option.name().to_owned() });
        }
        self.seen.push(option);
        Ok(())
    }

    fn note_alias(&self, alias: &str) -> Result<(), SyntaxErrorKind> {
        if self.options.aliases.iter().any(|(known, _)| known == alias) {
            return Err(SyntaxErrorKind::DuplicateOption { name: format!("@{alias}") });
        }
        Ok(())
    }
}

/// The raw query, without the question mark.
pub(super) fn parse(query: &str, limits: &Limits) -> Result<QueryOptions, SyntaxError> {
    let mut collected = Collected::default();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        parse_piece(piece, &mut collected, limits)?;
    }
    Ok(collected.options)
}

/// The options that say what is asked for, decoded, under their canonical names. The format, the page and what is none of the
/// system's are not among them.
pub(super) fn content(query: &str) -> Result<Vec<(String, String)>, SyntaxError> {
    let mut content = Vec::new();
    for piece in query.split('&') {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let name = decode(name, "query", Plus::Blank)?.into_string();
        let system = SystemOption::from_name(&name);
        let names_content = !matches!(system, Some(SystemOption::Format | SystemOption::SkipToken));
        if names_content && (system.is_some() || name.starts_with('@')) {
            let name = system.map_or(name, |option| option.name().to_owned());
            let plus = if system.is_some_and(SystemOption::is_opaque) { Plus::Itself } else { Plus::Blank };
            let value = decode(value, &name, plus)?.into_string();
            content.push((name, value));
        }
    }
    Ok(content)
}

/// The canonical text of the options that say what is asked for, in the order of their names: in every spelling of the same request
/// it is the same.
pub(super) fn canonical(query: &str) -> Result<String, SyntaxError> {
    let name = |name: String| match name.strip_prefix('@') {
        Some(alias) => format!("@{}", encoded(alias)),
        None => name,
    };
    let written = content(query)?.into_iter().map(|(of, value)| format!("{}={}", name(of), encoded(&value)));
    let mut written: Vec<_> = written.collect();
    written.sort_unstable();
    Ok(written.join("&"))
}

/// Whether a piece of a raw query is the system option of that name, however it is written.
#[must_use]
pub fn is_option(piece: &str, name: &str) -> bool {
    let written = piece.split('=').next().unwrap_or_default();
    let decoded = decode(written, "query", Plus::Blank).map(Text::into_string);
    decoded.is_ok_and(|decoded| SystemOption::from_name(&decoded).is_some_and(|option| option.name() == name))
}

/// One `name=value` of the raw query.
fn parse_piece(piece: &str, collected: &mut Collected, limits: &Limits) -> Result<(), SyntaxError> {
    let (raw_name, value) = match piece.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (piece, None),
    };
    let name = decode(raw_name, "query", Plus::Blank)?.into_string();
    let system = SystemOption::from_name(&name).filter(|option| OptionScope::Request.allows(*option));
    if let Some(option) = system {
        collected.note(option).map_err(|kind| SyntaxError::new(&name, 0, kind))?;
        let value = required(value, option.name())?;
        return parse_system(option, value, &mut collected.options, limits);
    }
    if name.starts_with('$') {
        return Err(not_an_option(name));
    }
    if name.starts_with('@') {
        return parse_alias(&name, required(value, &name)?, collected, limits);
    }
    let value = decode(value.unwrap_or_default(), &name, Plus::Blank)?.into_string();
    collected.options.custom.push((name, value));
    Ok(())
}

fn required<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, SyntaxError> {
    value.ok_or_else(|| {
        let kind = SyntaxErrorKind::MissingValue { name: name.to_owned() };
        SyntaxError::new(name, 0, kind)
    })
}

/// The error for a name with a dollar sign that is not an option, or not allowed for a whole request.
fn not_an_option(name: String) -> SyntaxError {
    let option = name.clone();
    let kind = match SystemOption::from_name(&name) {
        Some(_) => SyntaxErrorKind::OptionNotAllowed { name },
        None => SyntaxErrorKind::UnknownOption { name },
    };
    SyntaxError::new(&option, 0, kind)
}

/// The raw value of a system query option.
fn parse_system(
    option: SystemOption,
    value: &str,
    options: &mut QueryOptions,
    limits: &Limits,
) -> Result<(), SyntaxError> {
    let plus = if option.is_opaque() { Plus::Itself } else { Plus::Blank };
    let text = decode(value, option.name(), plus)?;
    let mut parser = Parser::new(&text, option.name(), limits);
    parser.option_value(option, options)?;
    parser.end(if option.is_expression() { Expected::Operator } else { Expected::End })
}

/// `@name=value`
fn parse_alias(
    name: &str,
    value: &str,
    collected: &mut Collected,
    limits: &Limits,
) -> Result<(), SyntaxError> {
    let name_text = Text::plain(name);
    let mut name_parser = Parser::new(&name_text, name, limits);
    name_parser.expect("@")?;
    let alias = name_parser.dotted_name()?;
    name_parser.end(Expected::End)?;
    collected.note_alias(&alias).map_err(|kind| SyntaxError::new(name, 0, kind))?;
    let text = decode(value, name, Plus::Blank)?;
    let mut parser = Parser::new(&text, name, limits);
    let expr = parser.alias_value()?;
    parser.end(Expected::Operator)?;
    collected.options.aliases.push((alias, expr));
    Ok(())
}

impl Parser<'_> {
    /// The value of a system query option, up to where its grammar ends. The grammar allows no blanks at either end; trailing ones
    /// are accepted, because they are harmless.
    pub(super) fn option_value(&mut self, option: SystemOption, options: &mut QueryOptions) -> Parsed<()> {
        use SystemOption as O;
        match option {
            O::Filter => options.filter = Some(self.expression()?),
            O::Select => options.select = Some(self.spaced_list(Self::select_term)?),
            O::Expand => options.expand = Some(self.spaced_list(Self::expand_term)?),
            O::OrderBy => options.orderby = Some(self.spaced_list(Self::order_term)?),
            O::Compute => options.compute = Some(self.spaced_list(Self::compute_term)?),
            O::Search => options.search = Some(self.search()?),
            O::Apply => options.apply = Some(self.apply()?),
            O::Top => options.top = Some(self.whole_number()?),
            O::Skip => options.skip = Some(self.whole_number()?),
            O::Index => options.index = Some(self.signed_number()?),
            O::Count => options.count = Some(self.boolean()?),
            O::Levels => options.levels = Some(self.levels()?),
            O::Format => options.format = Some(self.format()?),
            O::SchemaVersion => options.schemaversion = Some(self.schema_version()?),
            O::SkipToken => options.skiptoken = Some(self.token()?),
            O::DeltaToken => options.deltatoken = Some(self.token()?),
            O::Id => options.id = Some(self.token()?),
            O::At | O::From | O::To | O::ToInclusive => {
                let expr = self.expression()?;
                options.temporal.push((option.name().to_owned(), expr));
            }
        }
        self.blanks();
        Ok(())
    }

    /// Options in parentheses with semicolons between them.
    pub(super) fn nested_options(&mut self, scope: OptionScope) -> Parsed<QueryOptions> {
        self.nested_by(OPTION_LEVELS, |parser| {
            parser.open()?;
            let mut collected = Collected::default();
            loop {
                parser.nested_option(scope, &mut collected)?;
                parser.blanks();
                if !parser.eat(';') {
                    break;
                }
                parser.blanks();
            }
            parser.close()?;
            Ok(collected.options)
        })
    }

    /// The options of `/$count` within an expression, if there are any.
    pub(super) fn count_options(&mut self) -> Parsed<QueryOptions> {
        match self.peek() {
            Some('(') => self.nested_options(OptionScope::Count),
            _ => Ok(QueryOptions::default()),
        }
    }

    fn nested_option(&mut self, scope: OptionScope, collected: &mut Collected) -> Parsed<()> {
        let start = self.position();
        if self.eat('@') {
            let alias = self.dotted_name()?;
            collected.note_alias(&alias).map_err(|kind| self.error_at(start, kind))?;
            if !scope.allows_aliases() {
                let name = format!("@{alias}");
                return Err(self.error_at(start, SyntaxErrorKind::OptionNotAllowed { name }));
            }
            self.expect("=")?;
            let expr = self.alias_value()?;
            collected.options.aliases.push((alias, expr));
            return Ok(());
        }
        let name = self.take_while(|char| char.is_ascii_alphabetic() || char == '$');
        if name.is_empty() {
            return Err(self.unexpected(Expected::OptionName));
        }
        let Some(option) = SystemOption::from_name(&name) else {
            return Err(self.error_at(start, SyntaxErrorKind::UnknownOption { name }));
        };
        if !scope.allows(option) {
            let name = option.name().to_owned();
            return Err(self.error_at(start, SyntaxErrorKind::OptionNotAllowed { name }));
        }
        collected.note(option).map_err(|kind| self.error_at(start, kind))?;
        self.expect("=")?;
        self.option_value(option, &mut collected.options)
    }

    /// What a parameter alias stands for.
    fn alias_value(&mut self) -> Parsed<super::syntax::Expr> {
        let expr = self.expression()?;
        self.blanks();
        Ok(expr)
    }

    fn spaced_list<T>(&mut self, term: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.blanks();
        self.list(term)
    }

    /// Digits and nothing else.
    pub(super) fn whole_number(&mut self) -> Parsed<u64> {
        let start = self.position();
        let digits = self.take_while(|char| char.is_ascii_digit());
        digits.parse().map_err(|_| {
            self.rewind(start);
            self.unexpected(Expected::Integer)
        })
    }

    fn signed_number(&mut self) -> Parsed<i64> {
        let start = self.position();
        let text = self.take_while(|char| char.is_ascii_digit() || char == '-');
        text.parse().map_err(|_| {
            self.rewind(start);
            self.unexpected(Expected::Integer)
        })
    }

    fn boolean(&mut self) -> Parsed<bool> {
        let start = self.position();
        let word = self.take_while(|char| char.is_ascii_alphabetic());
        boolean(&word).ok_or_else(|| {
            self.rewind(start);
            self.unexpected(Expected::Boolean)
        })
    }

    fn levels(&mut self) -> Parsed<Levels> {
        let start = self.position();
        let text = self.take_while(|char| char.is_ascii_alphanumeric());
        if text.eq_ignore_ascii_case("max") {
            return Ok(Levels::Max);
        }
        match text.parse() {
            Ok(number) if !text.starts_with('0') => Ok(Levels::Number(number)),
            _ => {
                self.rewind(start);
                Err(self.unexpected(Expected::Levels))
            }
        }
    }

    /// A short name of a format or a media type.
    fn format(&mut self) -> Parsed<String> {
        let text = self.take_while(|_| true);
        let is_short = ["json", "xml", "atom"].iter().any(|known| text.eq_ignore_ascii_case(known));
        let is_media_type =
            text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
        if is_short || is_media_type {
            return Ok(text);
        }
        self.rewind(0);
        Err(self.unexpected(Expected::Format))
    }

    fn schema_version(&mut self) -> Parsed<String> {
        let text = self.take_while(|_| true);
        let is_version =
            text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_' | '~'));
        if text == "*" || (is_version && !text.is_empty()) {
            return Ok(text);
        }
        self.rewind(0);
        Err(self.unexpected(Expected::Version))
    }

    /// An opaque text such as a skip token.
    fn token(&mut self) -> Parsed<String> {
        let text = self.take_while(|_| true);
        if text.is_empty() {
            return Err(self.unexpected(Expected::Literal));
        }
        Ok(text)
    }
}
