//! `#[derive(Object)]` and `#[derive(Choice)]`: what a type says once, as a struct, written out as an object type.

#![forbid(unsafe_code)]

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Fields, Ident, LitStr, Path, Result, Type,
    meta::ParseNestedMeta, parse_macro_input,
};

/// Makes a struct an object type.
///
/// On the struct: `#[object(name = "serial-mm", alias = "ns16550a", parent = "sys-bus-device", family = dyn
/// Device, category = Input, bus = "System", crate = path)]`; all but `name`, which may be any constant text, may be left out: the parent is
/// `object`, the family `dyn Object`, the crate the object model or else the SDK, as the manifest names them. The struct's documentation becomes the type's.
///
/// On a field: `#[property(name = "reg-shift", default = 0, runtime)]` makes it a property, named like the field
/// with dashes, with its documentation. A field without it starts as its type's `Default`.
///
/// It also writes `Default` for the struct, from the properties' defaults.
#[proc_macro_derive(Object, attributes(object, property))]
pub fn object(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    write_object(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes an enum of plain variants a property's type: `ReadOnly` is the word `read-only`.
#[proc_macro_derive(Choice, attributes(choice))]
pub fn choice(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    write_choice(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn write_object(input: &DeriveInput) -> Result<TokenStream> {
    let about = About::read(input)?;
    let About { objects, name, aliases, parent, family, category, bus } = &about;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(input, "an object type is a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(input, "an object type's fields have names"));
    };

    let (mut starts, mut rows, mut gets, mut puts) = (vec![], vec![], vec![], vec![]);
    for field in &fields.named {
        let (ident, ty) = (&field.ident, &field.ty);
        let Some(property) = About::property(field)? else {
            starts.push(quote! { #ident: <#ty as ::core::default::Default>::default() });
            continue;
        };
        let OneProperty { name, default, runtime, doc } = property;
        let when = if runtime { quote!(Runtime) } else { quote!(Config) };
        starts.push(quote! { #ident: #default });
        rows.push(quote! {
            #objects::Property {
                name: #name,
                kind: <#ty as #objects::PropertyType>::KIND,
                default: { let default: #ty = #default; #objects::PropertyType::to_value(&default) },
                doc: #doc,
                when: #objects::When::#when,
            }
        });
        gets.push(
            quote! { #name => ::core::option::Option::Some(#objects::PropertyType::to_value(&self.#ident)) },
        );
        puts.push(quote! {
            #name => match #objects::PropertyType::from_value(value) {
                ::core::option::Option::Some(value) => {
                    self.#ident = value;
                    true
                }
                ::core::option::Option::None => false,
            }
        });
    }

    let (ident, doc) = (&input.ident, paragraph(&input.attrs));
    Ok(quote! {
        impl ::core::default::Default for #ident {
            fn default() -> Self {
                Self { #(#starts),* }
            }
        }

        const _: () = {
            fn properties() -> &'static [#objects::Property] {
                static PROPERTIES: ::std::sync::LazyLock<::std::vec::Vec<#objects::Property>> =
                    ::std::sync::LazyLock::new(|| ::std::vec![#(#rows),*]);
                &PROPERTIES
            }

            static CLASS: #objects::Class = #objects::Class {
                name: #name,
                aliases: &[#(#aliases),*],
                parent: ::core::option::Option::Some(#parent),
                doc: #doc,
                category: #objects::Category::#category,
                bus: #bus,
                properties,
                make: ::core::option::Option::Some(|| {
                    let object: ::std::boxed::Box<#family> =
                        ::std::boxed::Box::new(<#ident as ::core::default::Default>::default());
                    ::std::boxed::Box::new(object)
                }),
            };

            #[#objects::linkme::distributed_slice(#objects::CLASSES)]
            #[linkme(crate = #objects::linkme)]
            static REGISTERED: &'static #objects::Class = &CLASS;

            impl #objects::Object for #ident {
                fn class(&self) -> &'static #objects::Class {
                    &CLASS
                }
                fn get(&self, property: &str) -> ::core::option::Option<#objects::Value> {
                    match property {
                        #(#gets,)*
                        _ => ::core::option::Option::None,
                    }
                }
                fn put(&mut self, property: &str, value: &#objects::Value) -> bool {
                    let _ = value;
                    match property {
                        #(#puts,)*
                        _ => false,
                    }
                }
            }
        };
    })
}

/// What `#[object(...)]` says.
struct About {
    objects: Path,
    name: Expr,
    aliases: Vec<String>,
    parent: String,
    family: Type,
    category: Ident,
    bus: TokenStream,
}

/// What `#[property(...)]` says.
struct OneProperty {
    name: String,
    default: TokenStream,
    runtime: bool,
    doc: String,
}

impl About {
    fn read(input: &DeriveInput) -> Result<Self> {
        let mut given: Option<Path> = None;
        let (mut name, mut aliases, mut parent) = (None, vec![], "object".to_owned());
        let (mut family, mut category) = (None, syn::parse_quote!(Uncategorized));
        let mut bus = quote!(::core::option::Option::None);
        for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("object")) {
            attr.parse_nested_meta(|meta| {
                match word(&meta).as_str() {
                    "name" => name = Some(meta.value()?.parse()?),
                    "alias" => aliases.push(text(&meta)?),
                    "parent" => parent = text(&meta)?,
                    "family" => family = Some(meta.value()?.parse()?),
                    "category" => category = meta.value()?.parse()?,
                    "crate" => given = Some(meta.value()?.parse()?),
                    "bus" => {
                        let bus_name = text(&meta)?;
                        bus = quote!(::core::option::Option::Some(#bus_name));
                    }
                    _ => {
                        return Err(
                            meta.error("expected name, alias, parent, family, category, bus or crate")
                        );
                    }
                }
                Ok(())
            })?;
        }
        let objects = given.unwrap_or_else(objects);
        let missing = || Error::new_spanned(&input.ident, "an object type needs #[object(name = \"...\")]");
        let name = name.ok_or_else(missing)?;
        let family = family.unwrap_or_else(|| syn::parse_quote!(dyn #objects::Object));
        Ok(About { objects, name, aliases, parent, family, category, bus })
    }

    fn property(field: &syn::Field) -> Result<Option<OneProperty>> {
        let mut attrs = field.attrs.iter().filter(|attr| attr.path().is_ident("property"));
        let (Some(attr), Some(ident)) = (attrs.next(), &field.ident) else {
            return Ok(None);
        };
        let mut name = ident.to_string().replace('_', "-");
        let (mut runtime, ty) = (false, &field.ty);
        let mut default = quote!(<#ty as ::core::default::Default>::default());
        let no_options = matches!(attr.meta, syn::Meta::Path(_));
        if !no_options {
            attr.parse_nested_meta(|meta| {
                match word(&meta).as_str() {
                    "name" => name = text(&meta)?,
                    "default" => default = meta.value()?.parse::<Expr>()?.into_token_stream(),
                    "runtime" => runtime = true,
                    _ => return Err(meta.error("expected name, default or runtime")),
                }
                Ok(())
            })?;
        }
        let doc = paragraph(&field.attrs);
        if doc.is_empty() {
            return Err(Error::new_spanned(ident, "a property has documentation: users read it in help"));
        }
        Ok(Some(OneProperty { name, default, runtime, doc }))
    }
}

/// The object model's path in the crate that is being compiled: of itself, or under the SDK's roof.
fn objects() -> Path {
    let crates = [("hartwright-objects", quote!()), ("hartwright", quote!(::objects))];
    for (package, module) in crates {
        let name = match crate_name(package) {
            // Both crates know themselves by their own name, for their tests and examples.
            Ok(FoundCrate::Itself) => package.replace('-', "_"),
            Ok(FoundCrate::Name(name)) => name,
            Err(_) => continue,
        };
        let name = Ident::new(&name, Span::call_site());
        return syn::parse_quote!(::#name #module);
    }
    syn::parse_quote!(::hartwright_objects)
}

fn word(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(Ident::to_string).unwrap_or_default()
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

/// The first paragraph of documentation, as one line.
fn paragraph(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        syn::Meta::NameValue(meta) if meta.path.is_ident("doc") => match ungrouped(&meta.value) {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    lines.join(" ")
}

/// An expression without the invisible brackets that it has if it came through a macro.
fn ungrouped(mut expr: &Expr) -> &Expr {
    while let Expr::Group(group) = expr {
        expr = &group.expr;
    }
    expr
}

fn write_choice(input: &DeriveInput) -> Result<TokenStream> {
    let mut given: Option<Path> = None;
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("choice")) {
        attr.parse_nested_meta(|meta| {
            if word(&meta) != "crate" {
                return Err(meta.error("expected crate"));
            }
            given = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    let objects = given.unwrap_or_else(objects);
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(input, "a choice is an enum"));
    };
    if let Some(variant) = data.variants.iter().find(|v| !matches!(v.fields, Fields::Unit)) {
        return Err(Error::new_spanned(variant, "a choice's variants have no fields"));
    }
    let variants: Vec<_> = data.variants.iter().map(|v| &v.ident).collect();
    let words = variants.iter().map(|v| dashed(&v.to_string()));
    let ident = &input.ident;
    Ok(quote! {
        impl #objects::Choice for #ident {
            const WORDS: &'static [&'static str] = &[#(#words),*];
            const VARIANTS: &'static [Self] = &[#(Self::#variants),*];
        }

        impl #objects::PropertyType for #ident {
            const KIND: #objects::Kind = #objects::Kind::Enum(<Self as #objects::Choice>::WORDS);
            fn from_value(value: &#objects::Value) -> ::core::option::Option<Self> {
                let #objects::Value::Str(word) = value else {
                    return ::core::option::Option::None;
                };
                let at = <Self as #objects::Choice>::WORDS.iter().position(|w| *w == word.as_str())?;
                <Self as #objects::Choice>::VARIANTS.get(at).copied()
            }
            fn to_value(&self) -> #objects::Value {
                let at = <Self as #objects::Choice>::VARIANTS.iter().position(|v| v == self);
                let word = at.and_then(|at| <Self as #objects::Choice>::WORDS.get(at)).copied().unwrap_or_default();
                #objects::Value::Str(word.into())
            }
        }
    })
}

/// `ReadOnly` as `read-only`.
fn dashed(name: &str) -> String {
    let mut word = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            word.push('-');
        }
        word.extend(c.to_lowercase());
    }
    word
}
