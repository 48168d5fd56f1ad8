use serde_json::Value;

use super::super::devices::{List, Rule, allow_all, program, rules};
use super::*;
use crate::sys::bpf::{self, Instruction};

fn read(value: &Value) -> Outcome<Vec<Rule>> {
    rules(resources(json!({ "devices": value })).devices().as_ref())
}

fn lines(value: &Value) -> Outcome<Vec<String>> {
    let list = List::new(&read(value)?)?;
    Ok(list.lines().map(|(file, line)| format!("{file} {line}")).collect())
}

/// What Docker gives any container.
fn docker() -> Value {
    json!([
        { "allow": false, "access": "rwm" },
        { "allow": true, "type": "c", "major": 1, "minor": 5, "access": "rwm" },
        { "allow": true, "type": "c", "major": 5, "minor": 1, "access": "rwm" },
        { "allow": false, "type": "c", "major": 10, "minor": 229, "access": "rwm" },
        { "allow": true, "type": "b", "major": 7, "minor": -1, "access": "r" }
    ])
}

#[test]
fn version_1_gets_a_default_and_its_exceptions() {
    let lines = lines(&docker()).expect("good rules");
    assert_eq!(
        lines[..4],
        [
            "devices.deny a",
            "devices.allow c 1:5 rwm",
            "devices.allow c 5:1 rwm",
            "devices.allow b 7:* r",
        ]
    );
    // Each only once, and what every container may use is there.
    assert_eq!(lines.iter().filter(|line| line.ends_with("c 1:5 rwm")).count(), 1);
    for device in ["c *:* m", "b *:* m", "c 1:3 rwm", "c 136:* rwm", "c 10:200 rwm"] {
        assert!(lines.contains(&format!("devices.allow {device}")), "{device}: {lines:?}");
    }
}

#[test]
fn a_later_rule_takes_what_an_earlier_one_gave() {
    let lines = lines(&json!([
        { "allow": true, "type": "c", "major": 9, "minor": 1, "access": "rwm" },
        { "allow": true, "type": "c", "major": 9, "minor": 2, "access": "rw" },
        { "allow": false, "type": "c", "major": 9, "access": "w" },
        { "allow": false, "type": "c", "major": 9, "minor": 2, "access": "r" }
    ]))
    .expect("good rules");
    assert!(lines.contains(&"devices.allow c 9:1 rm".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("9:2")), "{lines:?}");
}

#[test]
fn a_hole_that_version_1_would_ignore_is_refused() {
    let failure = lines(&json!([
        { "allow": true, "type": "c", "major": 9, "access": "rwm" },
        { "allow": false, "type": "c", "major": 9, "minor": 2, "access": "rwm" }
    ]))
    .expect_err("a hole");
    assert!(failure.to_string().contains("`c 9:2 rwm` makes a hole in the rule `c 9:* rwm`"));
}

#[test]
fn privileged_containers_need_no_program() {
    let all = json!([{ "allow": true, "access": "rwm" }]);
    assert!(allow_all(&read(&all).expect("good rules")));
    assert_eq!(lines(&all).expect("good rules"), ["devices.allow a"]);
    assert!(!allow_all(&read(&docker()).expect("good rules")));
    assert!(!allow_all(&read(&json!([])).expect("no rules")));
}

#[test]
fn rules_that_mean_nothing_are_refused_by_their_place() {
    for (rule, what) in [
        (json!({ "allow": true, "type": "c" }), "access field cannot be empty"),
        (json!({ "allow": true, "access": "rx" }), "`rx` is not of `rwm`"),
        (json!({ "allow": true, "type": "p", "access": "r" }), "type `p`"),
        (json!({ "allow": true, "major": -2, "access": "r" }), "major -2"),
        (json!({ "allow": true, "minor": 1_i64 << 31, "access": "r" }), "minor 2147483648"),
    ] {
        let failure = read(&json!([rule])).expect_err(what).to_string();
        assert!(failure.contains("devices[0]") && failure.contains(what), "{failure}");
    }
}

#[test]
fn systemd_is_told_the_same_as_far_as_it_has_words() {
    let units = |value: &Value| List::new(&read(value).expect("good")).expect("good").units();
    let told = units(&docker()).expect("not all is allowed");
    for (device, access) in
        [("/dev/char/5:1", "rwm"), ("block-7", "r"), ("char-*", "m"), ("char-136", "rwm")]
    {
        assert!(told.contains(&(device.to_owned(), access.to_owned())), "{device}: {told:?}");
    }
    assert_eq!(units(&json!([{ "allow": true, "access": "rwm" }])), None);
}

/// A device, and what is to be done with it.
#[derive(Debug, Clone, Copy)]
struct Request {
    kind: u32,
    major: u32,
    minor: u32,
    access: u32,
}

/// Runs a program as the kernel would.
fn run(program: &[Instruction], request: Request) -> i64 {
    let context = [request.access << 16 | request.kind, request.major, request.minor];
    let mut registers = [0_i64; 11];
    let mut at = 0;
    loop {
        let step = program[at];
        let (to, from) = step.registers();
        let (to, from) = (usize::from(to), usize::from(from));
        let immediate = i64::from(step.immediate);
        at += 1;
        match step.code {
            0x61 => registers[to] = i64::from(context[step.offset as usize / 4]),
            0x57 => registers[to] &= immediate,
            0x77 => registers[to] = (registers[to] as u64 >> immediate) as i64,
            0xb7 => registers[to] = immediate,
            0xbf => registers[to] = registers[from],
            0x55 if registers[to] != immediate => at += step.offset as usize,
            0x15 if registers[to] == immediate => at += step.offset as usize,
            0x55 | 0x15 => {}
            0x95 => return registers[0],
            code => panic!("instruction {code:#x}"),
        }
    }
}

/// What the rules say, letter by letter: the last that matches decides.
fn expected(rules: &Value, request: Request) -> bool {
    let number = |value: &Value, is: u32| {
        value.as_i64().is_none_or(|number| number == -1 || number == i64::from(is))
    };
    let decide = |letter: char| {
        let matches = |rule: &&Value| {
            let kind = match rule["type"].as_str() {
                None | Some("a") => true,
                Some(kind) => kind == if request.kind == 1 { "b" } else { "c" },
            };
            kind && number(&rule["major"], request.major)
                && number(&rule["minor"], request.minor)
                && rule["access"].as_str().is_some_and(|access| access.contains(letter))
        };
        let rules = rules.as_array().expect("a list");
        let last = rules.iter().rfind(matches);
        last.is_some_and(|rule| rule["allow"] == json!(true))
    };
    [(1, 'm'), (2, 'r'), (4, 'w')]
        .iter()
        .filter(|(bit, _)| request.access & bit != 0)
        .all(|(_, letter)| decide(*letter))
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

impl Numbers {
    fn rules(&mut self) -> Value {
        let count = self.below(7);
        let mut rule = || {
            json!({
                "allow": self.below(2) == 0,
                "type": self.of(&["a", "b", "c", "c"]),
                // Far from what every container may use.
                "major": self.of(&[-1, 60, 61]),
                "minor": self.of(&[-1, 0, 1]),
                "access": self.of(&["rwm", "r", "w", "m", "rw", "wm"]),
            })
        };
        (0..count).map(|_| rule()).collect::<Vec<_>>().into()
    }
}

#[test]
fn the_program_decides_as_the_rules_say() {
    let mut numbers = Numbers(1);
    let mut allowed = 0;
    for _ in 0..300 {
        let rules = numbers.rules();
        let program = program(&read(&rules).expect("good rules"));
        for _ in 0..60 {
            let request = Request {
                kind: numbers.of(&[1, 2]),
                major: numbers.of(&[60, 61, 62]),
                minor: numbers.of(&[0, 1, 7]),
                access: numbers.of(&[1, 2, 4, 6, 7]),
            };
            // Every container may make any node.
            let wanted = Request { access: request.access & !1, ..request };
            let expected = expected(&rules, wanted);
            allowed += u32::from(expected);
            let got = run(&program, request);
            assert_eq!(got, i64::from(expected), "{rules} {request:?}");
        }
    }
    assert!((1000..17_000).contains(&allowed), "too much of one kind: {allowed}");
}

#[test]
fn the_kernel_takes_every_program() {
    let mut numbers = Numbers(2);
    for _ in 0..100 {
        let rules = numbers.rules();
        let program = program(&read(&rules).expect("good rules"));
        match bpf::load_device_program(&program) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                skip("the_kernel_takes_every_program", "programs may not be loaded");
                return;
            }
            Err(error) => panic!("{error}: {rules}"),
            Ok(_) => {}
        }
    }
}
