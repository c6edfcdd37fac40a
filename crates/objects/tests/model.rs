//! The object model as a device author and a user meet it.
#![forbid(unsafe_code)]

use hartwright_objects::{
    Abstract, Choice, Class, Error, Given, Globals, Instance, Node, Object, Registry, Size, Value,
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Choice)]
enum Colour {
    Red,
    DeepBlue,
}

/// A lamp,
/// for tests.
///
/// Only the first paragraph is the user's.
#[derive(Object)]
#[object(name = "test.lamp", alias = "lamp", parent = "device", category = Display, bus = "System")]
struct Lamp {
    /// Light, in lumen.
    #[property(default = 800, runtime)]
    lumen: u32,
    /// What it shines in.
    #[property(default = Colour::DeepBlue)]
    colour: Colour,
    /// Memory it holds.
    #[property(name = "ram-size", default = Size(64 << 20))]
    ram: Size,
    /// Where it hangs.
    #[property]
    hook: Option<String>,
    dropped: Option<Arc<AtomicUsize>>,
}

/// A lamp that is also hot.
#[derive(Object)]
#[object(name = "test.heater", parent = "test.lamp")]
struct Heater {
    /// Light, in lumen.
    #[property]
    lumen: u32,
}

impl Drop for Lamp {
    fn drop(&mut self) {
        if let Some(dropped) = &self.dropped {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn registry() -> Registry {
    Registry::linked().unwrap()
}

#[test]
fn a_type_tells_all_about_itself() {
    let registry = registry();
    let class = registry.class("lamp").unwrap();
    assert_eq!((class.name, class.doc, class.bus), ("test.lamp", "A lamp, for tests.", Some("System")));
    let rows: Vec<_> = (class.properties)()
        .iter()
        .map(|p| format!("{}=<{}> - {} (default: {})", p.name, p.kind, p.doc, p.default))
        .collect();
    assert_eq!(
        rows,
        [
            "lumen=<uint32> - Light, in lumen. (default: 800)",
            "colour=<red|deep-blue> - What it shines in. (default: deep-blue)",
            "ram-size=<size> - Memory it holds. (default: 67108864)",
            "hook=<str> - Where it hangs. (default: )",
        ]
    );
    let line: Vec<_> = registry.ancestry(registry.class("test.heater").unwrap()).map(|c| c.name).collect();
    assert_eq!(line, ["test.heater", "test.lamp", "device", "object"]);
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let check = |property: &str, given: Given, text: &str, hint: Option<&str>| {
        let error = Lamp::default().give(property, &given).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (text, hint));
    };
    let near = Some("did you mean 'ram-size'?");
    check("ram_size", "1".into(), "Property 'test.lamp.ram_size' not found", near);
    check("foo", "1".into(), "Property 'test.lamp.foo' not found", None);
    check("lumen", "bright".into(), "Parameter 'lumen' expects uint32", None);
    check("lumen", true.into(), "Parameter 'lumen' expects uint32", None);
    let words = Some("it accepts red, deep-blue");
    check("colour", "green".into(), "Parameter 'colour' does not accept value 'green'", words);
    let unknown = registry().class("test.lmap").unwrap_err();
    assert_eq!(unknown.to_string(), "'test.lmap' is not a valid device model name");
    assert_eq!(unknown.hint().as_deref(), Some("did you mean 'test.lamp'?"));
}

#[test]
fn globals_come_before_what_is_given_and_after_the_defaults() {
    let registry = registry();
    let globals =
        Globals::parse(&registry, &["lamp.lumen=1", "test.heater.lumen=2", "device.colour=red"]).unwrap();
    let lumen = |class: &str, given: &[(&str, &Given)]| {
        let object = registry.create::<dyn Object>(class, &globals, given.iter().copied()).unwrap();
        object.get("lumen").unwrap().to_string()
    };
    assert_eq!(lumen("lamp", &[]), "1");
    assert_eq!(lumen("test.heater", &[]), "2", "the subtype's word is the last");
    assert_eq!(lumen("test.heater", &[("lumen", &3u64.into())]), "3");

    let refused = |text: &str| Globals::parse(&registry, &[text]).unwrap_err().to_string();
    assert_eq!(refused("lamp.lumen"), "'lamp.lumen' is not TYPE.PROPERTY=VALUE");
    assert_eq!(refused("x.lumen=1"), "'x' is not a valid device model name");
    assert_eq!(refused("lamp.x=1"), "Property 'test.lamp.x' not found");
    assert_eq!(refused("lamp.lumen=x"), "Parameter 'lumen' expects uint32");
}

#[test]
fn an_abstract_type_is_not_made() {
    let error = registry().create::<dyn Object>("device", &Globals::new(), []).err();
    assert_eq!(error, Some(Error::NotCreatable("device".into())));
}

#[test]
fn registries_of_strangers_are_checked() {
    fn none() -> &'static [hartwright_objects::Property] {
        &[]
    }
    static LOST: Class = Class {
        name: "lost",
        aliases: &[],
        parent: Some("nowhere"),
        doc: "",
        category: hartwright_objects::Category::Misc,
        bus: None,
        properties: none,
        make: Some(|| Box::new(())),
    };
    assert!(matches!(Registry::of([&LOST, &LOST]), Err(Error::DuplicateType(_))));
    assert!(matches!(Registry::of([&LOST]), Err(Error::NoParent { .. })));
}

#[test]
fn the_tree_has_paths_types_and_properties() {
    let root = Node::root(Abstract::container());
    let machine = root.add("machine", Abstract::container()).unwrap();
    let lamp = machine.add("lamp0", Arc::new(Mutex::new(Lamp::default()))).unwrap();
    let other = machine.add("lamp1", Arc::new(Mutex::new(Heater::default()))).unwrap();
    lamp.link("twin", &other);
    assert!(matches!(machine.add("lamp0", Abstract::container()), Err(Error::DuplicateChild { .. })));
    assert!(matches!(machine.add("a/b", Abstract::container()), Err(Error::BadName(_))));

    let mut seen = vec![];
    root.walk(&mut |depth, node| seen.push(format!("{depth} {} {}", node.path(), node.class().name)));
    assert_eq!(
        seen,
        [
            "0 / container",
            "1 /machine container",
            "2 /machine/lamp0 test.lamp",
            "2 /machine/lamp1 test.heater"
        ]
    );
    assert_eq!(lamp.links(), [("twin".into(), Some("/machine/lamp1".into()))]);
    let found = root.resolve("/machine/lamp0").unwrap();
    assert_eq!(found.get("lumen"), Ok(Value::UInt(800)));
    found.set("lumen", &"9".into()).unwrap();
    assert_eq!(lamp.properties()[0].1, Value::UInt(9));
    assert!(matches!(found.set("colour", &"red".into()), Err(Error::TooLate { .. })));
    assert_eq!(root.resolve("/machine/x").unwrap_err().to_string(), "Device '/machine/x' not found");
}

#[test]
fn an_object_goes_with_its_last_reference() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let lamp = || -> Arc<dyn Instance> {
        let mut lamp = Lamp::default();
        lamp.dropped = Some(dropped.clone());
        Arc::new(Mutex::new(lamp))
    };
    let root = Node::root(Abstract::container());
    let held = root.add("held", lamp()).unwrap();
    root.add("below", lamp()).unwrap();
    let other = root.add("other", Abstract::container()).unwrap();
    other.link("light", &held);

    root.resolve("below").unwrap().unparent();
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "nobody referred to it");
    held.unparent();
    drop(held);
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "the link holds it");
    assert_eq!(other.links(), [("light".into(), None)], "it has no path any more");
    other.unlink("light");
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}
