//! Modules in C are built for tests.

use std::path::{Path, PathBuf};
use std::process::Command;

fn apxs(name: &str) -> Vec<String> {
    let apxs = std::env::var("APXS").unwrap_or_else(|_| "apxs".to_owned());
    let out = Command::new(&apxs).args(["-q", name]).output().unwrap_or_else(|error| panic!("{apxs}: {error}: run `make setup`"));
    String::from_utf8(out.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

/// A folder with modules; removed with this value.
pub struct Modules(PathBuf);

impl Modules {
    pub fn new() -> Modules {
        let folder = std::env::temp_dir().join(format!("modules-{}-{:?}", std::process::id(), std::thread::current().id()));
        std::fs::create_dir_all(&folder).unwrap();
        Modules(folder)
    }

    /// Builds `mod_NAME.so` of a source file of this folder.
    pub fn build(self, name: &str, source: &str, options: &[&str]) -> Modules {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules").join(source);
        let apr = Command::new(&apxs("APR_CONFIG")[0]).args(["--includes", "--cppflags"]).output().unwrap();
        let apr = String::from_utf8(apr.stdout).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(self.0.join(format!("mod_{name}.so"))).arg(&source).args(options);
        cc.arg(format!("-I{}", apxs("INCLUDEDIR")[0])).args(apxs("EXTRA_CPPFLAGS")).args(apr.split_whitespace());
        assert!(cc.status().unwrap().success(), "{cc:?}");
        self
    }

    /// The folder.
    #[allow(dead_code, reason = "not all tests need it")]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The line that loads `mod_NAME.so`.
    pub fn load(&self, name: &str) -> String {
        format!("LoadModule {name}_module {}/mod_{name}.so\n", self.0.display())
    }
}

impl Drop for Modules {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
