//! Which of a command's own options are params: `--lr=0.1`, `--lr 0.1`, `--amp`, and `lr=0.1` as Hydra takes them.
//!
//! A guess, and a careful one: an interpreter's or a launcher's options before the script are none, nor is code after
//! `-c`; short options, positional words and what follows `--` are passed over. Never fails: what is no param is left.

use std::ffi::{OsStr, OsString};

use crate::ops::record::files::limits;
use crate::ops::record::key_value::{self, insert};
use crate::run::value::{DEPTH_MAX, Table, Value};

/// The params in a command, in order; of an option given twice the last counts.
pub fn from_command(argv: &[OsString]) -> Vec<(Vec<String>, Value)> {
    let mut found: Vec<(String, Value)> = Vec::new();
    for (key, value) in options(argv.get(program_options(argv)..).unwrap_or_default()) {
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => found.push((key, value)),
        }
    }
    nest(found)
}

/// Programs that run a script, the options of theirs that take the next word, and those that take code as a text.
struct Interpreter {
    names: &'static [&'static str],
    with_value: &'static [&'static str],
    code: &'static [&'static str],
}

const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &["python", "pypy", "ipython"],
        with_value: &["-W", "-X", "--check-hash-based-pycs"],
        code: &["-c"],
    },
    Interpreter {
        names: &["sh", "bash", "zsh", "dash", "ksh", "fish"],
        with_value: &["-o", "+o", "-O", "--rcfile", "--init-file"],
        code: &["-c"],
    },
    Interpreter { names: &["Rscript"], with_value: &[], code: &["-e"] },
    Interpreter {
        names: &["julia"],
        with_value: &["-p", "--procs", "-t", "--threads", "-J", "--sysimage", "-C", "-L", "--load"],
        code: &["-e", "--eval", "-E", "--print"],
    },
    Interpreter {
        names: &["node", "deno", "bun"],
        with_value: &["-r", "--require", "--import", "--loader"],
        code: &["-e", "--eval", "-p", "--print"],
    },
    Interpreter { names: &["perl", "ruby", "lua"], with_value: &["-I", "-r"], code: &["-e", "-E"] },
    Interpreter {
        names: &["java"],
        with_value: &["-cp", "-classpath", "--class-path", "-p", "--module-path"],
        code: &[],
    },
];

/// Programs that run another one, after options of their own that cannot all be known.
const LAUNCHERS: &[&str] = &[
    "env",
    "nice",
    "nohup",
    "time",
    "timeout",
    "stdbuf",
    "setsid",
    "ionice",
    "taskset",
    "numactl",
    "sudo",
    "xvfb-run",
    "caffeinate",
    "srun",
    "mpirun",
    "mpiexec",
    "horovodrun",
    "torchrun",
    "accelerate",
    "deepspeed",
    "composer",
    "colossalai",
    "nsys",
    "ncu",
    "uv",
    "uvx",
    "poetry",
    "pipenv",
    "pdm",
    "rye",
    "hatch",
    "conda",
    "mamba",
    "micromamba",
    "pixi",
    "coverage",
    "docker",
    "podman",
    "singularity",
    "apptainer",
];

/// Python modules that run another script, as `-m` names them.
const LAUNCHER_MODULES: &[&str] = &[
    "torch.distributed.run",
    "torch.distributed.launch",
    "accelerate.commands.launch",
    "accelerate",
    "deepspeed",
    "deepspeed.launcher.runner",
    "cProfile",
    "profile",
    "pdb",
    "trace",
    "coverage",
    "scalene",
    "kernprof",
    "memory_profiler",
    "debugpy",
    "viztracer",
    "runpy",
];

/// Launchers whose first plain word is the program they run, words like `A=1` set aside.
const PLAIN_LAUNCHERS: &[&str] = &["env", "nohup", "time", "setsid", "caffeinate"];

/// How the names of scripts end.
const SCRIPTS: &[&str] = &[
    ".py", ".pyz", ".sh", ".bash", ".R", ".r", ".jl", ".js", ".mjs", ".ts", ".pl", ".rb", ".lua", ".jar",
    ".ipynb", ".exe",
];

/// Where the options of the program that matters begin: after the script, behind interpreters and launchers.
fn program_options(argv: &[OsString]) -> usize {
    let word = |at: usize| argv.get(at).and_then(|word| word.to_str()).unwrap_or_default();
    let name = base_name(word(0));
    if let Some(interpreter) = interpreter(name) {
        return match script(argv, interpreter) {
            Script::At(at) => at + 1,
            Script::Module(at) if LAUNCHER_MODULES.contains(&word(at)) => launched(argv, at + 1),
            Script::Module(at) => at + 1,
            Script::None => argv.len(),
        };
    }
    if !LAUNCHERS.contains(&name) {
        return argv.len().min(1);
    }
    if PLAIN_LAUNCHERS.contains(&name) {
        let is_program = |at: &usize| !word(*at).starts_with('-') && !word(*at).contains('=');
        // An option of the launcher's may take a word; then what runs is found by its kind.
        let at = (1..argv.len()).find(is_program).unwrap_or(argv.len());
        if (1..at).all(|at| word(at).contains('=') || matches!(word(at), "-i" | "-p" | "-")) {
            return at + program_options(&argv[at..]);
        }
    }
    launched(argv, 1)
}

/// The options of what a launcher runs, known by its kind: an interpreter, another launcher, a script or a `-m` module.
fn launched(argv: &[OsString], from: usize) -> usize {
    for at in from..argv.len() {
        let Some(word) = argv[at].to_str() else { continue };
        let last = argv.get(at - 1).and_then(|last| last.to_str()).unwrap_or_default();
        let is_value = last.starts_with('-') && !is_switch(last);
        if interpreter(base_name(word)).is_some() || (LAUNCHERS.contains(&word) && !is_value) {
            return at + program_options(&argv[at..]);
        }
        if matches!(word, "-m" | "--module") {
            let module = argv.get(at + 1).and_then(|module| module.to_str()).unwrap_or_default();
            return match LAUNCHER_MODULES.contains(&module) {
                true => launched(argv, at + 2),
                false => argv.len().min(at + 2),
            };
        }
        if !word.starts_with('-')
            && (SCRIPTS.iter().any(|ending| word.ends_with(ending)) || word.starts_with("./"))
        {
            return at + 1;
        }
    }
    argv.len()
}

/// Whether an option of a launcher is known to take no word, so that a launcher's name may follow it.
fn is_switch(option: &str) -> bool {
    matches!(option, "-i" | "-p" | "-v" | "-q" | "--" | "--no-capture-output" | "--frozen" | "--quiet")
}

enum Script {
    At(usize),
    Module(usize),
    None,
}

/// The script an interpreter runs: its first word that is no option, or the code or module an option takes.
fn script(argv: &[OsString], interpreter: &Interpreter) -> Script {
    let mut at = 1;
    while let Some(word) = argv.get(at) {
        let Some(word) = word.to_str() else { return Script::At(at) };
        let is_short = word.starts_with('-') && !word.starts_with("--") && word.len() > 1;
        if !word.starts_with(['-', '+']) || word == "-" {
            return Script::At(at);
        }
        if word == "--" {
            return if at + 1 < argv.len() { Script::At(at + 1) } else { Script::None };
        }
        let is_python = interpreter.names[0] == "python";
        if is_python && is_short {
            match python_option(word) {
                Some(('c', true)) => return Script::At(at),
                Some(('c', false)) => return Script::At(at + 1),
                Some(('m', true)) => return Script::At(at),
                Some(('m', false)) => return Script::Module(at + 1),
                Some((_, false)) => at += 1,
                _ => {}
            }
        } else if interpreter.names[0] == "java" && word == "-jar" {
            return Script::At(at + 1);
        } else if interpreter.with_value.contains(&word) {
            at += 1;
        } else if interpreter.code.contains(&word) && interpreter.names[0] != "sh" {
            return Script::At(at + 1);
        }
        // A shell's code is its first plain word (`sh -ec CODE`), as a script is.
        at += 1;
    }
    Script::None
}

/// The option among a cluster like `-uc` that takes a word, and whether the word is attached.
fn python_option(cluster: &str) -> Option<(char, bool)> {
    let mut letters = cluster.chars().skip(1);
    let taking = letters.find(|letter| matches!(letter, 'c' | 'm' | 'W' | 'X'))?;
    Some((taking, letters.next().is_some()))
}

fn interpreter(name: &str) -> Option<&'static Interpreter> {
    let plain = name.strip_suffix(".exe").unwrap_or(name);
    let plain = plain.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
    INTERPRETERS.iter().find(|interpreter| interpreter.names.contains(&plain))
}

fn base_name(program: &str) -> &str {
    program.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// The options among a program's words.
fn options(words: &[OsString]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        if word == "--" {
            break;
        }
        if word == "-c" {
            // Code, to whatever it is given.
            at += 1;
            continue;
        }
        let (name, value) = split(word);
        let Some(name) = name.to_str() else { continue };
        match (name.strip_prefix("--").filter(|key| is_option(key)), value) {
            (Some(key), Some(value)) => found.push((key.to_owned(), typed(value))),
            (Some(key), None) => {
                let values = values(&words[at..]);
                at += values.len();
                found.push((key.to_owned(), of_words(values)));
            }
            (None, Some(value)) => found.extend(override_of(name, value)),
            (None, None) => {}
        }
    }
    found
}

/// The words that are the value of the option before them: the next one, and further ones while all are numbers.
fn values(words: &[OsString]) -> &[OsString] {
    let is_value =
        |word: &&OsString| word.to_str().is_none_or(|text| !text.starts_with('-') || is_number(text));
    let is_override = |word: &OsString| match split(word) {
        (name, Some(value)) => name.to_str().is_some_and(|name| override_of(name, value).is_some()),
        _ => false,
    };
    let Some(first) = words.first().filter(is_value).filter(|word| !is_override(word)) else {
        return &[];
    };
    let numbers = words.iter().take_while(|word| word.to_str().is_some_and(is_number)).count();
    match first.to_str().is_some_and(is_number) {
        true => &words[..numbers],
        false => &words[..1],
    }
}

fn of_words(words: &[OsString]) -> Value {
    match words {
        [] => Value::Bool(true),
        [word] => typed(word),
        words => Value::List(words.iter().map(|word| typed(word)).collect()),
    }
}

fn typed(word: &OsStr) -> Value {
    match word.to_str() {
        Some(text) => key_value::parse_value(text),
        None => Value::Bytes(word.as_encoded_bytes().to_vec()),
    }
}

fn is_number(text: &str) -> bool {
    key_value::number(text).is_some_and(|number| number.is_ok())
}

fn is_option(key: &str) -> bool {
    let plain = |character: char| {
        character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '/' | ':' | '@')
    };
    key.starts_with(|first: char| first.is_alphabetic() || first == '_') && key.chars().all(plain)
}

/// `lr=0.1`, `+model.depth=3`, `++x=1`, `db/mysql@db=small`; not `~x`, and not a path like `data/year=2024/x.csv`.
fn override_of(name: &str, value: &OsStr) -> Option<(String, Value)> {
    let key = name.strip_prefix("++").or_else(|| name.strip_prefix('+')).unwrap_or(name);
    let is_path = (key.contains('/') && value.as_encoded_bytes().contains(&b'/')) || key.contains(':');
    (is_option(key) && !is_path).then(|| (key.to_owned(), typed(value)))
}

/// The word before and after its first `=`.
fn split(word: &OsStr) -> (std::borrow::Cow<'_, OsStr>, Option<&OsStr>) {
    if let Some((name, value)) =
        word.to_str().map(|text| text.split_once('=').map_or((text, None), |(a, b)| (a, Some(b))))
    {
        return (std::borrow::Cow::Borrowed(OsStr::new(name)), value.map(OsStr::new));
    }
    split_bytes(word)
}

#[cfg(unix)]
fn split_bytes(word: &OsStr) -> (std::borrow::Cow<'_, OsStr>, Option<&OsStr>) {
    use std::os::unix::ffi::OsStrExt;
    let bytes = word.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (OsStr::from_bytes(&bytes[..at]).into(), Some(OsStr::from_bytes(&bytes[at + 1..]))),
        None => (word.into(), None),
    }
}

#[cfg(not(unix))]
fn split_bytes(word: &OsStr) -> (std::borrow::Cow<'_, OsStr>, Option<&OsStr>) {
    (word.into(), None)
}

/// Nests keys at their dots; one that clashes with another (Hydra's `model=x model.depth=3`) keeps its dots instead.
fn nest(found: Vec<(String, Value)>) -> Vec<(Vec<String>, Value)> {
    let mut params = Table::new();
    let mut nested = Vec::new();
    for (key, value) in found {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        let fits = |path: &Vec<String>| {
            let is_sound = path.iter().all(|key| limits::check_key(key).is_ok()) && path.len() <= DEPTH_MAX;
            is_sound && insert(&mut params, path, Value::Null).is_ok()
        };
        let Some(path) = [path, vec![key.clone()]].into_iter().find(fits) else { continue };
        if let Ok(value) = limits::settle_value(&key, value, path.len()) {
            nested.push((path, value));
        }
    }
    nested
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::text;
    use proptest::prelude::*;

    fn read(command: &str) -> String {
        let argv: Vec<OsString> =
            shell_words::split(command).unwrap().into_iter().map(OsString::from).collect();
        let shown = |(path, value): (Vec<String>, Value)| {
            let path: Vec<_> = path.iter().map(|key| text::write_key(key)).collect();
            format!("{}={}", path.join("."), text::write_value(&value))
        };
        from_command(&argv).into_iter().map(shown).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn options_are_params() {
        let table = [
            ("./train --lr=0.1 --epochs 3", "lr=0.1; epochs=3"),
            ("./train --lr 0.1 --amp --name x", "lr=0.1; amp=true; name=\"x\""),
            ("./train --no-amp", "no-amp=true"),
            ("./train --shift -0.5 --quiet -v", "shift=-0.5; quiet=true"),
            ("./train -n 5 -lr=3 data.csv", ""),
            ("./train lr=0.1 +model.depth=3 ++x=1 ~y ~z=1", "lr=0.1; model.depth=3; x=1"),
            ("./train --multirun lr=0.1,0.2 seed=1", "multirun=true; lr=\"0.1,0.2\"; seed=1"),
            ("./train --layers 64 128 -1 --act relu out", "layers=[64, 128, -1]; act=\"relu\""),
            ("./train --lr 1 --lr 2", "lr=2"),
            ("./train --a 1 -- --b 2", "a=1"),
            ("./train model=resnet model.depth=3", "model=\"resnet\"; \"model.depth\"=3"),
            (
                "./train --data /data/x.csv --opt=None --flag=True",
                "data=\"/data/x.csv\"; opt={ \"$null\" = true }; flag=true",
            ),
            ("./train --weight_decay 1e-4 --batch-size 32", "weight_decay=0.0001; batch-size=32"),
            (
                "./train data/year=2024/x.csv https://x.org/?a=1 db/mysql@db=small",
                "\"db/mysql@db\"=\"small\"",
            ),
            ("./train -c 'lr=0.1' --x=1", "x=1"),
            ("./train --empty= --=3 -- x", "empty=\"\""),
            ("./train 'dims=[1, 2]' '--d={a = 1}' --t '\"5\"'", "dims=[1, 2]; d={ a = 1 }; t=\"5\""),
            ("train", ""),
            ("", ""),
        ];
        for (command, expected) in table {
            assert_eq!(read(command), expected, "{command}");
        }
    }

    #[test]
    fn an_interpreter_or_launcher_keeps_its_own_options() {
        let table = [
            ("python3 train.py --lr 0.1", "lr=0.1"),
            ("python3 -u -X dev -W ignore -m train --lr 0.1", "lr=0.1"),
            ("/usr/bin/python3.12 -uB train.py --lr 0.1", "lr=0.1"),
            ("python3 --check-hash-based-pycs always train.py --lr 0.1", "lr=0.1"),
            ("python3 -c 'import x; lr=0.1' --y=2", "y=2"),
            ("python3 -c 'lr=0.1'", ""),
            ("python3 -uc 'lr=0.1'", ""),
            ("python3 '-clr=0.1'", ""),
            ("python3 --version", ""),
            ("python3 - --lr 0.1", "lr=0.1"),
            ("bash -c 'train --lr=0.1'", ""),
            ("sh -c 'lr=0.1'", ""),
            ("bash -lc 'lr=0.1' x", ""),
            ("bash -o pipefail -e train.sh --lr 0.1", "lr=0.1"),
            ("Rscript -e 'x=1'", ""),
            ("Rscript --vanilla train.R --lr=0.1", "lr=0.1"),
            ("java -cp a.jar -Xmx1g -jar train.jar --lr 0.1", "lr=0.1"),
            ("env CUDA=0 python3 -u train.py --lr 0.1", "lr=0.1"),
            ("env A=1 B=2 train --lr 0.1", "lr=0.1"),
            ("env -u HOME python3 train.py --lr 0.1", "lr=0.1"),
            ("nohup ./train --lr 0.1", "lr=0.1"),
            ("time -p nice -n 5 python3 train.py --lr 0.1", "lr=0.1"),
            ("torchrun --nproc_per_node=8 --nnodes 2 train.py --lr 0.1", "lr=0.1"),
            ("torchrun --nproc_per_node=8 -m pkg.train --lr 0.1", "lr=0.1"),
            ("python3 -m torch.distributed.run --nproc_per_node 8 train.py --lr 0.1", "lr=0.1"),
            ("python3 -m cProfile -o out.prof train.py --lr 0.1", "lr=0.1"),
            ("accelerate launch --config_file conf/a.yaml train.py --lr 0.1", "lr=0.1"),
            ("uv run --with numpy train.py --lr 0.1", "lr=0.1"),
            ("uv run python -m train lr=0.1", "lr=0.1"),
            ("srun -n 4 --gres=gpu:1 python3 train.py --lr 0.1", "lr=0.1"),
            ("conda run -n base python train.py --lr 0.1", "lr=0.1"),
            ("docker run --rm --gpus all image", ""),
            ("docker run --rm image python3 -c 'lr=0.1'", ""),
            ("timeout 10 python3 train.py --lr 0.1", "lr=0.1"),
        ];
        for (command, expected) in table {
            assert_eq!(read(command), expected, "{command}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_kept() {
        use std::os::unix::ffi::OsStringExt;
        let argv = [
            "./train".into(),
            OsString::from_vec(b"--data=\xff".into()),
            "--x".into(),
            OsString::from_vec(b"\xfe".into()),
        ];
        let found = from_command(&argv);
        assert_eq!(found[0], (vec!["data".to_owned()], Value::Bytes(vec![0xff])));
        assert_eq!(found[1], (vec!["x".to_owned()], Value::Bytes(vec![0xfe])));
    }

    proptest! {
        #[test]
        fn every_command_gives_params_that_fit_together(argv in prop::collection::vec("(--|\\+|-|)[a-c.]{0,3}(=[0-9a{}\\[]{0,3})?|python3|-m|-c|env|\\PC{0,5}", 0..9)) {
            let argv: Vec<OsString> = argv.into_iter().map(OsString::from).collect();
            let mut params = Table::new();
            for (path, value) in from_command(&argv) {
                prop_assert!(insert(&mut params, &path, value).is_ok());
            }
        }
    }
}
