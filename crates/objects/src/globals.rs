//! Values that every object of a type starts with: `-global TYPE.PROPERTY=VALUE`.

use crate::{Class, Error, Given, Registry};

/// Defaults that the user changed, in the order given.
#[derive(Clone, Debug, Default)]
pub struct Globals(Vec<Global>);

#[derive(Clone, Debug)]
struct Global {
    class: &'static str,
    property: String,
    value: Given,
}

impl Globals {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those that `texts` say, each `TYPE.PROPERTY=VALUE`.
    ///
    /// # Errors
    /// As [`add`](Self::add), and [`Error::NotAGlobal`].
    pub fn parse(registry: &Registry, texts: &[impl AsRef<str>]) -> Result<Self, Error> {
        let mut globals = Self::new();
        for text in texts {
            let text = text.as_ref();
            // A type's name may have dots (`riscv.sifive.plic`), a property's has none.
            let (path, value) = text.split_once('=').ok_or_else(|| Error::NotAGlobal(text.into()))?;
            let (class, property) = path.rsplit_once('.').ok_or_else(|| Error::NotAGlobal(text.into()))?;
            globals.add(registry, class, property, value.into())?;
        }
        Ok(globals)
    }

    /// Every object of type `class`, or a kind of it, starts with this value.
    ///
    /// # Errors
    /// The type is unknown; it, or every kind of it, lacks the property; the value is not of the property's kind.
    pub fn add(
        &mut self,
        registry: &Registry,
        class: &str,
        property: &str,
        value: Given,
    ) -> Result<(), Error> {
        let class = registry.class(class)?;
        let kinds = registry.classes().filter(|c| registry.is_a(c, class.name));
        let mut holders = kinds.filter_map(|c| Some((c, c.property(property).ok()?))).peekable();
        if holders.peek().is_none() {
            class.property(property)?;
        }
        for (holder, known) in holders {
            known.kind.accept(holder.name, property, &value)?;
        }
        self.0.push(Global { class: class.name, property: property.into(), value });
        Ok(())
    }

    /// What objects of `class` start with: the most general type's first, so that a subtype's word is the last.
    pub fn of<'a>(
        &'a self,
        registry: &Registry,
        class: &'static Class,
    ) -> impl Iterator<Item = (&'a str, &'a Given)> {
        let mut ancestry: Vec<_> = registry.ancestry(class).map(|c| c.name).collect();
        ancestry.reverse();
        let named = move |name| self.0.iter().filter(move |g| g.class == name);
        let all = ancestry.into_iter().flat_map(named);
        all.filter(|g| class.property(&g.property).is_ok()).map(|g| (&*g.property, &g.value))
    }
}
