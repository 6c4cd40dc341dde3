//! Writes the medium of the boot check: `boot_check KERNEL OUT_DIR` makes `uki.efi`, `esp.img` and
//! `prediction.json`, and the same signed (`signed-...`). How it is booted and compared: tests/data/README.md.

#[path = "../tests/medium/mod.rs"]
mod medium;

use std::error::Error;
use std::fs;
use std::path::Path;

use cairn_uki::{esp, predict};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, kernel, out] = arguments.as_slice() else {
        return Err("usage: boot_check KERNEL OUT_DIR".into());
    };
    let out = Path::new(out);
    let unsigned = medium::uki(&fs::read(medium::STUB)?, &fs::read(kernel)?, &fs::read(medium::BUSYBOX)?)?;
    for (prefix, uki) in [("", unsigned.clone()), ("signed-", medium::signed(&unsigned))] {
        let image = esp::build(&[(medium::BOOT_PATH, uki.as_slice())], 64, 0xca1e_0001)?;
        fs::write(out.join(format!("{prefix}esp.img")), image)?;
        let prediction = predict::from_uki(&uki)?;
        fs::write(out.join(format!("{prefix}prediction.json")), serde_json::to_vec_pretty(&prediction)?)?;
        fs::write(out.join(format!("{prefix}uki.efi")), uki)?;
    }
    Ok(())
}
