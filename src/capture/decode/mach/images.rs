//! The images of a process that are told: dyld's list each time that it has changed in, what is mapped and what is not
//! any more out.

use rustc_hash::FxHashMap;

use super::text::Text;
use crate::capture::decode::image_infos::{ImageInfos, LoadedImage};
use crate::capture::{Monotonic, Observation};
use crate::trace::{Avma, ImageKind, Pid};

/// Images that were told of, by where their headers are.
#[derive(Clone, Debug, Default)]
pub struct Images(FxHashMap<Avma, Told>);

/// An image that was told of.
#[derive(Clone, Debug)]
struct Told {
    path: Vec<u8>,
    end: Avma,
}

/// An image that was not known before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New {
    /// It is the program itself: the first of the list.
    pub is_program: bool,
    /// The path that it was loaded by.
    pub path: Vec<u8>,
    /// Its code.
    pub text: Text,
}

impl Images {
    /// Takes a list of a process; `text` reads the header of an image. Returns what is new. What cannot be read now may
    /// be when the list has changed again.
    pub fn see(
        &mut self,
        (time, pid): (Monotonic, Pid),
        found: &ImageInfos,
        text: &mut dyn FnMut(&LoadedImage) -> Option<Text>,
        out: &mut dyn FnMut(Observation),
    ) -> Vec<New> {
        let dyld = LoadedImage {
            address: found.dyld,
            path: Some(b"/usr/lib/dyld".to_vec()),
            uuid: None,
        };
        let mut gone = std::mem::take(&mut self.0);
        let mut unknown = Vec::new();
        for (place, image) in found.images.iter().chain([&dyld]).enumerate() {
            let path = image.path.as_deref().unwrap_or_default();
            let is_known = |told: &&Told| told.path == path;
            match gone.get(&image.address).filter(is_known).cloned() {
                Some(told) => {
                    gone.remove(&image.address);
                    self.0.insert(image.address, told);
                }
                None => unknown.push((place, image, path)),
            }
        }
        // What is new may lie where one was that is gone.
        for (start, told) in gone {
            out(Observation::Unmapped {
                time,
                pid,
                start: start.0,
                end: told.end.0,
            });
        }
        let mut new = Vec::new();
        for (place, image, path) in unknown {
            let Some(text) = text(image) else {
                continue;
            };
            let (path, end) = (path.to_vec(), text.end);
            let told = Told {
                path: path.clone(),
                end,
            };
            self.0.insert(image.address, told);
            out(Observation::Mapped {
                time,
                pid,
                start: text.start.0,
                end: end.0,
                offset: text.offset.0,
                path: path.clone(),
                build_id: text.uuid.map_or_else(Vec::new, Vec::from),
                kind: ImageKind::File,
            });
            new.push(New {
                is_program: place == 0,
                path,
                text,
            });
        }
        new
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::binary::FileOffset;
    use crate::binary::macho::Cpu;

    const PID: Pid = Pid(41);

    fn list(images: &[(u64, &str)]) -> ImageInfos {
        let images = images.iter().map(|(address, path)| LoadedImage {
            address: Avma(*address),
            path: Some(path.as_bytes().to_vec()),
            uuid: None,
        });
        ImageInfos {
            version: 17,
            images: images.collect(),
            dyld: Avma(0xd000),
            has_begun: true,
            shared_cache: None,
            changed: 0,
            platform: 1,
            translated: Vec::new(),
            error: None,
        }
    }

    /// Code of 0x800 bytes, of all but what has no header.
    fn text(image: &LoadedImage) -> Option<Text> {
        let start = image.address;
        let has_header = image.path.as_deref() != Some(b"/none");
        has_header.then_some(Text {
            start,
            end: Avma(start.0 + 0x800),
            offset: FileOffset(0x4000),
            slide: 0x30,
            uuid: Some([9; 16]),
            cpu: Cpu::ARM64,
        })
    }

    /// What is told of lists, one after the other: `+` for what is mapped, `-` for what is not any more.
    fn told(lists: &[ImageInfos]) -> Vec<String> {
        let mut images = Images::default();
        let mut words = Vec::new();
        for (time, list) in (0..).zip(lists) {
            let mut out = |observation| {
                words.push(match observation {
                    Observation::Mapped {
                        time,
                        start,
                        end,
                        path,
                        ..
                    } => {
                        let path = String::from_utf8_lossy(&path).into_owned();
                        format!("{} + {start:x}..{end:x} {path}", time.0)
                    }
                    Observation::Unmapped {
                        time, start, end, ..
                    } => format!("{} - {start:x}..{end:x}", time.0),
                    other => panic!("{other:?}"),
                });
            };
            images.see((Monotonic(time), PID), list, &mut text, &mut out);
        }
        words
    }

    #[test]
    fn each_image_is_told_when_it_comes_and_when_it_goes() {
        let lists = [
            list(&[(0x1000, "/app"), (0x2000, "/lib/a")]),
            list(&[(0x1000, "/app"), (0x2000, "/lib/a"), (0x3000, "/lib/b")]),
            list(&[(0x1000, "/app"), (0x3000, "/lib/b")]),
            list(&[(0x1000, "/app"), (0x2000, "/lib/a")]),
        ];
        let expected = [
            "0 + 1000..1800 /app",
            "0 + 2000..2800 /lib/a",
            "0 + d000..d800 /usr/lib/dyld",
            "1 + 3000..3800 /lib/b",
            "2 - 2000..2800",
            "3 - 3000..3800",
            "3 + 2000..2800 /lib/a",
        ];
        assert_eq!(told(&lists), expected);
    }

    #[test]
    fn another_image_at_the_same_place_takes_it_over() {
        let lists = [
            list(&[(0x1000, "/app"), (0x2000, "/lib/a")]),
            list(&[(0x1000, "/app"), (0x2000, "/lib/b")]),
        ];
        assert_eq!(
            told(&lists)[3..],
            ["1 - 2000..2800", "1 + 2000..2800 /lib/b"]
        );
    }

    #[test]
    fn what_has_no_header_yet_is_read_again() {
        let mut images = Images::default();
        let list = list(&[(0x1000, "/app"), (0x2000, "/none")]);
        let mut read = Vec::new();
        for _ in 0..2 {
            let mut text = |image: &LoadedImage| {
                read.push(image.address.0);
                text(image)
            };
            let new = images.see((Monotonic(0), PID), &list, &mut text, &mut |_| ());
            assert!(
                new.iter()
                    .all(|new| new.is_program == (new.path == b"/app"))
            );
        }
        assert_eq!(read, [0x1000, 0x2000, 0xd000, 0x2000]);
    }
}
