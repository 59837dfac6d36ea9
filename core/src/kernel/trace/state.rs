//! The values of the headers `tracestate`, `baggage` and `x-correlation-id`, as they go on.
//!
//! | header | goes on | is dropped as a whole |
//! | --- | --- | --- |
//! | `tracestate` | its members in their order, without empty ones and the white space around them; of several with one key the first | one bad member; more than 32 |
//! | `baggage` | as it came | a control character; a character that is not ASCII; more than 8192 bytes |
//! | `x-correlation-id` | as it came | a character that is not visible ASCII; none, or more than 128; more than one header |
//!
//! Several headers of one name count as one, joined by commas.

/// The most members that a `tracestate` has.
const MOST_MEMBERS: usize = 32;
/// The longest key of a member, and the longest value.
const LONGEST_PART: usize = 256;
/// The most bytes of a `baggage`.
const MOST_BAGGAGE: usize = 8192;
/// The longest correlation id.
const LONGEST_CORRELATION: usize = 128;

/// Without the white space that may surround a header and the members of a list.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// The `tracestate` of its headers; `None` where they are invalid, or hold nothing.
pub(super) fn tracestate(values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Option<String> {
    let mut state = String::new();
    let mut keys: Vec<String> = Vec::new();
    let mut count = 0;
    for value in values {
        for member in value.as_ref().split(|byte| *byte == b',').map(trimmed) {
            if member.is_empty() {
                continue;
            }
            count += 1;
            let (key, value) = member_of(member).filter(|_| count <= MOST_MEMBERS)?;
            if keys.iter().any(|other| other == key) {
                continue;
            }
            keys.push(key.to_owned());
            for part in [if state.is_empty() { "" } else { "," }, key, "=", value] {
                state.push_str(part);
            }
        }
    }
    Some(state).filter(|state| !state.is_empty())
}

/// The key and the value of a member.
fn member_of(member: &[u8]) -> Option<(&str, &str)> {
    let (key, value) = std::str::from_utf8(member).ok()?.split_once('=')?;
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let key_fits = key.len() <= LONGEST_PART
        && key.bytes().next().is_some_and(letter)
        && key.bytes().all(|byte| letter(byte) || b"_-*/@".contains(&byte));
    let value_fits = (1..=LONGEST_PART).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=');
    (key_fits && value_fits).then_some((key, value))
}

/// The `baggage` of its headers; `None` where it may not go on, or is empty.
pub(super) fn baggage(values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Option<String> {
    let mut baggage = String::new();
    for value in values {
        let value = std::str::from_utf8(trimmed(value.as_ref())).ok()?;
        if value.is_empty() {
            continue;
        }
        if !baggage.is_empty() {
            baggage.push(',');
        }
        let fits = value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
            && baggage.len() + value.len() <= MOST_BAGGAGE;
        if !fits {
            return None;
        }
        baggage.push_str(value);
    }
    Some(baggage).filter(|baggage| !baggage.is_empty())
}

/// A correlation id, if it is one.
pub(super) fn correlation_id(value: &[u8]) -> Option<&str> {
    let fits = (1..=LONGEST_CORRELATION).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(value).ok().filter(|_| fits)
}
