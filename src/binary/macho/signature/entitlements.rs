//! Entitlements, as far as they decide what can be watched: keys of a property list, and their
//! values as text.

use std::fmt;

/// One entitlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// `com.apple.security.get-task-allow`.
    pub key: String,
    /// `true`, `false`, or the text of what else it is.
    pub value: String,
}

impl fmt::Display for Entitlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        match self.value.as_str() {
            "true" => Ok(()),
            value => write!(f, "={value}"),
        }
    }
}

/// The entries of a property list. It is taken for a flat one: of a list or dictionary the texts
/// in it are the value.
#[must_use]
pub fn entitlements(xml: &[u8]) -> Vec<Entitlement> {
    let text = String::from_utf8_lossy(xml);
    let entries = text.split("<key>").skip(1);
    entries
        .filter_map(|entry| {
            let (key, rest) = entry.split_once("</key>")?;
            Some(Entitlement {
                key: plain(key),
                value: value(rest),
            })
        })
        .collect()
}

fn value(xml: &str) -> String {
    let xml = xml.trim_start();
    for word in ["true", "false"] {
        if xml
            .strip_prefix('<')
            .is_some_and(|xml| xml.starts_with(word))
        {
            return word.to_owned();
        }
    }
    let texts = xml.split('<').skip(1);
    let texts: Vec<String> = texts
        .filter_map(|element| element.split_once('>'))
        .map(|(_, text)| plain(text.trim()))
        .filter(|text| !text.is_empty())
        .collect();
    texts.join(", ")
}

fn plain(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_values() {
        let xml = br#"<?xml version="1.0"?><plist version="1.0"><dict>
            <key>com.apple.security.get-task-allow</key> <true/>
            <key>off</key><false/>
            <key>team &amp; id</key><string>ABC</string>
            <key>groups</key><array><string>one</string><string>two</string></array>
            </dict></plist>"#;
        let found: Vec<String> = entitlements(xml).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "com.apple.security.get-task-allow",
                "off=false",
                "team & id=ABC",
                "groups=one, two"
            ]
        );
        assert!(entitlements(b"no list").is_empty());
    }
}
