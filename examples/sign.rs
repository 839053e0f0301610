//! Signs Mach-O files for nobody in particular, in place: `cargo run --example sign -- NAME FILE...`.
//! NAME is what they are called in their signatures. `scripts/build-macos` signs gotrace so.

use anyhow::Context as _;
use gotrace::binary::macho::signature::AdHoc;
use std::fs;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let signer = AdHoc {
        name: arguments.next().context("usage: sign NAME FILE...")?,
        renames: true,
        ..AdHoc::default()
    };
    for file in arguments {
        let data = fs::read(&file).with_context(|| format!("{file}: cannot be read"))?;
        let signed = signer
            .sign(&data)
            .with_context(|| format!("{file}: cannot be signed"))?;
        fs::write(&file, signed).with_context(|| format!("{file}: cannot be written"))?;
    }
    Ok(())
}
