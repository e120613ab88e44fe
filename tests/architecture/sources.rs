//! The modules of `src/` as the compiler finds them, without their tests: what each declares, and what it names of others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Ident, Item, UseTree, Visibility};

use crate::matches;
use crate::sizes::{self, Function};

/// The segments of a path from the crate's root.
pub type Name = Vec<String>;

/// What the rules ask of a file.
pub struct Source {
    pub path: Name,
    pub file: PathBuf,
    /// Its code without tests, comments and blanks.
    pub code: String,
    pub mentions: BTreeSet<Mention>,
    pub lines: usize,
    pub functions: Vec<Function>,
    /// The enums that a `match` with an arm for all else is about.
    pub matched_in_part: BTreeSet<String>,
}

/// Every file that is compiled when no test is.
pub fn sources() -> &'static [Source] {
    static READ: OnceLock<Vec<Source>> = OnceLock::new();
    READ.get_or_init(|| {
        let modules = Modules::read();
        modules.0.values().map(|module| modules.source(module)).collect()
    })
}

/// All modules of the library and of the program, by their paths.
struct Modules(BTreeMap<Name, Module>);

/// One file.
struct Module {
    path: Name,
    file: PathBuf,
    /// Its code without tests.
    code: syn::File,
    /// The modules that it declares.
    children: BTreeSet<String>,
    /// What it defines, and whether that is a type.
    defines: BTreeMap<String, bool>,
    /// What it brings in with `use`, by the name that it has here.
    imports: BTreeMap<String, Import>,
}

struct Import {
    origin: Name,
    /// Whether others may take it from here.
    is_shared: bool,
}

/// What a module names of another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// The module that defines it.
    pub module: Name,
    /// Nothing where the module itself is named.
    pub item: Option<String>,
    pub is_type: bool,
}

/// The folder that is read: `src` of this package, unless `SOURCES` names another.
fn root() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    std::env::var_os("SOURCES").map_or_else(own, PathBuf::from)
}

impl Modules {
    fn read() -> Self {
        let mut modules = Self(BTreeMap::new());
        modules.add(&root().join("lib.rs"), Vec::new());
        modules.add(&root().join("main.rs"), vec!["main".to_owned()]);
        modules
    }

    fn source(&self, module: &Module) -> Source {
        Source {
            path: module.path.clone(),
            file: module.file.clone(),
            code: module.code.to_token_stream().to_string().replace(' ', ""),
            mentions: self.mentions(module),
            lines: sizes::lines(&module.code),
            functions: sizes::functions(&module.code),
            matched_in_part: matches::matched_in_part(&module.code),
        }
    }

    fn add(&mut self, file: &Path, path: Name) {
        let text =
            std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let module = Module::parse(path.clone(), file, &text);
        // Children of lib.rs, main.rs and mod.rs lie beside them, those of others in a folder of their name.
        let is_root = ["lib.rs", "main.rs", "mod.rs"].iter().any(|name| file.ends_with(name));
        let folder = if is_root { file.parent().unwrap().to_owned() } else { file.with_extension("") };
        for child in &module.children {
            let (beside, below) = (folder.join(format!("{child}.rs")), folder.join(child).join("mod.rs"));
            let file = if beside.exists() { beside } else { below };
            self.add(&file, path.iter().chain([child]).cloned().collect());
        }
        self.0.insert(path, module);
    }

    /// What a module names of others, wherever that stands: in `use`, in a type, in an expression, inside a macro.
    fn mentions(&self, module: &Module) -> BTreeSet<Mention> {
        let mut paths = Vec::new();
        find_paths(module.code.to_token_stream(), &[], &mut paths);
        let absolute = paths.iter().filter_map(|path| module.absolute(path));
        let mentions = absolute.filter_map(|path| self.resolve(&path));
        mentions.filter(|mention| mention.module != module.path).collect()
    }

    /// The module that defines what a path names. What a module merely passes on is looked up where it comes from.
    fn resolve(&self, path: &[String]) -> Option<Mention> {
        let depth = (1..=path.len()).rev().find(|&depth| self.0.contains_key(&path[..depth]))?;
        let module = &self.0[&path[..depth]];
        let Some(item) = path.get(depth) else {
            return Some(Mention { module: module.path.clone(), item: None, is_type: false });
        };
        match module.imports.get(item) {
            Some(import) if import.is_shared => {
                self.resolve(&[import.origin.as_slice(), &path[depth + 1..]].concat())
            }
            _ => {
                let is_type = module.defines.get(item).copied().unwrap_or_default();
                Some(Mention { module: module.path.clone(), item: Some(item.clone()), is_type })
            }
        }
    }
}

impl Module {
    fn parse(path: Name, file: &Path, text: &str) -> Self {
        let mut code = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        code.attrs.clear();
        code.items.retain(|item| !attributes(item).iter().any(is_for_tests));
        let mut module = Self {
            path,
            file: file.to_owned(),
            code,
            children: BTreeSet::new(),
            defines: BTreeMap::new(),
            imports: BTreeMap::new(),
        };
        let items = std::mem::take(&mut module.code.items);
        items.iter().for_each(|item| module.note_definition(item));
        items.iter().for_each(|item| module.note_imports(item));
        items.iter().for_each(|item| module.note_conditional_children(item));
        module.code.items = items;
        module
    }

    fn note_definition(&mut self, item: &Item) {
        let (name, is_type) = match item {
            Item::Struct(item) => (&item.ident, true),
            Item::Enum(item) => (&item.ident, true),
            Item::Trait(item) => (&item.ident, true),
            Item::Type(item) => (&item.ident, true),
            Item::Fn(item) => (&item.sig.ident, false),
            Item::Const(item) => (&item.ident, false),
            Item::Static(item) => (&item.ident, false),
            Item::Mod(item) => {
                assert!(item.content.is_none(), "{}: a module within a file", self.file.display());
                self.children.insert(item.ident.to_string());
                return;
            }
            _ => return,
        };
        self.defines.insert(name.to_string(), is_type);
    }

    /// The modules that `cfg_if!` declares.
    fn note_conditional_children(&mut self, item: &Item) {
        let Item::Macro(item) = item else { return };
        if item.mac.path.segments.last().is_some_and(|last| last.ident == "cfg_if") {
            let text = item.mac.tokens.to_string();
            let declared = text.split("mod ").skip(1).filter_map(|rest| rest.split(';').next());
            self.children.extend(declared.map(|name| name.trim().to_owned()));
        }
    }

    fn note_imports(&mut self, item: &Item) {
        if let Item::Use(item) = item {
            let is_shared = !matches!(item.vis, Visibility::Inherited);
            self.note_use(&item.tree, &[], is_shared);
        }
    }

    fn note_use(&mut self, tree: &UseTree, before: &[String], is_shared: bool) {
        let below = |part: &Ident| -> Name {
            let part = (part != "self").then(|| part.to_string());
            before.iter().cloned().chain(part).collect()
        };
        let (path, name) = match tree {
            UseTree::Path(path) => return self.note_use(&path.tree, &below(&path.ident), is_shared),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.note_use(tree, before, is_shared));
            }
            UseTree::Glob(_) => panic!("{}: `use …::*` hides what is used", self.file.display()),
            UseTree::Name(name) => (below(&name.ident), None),
            UseTree::Rename(rename) => (below(&rename.ident), Some(rename.rename.to_string())),
        };
        let name = name.or_else(|| path.last().cloned());
        if let (Some(name), Some(origin)) = (name, self.absolute(&path)) {
            self.imports.insert(name, Import { origin, is_shared });
        }
    }

    /// A path as it is written here, from the crate's root; nothing where it leads out of the crate.
    fn absolute(&self, path: &[String]) -> Option<Name> {
        let (first, rest) = path.split_first()?;
        let above = path.iter().take_while(|part| *part == "super").count();
        let (origin, rest) = match first.as_str() {
            "crate" | "jobindsats_bridge" => (Vec::new(), rest),
            "self" => (self.path.clone(), rest),
            "super" => (self.path[..self.path.len() - above].to_vec(), &path[above..]),
            name if self.children.contains(name) => (self.path.clone(), path),
            name => (self.imports.get(name)?.origin.clone(), rest),
        };
        Some([origin.as_slice(), rest].concat())
    }
}

/// Every path of at least two segments in a text, with the groups of a `use` spelled out.
fn find_paths(text: TokenStream, before: &[String], found: &mut Vec<Name>) {
    let tokens: Vec<TokenTree> = text.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let mut path = before.to_vec();
        while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
            path.push(ident.to_string());
            at += 1;
            if !is_separator(&tokens[at..]) {
                break;
            }
            at += 2;
        }
        let goes_on = at >= 2 && is_separator(&tokens[at - 2..]);
        match tokens.get(at) {
            Some(TokenTree::Group(group)) if path.len() > before.len() && goes_on => {
                find_paths(group.stream(), &path, found);
                at += 1;
            }
            _ if path.len() > before.len() => found.extend((path.len() > 1).then_some(path)),
            Some(TokenTree::Group(group)) => {
                find_paths(group.stream(), &[], found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Whether a text begins with two colons.
fn is_separator(tokens: &[TokenTree]) -> bool {
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ':');
    tokens.len() >= 2 && tokens[..2].iter().all(is_colon)
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.meta.to_token_stream().to_string().replace(' ', "") == "cfg(test)"
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(texts: &[(&str, &str)]) -> Modules {
        let module = |(path, text): &(&str, &str)| {
            let path: Name = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            (path.clone(), Module::parse(path, Path::new("text.rs"), text))
        };
        Modules(texts.iter().map(module).collect())
    }

    /// What the module `a/b` mentions, as `module item`, a type with a mark.
    fn mentions(text: &str) -> Vec<String> {
        let modules = modules(&[
            ("", "mod a; mod c;"),
            ("a", "mod b; mod d; pub use d::Passed; pub struct Type; pub fn work() {}"),
            ("a/b", text),
            ("a/d", "pub struct Passed; pub fn far() {}"),
            ("c", "pub enum Kind { One } pub const LIMIT: u8 = 1;"),
        ]);
        let name = |mention: Mention| {
            let item = mention.item.unwrap_or_default();
            format!("{} {item}{}", mention.module.join("/"), if mention.is_type { "!" } else { "" })
        };
        modules.mentions(&modules.0[&vec!["a".to_owned(), "b".to_owned()]]).into_iter().map(name).collect()
    }

    #[test]
    fn every_way_of_naming_another_module_is_seen() {
        for (text, expected) in [
            ("use crate::c::Kind;", vec!["c Kind!"]),
            ("use crate::{a::d, c::{Kind, LIMIT}};", vec!["a/d ", "c Kind!", "c LIMIT"]),
            ("use super::{Type, work};", vec!["a Type!", "a work"]),
            ("use super::super::c::LIMIT as MOST;", vec!["c LIMIT"]),
            ("use super::Passed;", vec!["a/d Passed!"]),
            ("use crate::a; fn f() { a::work() }", vec!["a ", "a work"]),
            ("use crate::c::Kind as K; fn f() -> K { K::One }", vec!["c Kind!"]),
            ("fn f() { use crate::a::d; d::far() }", vec!["a/d "]),
            ("fn f() { println!(\"{}\", crate::c::LIMIT) }", vec!["c LIMIT"]),
            ("fn f(kind: &[crate::c::Kind]) {}", vec!["c Kind!"]),
            ("#[cfg(test)] mod tests { use crate::c::Kind; }", vec![]),
            ("#[cfg(test)] mod tests { } use crate::c::Kind;", vec!["c Kind!"]),
            ("use std::fmt; fn f() { Self::g(); fmt::w() }", vec![]),
        ] {
            assert_eq!(mentions(text), expected, "{text}");
        }
    }
}
