//! What is built before virtual hosts can run, in order: the provisioner, the static host programs, the
//! bundles, the programs of the lab. Cargo and `cairn-image` decide what is still fresh.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::command::Program;
use crate::workspace::Metadata;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// One file without an interpreter, at a fixed address: it runs as PID 1 before any library exists.
const STATIC: &str = "-C target-feature=+crt-static -C relocation-model=static";

/// Where to build.
#[derive(Debug)]
pub(crate) struct Workshop {
    metadata: Metadata,
}

/// The programs that run on a host.
#[derive(Debug, Clone)]
pub(crate) struct HostPrograms {
    installer: PathBuf,
    agent: PathBuf,
}

/// All that the scenarios need.
#[derive(Debug)]
pub(crate) struct Made {
    cairn: PathBuf,
    host: HostPrograms,
    bundles: PathBuf,
    scenarios: PathBuf,
}

impl Workshop {
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        Ok(Self { metadata: Metadata::load(here)? })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.metadata.workspace_root
    }

    fn target(&self) -> &Path {
        &self.metadata.target_directory
    }

    /// Cargo in the workspace, with the committed lock file.
    pub(crate) fn cargo(&self, verb: &str) -> Program {
        Program::cargo().arg(verb).arg("--locked").within(self.root())
    }

    /// A program of the workspace for the developer, built as the tests are; named as its package is.
    pub(crate) fn tool(&self, package: &str) -> Result<PathBuf> {
        self.cargo("build").args(["--quiet", "-p", package]).run()?;
        self.existing(self.target().join("debug").join(package))
    }

    /// The provisioner with its checks of overflow, as the tests are built.
    pub(crate) fn provisioner_for_tests(&self) -> Result<PathBuf> {
        self.cargo("build").args(["--quiet", "-p", "cairn-server"]).run()?;
        self.existing(self.target().join("debug/cairn"))
    }

    /// The tests of API and guide, told which provisioner they are about.
    pub(crate) fn api_tests(&self) -> Result<Program> {
        let cairn = self.provisioner_for_tests()?;
        self.cargo("build").args(["--quiet", "-p", "cairn-api-tests"]).run()?;
        let program = self.existing(self.target().join("debug/cairn-api"))?;
        Ok(Program::new(program).env("CAIRN_BIN", cairn))
    }

    /// The same program to measure the provisioner with: both as they are shipped.
    pub(crate) fn api_bench(&self) -> Result<Program> {
        let cairn = self.provisioner()?;
        self.cargo("build").args(["--release", "-p", "cairn-api-tests"]).run()?;
        let program = self.existing(self.target().join("release/cairn-api"))?;
        Ok(Program::new(program).env("CAIRN_BIN", cairn))
    }

    /// What measures plans, built as they are shipped.
    pub(crate) fn plan_bench(&self) -> Result<Program> {
        self.cargo("build").args(["--release", "-p", "cairn-workload", "--example", "plan_bench"]).run()?;
        Ok(Program::new(self.existing(self.target().join("release/examples/plan_bench"))?))
    }

    /// What measures the registry, built as it is shipped.
    pub(crate) fn registry_bench(&self) -> Result<Program> {
        self.cargo("build").args(["--release", "-p", "cairn-registry-tests"]).run()?;
        Ok(Program::new(self.existing(self.target().join("release/cairn-registry-bench"))?))
    }

    /// What builds and starts Kubernetes for the tests.
    pub(crate) fn kube(&self) -> Result<Program> {
        self.cargo("build").args(["--quiet", "-p", "cairn-kube-rig"]).run()?;
        Ok(Program::new(self.existing(self.target().join("debug/cairn-kube"))?))
    }

    /// The Python packages that the tests of the API need.
    pub(crate) fn python_requirements(&self) -> PathBuf {
        self.root().join("tests/api/requirements.txt")
    }

    /// The provisioner, as it is shipped.
    pub(crate) fn provisioner(&self) -> Result<PathBuf> {
        self.cargo("build").args(["--release", "-p", "cairn-server"]).run()?;
        self.existing(self.target().join("release/cairn"))
    }

    /// The static programs that run on a host, as they are shipped.
    pub(crate) fn host_programs(&self) -> Result<HostPrograms> {
        self.cargo("build")
            .args(["--profile", "host", "--target", TARGET, "-p", "cairn-installer", "-p", "cairn-agentd"])
            .env("RUSTFLAGS", STATIC)
            .run()?;
        let dir = self.target().join(TARGET).join("host");
        Ok(HostPrograms {
            installer: self.existing(dir.join("cairn-installer"))?,
            agent: self.existing(dir.join("cairn-agent"))?,
        })
    }

    /// The bundles, in `target/cairn`.
    pub(crate) fn bundles(&self, host: &HostPrograms) -> Result<PathBuf> {
        let image = self.tool("cairn-image")?;
        let out = self.target().join("cairn");
        Program::new(image)
            .arg("all")
            .arg("--installer")
            .arg(&host.installer)
            .arg("--agent")
            .arg(&host.agent)
            .arg("--out")
            .arg(&out)
            .run()?;
        Ok(out)
    }

    /// All that the scenarios need. Bundles are packed while cargo builds the provisioner.
    pub(crate) fn everything(&self) -> Result<Made> {
        let host = self.host_programs()?;
        let (cairn, bundles) = std::thread::scope(|scope| {
            let bundles = scope.spawn(|| self.bundles(&host));
            let cairn = self.provisioner();
            (cairn, bundles.join().unwrap_or_else(|_| bail!("packing the bundles panicked")))
        });
        let scenarios = self.tool("cairn-scenarios")?;
        Ok(Made { cairn: cairn?, host, bundles: bundles?, scenarios })
    }

    fn existing(&self, path: PathBuf) -> Result<PathBuf> {
        if !path.is_file() {
            bail!("cargo built no {}", path.strip_prefix(self.root()).unwrap_or(&path).display());
        }
        Ok(path)
    }
}

impl Made {
    /// The scenarios' program with a verb (`demo`, `run`, `bench`) and the paths of what was built.
    pub(crate) fn scenarios(&self, verb: &str) -> Program {
        self.named_to(Program::new(&self.scenarios).arg(verb))
    }

    /// Tells a program where everything is that was built.
    pub(crate) fn named_to(&self, program: Program) -> Program {
        program
            .env("CAIRN_BIN", &self.cairn)
            .env("CAIRN_BUNDLES", &self.bundles)
            .env("CAIRN_INSTALLER_BIN", &self.host.installer)
            .env("CAIRN_AGENT_BIN", &self.host.agent)
    }
}
