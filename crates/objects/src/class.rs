//! Types by name: what is linked in, what each type's properties are, and objects made by name.

use crate::{Error, Given, Globals, Kind, Value, nearest};
use std::{any::Any, collections::BTreeMap, fmt};

/// Every type linked into the program; `#[derive(Object)]` adds to it.
#[linkme::distributed_slice]
pub static CLASSES: [&'static Class];

/// The roots of the type tree, which belong to no crate's device in particular.
pub static BASES: &[Class] = &[
    Class::base("object", None, "Anything with a type."),
    Class::base("container", Some("object"), "A place in the tree for other objects."),
    Class::base("device", Some("object"), "Something that can be wired."),
    Class::base("sys-bus-device", Some("device"), "A device with registers in the guest's address space."),
    Class::base("machine", Some("object"), "The whole of it."),
    Class::base("cpu", Some("device"), "Something that executes instructions."),
];

/// A type of objects.
#[derive(Debug)]
pub struct Class {
    /// What users call it, as QEMU's users do where QEMU has it.
    pub name: &'static str,
    /// Other names it is found by.
    pub aliases: &'static [&'static str],
    /// The type it is a kind of.
    pub parent: Option<&'static str>,
    /// The first paragraph of the struct's documentation.
    pub doc: &'static str,
    /// Where `-device help` lists it.
    pub category: Category,
    /// The bus it plugs into, for those that do.
    pub bus: Option<&'static str>,
    /// Its properties.
    pub properties: fn() -> &'static [Property],
    /// Makes one; `None` if the type is abstract.
    pub make: Option<Maker>,
}

/// Makes an object with default properties: a `Box<F>`, `F` being the type's family, inside a box of anything.
pub type Maker = fn() -> Box<dyn Any>;

/// The block of `-device help` that a type stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the blocks' titles")]
pub enum Category {
    Bridge,
    Usb,
    Storage,
    Network,
    Input,
    Display,
    Sound,
    Misc,
    Cpu,
    Watchdog,
    Uncategorized,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Category::Bridge => "Controller/Bridge/Hub",
            Category::Usb => "USB",
            Category::Storage => "Storage",
            Category::Network => "Network",
            Category::Input => "Input",
            Category::Display => "Display",
            Category::Sound => "Sound",
            Category::Misc => "Misc",
            Category::Cpu => "CPU",
            Category::Watchdog => "Watchdog",
            Category::Uncategorized => "Uncategorized",
        })
    }
}

/// When a property may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the object is put to use.
    Config,
    /// At any time.
    Runtime,
}

/// One property of a type.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its name, with dashes.
    pub name: &'static str,
    /// What it may be set to.
    pub kind: Kind,
    /// What it is when nobody sets it; [`Value::None`] for an optional one.
    pub default: Value,
    /// The field's documentation.
    pub doc: &'static str,
    /// When it may be set.
    pub when: When,
}

impl Class {
    const fn base(name: &'static str, parent: Option<&'static str>, doc: &'static str) -> Self {
        Class {
            name,
            aliases: &[],
            parent,
            doc,
            category: Category::Uncategorized,
            bus: None,
            properties: || &[],
            make: None,
        }
    }

    /// Whether nothing of exactly this type can be made.
    pub fn is_abstract(&self) -> bool {
        self.make.is_none()
    }

    /// The property of this name.
    ///
    /// # Errors
    /// [`Error::UnknownProperty`], with the near miss.
    pub fn property(&self, name: &str) -> Result<&'static Property, Error> {
        let properties = (self.properties)();
        properties.iter().find(|p| p.name == name).ok_or_else(|| Error::UnknownProperty {
            class: self.name.into(),
            property: name.into(),
            near: nearest(name, properties.iter().map(|p| p.name)),
        })
    }
}

/// Something with a class and properties. `#[derive(Object)]` writes it.
pub trait Object: Any + Send {
    /// Its type.
    fn class(&self) -> &'static Class;

    /// A property's present value; `None` if there is no such property.
    fn get(&self, property: &str) -> Option<Value>;

    /// Sets a property to a value of its kind; whether there is such a property and it took the value.
    ///
    /// For [`give`](Self::give), which checks first; nobody else has a reason to call it.
    fn put(&mut self, property: &str, value: &Value) -> bool;

    /// Sets a property to what somebody gave.
    ///
    /// # Errors
    /// The property is unknown, or the value not of its kind.
    fn give(&mut self, property: &str, given: &Given) -> Result<(), Error> {
        let class = self.class();
        let known = class.property(property)?;
        let value = known.kind.accept(class.name, property, given)?;
        if self.put(property, &value) {
            return Ok(());
        }
        let expects = known.kind.to_string();
        Err(Error::Expects { property: property.into(), expects })
    }

    /// All properties with their present values, in the order of declaration.
    fn properties(&self) -> Vec<(&'static Property, Value)> {
        let properties = (self.class().properties)().iter();
        properties.map(|p| (p, self.get(p.name).unwrap_or(Value::None))).collect()
    }
}

impl Object for Box<dyn Object> {
    fn class(&self) -> &'static Class {
        (**self).class()
    }
    fn get(&self, property: &str) -> Option<Value> {
        (**self).get(property)
    }
    fn put(&mut self, property: &str, value: &Value) -> bool {
        (**self).put(property, value)
    }
}

/// The known types, by name.
#[derive(Clone, Debug)]
pub struct Registry {
    classes: BTreeMap<&'static str, &'static Class>,
    aliases: BTreeMap<&'static str, &'static str>,
}

impl Registry {
    /// The types linked into this program.
    ///
    /// # Errors
    /// None is, two have one name, or one's parent is missing.
    pub fn linked() -> Result<Self, Error> {
        Self::of(CLASSES.iter().copied())
    }

    /// These types and [`BASES`].
    ///
    /// # Errors
    /// As [`linked`](Self::linked).
    pub fn of(classes: impl IntoIterator<Item = &'static Class>) -> Result<Self, Error> {
        let mut registry = Registry { classes: BTreeMap::new(), aliases: BTreeMap::new() };
        for class in BASES.iter().chain(classes) {
            if registry.classes.insert(class.name, class).is_some() {
                return Err(Error::DuplicateType(class.name.into()));
            }
            registry.aliases.extend(class.aliases.iter().map(|alias| (*alias, class.name)));
        }
        if registry.classes.values().all(|class| class.is_abstract()) {
            return Err(Error::EmptyRegistry);
        }
        for class in registry.classes.values() {
            if let Some(parent) = class.parent.filter(|parent| !registry.classes.contains_key(parent)) {
                return Err(Error::NoParent { class: class.name.into(), parent: parent.into() });
            }
        }
        Ok(registry)
    }

    /// All types, by name.
    pub fn classes(&self) -> impl Iterator<Item = &'static Class> {
        self.classes.values().copied()
    }

    /// The type of this name or alias.
    ///
    /// # Errors
    /// [`Error::UnknownType`], with the near miss.
    pub fn class(&self, name: &str) -> Result<&'static Class, Error> {
        let real = self.aliases.get(name).copied().unwrap_or(name);
        self.classes.get(real).copied().ok_or_else(|| Error::UnknownType {
            name: name.into(),
            near: nearest(name, self.classes.keys().chain(self.aliases.keys()).copied()),
        })
    }

    /// The type and those it is a kind of, up to the root.
    pub fn ancestry(&self, class: &'static Class) -> impl Iterator<Item = &'static Class> {
        // The count bounds a cycle of parents, which two strangers' crates could make.
        std::iter::successors(Some(class), |class| self.classes.get(class.parent?).copied())
            .take(self.classes.len())
    }

    /// Whether `class` is `ancestor` or a kind of it.
    pub fn is_a(&self, class: &'static Class, ancestor: &str) -> bool {
        self.ancestry(class).any(|c| c.name == ancestor)
    }

    /// An object of type `name` and family `F` with its defaults, then the globals, then what is given.
    ///
    /// ```
    /// # use hartwright_objects::{Globals, Object, Registry};
    /// # /// A torch.
    /// # #[derive(Object)]
    /// # #[object(name = "torch", parent = "device")]
    /// # struct Torch { /// Light.
    /// #   #[property(default = 800)] lumen: u32 }
    /// let registry = Registry::linked()?;
    /// let globals = Globals::parse(&registry, &["device.lumen=5"])?;
    /// let torch = registry.create::<dyn Object>("torch", &globals, [("lumen", &"7".into())])?;
    /// assert_eq!(torch.get("lumen").unwrap().to_string(), "7");
    /// # Ok::<(), hartwright_objects::Error>(())
    /// ```
    ///
    /// # Errors
    /// The type is unknown, abstract or of another family; a property is unknown or its value of a wrong kind.
    pub fn create<'a, F: ?Sized + Object>(
        &self,
        name: &str,
        globals: &Globals,
        given: impl IntoIterator<Item = (&'a str, &'a Given)>,
    ) -> Result<Box<F>, Error> {
        let class = self.class(name)?;
        let made = class.make.and_then(|make| make().downcast::<Box<F>>().ok());
        let mut object = *made.ok_or_else(|| Error::NotCreatable(class.name.into()))?;
        for (property, value) in globals.of(self, class) {
            object.give(property, value)?;
        }
        for (property, value) in given {
            object.give(property, value)?;
        }
        Ok(object)
    }
}
