// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp rebuild-list`, proved: a pair of KMPs, of which one exports what the other uses, builds in the order that is printed, and in
//! no other. The chain does what `mock --chain` does: it builds one source package after the other, and installs what came out
//! before the next one is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Output, run, run_rpm};

use crate::build::Workshop;
use crate::corpus::KMP;

/// The one that comes first in no alphabet.
const EXPORTER: (&str, &str) = (
    "sample-hal",
    "#include <linux/module.h>\nint sample_hal_open(void);\nint sample_hal_open(void)\n{\n\treturn 0;\n}\n\
     EXPORT_SYMBOL_GPL(sample_hal_open);\nMODULE_DESCRIPTION(\"A part\");\nMODULE_LICENSE(\"GPL\");\n",
);
const USER: (&str, &str) = (
    "a-sample-user",
    "#include <linux/module.h>\nint sample_hal_open(void);\n\
     static int __init start(void)\n{\n\tpr_info(\"on\\n\");\n\treturn sample_hal_open();\n}\nmodule_init(start);\n\
     MODULE_DESCRIPTION(\"Its user\");\nMODULE_LICENSE(\"GPL\");\n",
);

/// The symbols of others that it is linked with are installed by the other's package.
fn spec(name: &str, module: &str, needs: &str) -> String {
    format!(
        r#"Name:           {name}
Version:        1.0
Release:        1
Summary:        A sample
License:        GPL-2.0-only
Source0:        {module}.c
{needs}
%{{kernel_module_package}}
%description
A sample.
%package devel
Summary:        The symbols of {name}
AutoReqProv:    no
%description devel
The symbols of {name}.
%prep
%setup -q -c -T
%build
for flavor in %{{flavors_to_build}}; do
    mkdir "$flavor"
    cp %{{SOURCE0}} "$flavor"
    echo "obj-m := {module}.o" >"$flavor/Kbuild"
    make -C %{{kernel_source "$flavor"}} M="$PWD/$flavor" \
        KBUILD_EXTRA_SYMBOLS="$(find "%{{chain_root}}/usr/share/symvers" -name '*.symvers' 2>/dev/null)" modules
done
%install
for flavor in %{{flavors_to_build}}; do
    release=$(/sbin/modinfo -F vermagic "$flavor/{module}.ko" | cut -d' ' -f1)
    install -D -m 644 -t %{{buildroot}}/usr/lib/modules/"$release"/%{{kernel_module_package_moddir}} "$flavor"/*.ko
    install -D -m 644 "$flavor"/Module.symvers %{{buildroot}}/usr/share/symvers/{name}.symvers
done
%files devel
/usr/share/symvers/{name}.symvers
%changelog
"#
    )
}

struct Chain {
    workshop: Workshop,
}

impl Chain {
    fn new(tree: &Path) -> Self {
        let workshop = Workshop::new("suse");
        let release = std::fs::read_to_string(tree.join("include/generated/utsrelease.h")).unwrap();
        let flavor = release.split('"').nth(1).unwrap().rsplit('-').next().unwrap();
        std::os::unix::fs::symlink(tree, workshop.path("kernels").join(flavor)).unwrap();
        let chain = Self { workshop };
        for (name, source) in [EXPORTER, USER] {
            let module = name.replace('-', "_");
            chain.workshop.source(&format!("{module}.c"), source);
            let needs = if name == USER.0 { "BuildRequires:  sample-hal-devel" } else { "" };
            let file = chain.workshop.path("SPECS").join(format!("{name}.spec"));
            std::fs::write(&file, spec(name, &module, needs)).unwrap();
            run_rpm(chain.command("rpmbuild", "source").args(["-bs", "--nodeps"]).arg(&file))
                .expect_success();
        }
        chain
    }

    /// rpm and rpmbuild with the packages that were installed in a root, which is empty at first.
    fn command(&self, program: &str, root: &str) -> Command {
        let root = self.workshop.path(root);
        self.workshop.further_macros(&format!(
            "%chain_root {0}\n%_dbpath {0}/db\n%_build_id_links none\n%disturl obs://build.example.org/Kernel:kmp/SLE_15/0a1b-x\n",
            root.display()
        ));
        self.workshop.command(program)
    }

    /// Builds source packages in this order; the first that cannot be built ends it.
    fn build(&self, root: &str, sources: &[&str]) -> Result<Vec<PathBuf>, Output> {
        let results = self.workshop.path(root).join("results");
        for source in sources {
            let file = self.workshop.path("SRPMS").join(source);
            let mut rpmbuild = self.command("rpmbuild", root);
            rpmbuild.args(["--rebuild", "--target", "x86_64", "--define"]);
            rpmbuild.arg(format!("_rpmdir {}", results.display())).arg(&file);
            let output = run_rpm(&mut rpmbuild);
            if !output.success() {
                return Err(output);
            }
            let devel = rpms(&results).into_iter().filter(|file| name(file).contains("-devel-"));
            let mut rpm = self.command("rpm", root);
            rpm.args(["-U", "--force", "--nodeps", "--noscripts", "--root"]).arg(self.workshop.path(root));
            run_rpm(rpm.args(["--dbpath", "/db"]).args(devel)).expect_success();
        }
        Ok(rpms(&results).into_iter().filter(|file| name(file).contains("-kmp-")).collect())
    }

    fn kmp(&self, args: &[&str], status: i32) -> Output {
        let output = run(self.workshop.command(KMP).args(args));
        assert_eq!(output.status, Some(status), "{output}");
        output
    }
}

fn name(file: &Path) -> String {
    file.file_name().unwrap().to_string_lossy().into_owned()
}

fn rpms(dir: &Path) -> Vec<PathBuf> {
    let found = run(Command::new("find").arg(dir).args(["-name", "*.rpm"])).stdout;
    let mut files: Vec<PathBuf> = found.lines().map(PathBuf::from).collect();
    files.sort();
    files
}

/// Built by a real kernel's build system, which refuses to link what no one exports.
#[test]
#[ignore = "needs a real kernel's headers, prepared for building, in KMP_KERNEL_TREE; cargo xtask judge has them"]
fn exporters_build_before_users_and_the_registry_closes_what_fits() {
    let tree = PathBuf::from(std::env::var_os("KMP_KERNEL_TREE").expect("KMP_KERNEL_TREE"));
    let chain = Chain::new(&tree);
    let source = |name: &str| format!("{name}-1.0-1.src.rpm");
    let (exporter, user) = (source(EXPORTER.0), source(USER.0));
    let first = chain.build("first", &[&exporter, &user]).unwrap_or_else(|output| panic!("{output}"));
    assert_eq!(first.len(), 2, "{first:?}");

    // As if they had been built for an earlier kernel.
    let [registry, out, symvers] = ["registry", "out", "kernels"].map(|path| chain.workshop.path(path));
    let [registry_arg, out_arg] = [&registry, &out].map(|path| path.to_str().unwrap());
    let symvers = std::fs::read_dir(symvers).unwrap().next().unwrap().unwrap().path().join("Module.symvers");
    let new = symvers.to_str().unwrap();
    let add =
        ["registry", "add", "--registry", registry_arg, "--provider", "acme", "--contact", "a@b.example"];
    let files = |files: &[PathBuf]| files.iter().map(|f| f.to_str().unwrap().to_string()).collect::<Vec<_>>();
    let register = |built: &[PathBuf], status: i32| {
        let built = files(built);
        chain.kmp(&[&add[..], &built.iter().map(String::as_str).collect::<Vec<_>>()].concat(), status)
    };
    register(&first, 0);
    for file in std::fs::read_dir(registry.join("acme")).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.contains("project = \"Kernel:kmp\""), "{text}");
            let line = text.lines().find(|line| line.starts_with("module_layout = ")).unwrap();
            std::fs::write(&file, text.replace(line, "module_layout = \"0x00000001\"")).unwrap();
        }
    }
    let check = [
        "registry",
        "check",
        "--registry",
        registry_arg,
        "--old",
        new,
        "--new",
        new,
        "--name",
        "k",
        "--out",
        out_arg,
    ];
    let output = chain.kmp(&check, 1);
    assert!(output.stdout.contains("2 of 2 registered packages stop loading"), "{output}");
    let list = ["rebuild-list", "--for", "mock", "--registry", registry_arg, "--new", new];
    let printed = chain.kmp(&list, 1);
    let order = printed.lines().into_iter().map(String::from).collect::<Vec<_>>();
    assert_eq!(order, [exporter.clone(), user.clone()], "{printed}");

    let order: Vec<&str> = order.iter().map(String::as_str).collect();
    let backwards: Vec<&str> = order.iter().rev().copied().collect();
    let failed = chain.build("backwards", &backwards).expect_err("built before what it needs");
    assert!(failed.stderr.contains("sample-hal-devel is needed by a-sample-user"), "{failed}");
    let second = chain.build("second", &order).unwrap_or_else(|output| panic!("{output}"));

    // One alone closes nothing but itself; then both fit.
    let user_only: Vec<PathBuf> =
        second.iter().filter(|file| name(file).starts_with(USER.0)).cloned().collect();
    register(&user_only, 0);
    chain.kmp(&check, 1);
    register(&second, 0);
    let output = chain.kmp(&check, 0);
    assert!(output.stdout.contains("0 of 2 registered packages stop loading"), "{output}");
    assert_eq!(chain.kmp(&list, 0).stdout, "");
}
