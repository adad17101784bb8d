//! Enums whose numbers are in maps, whose labels are in metrics and JSON, and whose sentences people read.

macro_rules! numbered {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal => $label:literal, $text:literal;)* }) => {
        $(#[$meta])*
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant = $number),* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The label of metrics and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }

            /// The sentence for people.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// From the number that a map holds.
            pub fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use numbered;
