//! The tree of a machine's objects: each has a path, a type, properties and links, while the machine runs.

use crate::{BASES, Class, Error, Given, Object, Property, Value, When};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// An object that others may hold too, seen through whatever lock it lives in.
pub trait Instance: Send + Sync {
    /// Its type.
    fn class(&self) -> &'static Class;
    /// A property's present value; `None` if there is no such property.
    fn get(&self, property: &str) -> Option<Value>;
    /// Sets a property, whenever it may be set.
    ///
    /// # Errors
    /// As [`Object::give`].
    fn give(&self, property: &str, given: &Given) -> Result<(), Error>;
}

impl<T: ?Sized + Object> Instance for Mutex<T> {
    fn class(&self) -> &'static Class {
        self.lock().unwrap_or_else(PoisonError::into_inner).class()
    }
    fn get(&self, property: &str) -> Option<Value> {
        self.lock().unwrap_or_else(PoisonError::into_inner).get(property)
    }
    fn give(&self, property: &str, given: &Given) -> Result<(), Error> {
        self.lock().unwrap_or_else(PoisonError::into_inner).give(property, given)
    }
}

/// An object that is nothing but its type: a container, a machine without properties.
#[derive(Clone, Copy, Debug)]
pub struct Abstract(pub &'static Class);

impl Abstract {
    /// A `container`.
    pub fn container() -> Arc<Self> {
        let class = BASES.iter().find(|class| class.name == "container");
        Arc::new(Abstract(class.expect("BASES has the container")))
    }
}

impl Instance for Abstract {
    fn class(&self) -> &'static Class {
        self.0
    }
    fn get(&self, _: &str) -> Option<Value> {
        None
    }
    fn give(&self, property: &str, _: &Given) -> Result<(), Error> {
        self.0.property(property).map(drop)
    }
}

/// A place in the tree with an object in it; clones are the same place.
///
/// A node holds its object and its children. What else refers to the object (a line, a link) holds it as well,
/// so an object taken out of the tree lives until the last of them goes.
#[derive(Clone)]
pub struct Node(Arc<Place>);

struct Place {
    instance: Arc<dyn Instance>,
    /// Name and parent; nothing for a root and for what was taken out.
    above: Mutex<Option<(String, Weak<Place>)>>,
    children: Mutex<Vec<Node>>,
    links: Mutex<Vec<(String, Link)>>,
}

/// A reference to another object: it keeps the object alive, and knows its place as long as it has one.
#[derive(Clone)]
struct Link {
    _instance: Arc<dyn Instance>,
    place: Weak<Place>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    /// The root of a new tree. Its path is `/`.
    pub fn root(instance: Arc<dyn Instance>) -> Self {
        Node(Arc::new(Place {
            instance,
            above: Mutex::default(),
            children: Mutex::default(),
            links: Mutex::default(),
        }))
    }

    /// Puts an object into the tree, below this one.
    ///
    /// # Errors
    /// The name is taken, is empty, or has a `/`.
    pub fn add(&self, name: &str, instance: Arc<dyn Instance>) -> Result<Node, Error> {
        if name.is_empty() || name.contains('/') {
            return Err(Error::BadName(name.into()));
        }
        let mut children = lock(&self.0.children);
        if children.iter().any(|child| child.name() == name) {
            return Err(Error::DuplicateChild { parent: self.path(), name: name.into() });
        }
        let child = Node::root(instance);
        *lock(&child.0.above) = Some((name.into(), Arc::downgrade(&self.0)));
        children.push(child.clone());
        Ok(child)
    }

    /// Takes this object, and all below it, out of the tree.
    pub fn unparent(&self) {
        let above = lock(&self.0.above).take();
        if let Some(parent) = above.and_then(|(_, parent)| parent.upgrade()) {
            let mut children = lock(&parent.children);
            let at = children.iter().position(|child| Arc::ptr_eq(&child.0, &self.0));
            let gone = at.map(|at| children.remove(at));
            // What is freed may look at the tree.
            drop(children);
            drop(gone);
        }
    }

    /// Refers to `target` by `name`, instead of what that name referred to.
    pub fn link(&self, name: &str, target: &Node) {
        let link = Link { _instance: target.0.instance.clone(), place: Arc::downgrade(&target.0) };
        let mut links = lock(&self.0.links);
        links.retain(|(n, _)| n != name);
        links.push((name.into(), link));
    }

    /// Forgets the reference `name`.
    pub fn unlink(&self, name: &str) {
        lock(&self.0.links).retain(|(n, _)| n != name);
    }

    /// The names of the objects referred to, with their paths; an object outside the tree has none.
    pub fn links(&self) -> Vec<(String, Option<String>)> {
        let links = lock(&self.0.links).clone();
        let path = |link: &Link| Some(Node(link.place.upgrade()?)).filter(|n| n.parent().is_some());
        links.iter().map(|(name, link)| (name.clone(), path(link).map(|n| n.path()))).collect()
    }

    /// Its name below its parent; empty for a root.
    pub fn name(&self) -> String {
        lock(&self.0.above).as_ref().map_or(String::new(), |(name, _)| name.clone())
    }

    /// The object above.
    pub fn parent(&self) -> Option<Node> {
        let parent = lock(&self.0.above).as_ref().map(|(_, parent)| parent.clone());
        parent?.upgrade().map(Node)
    }

    /// Where it is: `/machine/uart0`.
    pub fn path(&self) -> String {
        match self.parent() {
            None => "/".into(),
            Some(parent) => {
                let above = parent.path();
                format!("{}/{}", if above == "/" { "" } else { &above }, self.name())
            }
        }
    }

    /// The objects below, in the order they came.
    pub fn children(&self) -> Vec<Node> {
        lock(&self.0.children).clone()
    }

    /// The object below of that name.
    pub fn child(&self, name: &str) -> Option<Node> {
        lock(&self.0.children).iter().find(|child| child.name() == name).cloned()
    }

    /// The object at `path` from here (empty parts and a leading `/` are skipped).
    ///
    /// # Errors
    /// [`Error::NoPath`].
    pub fn resolve(&self, path: &str) -> Result<Node, Error> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let found = parts.try_fold(self.clone(), |node, part| node.child(part));
        found.ok_or_else(|| Error::NoPath(path.into()))
    }

    /// Its type.
    pub fn class(&self) -> &'static Class {
        self.0.instance.class()
    }

    /// The object.
    pub fn instance(&self) -> &Arc<dyn Instance> {
        &self.0.instance
    }

    /// All properties with their present values.
    pub fn properties(&self) -> Vec<(&'static Property, Value)> {
        let properties = (self.class().properties)().iter();
        properties.map(|p| (p, self.0.instance.get(p.name).unwrap_or(Value::None))).collect()
    }

    /// A property's present value.
    ///
    /// # Errors
    /// [`Error::UnknownProperty`].
    pub fn get(&self, property: &str) -> Result<Value, Error> {
        self.class().property(property)?;
        Ok(self.0.instance.get(property).unwrap_or(Value::None))
    }

    /// Sets a property of an object in use.
    ///
    /// # Errors
    /// As [`Object::give`], and [`Error::TooLate`] for a property of [`When::Config`].
    pub fn set(&self, property: &str, given: &Given) -> Result<(), Error> {
        let class = self.class();
        if class.property(property)?.when == When::Config {
            return Err(Error::TooLate { class: class.name.into(), property: property.into() });
        }
        self.0.instance.give(property, given)
    }

    /// Visits this object and all below it, parents first, with their depths.
    pub fn walk(&self, visit: &mut dyn FnMut(usize, &Node)) {
        fn below(node: &Node, depth: usize, visit: &mut dyn FnMut(usize, &Node)) {
            visit(depth, node);
            for child in node.children() {
                below(&child, depth + 1, visit);
            }
        }
        below(self, 0, visit);
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path(), self.class().name)
    }
}
