//! Debian's archive: packages of any suite and architecture, without touching the host's own apt.
//!
//! A private root holds sources, indices and state of one suite and architecture. The archive is the
//! one that this host's apt is set up for, and its indices are checked against Debian's keys.

use crate::cache::Cache;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A private apt root for one suite and architecture.
pub struct Archive {
    root: PathBuf,
    arch: String,
}

/// Instead of an architecture: source packages.
const SOURCE: &str = "source";

impl Archive {
    /// Sets up the root of `suite` and `arch` inside the cache and fetches its signed indices.
    pub fn open(cache: &Cache, suite: &str, arch: &str) -> Result<Archive> {
        let root = cache.root().join("apt").join(format!("{suite}-{arch}"));
        for folder in [
            "etc/apt/preferences.d",
            "etc/apt/trusted.gpg.d",
            "var/lib/apt/lists/partial",
            "var/lib/dpkg",
            "var/cache/apt/archives/partial",
        ] {
            fs::create_dir_all(root.join(folder))
                .with_context(|| format!("cannot make {}", root.display()))?;
        }
        fs::write(root.join("var/lib/dpkg/status"), "")?;
        let kind = if arch == SOURCE { "deb-src" } else { "deb" };
        let source = format!("{kind} [signed-by={KEYRING}] {} {suite} main\n", mirror()?);
        fs::write(root.join("etc/apt/sources.list"), source)?;
        let archive = Archive { root, arch: arch.to_owned() };
        succeed(archive.apt("apt-get").args(["-q", "update"]))?;
        Ok(archive)
    }

    /// The first dependency of `package` whose name starts with `prefix`.
    pub fn dependency(&self, package: &str, prefix: &str) -> Result<String> {
        let listed = output(self.apt("apt-cache").args(["depends", package]))?;
        let mut names = listed.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        let found = names.find(|name| name.starts_with(prefix));
        found.map(str::to_owned).ok_or_else(|| anyhow!("{package} depends on no package called {prefix}..."))
    }

    /// Brings what matches `patterns` in `package`, of `version` or failing that the newest, into `folder`,
    /// by its path in the package; answers the version. Of a source package there are the tarballs only.
    pub fn take(&self, package: &str, version: &str, patterns: &[&str], folder: &Path) -> Result<String> {
        let newest = self.newest(package)?;
        if newest != version {
            eprintln!("note: {package} {version} has left the archive; taking {newest}");
        }
        let wanted = format!("{package}={newest}");
        let mut apt = self.apt("apt-get");
        if self.arch == SOURCE {
            apt.args(["-q", "source", "--download-only", "--tar-only", "--only-source", &wanted]);
            succeed(apt.current_dir(folder))?;
            return Ok(newest);
        }
        succeed(apt.args(["-q", "download", &wanted]).current_dir(folder))?;
        let deb = packages_in(folder)?.pop();
        let deb = deb.ok_or_else(|| anyhow!("apt-get downloaded no {package}"))?;
        unpack(&deb, patterns, folder)?;
        Ok(newest)
    }

    /// Downloads `packages` and everything they depend on; answers the files.
    pub fn download_closure(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let mut install = self.apt("apt-get");
        install.args(["-q", "-y", "--no-install-recommends", "--download-only", "install"]).args(packages);
        succeed(&mut install)?;
        packages_in(&self.root.join("var/cache/apt/archives"))
    }

    /// What there would be if `packages` were installed onto nothing: a line a package, with its version.
    pub fn install_plan(&self, packages: &[&str]) -> Result<String> {
        let mut install = self.apt("apt-get");
        install.args(["-q", "--simulate", "--no-install-recommends", "install"]).args(packages);
        let said = output(&mut install)?;
        let mut lines: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("Inst ")).collect();
        lines.sort_unstable();
        Ok(lines.iter().map(|line| format!("{line}\n")).collect())
    }

    /// Removes downloaded packages that nobody needs any more.
    pub fn clean(&self) -> Result<()> {
        succeed(self.apt("apt-get").arg("clean"))
    }

    fn newest(&self, package: &str) -> Result<String> {
        let show: &[_] = match self.arch == SOURCE {
            true => &["showsrc", "--only-source", package],
            false => &["show", "--no-all-versions", package],
        };
        let shown = output(self.apt("apt-cache").args(show))?;
        let version = shown.lines().find_map(|line| line.strip_prefix("Version: "));
        version.map(str::to_owned).ok_or_else(|| anyhow!("the archive has no package {package}"))
    }

    /// An apt program that sees this root instead of the host's.
    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let root = self.root.display();
        // Source packages are nobody's in particular; apt wants some architecture it knows.
        let arch = if self.arch == SOURCE { "amd64" } else { &self.arch };
        for option in [
            format!("Dir={root}"),
            format!("Dir::Etc={root}/etc/apt"),
            format!("Dir::Etc::sourcelist={root}/etc/apt/sources.list"),
            "Dir::Etc::sourceparts=-".into(),
            format!("Dir::State={root}/var/lib/apt"),
            format!("Dir::State::status={root}/var/lib/dpkg/status"),
            format!("Dir::Cache={root}/var/cache/apt"),
            format!("APT::Architecture={arch}"),
            format!("APT::Architectures::={arch}"),
            "APT::Sandbox::User=root".into(),
            "Acquire::Languages=none".into(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".into(),
            "Acquire::Retries=3".into(),
        ] {
            command.args(["-o", &option]);
        }
        command
    }
}

/// Unpacks the members of `deb` that match one of `patterns` into `folder`.
pub fn unpack(deb: &Path, patterns: &[&str], folder: &Path) -> Result<()> {
    let mut stream = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start dpkg-deb (package dpkg)")?;
    let members = stream.stdout.take().ok_or_else(|| anyhow!("dpkg-deb has no output"))?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--file=-", "--wildcards", "--no-same-owner", "--directory"]).arg(folder);
    tar.args(patterns.iter().map(|pattern| format!("./{pattern}"))).stdin(members);
    let taken = succeed(&mut tar);
    let streamed = stream.wait()?;
    taken.with_context(|| format!("{} does not hold {}", deb.display(), patterns.join(", ")))?;
    ensure!(streamed.success(), "dpkg-deb cannot read {}", deb.display());
    Ok(())
}

/// What is in the folders `keep` of `tarball`, which has everything in one folder, as a tarball without that
/// folder. The same files make the same bytes, wherever and whenever.
pub fn repack(tarball: &Path, keep: &[String], scratch: &Path) -> Result<Vec<u8>> {
    let folder = scratch.join("kept");
    fs::create_dir_all(&folder)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--wildcards", "--no-same-owner", "--strip-components=1", "--directory"])
        .arg(&folder);
    tar.arg("--file").arg(tarball).args(keep.iter().map(|path| format!("*/{path}")));
    succeed(&mut tar)?;
    let packed = scratch.join("kept.tar");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=ustar", "--sort=name", "--mtime=@0", "--mode=u=rwX,go=rX"]);
    tar.args(["--owner=0", "--group=0", "--numeric-owner", "--directory"]).arg(&folder);
    succeed(tar.arg("--file").arg(&packed).arg("."))?;
    Ok(fs::read(&packed)?)
}

/// Unpacks `tarball` into `folder`.
pub fn untar(tarball: &Path, folder: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--no-same-owner", "--directory"]).arg(folder).arg("--file").arg(tarball);
    succeed(&mut tar)
}

/// Installs on this host the packages among `wanted` whose probe is missing; each row is (package, program or file).
pub fn install_missing(wanted: &[(&str, &str)]) -> Result<()> {
    // Twice: what comes in may put out what was there, such as one of QEMU's packages that was of another version.
    for _ in 0..2 {
        let missing: Vec<_> =
            wanted.iter().filter(|(_, program)| !has_program(program)).map(|row| row.0).collect();
        if !missing.is_empty() {
            install(&missing)?;
        }
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    eprintln!("installing {}", packages.join(" "));
    let root = is_root()?;
    let apt = || {
        let mut command = Command::new(if root { "apt-get" } else { "sudo" });
        command.args(if root { &[][..] } else { &["-n", "apt-get"] });
        command.args(["-q", "-o", "DPkg::Lock::Timeout=600"]).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    succeed(apt().arg("update"))
        .and_then(|()| succeed(apt().args(["install", "-y", "--no-install-recommends"]).args(packages)))
        .with_context(|| format!("install them by hand: apt-get install {}", packages.join(" ")))
}

/// Whether who runs us may do anything.
pub fn is_root() -> Result<bool> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

/// Whether `program` is in one of `$PATH`'s folders, or is a file if it is a whole path.
pub fn has_program(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The package files in `folder`.
fn packages_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension() == Some(OsStr::new("deb"))).collect())
}

/// The archive of this host's own apt.
pub(crate) fn mirror() -> Result<String> {
    let format = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"];
    let listed = output(Command::new("apt-get").args(format)).context("guests come from Debian's archive")?;
    let main = listed.lines().find(|line| !line.contains("security"));
    main.map(str::to_owned).ok_or_else(|| anyhow!("this host's apt knows no archive to fetch guests from"))
}

/// Runs a command whose output is progress, shown on standard error.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdout(Stdio::from(io::stderr())).status();
    let status = status.with_context(|| format!("cannot start {name}"))?;
    ensure!(status.success(), "{name} failed ({status})");
    Ok(())
}

/// Runs a command for its output.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let result = command.stderr(Stdio::inherit()).output();
    let result = result.with_context(|| format!("cannot start {name}"))?;
    if !result.status.success() {
        bail!("{name} failed ({})", result.status);
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

/// The keys that Debian's archive is signed with.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_tarball_makes_the_same_bytes_whenever() {
        let root = std::env::temp_dir().join(format!("hartwright-repack-{}", std::process::id()));
        let made = |name: &str, time: &str| {
            let folder = root.join(name);
            fs::create_dir_all(folder.join("package-1/tests/deep")).unwrap();
            for file in ["README", "tests/b.c", "tests/a.c", "tests/deep/c.c"] {
                fs::write(folder.join("package-1").join(file), file).unwrap();
            }
            let tarball = folder.join("all.tar");
            let mut tar = Command::new("tar");
            tar.arg("--create").arg(format!("--mtime=@{time}")).arg("--directory").arg(&folder);
            succeed(tar.arg("--file").arg(&tarball).arg("package-1")).unwrap();
            repack(&tarball, &["tests".into()], &folder).unwrap()
        };
        let bytes = made("one", "1000");
        assert_eq!(bytes, made("two", "2000"));

        let (tarball, out) = (root.join("kept.tar"), root.join("out"));
        fs::write(&tarball, bytes).unwrap();
        fs::create_dir_all(&out).unwrap();
        untar(&tarball, &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("tests/deep/c.c")).unwrap(), "tests/deep/c.c");
        assert!(!out.join("README").exists());
        fs::remove_dir_all(&root).unwrap();
    }
}
