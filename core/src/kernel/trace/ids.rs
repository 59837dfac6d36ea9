//! The identifiers of a trace and of a span.
//!
//! INVARIANT: neither is zero, and each is written as lower-case hexadecimal digits, all of them.

use std::{
    fmt,
    num::{NonZeroU64, NonZeroU128},
};

/// Declares an identifier: so many bytes, not all of them zero.
macro_rules! identifier {
    ($(#[$meta:meta])* $type:ident, $word:ty, $number:ty, $bytes:literal, $digits:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type($number);

        impl $type {
            /// What stands for zero, which is none.
            pub(super) const ONE: Self = Self(<$number>::MIN);

            /// Of its bytes, the most significant first; `None` where all of them are zero.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                match <$number>::new(<$word>::from_be_bytes(bytes)) {
                    Some(number) => Some(Self(number)),
                    None => None,
                }
            }

            /// Its bytes, the most significant first.
            pub const fn to_bytes(self) -> [u8; $bytes] {
                self.0.get().to_be_bytes()
            }

            /// Of its digits: all of them, in lower case. `None` where they are not that, or all zero.
            pub fn from_hex(digits: impl AsRef<[u8]>) -> Option<Self> {
                let digits = digits.as_ref();
                if digits.len() != $digits {
                    return None;
                }
                let add = |word: $word, digit: &u8| Some(word << 4 | <$word>::from(nibble(*digit)?));
                <$number>::new(digits.iter().try_fold(0, add)?).map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", $digits, "x}"), self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }
    };
}

identifier! {
    /// Which trace: 16 bytes, not all zero, written as 32 lower-case hexadecimal digits.
    TraceId, u128, NonZeroU128, 16, 32
}

identifier! {
    /// Which span of a trace: 8 bytes, not all zero, written as 16 lower-case hexadecimal digits.
    SpanId, u64, NonZeroU64, 8, 16
}

/// The value of a lower-case hexadecimal digit.
pub(super) const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_the_same_in_bytes_and_digits() {
        let span = SpanId::from_hex("00f067aa0ba902b7").expect("it is one");
        assert_eq!(span.to_bytes(), [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert_eq!(SpanId::from_bytes(span.to_bytes()), Some(span));
        assert_eq!(span.to_string(), "00f067aa0ba902b7");
        let trace = TraceId::from_hex("0000000000000000000000000000000a").expect("it is one");
        assert_eq!((trace.to_bytes()[15], trace.to_string().len()), (10, 32));
        assert_eq!(format!("{trace:?}"), "TraceId(0000000000000000000000000000000a)");
    }

    #[test]
    fn what_is_zero_or_not_all_of_its_digits_is_none() {
        assert_eq!((SpanId::from_bytes([0; 8]), TraceId::from_bytes([0; 16])), (None, None));
        for digits in
            ["", "0", "00F067AA0BA902B7", "00f067aa0ba902b", "00f067aa0ba902b70", "0000000000000000"]
        {
            assert_eq!(SpanId::from_hex(digits), None, "{digits}");
        }
        assert_eq!(TraceId::from_hex("00f067aa0ba902b7"), None);
    }
}
