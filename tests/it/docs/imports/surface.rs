//! What the source of the broker lets the rest of the crate do: every method that can be called
//! from outside of it, and every way around those that no reader of its verbs would see.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    FnArg, Ident, ImplItem, ItemConst, ItemFn, ItemImpl, ItemMacro, ItemMod, ItemStatic, ItemTrait,
    ItemType, Macro, Signature, TraitItem, Type, UseRename, Visibility, visit::Visit,
};

use super::{module_of, use_paths::only_for_tests};

/// The types that a door gets nothing by but through verbs.
const GUARDED: [&str; 3] = ["Broker", "Operator", "Unchecked"];

/// A method of the broker that can be called from outside of it.
#[derive(Debug)]
pub(super) struct PublicVerb {
    pub(super) name: String,
    /// Whether it takes a person who signed in, an agent, or a token.
    pub(super) principal: bool,
    /// Every name in the types of what it takes.
    pub(super) takes: BTreeSet<String>,
    /// Every name in the type of what it gives.
    pub(super) gives: BTreeSet<String>,
}

/// What a file of the broker opens.
#[derive(Debug, Default)]
pub(super) struct Surface {
    pub(super) verbs: Vec<PublicVerb>,
    /// The ways around the verbs, in words.
    pub(super) faults: Vec<String>,
}

pub(super) fn surface(path: &str, text: &str) -> Surface {
    let mut reader = Reader { depth: module_of(path).len(), surface: Surface::default() };
    reader.visit_file(&syn::parse_str(text).unwrap());
    reader.surface
}

struct Reader {
    /// How deep the module that is read lies in the crate.
    depth: usize,
    surface: Surface,
}

impl Reader {
    /// Whether somebody outside of the broker can name it. Only what surely cannot be is closed.
    fn is_open(&self, visibility: &Visibility) -> bool {
        let Visibility::Restricted(within) = visibility else {
            return matches!(visibility, Visibility::Public(_));
        };
        let path: Vec<_> = within.path.segments.iter().map(|part| part.ident.to_string()).collect();
        match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["self"] | ["crate", "broker", ..] => false,
            ["super"] => self.depth < 2,
            _ => true,
        }
    }

    fn fault(&mut self, fault: String) {
        self.surface.faults.push(fault);
    }
}

fn verb(method: &Signature) -> PublicVerb {
    let principal = |argument: &FnArg| match argument {
        FnArg::Receiver(_) => false,
        FnArg::Typed(argument) => {
            let Type::Reference(whom) = &*argument.ty else { return false };
            ["SignedIn", "Agent", "TokenHolder"].contains(&&*last_name(&whom.elem))
        }
    };
    PublicVerb {
        name: method.ident.to_string(),
        principal: method.inputs.iter().any(principal),
        takes: names(|found| {
            found.visit_generics(&method.generics);
            method.inputs.iter().for_each(|argument| found.visit_fn_arg(argument));
        }),
        gives: names(|found| found.visit_return_type(&method.output)),
    }
}

/// The last name of a type.
fn last_name(of: &Type) -> String {
    let Type::Path(path) = of else { return String::new() };
    path.path.segments.last().unwrap().ident.to_string()
}

#[derive(Default)]
struct Found(BTreeSet<String>);

impl<'ast> Visit<'ast> for Found {
    fn visit_ident(&mut self, name: &'ast Ident) {
        self.0.insert(name.to_string());
    }
}

/// Every name in what is visited.
fn names(visit: impl FnOnce(&mut Found)) -> BTreeSet<String> {
    let mut found = Found::default();
    visit(&mut found);
    found.0
}

fn tokens_name(tokens: TokenStream, names: &[&str]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => tokens_name(group.stream(), names),
        TokenTree::Ident(name) => names.iter().any(|other| name == other),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if only_for_tests(&item.attrs) {
            return;
        }
        self.depth += 1;
        syn::visit::visit_item_mod(self, item);
        self.depth -= 1;
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let of = names(|found| found.visit_type(&item.self_ty));
        let head = names(|found| {
            found.visit_generics(&item.generics);
            found.visit_type(&item.self_ty);
            item.trait_.iter().for_each(|(_, path, _)| found.visit_path(path));
        });
        if item.trait_.is_some() && head.contains("Broker") {
            self.fault("a trait is implemented for Broker".to_owned());
        }
        for inner in &item.items {
            let ImplItem::Fn(method) = inner else { continue };
            if !self.is_open(&method.vis) || only_for_tests(&method.attrs) || item.trait_.is_some()
            {
                continue;
            }
            let verb = verb(&method.sig);
            if of.contains("Broker") {
                self.surface.verbs.push(verb);
            } else if verb.takes.contains("Broker") || verb.gives.contains("Broker") {
                self.fault(format!("`{}::{}` names Broker", last_name(&item.self_ty), verb.name));
            }
        }
        syn::visit::visit_item_impl(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let verb = verb(&item.sig);
        let named = verb.takes.contains("Broker") || verb.gives.contains("Broker");
        if self.is_open(&item.vis) && named && !only_for_tests(&item.attrs) {
            self.fault(format!("`{}` names Broker", verb.name));
        }
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        for inner in &item.items {
            let TraitItem::Fn(method) = inner else { continue };
            if names(|found| found.visit_signature(&method.sig)).contains("Broker") {
                self.fault(format!("`{}::{}` names Broker", item.ident, method.sig.ident));
            }
        }
        syn::visit::visit_item_trait(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast ItemConst) {
        if self.is_open(&item.vis) && names(|found| found.visit_type(&item.ty)).contains("Broker") {
            self.fault(format!("`{}` names Broker", item.ident));
        }
        syn::visit::visit_item_const(self, item);
    }

    fn visit_item_static(&mut self, item: &'ast ItemStatic) {
        if self.is_open(&item.vis) && names(|found| found.visit_type(&item.ty)).contains("Broker") {
            self.fault(format!("`{}` names Broker", item.ident));
        }
        syn::visit::visit_item_static(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        let of = names(|found| found.visit_type(&item.ty));
        if let Some(guarded) = GUARDED.into_iter().find(|guarded| of.contains(*guarded)) {
            self.fault(format!("{guarded} has another name: `{}`", item.ident));
        }
    }

    fn visit_use_rename(&mut self, item: &'ast UseRename) {
        if let Some(guarded) = GUARDED.into_iter().find(|guarded| item.ident == guarded) {
            self.fault(format!("{guarded} has another name: `{}`", item.rename));
        }
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        let named = [&GUARDED[..], &["impl"]].concat();
        if tokens_name(item.mac.tokens.clone(), &named) {
            self.fault("a macro makes items that cannot be read here".to_owned());
        }
    }

    /// Inside of a function a macro makes no methods that others can call, unless it has an `impl`.
    fn visit_macro(&mut self, call: &'ast Macro) {
        if tokens_name(call.tokens.clone(), &["impl", "macro_rules"]) {
            self.fault("a macro makes items that cannot be read here".to_owned());
        }
    }
}
