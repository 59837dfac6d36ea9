//! Exact decimal numbers: the text of a number, rounded only once and never through a float.
//!
//! Every quantity of a policy arrives as decimal text (a document's, or the shortest round-trip text
//! of a host's float) and is kept as a whole number of some small unit. This is the way between.

/// A decimal number `± digits · 10^exponent`, of any size.
///
/// INVARIANT: `digits` has neither leading nor trailing zeros, so it is empty for zero, and a
/// negative exponent left after scaling means a fraction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

/// What becomes of a fraction when a decimal is turned into a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    /// A half or more counts as one.
    HalfUp,
    /// There must be none.
    Exact,
}

/// Why a decimal is no whole number of the unit asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is above `u64::MAX`.
    TooLarge,
    /// It has a fraction where none is allowed.
    Fraction,
}

impl Decimal {
    /// Reads `[+-]digits[.digits][e[+-]digits]`; `None` for anything else, so for `NaN` and `inf`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = signed(text);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !all_digits || whole.len() + fraction.len() == 0 {
            return None;
        }
        let digits = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
        let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        Some(Self { negative, digits, exponent: exponent.saturating_sub(places) }.trimmed())
    }

    /// Whether it is below zero; a negative zero is not.
    pub(super) fn is_negative(&self) -> bool {
        self.negative && !self.digits.is_empty()
    }

    /// The number taken `factor` times.
    pub(super) fn times(mut self, factor: u32) -> Self {
        let mut carry = 0_u64;
        for digit in self.digits.iter_mut().rev() {
            let product = u64::from(*digit) * u64::from(factor) + carry;
            *digit = last_digit(product);
            carry = product / 10;
        }
        while carry > 0 {
            self.digits.insert(0, last_digit(carry));
            carry /= 10;
        }
        self.trimmed()
    }

    /// The size of `self · 10^places` as a whole number, its sign left out.
    pub(super) fn scaled(&self, places: i64, rounding: Rounding) -> Result<u64, Unfit> {
        if self.digits.is_empty() {
            return Ok(0);
        }
        let exponent = self.exponent.saturating_add(places);
        let length = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        let whole_digits = length.saturating_add(exponent);
        if whole_digits > 20 {
            return Err(Unfit::TooLarge);
        }
        // From here on at most 20 digits stand before the point: they fit in 128 bits.
        let digit = |index: i64| usize::try_from(index).ok().and_then(|at| self.digits.get(at)).copied();
        let whole =
            (0..whole_digits).fold(0_u128, |sum, index| sum * 10 + u128::from(digit(index).unwrap_or(0)));
        let rounded = match rounding {
            Rounding::HalfUp => whole + u128::from(digit(whole_digits).is_some_and(|next| next >= 5)),
            Rounding::Exact => whole,
        };
        match u64::try_from(rounded) {
            Err(_) => Err(Unfit::TooLarge),
            Ok(_) if exponent < 0 && rounding == Rounding::Exact => Err(Unfit::Fraction),
            Ok(rounded) => Ok(rounded),
        }
    }

    fn trimmed(mut self) -> Self {
        while self.digits.last() == Some(&0) {
            self.digits.pop();
            self.exponent = self.exponent.saturating_add(1);
        }
        let leading = self.digits.iter().take_while(|digit| **digit == 0).count();
        self.digits.drain(..leading);
        self
    }
}

/// `parts` of `10^places` as decimal text, without trailing zeros: `0.5`.
pub(super) fn decimal(parts: u64, places: u32) -> String {
    let one = 10_u64.pow(places);
    let width = places as usize;
    let text = format!("{}.{:0width$}", parts / one, parts % one);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// An exponent; one too long for any number is as good as the longest here.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = signed(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(i64::MAX / 4);
    Some(if negative { -size } else { size })
}

fn last_digit(number: u64) -> u8 {
    u8::try_from(number % 10).unwrap_or(0)
}
