//! Entitlements as DER, beside which the kernel of macOS 12 and later does not look at the XML.
//!
//! ```text
//! 70 length                 [APPLICATION 16]
//!    02 01 01               version 1
//!    b0 length              [CONTEXT 16], the dictionary
//!       30 length           one entry, sorted by key
//!          0c length key    UTF8String
//!          01 01 ff         true
//! ```
//!
//! Source: Apple's `CoreEntitlements`; ITU-T X.690 for lengths.

/// The dictionary in which these keys are true.
pub(super) fn entitlements(keys: &[String]) -> Vec<u8> {
    let mut keys: Vec<&String> = keys.iter().collect();
    keys.sort();
    keys.dedup();
    let entries = keys.iter().flat_map(|key| {
        let entry = [element(0x0c, key.as_bytes()), vec![0x01, 0x01, 0xff]];
        element(0x30, &entry.concat())
    });
    let dictionary = element(0xb0, &entries.collect::<Vec<u8>>());
    element(0x70, &[vec![0x02, 0x01, 0x01], dictionary].concat())
}

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let length = contents.len().to_be_bytes();
            let digits: Vec<u8> = length.into_iter().skip_while(|&digit| digit == 0).collect();
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
            bytes.extend(digits);
        }
    }
    bytes.extend(contents);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by hand from X.690.
    #[test]
    fn a_dictionary_is_as_der_has_it() {
        let key = "com.apple.security.get-task-allow";
        let made = entitlements(&[key.to_owned()]);
        let mut expected = vec![
            0x70, 0x2d, 0x02, 0x01, 0x01, 0xb0, 0x28, 0x30, 0x26, 0x0c, 0x21,
        ];
        expected.extend(key.as_bytes());
        expected.extend([0x01, 0x01, 0xff]);
        assert_eq!(made, expected);
    }

    #[test]
    fn lengths_from_128_on_take_more_bytes() {
        assert_eq!(element(4, &[0; 127])[..3], [4, 127, 0]);
        assert_eq!(element(4, &[0; 128])[..4], [4, 0x81, 128, 0]);
        assert_eq!(element(4, &[0; 256])[..5], [4, 0x82, 1, 0, 0]);
    }

    #[test]
    fn keys_are_sorted_and_stand_once() {
        let keys = ["b", "a", "b"].map(str::to_owned);
        let made = entitlements(&keys);
        let expected: &[u8] = &[
            0x70, 21, 2, 1, 1, 0xb0, 16, 0x30, 6, 12, 1, b'a', 1, 1, 0xff, 0x30, 6, 12, 1, b'b', 1,
            1, 0xff,
        ];
        assert_eq!(made, expected);
    }
}
