// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is shipped for engines that manage machines, run by these.

use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::{Output, TestRoot, run};

use crate::support::*;
use crate::update::{build, offered, repository};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/fleet").canonicalize().unwrap()
}

/// A machine with the kernel [`OLD`], the next one, and the KMP foo, for which links are not made yet.
fn machine() -> TestRoot {
    let root = TestRoot::new();
    let foo = build("foo", "1", &kernel(OLD, 7), 7).build();
    root.install(&[&offered(OLD, 7).build(), &offered(SAME, 7).build(), &foo]);
    root
}

/// Two machines on this one: of one kmp says what it has, of the other rpm.
#[test]
fn ansible_collects_and_asks() {
    let (with_kmp, with_rpm, here) = (machine(), machine(), TestRoot::new());
    let inventory = format!(
        "[all:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n[all]\n\
         one kmp_facts_dir={0}/etc/ansible/facts.d kmp_command=\"{KMP} --root {0}\"\n\
         two kmp_facts_dir={1}/etc/ansible/facts.d kmp_command=/bin/false kmp_rpm_command=\"rpm --root {1}\"\n",
        with_kmp.path().display(),
        with_rpm.path().display(),
    );
    here.write("inventory", inventory);
    let all = [offered(OLD, 7), offered(SAME, 7), offered(OTHER, 8), build("foo", "1", &kernel(OLD, 7), 7)];
    let repo = repository(&here, "base", &all);
    let machines = here.join("said.jsonl");
    let variables = serde_json::json!({
        "kmp_here": KMP,
        "kmp_machines": machines,
        "kmp_ask": [repo],
    });
    let mut ansible = here.command("ansible-playbook");
    ansible.env("LC_ALL", "C.UTF-8").env("ANSIBLE_NOCOLOR", "1").env("ANSIBLE_LOCALHOST_WARNING", "0");
    // In a user namespace "~root" is a home of somebody else.
    ansible.env("ANSIBLE_REMOTE_TEMP", here.home().join("ansible"));
    ansible.current_dir(shipped().join("ansible")).arg("-i").arg(here.join("inventory"));
    // Both at once would be four Pythons at once.
    let output = run(ansible.args(["--forks", "1", "ask.yml", "-e"]).arg(variables.to_string()));
    // The play fails, since a driver would be lost, and says which.
    assert_eq!(output.status, Some(2), "{output}");
    let words = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("kernel-default-6.4.0-3.x86_64, from base: 2 machines lose a driver"), "{output}");
    assert!(words.contains("\"evaluated_to\": false"), "{output}");
    let said = std::fs::read_to_string(&machines).unwrap();
    let mut said: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    // In which order is Ansible's to say.
    said.sort_by_key(|machine| machine["machine"].to_string());
    assert_eq!((&said[0]["machine"], &said[1]["machine"]), (&"one".into(), &"two".into()));
    let driver = "foo-kmp-default-1_k6.4.0_1-1.x86_64";
    assert_eq!(said[0]["kmps"][0]["package"], driver, "{said:?}");
    assert!(
        said[1]["packages"].as_array().unwrap().iter().any(|p| p == &driver.replace("-1_k", "-0:1_k")),
        "{said:?}"
    );
    // The facts stay for who gathers them another time.
    assert!(with_rpm.join("etc/ansible/facts.d/kmp.fact").exists());
}

#[test]
#[ignore = "needs salt-call, which cargo xtask salt fetches"]
fn salt_runs_what_is_shipped_for_it() {
    let salt_call = std::env::var_os("KMP_TEST_SALT_CALL").expect("KMP_TEST_SALT_CALL");
    let (root, minion) = (machine(), TestRoot::new());
    let configuration = format!(
        "id: web01\nroot_dir: {0}\nfile_client: local\nfile_roots: {{base: [{1}]}}\n\
         kmp: {{command: [{KMP}, --root, {2}]}}\nlog_level_logfile: error\n",
        minion.path().display(),
        shipped().join("salt").display(),
        root.path().display(),
    );
    minion.write("conf/minion", configuration);
    let call = |words: &[&str]| -> (Output, Value) {
        let mut command = minion.command(&salt_call);
        command.args(["--local", "--out=json", "--log-level=error", "-c"]).arg(minion.join("conf"));
        let output = run(command.args(words));
        let value: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output}"));
        (output, value["local"].clone())
    };
    call(&["saltutil.sync_all"]);
    let (_, facts) = call(&["kmp.facts"]);
    assert_eq!(
        (&facts["machine"], &facts["kmps"][0]["modules"][0]["name"]),
        (&"web01".into(), &"foo".into())
    );
    let (_, grains) = call(&["grains.items"]);
    assert!(grains["kmp_drivers"].is_array(), "{grains}");
    // Links are missing: said, then corrected, and then all is in place.
    let result = |words: &[&str]| {
        let (output, states) = call(words);
        let state = states.as_object().unwrap_or_else(|| panic!("{output}")).values().next().unwrap().clone();
        (state["result"].clone(), state["comment"].as_str().unwrap().to_string(), state["changes"].clone())
    };
    assert_eq!(call(&["kmp.drift"]).1, Value::Bool(true));
    let (would, comment, _) = result(&["state.apply", "kmp", "test=True"]);
    assert_eq!((would, comment.as_str()), (Value::Null, "kmp sync would correct what is not in place."));
    assert_eq!(links(&root, SAME), [""; 0]);
    let (done, comment, changes) = result(&["state.apply", "kmp"]);
    assert_eq!((done, comment.as_str()), (Value::Bool(true), "What was not in place was corrected."));
    assert!(changes["kernels"].as_array().unwrap().iter().any(|kernel| kernel == SAME), "{changes}");
    assert_eq!(links(&root, SAME).len(), 1);
    let (done, comment, _) = result(&["state.apply", "kmp"]);
    assert_eq!((done, comment.as_str()), (Value::Bool(true), "All drivers are in place."));
}

/// A program that runs until the test ends.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It ends those that it has started.
        let id = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs Salt, which cargo xtask salt fetches"]
fn a_salt_master_asks_its_minion() {
    let programs = PathBuf::from(std::env::var_os("KMP_TEST_SALT_CALL").expect("KMP_TEST_SALT_CALL"));
    let (root, place) = (machine(), TestRoot::new());
    // Two that are free now.
    let listeners = [0, 0].map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).unwrap());
    let [publish, answer] = listeners.map(|listener| listener.local_addr().unwrap().port());
    let (here, shipped) = (place.path().to_path_buf(), shipped());
    let common = format!(
        "user: root\nroot_dir: {}\npublish_port: {publish}\nlog_level_logfile: error\n",
        here.display()
    );
    place.write(
        "conf/master",
        format!(
            "{common}interface: 127.0.0.1\nret_port: {answer}\nauto_accept: true\nworker_threads: 2\n\
             file_roots: {{base: [{}]}}\n",
            shipped.join("salt").display()
        ),
    );
    place.write(
        "conf/minion",
        format!(
            "{common}id: web01\nmaster: 127.0.0.1\nmaster_port: {answer}\n\
             kmp: {{command: [{KMP}, --root, {}]}}\n",
            root.path().display()
        ),
    );
    let program = |name: &str| {
        let mut command = place.command(programs.with_file_name(name));
        command.arg("-c").arg(place.join("conf"));
        command
    };
    let quiet = std::process::Stdio::null;
    let start = |name: &str| {
        let mut command = program(name);
        Running(command.stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().unwrap())
    };
    let _running = [start("salt-master"), start("salt-minion")];
    let ask = |words: &[&str]| {
        run(program("salt").args(["--out=json", "--static", "--timeout=60", "*"]).args(words))
    };
    // Keys are made and exchanged first.
    let is_there = (0..60).any(|_| {
        let output = ask(&["test.ping"]);
        let is_there = output.stdout.contains("\"web01\": true");
        if !is_there {
            std::thread::sleep(std::time::Duration::from_secs(2));
        }
        is_there
    });
    assert!(is_there, "{}", ask(&["test.ping"]));
    ask(&["saltutil.sync_all"]);
    let output = ask(&["kmp.facts"]);
    let said: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output}"));
    assert_eq!(said["web01"]["machine"], "web01", "{output}");
    // What the master was told is what a fleet is judged by.
    let machines = place.join("machines");
    std::fs::write(&machines, said["web01"].to_string()).unwrap();
    let all = [offered(OLD, 7), offered(SAME, 7), offered(OTHER, 8), build("foo", "1", &kernel(OLD, 7), 7)];
    let repo = repository(&place, "base", &all);
    let machines = machines.display().to_string();
    let fleet = ends(&place, &["fleet", "--machines", &machines, &repo], 1);
    assert!(fleet.stdout.contains("1 machine loses a driver"), "{fleet}");
    let output = ask(&["state.apply", "kmp"]);
    assert!(output.stdout.contains("What was not in place was corrected."), "{output}");
    assert_eq!(links(&root, SAME).len(), 1);
}
