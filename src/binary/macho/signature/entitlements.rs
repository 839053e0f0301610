//! Entitlements, as far as they decide what can be watched: keys of a property list, and their
//! values as text; and the list in which some keys are true.

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

/// The property list in which these keys are true, as `codesign` and its like write it.
#[must_use]
pub fn list_of(keys: &[String]) -> String {
    let mut list = String::from(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" ",
        "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n",
        "<plist version=\"1.0\">\n<dict>\n",
    ));
    for key in keys {
        let key = key.replace('&', "&amp;").replace('<', "&lt;");
        list.push_str(&format!("\t<key>{key}</key>\n\t<true/>\n"));
    }
    list.push_str("</dict>\n</plist>\n");
    list
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

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let keys = ["a.b", "c & <d>"].map(str::to_owned);
        let read = entitlements(list_of(&keys).as_bytes());
        let read: Vec<String> = read.iter().map(ToString::to_string).collect();
        assert_eq!(read, keys);
    }
}
