//! The macro that makes a register table a device's: types, field constants and dispatch.

/// Declares a device's registers; see [`regs`](crate::regs).
///
/// It writes `Regs` (the stored registers, serde, its default is reset), a module of field constants for each row,
/// and `impl Registers`.
#[macro_export]
macro_rules! registers {
    ($device:ident size $size:expr, widths [$($widths:literal),*] else $otherwise:ident $(, $rule:ident)*:
    $(
        $(#[doc = $doc:literal])*
        $offset:literal $reg:ident $([$count:expr; $stride:expr])? : $ty:ident
        $(if $guard:ident)?
        { $(
            $(#[doc = $field_doc:literal])*
            $field:ident [$($bits:tt)+] $($access:ident)? $({ $($named:tt = $number:literal),* $(,)? })?
        ),* $(,)? }
        $(= $reset:literal)?
        $(read $read:ident)? $(write $write:ident)? $(get $get:ident)? $(set $set:ident)?
        $(clear $clear:ident)? $(then $then:ident)?;
    )*) => {
        // Serde takes a path as text, where a macro's own crate has no name.
        #[allow(unused_imports, reason = "a table without registers saves nothing")]
        use $crate::serde as __hartwright_serde;

        /// The registers' values; their fields are in the modules of the same names.
        #[derive(Clone, Debug, PartialEq, Eq, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(crate = "__hartwright_serde")]
        #[allow(missing_docs, unreachable_pub, reason = "a register's documentation is its module's")]
        pub struct Regs {
            $(pub $reg: $crate::register_cell!(type $ty [$($count)?] [$($get)? $($set)?])),*
        }

        impl Default for Regs {
            fn default() -> Self {
                Regs {
                    $($reg: $crate::register_cell!(reset (0 $(+ $reset)?) [$($count)?] [$($get)? $($set)?])),*
                }
            }
        }

        $(
            $(#[doc = $doc])*
            #[allow(missing_docs, unreachable_pub, dead_code, reason = "the table names fields that no code does")]
            pub mod $reg {
                use $crate::{register_field, Field};
                $(
                    $(#[doc = $field_doc])*
                    pub const $field: Field = register_field!([$($bits)+] $($access)?)
                        .told(concat!($($field_doc),*), &[$($((stringify!($named), $number)),*)?]);
                )*
                pub const FIELDS: &[(&str, Field)] = &[$((stringify!($field), $field)),*];
            }
        )*

        $(const _: () = assert!(
            1 $(- 1 + $count)? == 1 || 0 $(+ $stride)? >= size_of::<$ty>(),
            concat!("the elements of ", stringify!($reg), " overlap"),
        );)*

        impl $crate::Registers for $device {
            fn table(&self) -> &'static $crate::Table {
                const ROWS: &[$crate::Register] = &[$($crate::Register {
                    name: stringify!($reg),
                    offset: $offset,
                    width: size_of::<$ty>() as u8,
                    count: 1 $(- 1 + $count)?,
                    stride: 0 $(+ $stride)?,
                    reset: 0 $(+ $reset as u64)?,
                    plain: $crate::register_cell!(plain [$($read)? $($write)? $($get)? $($set)?]),
                    stored: $crate::register_cell!(plain [$($get)? $($set)?]),
                    fields: $reg::FIELDS,
                    readable: $crate::regs::readable($reg::FIELDS),
                    writable: $crate::regs::writable($reg::FIELDS),
                    read_clears: $crate::regs::mask($reg::FIELDS, $crate::Access::RC),
                    doc: concat!($($doc),*),
                }),*];
                // What the compiler says of a mistake names the constant, and so the register.
                $(const _: () = {
                    #[allow(non_upper_case_globals, reason = "registers' names")]
                    const $reg: () = $crate::soundness::row(
                        &$crate::soundness::find(ROWS, stringify!($reg)),
                        &[
                            $($crate::register_cell!(hook Read $read),)? $($crate::register_cell!(hook Write $write),)?
                            $($crate::register_cell!(hook Get $get),)? $($crate::register_cell!(hook Set $set),)?
                            $($crate::register_cell!(hook Clear $clear),)? $($crate::register_cell!(hook Then $then),)?
                        ],
                    );
                    $reg
                };)*
                const _: () = $crate::soundness::rows(ROWS, &[$(false $(|| $crate::register_cell!(yes $guard))?),*]);
                static TABLE: $crate::Table = $crate::Table {
                    size: $size,
                    widths: &[$($widths),*],
                    unaligned: false $(|| $crate::register_cell!(unaligned $rule))*,
                    big: false $(|| $crate::register_cell!(big $rule))*,
                    otherwise: $crate::register_cell!(otherwise $otherwise),
                    rows: ROWS,
                };
                &TABLE
            }

            fn present(&self, row: usize) -> bool {
                #[allow(non_camel_case_types, clippy::enum_variant_names, reason = "registers' names")]
                enum Row { $($reg),* }
                $($(if row == Row::$reg as usize { return self.$guard(); })?)*
                let _ = (row, $(Row::$reg),*);
                true
            }

            fn load(&mut self, row: usize, index: usize) -> u64 {
                #[allow(non_camel_case_types, clippy::enum_variant_names, reason = "registers' names")]
                enum Row { $($reg),* }
                $(if row == Row::$reg as usize {
                    let value = $crate::register_cell!(
                        load self index [$reg] [$($count)?] [$($read)?] [$($get)?] [$($get)? $($set)?]
                    );
                    return value & const { $crate::regs::readable($reg::FIELDS) };
                })*
                let _ = (row, index);
                0
            }

            fn stored(&mut self, row: usize, index: usize) -> u64 {
                #[allow(non_camel_case_types, clippy::enum_variant_names, reason = "registers' names")]
                enum Row { $($reg),* }
                $(if row == Row::$reg as usize {
                    return $crate::register_cell!(
                        load self index [$reg] [$($count)?] [] [$($get)?] [$($get)? $($set)?]
                    );
                })*
                let _ = (row, index);
                0
            }

            fn store(&mut self, row: usize, index: usize, value: u64) {
                #[allow(non_camel_case_types, clippy::enum_variant_names, reason = "registers' names")]
                enum Row { $($reg),* }
                $(if row == Row::$reg as usize {
                    $crate::register_cell!(
                        store self index value $ty $reg [$reg] [$($count)?] [$($get)? $($set)?]
                    );
                    $crate::register_cell!(call self [$($write)?] index (value as $ty) [$($count)?]);
                    // One to a bit of W1C or W1S says what becomes of it, whoever keeps it.
                    let value = if const { $crate::regs::by_ones($reg::FIELDS) } {
                        let old = $crate::register_cell!(
                            load self index [$reg] [$($count)?] [] [$($get)?] [$($get)? $($set)?]
                        );
                        $crate::regs::written($reg::FIELDS, old, value)
                    } else {
                        value
                    };
                    $crate::register_cell!(call self [$($set)?] index (value as $ty) [$($count)?]);
                    $crate::register_cell!(call self [$($then)?] index () [$($count)?]);
                    return;
                })*
                let _ = (row, index, value);
            }

            fn clear(&mut self, row: usize, index: usize, bits: u64) {
                #[allow(non_camel_case_types, clippy::enum_variant_names, reason = "registers' names")]
                enum Row { $($reg),* }
                $(if row == Row::$reg as usize {
                    $crate::register_cell!(clear self index bits $ty [$reg] [$($count)?] [$($get)? $($set)?]);
                    $crate::register_cell!(call self [$($clear)?] index (bits as $ty) [$($count)?]);
                    $crate::register_cell!(call self [$($then)?] index () [$($count)?]);
                    return;
                })*
                let _ = (row, index, bits);
            }

            #[allow(unreachable_code, reason = "the first stored register's row returns")]
            fn saved(&mut self) -> Option<&mut dyn $crate::Saved> {
                $($crate::register_cell!(saved self [$($get)? $($set)?]);)*
                None
            }
        }
    };
}

/// One register's storage and access, by whether it is an array and whether it is stored.
#[doc(hidden)]
#[macro_export]
macro_rules! register_cell {
    (otherwise fault) => { $crate::Otherwise::Fault };
    (otherwise ignore) => { $crate::Otherwise::Ignore };

    (unaligned unaligned) => { true };
    (unaligned big) => { false };
    (big big) => { true };
    (big unaligned) => { false };

    (yes $what:ident) => { true };
    (hook $hook:ident $method:ident) => { $crate::soundness::Hook::$hook };

    (plain []) => { true };
    (plain [$($hook:ident)+]) => { false };

    (type $ty:ident [] []) => { $ty };
    (type $ty:ident [$count:expr] []) => { Vec<$ty> };
    (type $ty:ident [$($count:expr)?] [$($live:ident)+]) => { () };

    (reset $reset:tt [] []) => { $reset };
    (reset $reset:tt [$count:expr] []) => { vec![$reset; $count] };
    (reset $reset:tt [$($count:expr)?] [$($live:ident)+]) => { () };

    (load $self:ident $index:ident $at:tt [] [$read:ident] [] []) => { u64::from($self.$read()) };
    (load $self:ident $index:ident $at:tt [$count:expr] [$read:ident] [] []) => { u64::from($self.$read($index)) };
    (load $self:ident $index:ident $at:tt [] [] [$get:ident] $live:tt) => { u64::from($self.$get()) };
    (load $self:ident $index:ident $at:tt [$count:expr] [] [$get:ident] $live:tt) => { u64::from($self.$get($index)) };
    (load $self:ident $index:ident $at:tt [$($count:expr)?] [] [] [$set:ident]) => { 0u64 };
    // This is refused by its row.
    (load $self:ident $index:ident $at:tt $array:tt [$read:ident] [$get:ident] $live:tt) => { 0u64 };
    (load $self:ident $index:ident $at:tt $array:tt [$read:ident] [] [$set:ident]) => { 0u64 };
    (load $self:ident $index:ident [$at:ident] [] [] [] []) => { u64::from($self.state.regs.$at) };
    (load $self:ident $index:ident [$at:ident] [$count:expr] [] [] []) => {
        $self.state.regs.$at.get($index).map_or(0, |value| u64::from(*value))
    };

    (store $self:ident $index:ident $value:ident $ty:ident $reg:ident [$at:ident] [] []) => {
        $self.state.regs.$at = $crate::regs::written($reg::FIELDS, $self.state.regs.$at as u64, $value) as $ty
    };
    (store $self:ident $index:ident $value:ident $ty:ident $reg:ident [$at:ident] [$count:expr] []) => {
        if let Some(cell) = $self.state.regs.$at.get_mut($index) {
            *cell = $crate::regs::written($reg::FIELDS, *cell as u64, $value) as $ty;
        }
    };
    (store $self:ident $index:ident $value:ident $ty:ident $reg:ident $at:tt [$($count:expr)?] [$($live:ident)+]) => {};

    (saved $self:ident []) => { return Some(&mut $self.state.regs) };
    (saved $self:ident [$($live:ident)+]) => {};

    (clear $self:ident $index:ident $bits:ident $ty:ident [$at:ident] [] []) => {
        $self.state.regs.$at &= !($bits as $ty)
    };
    (clear $self:ident $index:ident $bits:ident $ty:ident [$at:ident] [$count:expr] []) => {
        if let Some(cell) = $self.state.regs.$at.get_mut($index) {
            *cell &= !($bits as $ty);
        }
    };
    (clear $self:ident $index:ident $bits:ident $ty:ident $at:tt [$($count:expr)?] [$($live:ident)+]) => {};

    (call $self:ident [] $index:ident $value:tt $array:tt) => {};
    (call $self:ident [$hook:ident] $index:ident () []) => { $self.$hook() };
    (call $self:ident [$hook:ident] $index:ident () [$count:expr]) => { $self.$hook($index) };
    (call $self:ident [$hook:ident] $index:ident $value:tt []) => { $self.$hook($value) };
    (call $self:ident [$hook:ident] $index:ident $value:tt [$count:expr]) => { $self.$hook($index, $value) };
}

/// One field: `[7:0]` or `[31]`, and its access if it is not plain.
#[doc(hidden)]
#[macro_export]
macro_rules! register_field {
    ([$bit:literal]) => {
        Field::new($bit, $bit, $crate::Access::RW)
    };
    ([$bit:literal] $access:ident) => {
        Field::new($bit, $bit, $crate::Access::$access)
    };
    ([$hi:literal : $lo:literal]) => {
        Field::new($hi, $lo, $crate::Access::RW)
    };
    ([$hi:literal : $lo:literal] $access:ident) => {
        Field::new($hi, $lo, $crate::Access::$access)
    };
}
