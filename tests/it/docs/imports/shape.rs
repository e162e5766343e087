//! The shape of the source: small folders, no circles of files, one meaning for each type name.

use std::collections::BTreeMap;

use syn::{Ident, Item, Visibility};

use super::{graph::Graph, product, use_paths::only_for_tests};

/// The most files that stand beside one another in a folder.
const FILES_MAX: usize = 12;

/// Folders that may hold more, and why.
const LARGE: [(&str, usize, &str); 2] = [
    ("domain", 25, "one noun of the field each; a stranger looks for the noun, not for a group"),
    ("cli", 15, "one command each, and what several of them use"),
];

/// Names that several modules give a type of their own; their module says which is meant.
const SHARED_NAMES: [&str; 2] = ["Settings", "Error"];

#[test]
fn folder_holds_at_most_twelve_files() {
    let mut folders: BTreeMap<String, usize> = BTreeMap::new();
    for (path, _) in product() {
        if let Some((folder, _)) = path.rsplit_once('/') {
            *folders.entry(folder.to_owned()).or_default() += 1;
        }
    }
    for (folder, files) in &folders {
        let large = LARGE.iter().find(|(large, _, _)| large == folder);
        let most = large.map_or(FILES_MAX, |(_, most, _)| *most);
        assert!(*files <= most, "src/{folder} holds {files} files; at most {most} are allowed");
    }
    for (folder, _, _) in LARGE {
        assert!(folders[folder] > FILES_MAX, "src/{folder} is no exception any more");
    }
}

#[test]
fn no_files_lead_back_to_one_another() {
    let graph = Graph::of_crate();
    let arrows = |circle: &[&str]| {
        let arrow = |from: &&str| {
            let to: Vec<_> =
                graph.arrows(from).into_iter().filter(|to| circle.contains(to)).collect();
            format!("\n    {from} -> {}", to.join(", "))
        };
        circle.iter().map(arrow).collect::<String>()
    };
    let circles: Vec<_> = graph.circles().iter().map(|circle| arrows(circle)).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn planted_circle_of_files_is_found() {
    let circles = |files: &[(&str, &str)]| {
        let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        let graph = Graph::of(&files.iter().map(own).collect::<Vec<_>>());
        let circles = graph.circles().into_iter();
        circles.map(|circle| circle.join(" ")).collect::<Vec<_>>()
    };
    let three = [
        ("x.rs", "pub mod a; pub mod b; pub mod c; pub use c::C;"),
        ("x/a.rs", "use super::b::B;"),
        ("x/b.rs", "use crate::x::C;"),
        ("x/c.rs", "pub struct C(crate::x::a::A);"),
    ];
    assert_eq!(circles(&three), ["x::a x::b x::c"]);
    // The file of a folder names its parts, and they name it.
    let parent = [("x.rs", "mod a; pub struct X(a::A);"), ("x/a.rs", "use super::X;")];
    assert_eq!(circles(&parent), [""; 0]);
    // Through another file it is a circle all the same.
    let through = [
        ("x.rs", "mod a; use crate::y::Y; pub struct X(a::A, Y);"),
        ("x/a.rs", "use super::X; pub struct A;"),
        ("y.rs", "pub struct Y(crate::x::a::A);"),
    ];
    assert_eq!(circles(&through), ["x x::a y"]);
}

#[test]
fn public_type_name_is_declared_once() {
    let mut declared: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in product() {
        for name in syn::parse_str::<syn::File>(&text).unwrap().items.iter().filter_map(public_type)
        {
            declared.entry(name.to_string()).or_default().push(path.clone());
        }
    }
    assert!(declared.len() > 150, "only {} types were found", declared.len());
    declared.retain(|name, places| places.len() > 1 && !SHARED_NAMES.contains(&name.as_str()));
    assert!(declared.is_empty(), "declared more than once: {declared:#?}");
}

/// The name of a public type.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever syn adds declares no type")]
fn public_type(item: &Item) -> Option<&Ident> {
    let (name, visibility, attributes) = match item {
        Item::Struct(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Enum(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Union(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Trait(item) => (&item.ident, &item.vis, &item.attrs),
        Item::TraitAlias(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Type(item) => (&item.ident, &item.vis, &item.attrs),
        _ => return None,
    };
    let public = matches!(visibility, Visibility::Public(_)) && !only_for_tests(attributes);
    public.then_some(name)
}
