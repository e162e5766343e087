//! Reads a Rust file with `syn` as far as the fences need it: every path that it names, followed
//! to the root of the crate. Comments and texts are no paths; modules under `#[cfg(test)]` are left
//! out.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Attribute, ExprMethodCall, ExprPath, ExprStruct, File, ItemExternCrate, ItemMod, ItemType,
    ItemUse, Macro, Meta, UseTree, VisRestricted, Visibility, ext::IdentExt as _, visit::Visit,
};

/// A path, as it is written or from the root of the crate.
pub(super) type Path = Vec<String>;

/// What a file names.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Paths into this crate, from its root. The empty one is the root itself.
    pub(super) inside: BTreeSet<Path>,
    /// All other paths, as they are written.
    pub(super) outside: BTreeSet<Path>,
    /// Paths that an open import or type alias hands on, from the root of the crate.
    pub(super) handed_on: BTreeSet<Path>,
    /// The methods that are called, or named as `Type::method`. `new` only where it is the broker's.
    pub(super) calls: BTreeSet<String>,
    /// The structs that are built from their fields.
    pub(super) built: BTreeSet<String>,
    /// What imports and child modules put into scope, from the root of the crate.
    pub(super) known: BTreeMap<String, Path>,
    /// The files that are compiled for unit tests alone.
    pub(super) test_modules: Vec<Path>,
}

/// What a file names. `module` is where it stands in the crate.
pub(super) fn names(module: &[&str], text: &str) -> Names {
    let file: File = syn::parse_str(text).unwrap_or_else(|error| panic!("{module:?}: {error}"));
    let at_root = matches!(module, ["lib" | "main"]);
    let at = if at_root { &[] } else { module };
    let at: Path = at.iter().map(|&part| part.to_owned()).collect();
    let mut scan = Scan { at, hands_on: false, known: BTreeMap::new(), names: Names::default() };
    // Twice: a name may be used above the import that explains it.
    scan.visit_file(&file);
    scan.names = Names::default();
    scan.visit_file(&file);
    Names { known: scan.known, ..scan.names }
}

/// Whether something is compiled for unit tests alone.
pub(super) fn only_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

struct Scan {
    /// The module that is being read.
    at: Path,
    /// What imports and child modules put into scope, from the root of the crate.
    known: BTreeMap<String, Path>,
    /// Whether others can use what is being read under another path.
    hands_on: bool,
    names: Names,
}

impl Scan {
    /// Where a path of this crate leads; none for other paths.
    fn follow(&self, path: &[String]) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" | "countersign" => Vec::new(),
            "self" => self.at.clone(),
            "super" => self.at[..self.at.len().saturating_sub(1)].to_vec(),
            name => self.known.get(name)?.clone(),
        };
        for part in rest {
            if part == "super" { drop(at.pop()) } else { at.push(part.clone()) }
        }
        Some(at)
    }

    fn name(&mut self, path: Path) {
        let inside = self.follow(&path);
        let full = inside.as_ref().unwrap_or(&path);
        // A method may be named by its path and be called later.
        let is_type = |owner: &String| owner.starts_with(char::is_uppercase);
        for (owner, method) in full.iter().zip(full.iter().skip(1)) {
            if is_type(owner) && (method != "new" || owner == "Broker") {
                self.names.calls.insert(method.clone());
            }
        }
        match inside {
            Some(inside) => {
                if self.hands_on {
                    self.names.handed_on.insert(inside.clone());
                }
                self.names.inside.insert(inside)
            }
            None => self.names.outside.insert(path),
        };
    }

    /// Reads an item that others can see as these may.
    fn handing_on(&mut self, visibility: &Visibility, read: impl FnOnce(&mut Self)) {
        self.hands_on = !matches!(visibility, Visibility::Inherited);
        read(self);
        self.hands_on = false;
    }

    /// `before` is the path as far as it is read.
    fn import(&mut self, mut before: Path, tree: &UseTree) {
        let (name, original) = match tree {
            UseTree::Path(path) => {
                before.push(path.ident.unraw().to_string());
                return self.import(before, &path.tree);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(before.clone(), tree));
            }
            UseTree::Glob(_) => return self.name(before),
            UseTree::Name(name) => (&name.ident, &name.ident),
            UseTree::Rename(rename) => (&rename.rename, &rename.ident),
        };
        let itself = original == "self" && !before.is_empty();
        let name = if itself && name == "self" { before.last().cloned() } else { None }
            .unwrap_or_else(|| name.unraw().to_string());
        if !itself {
            before.push(original.unraw().to_string());
        }
        if let Some(inside) = self.follow(&before) {
            self.known.insert(name, inside);
        }
        self.name(before);
    }

    /// A macro's tokens are no syntax yet: every run of names and `::` in them counts as a path.
    fn tokens(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let is = |place: usize, sign: char| matches!(tokens.get(place), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
        let colons = |place| is(place, ':') && is(place + 1, ':');
        let mut place = 0;
        while let Some(token) = tokens.get(place) {
            let start = place;
            place += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut path = vec![first.unraw().to_string()];
                    while let (true, Some(TokenTree::Ident(part))) =
                        (colons(place), tokens.get(place + 2))
                    {
                        path.push(part.unraw().to_string());
                        place += 3;
                    }
                    match tokens.get(place + 2) {
                        Some(TokenTree::Group(group))
                            if colons(place) && group.delimiter() == Delimiter::Brace =>
                        {
                            let group = TokenTree::Group(group.clone()).into();
                            let tree = syn::parse2::<UseTree>(group).unwrap();
                            self.import(path, &tree);
                            place += 3;
                        }
                        _ if start > 0 && is(start - 1, '.') => self.names.calls.extend(path),
                        _ => {
                            let next = tokens.get(place);
                            if let Some(TokenTree::Group(fields)) = next
                                && fields.delimiter() == Delimiter::Brace
                            {
                                self.names.built.extend(path.last().cloned());
                            }
                            self.name(path);
                        }
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Scan {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.unraw().to_string();
        let inner = [&self.at[..], std::slice::from_ref(&name)].concat();
        let for_tests = only_for_tests(&item.attrs);
        if for_tests && item.content.is_none() {
            self.names.test_modules.push(inner.clone());
        }
        if item.content.is_none() {
            self.known.insert(name, inner);
        } else if !for_tests {
            let outer = std::mem::replace(&mut self.at, inner);
            syn::visit::visit_item_mod(self, item);
            self.at = outer;
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.handing_on(&item.vis, |scan| scan.import(Vec::new(), &item.tree));
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        self.handing_on(&item.vis, |scan| syn::visit::visit_item_type(scan, item));
    }

    /// `<Type>::method`.
    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        if path.qself.is_some() {
            let of = path.path.segments.iter().map(|part| part.ident.to_string());
            self.names.calls.extend(of);
        }
        syn::visit::visit_expr_path(self, path);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast ItemExternCrate) {
        self.name(vec![item.ident.to_string()]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.name(path.segments.iter().map(|part| part.ident.unraw().to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.names.calls.insert(call.method.to_string());
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_struct(&mut self, built: &'ast ExprStruct) {
        self.names.built.extend(built.path.segments.last().map(|part| part.ident.to_string()));
        syn::visit::visit_expr_struct(self, built);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.visit_path(attribute.path());
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    /// Who may see something is no import.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}
