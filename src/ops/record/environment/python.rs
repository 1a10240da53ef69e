//! Which Python a command runs with, and where that Python looks for packages; nothing is started to learn it.
//!
//! Knows virtual environments, conda, pyenv, the launchers around them and Debian's folders. What it cannot tell it
//! leaves to the process itself, which knows better.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How many words of a command are looked at for the program that it comes down to.
const WORDS_MAX: usize = 40;

/// What the command will see: variables and folders.
pub struct Surroundings<'a> {
    /// The value of a variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The folder that the command runs in.
    pub here: &'a Path,
}

/// A Python that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Its version, as exact as files tell.
    pub version: Option<String>,
    /// Its folder: of the virtual environment if it is one.
    pub prefix: PathBuf,
    /// Where it looks for packages, in its order.
    pub folders: Vec<PathBuf>,
}

impl Surroundings<'_> {
    fn text(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(|value| self.here.join(value))
    }

    fn home(&self) -> Option<PathBuf> {
        self.path("HOME").or_else(|| self.path("USERPROFILE"))
    }

    /// The file that a program's name stands for.
    fn locate(&self, program: &OsStr) -> Option<PathBuf> {
        if Path::new(program).components().count() > 1 {
            return Some(self.here.join(program));
        }
        let folders = self.text("PATH")?;
        std::env::split_paths(&folders)
            .map(|folder| self.here.join(folder).join(program))
            .find(|path| path.is_file())
    }

    /// The nearest `name` in the folder that the command runs in, or above it.
    fn nearest(&self, name: &str) -> Option<PathBuf> {
        self.here.ancestors().map(|folder| folder.join(name)).find(|path| path.exists())
    }
}

/// What a program does with the Python that its command comes down to.
enum Kind {
    /// It is one.
    Python,
    /// Runs the command after its own options.
    Wrapper,
    /// Runs the project's environment.
    Project,
    /// Runs an environment of conda's.
    Conda,
    /// Runs what the active environment offers, if it is Python at all.
    Shell,
    /// May be a script of Python's.
    Other,
}

fn kind(name: &str) -> Kind {
    let version = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b't');
    match name {
        _ if ["python", "pypy"].iter().any(|stem| name.strip_prefix(stem).is_some_and(version)) => {
            Kind::Python
        }
        "uv" | "poetry" | "pdm" | "rye" | "pipenv" | "hatch" | "pixi" => Kind::Project,
        "conda" | "mamba" | "micromamba" => Kind::Conda,
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" | "make" | "gmake" | "just" | "task" => Kind::Shell,
        "env" | "nice" | "ionice" | "time" | "nohup" | "timeout" | "stdbuf" | "setsid" | "srun"
        | "mpirun" | "mpiexec" | "horovodrun" | "numactl" | "taskset" | "chrt" | "xvfb-run" | "sudo"
        | "doas" | "unbuffer" | "nsys" | "ncu" | "perf" | "strace" | "ltrace" | "prlimit" | "systemd-run"
        | "dotenv" | "direnv" => Kind::Wrapper,
        _ => Kind::Other,
    }
}

/// The Python that a command runs with, as far as files tell.
pub fn of_command(command: &[OsString], around: &Surroundings<'_>) -> Option<Interpreter> {
    let words = &command[..command.len().min(WORDS_MAX)];
    let (program, arguments) = words.split_first()?;
    let name = Path::new(program).file_name()?.to_str()?;
    match kind(name.strip_suffix(".exe").unwrap_or(name)) {
        Kind::Python => of_program(&around.locate(program)?, around),
        Kind::Wrapper => after_options(arguments, around),
        Kind::Project => project(name, around).or_else(|| active(around)),
        Kind::Conda => conda(arguments, around).or_else(|| active(around)),
        Kind::Shell => active(around),
        Kind::Other => of_script(&around.locate(program)?, around),
    }
}

/// The first later word that is a program of Python's: what options of a wrapper take, it does not need to know.
fn after_options(arguments: &[OsString], around: &Surroundings<'_>) -> Option<Interpreter> {
    let is_word =
        |word: &OsStr| !word.as_encoded_bytes().starts_with(b"-") && !word.as_encoded_bytes().contains(&b'=');
    let starts = (0..arguments.len()).filter(|at| is_word(&arguments[*at]));
    starts.into_iter().find_map(|at| of_command(&arguments[at..], around))
}

fn active(around: &Surroundings<'_>) -> Option<Interpreter> {
    let prefix = around.path("VIRTUAL_ENV").or_else(|| around.path("CONDA_PREFIX"))?;
    of_prefix(&prefix, None, around)
}

fn project(launcher: &str, around: &Surroundings<'_>) -> Option<Interpreter> {
    let prefix = match launcher {
        "pixi" => around.nearest(".pixi")?.join("envs/default"),
        "uv" => around.path("UV_PROJECT_ENVIRONMENT").or_else(|| around.nearest(".venv"))?,
        // These stay in an environment that is active already.
        _ => around.path("VIRTUAL_ENV").or_else(|| around.nearest(".venv"))?,
    };
    of_prefix(&prefix, None, around)
}

/// `conda run -n NAME`, `-p PREFIX`.
fn conda(arguments: &[OsString], around: &Surroundings<'_>) -> Option<Interpreter> {
    let value = |short: &str, long: &str| {
        let at = arguments.iter().position(|word| word == short || word == long)?;
        arguments.get(at + 1)
    };
    if let Some(prefix) = value("-p", "--prefix") {
        return of_prefix(&around.here.join(prefix), None, around);
    }
    let root = around.path("MAMBA_ROOT_PREFIX").or_else(|| {
        let program = around.path("CONDA_EXE")?;
        Some(program.parent()?.parent()?.to_owned())
    })?;
    let name = value("-n", "--name")?;
    let prefix = if name == "base" { root } else { root.join("envs").join(name) };
    of_prefix(&prefix, None, around)
}

/// The Python that a script names in its first line: how `torchrun` and all other entry points begin.
fn of_script(path: &Path, around: &Surroundings<'_>) -> Option<Interpreter> {
    let text = beginning_of(path)?;
    let mut lines = text.strip_prefix("#!")?.lines();
    let first = lines.next()?;
    // A path too long for a first line stands in the second: `'''exec' /long/path/python "$0" "$@"`.
    let line = lines.next().and_then(|line| line.strip_prefix("'''exec'")).unwrap_or(first);
    let mut words = line.split_whitespace().map(|word| word.trim_matches('"'));
    let mut program = words.next()?;
    if Path::new(program).file_name()? == "env" {
        program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    let name = Path::new(program).file_name()?.to_str()?;
    matches!(kind(name), Kind::Python).then_some(())?;
    of_program(&around.locate(OsStr::new(program))?, around)
}

fn of_program(path: &Path, around: &Surroundings<'_>) -> Option<Interpreter> {
    let path = &behind_shim(path, around).unwrap_or_else(|| path.to_owned());
    let folder = path.parent()?;
    let is_environment = |prefix: &&Path| prefix.join("pyvenv.cfg").is_file();
    if let Some(prefix) = [folder.parent()?, folder].iter().find(|prefix| is_environment(prefix)) {
        return of_prefix(prefix, None, around);
    }
    let real = fs::canonicalize(path).ok()?;
    of_prefix(real.parent()?.parent()?, version_in_name(&real), around)
}

/// The Python that pyenv's shim of that path would start.
fn behind_shim(path: &Path, around: &Surroundings<'_>) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| folder.ends_with("shims"))?;
    let root = around.path("PYENV_ROOT").unwrap_or_else(|| folder.with_file_name(""));
    let chosen = around.text("PYENV_VERSION").and_then(|text| text.into_string().ok());
    let file = || {
        let near = around.nearest(".python-version").and_then(|path| beginning_of(&path));
        near.or_else(|| beginning_of(&root.join("version")))
    };
    let chosen = chosen.or_else(file)?;
    let version = chosen.split([':', '\n']).map(str::trim).find(|line| !line.is_empty())?;
    let version = version.strip_prefix("python-").unwrap_or(version);
    let program =
        |version: &str| Some(root.join("versions").join(version).join("bin").join(path.file_name()?));
    let exact = program(version).filter(|path| path.is_file());
    // `3.11` stands for the newest of its kind.
    let newest = || {
        let versions = fs::read_dir(root.join("versions")).ok()?.flatten();
        let names = versions.filter_map(|child| child.file_name().into_string().ok());
        let of_kind =
            names.filter(|name| name.strip_prefix(version).is_some_and(|rest| rest.starts_with('.')));
        program(&of_kind.max_by_key(|name| numbers(name))?)
    };
    exact.or_else(newest)
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// The Python whose folder this is; `short` is its version as its name says it.
fn of_prefix(prefix: &Path, short: Option<String>, around: &Surroundings<'_>) -> Option<Interpreter> {
    let settings = fs::read_to_string(prefix.join("pyvenv.cfg")).ok();
    let lib = library(prefix, short.as_deref())?;
    let short =
        lib.file_name().and_then(|name| name.to_str()?.strip_prefix("python").map(str::to_owned)).or(short);
    let value = |keys: &[&str]| settings.as_deref().and_then(|text| setting(text, keys));
    let version = value(&["version_info", "version"]).map(|version| numeric(&version).to_owned());
    let version = version.or_else(|| exact_version(prefix)).or_else(|| short.clone());
    let sees_all = settings.is_none() || value(&["include-system-site-packages"]).as_deref() == Some("true");
    let own = folders_of(prefix, &lib, short.as_deref());
    let paths =
        around.text("PYTHONPATH").map(|paths| std::env::split_paths(&paths).collect()).unwrap_or_default();
    let paths: Vec<PathBuf> = paths;
    let mut folders: Vec<PathBuf> = paths.into_iter().map(|path| around.here.join(path)).collect();
    if sees_all {
        let (user, base) = (user_folder(short.as_deref(), around), settings.as_ref().and(value(&["home"])));
        let base = base.and_then(|home| Some(PathBuf::from(home).parent()?.to_owned()));
        // An environment's own folder comes before those it borrows.
        let borrowed = base
            .and_then(|base| Some(folders_of(&base, &library(&base, short.as_deref())?, short.as_deref())));
        match borrowed {
            Some(borrowed) => folders.extend(own.into_iter().chain(user).chain(borrowed)),
            None => folders.extend(user.into_iter().chain(own)),
        }
    } else {
        folders.extend(own);
    }
    Some(Interpreter { version, prefix: prefix.to_owned(), folders })
}

/// Its library: `lib/pythonX.Y`, on Windows `Lib`.
fn library(prefix: &Path, short: Option<&str>) -> Option<PathBuf> {
    let named = short.map(|short| prefix.join(format!("lib/python{short}"))).filter(|path| path.is_dir());
    let newest = || {
        let children = fs::read_dir(prefix.join("lib")).ok()?.flatten();
        let versions = children.filter_map(|child| {
            let name = child.file_name().into_string().ok()?;
            let version = numbers(name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"))?);
            (version.len() == 2).then(|| (version, child.path()))
        });
        versions.max().map(|(_, path)| path)
    };
    named.or_else(newest).or_else(|| Some(prefix.join("Lib")).filter(|path| path.is_dir()))
}

fn folders_of(prefix: &Path, lib: &Path, short: Option<&str>) -> Vec<PathBuf> {
    let mut folders = vec![lib.join("site-packages")];
    if prefix == Path::new("/usr") {
        // Debian's own.
        folders
            .extend(short.map(|short| PathBuf::from(format!("/usr/local/lib/python{short}/dist-packages"))));
        folders.push("/usr/lib/python3/dist-packages".into());
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

fn user_folder(short: Option<&str>, around: &Surroundings<'_>) -> Option<PathBuf> {
    if around.text("PYTHONNOUSERSITE").is_some() {
        return None;
    }
    let base = around.path("PYTHONUSERBASE").or_else(|| Some(around.home()?.join(".local")))?;
    Some(base.join(format!("lib/python{}/site-packages", short?))).filter(|folder| folder.is_dir())
}

/// The exact version, where a folder's name or conda's metadata tells it.
fn exact_version(prefix: &Path) -> Option<String> {
    let from_conda = || {
        let children = fs::read_dir(prefix.join("conda-meta")).ok()?.flatten();
        children.filter_map(|child| child.file_name().into_string().ok()).find_map(|name| {
            let (version, _) = name.strip_prefix("python-")?.strip_suffix(".json")?.split_once('-')?;
            (numbers(version).len() == 3).then(|| version.to_owned())
        })
    };
    let from_name = || {
        // pyenv's `3.11.7`, uv's `cpython-3.11.7-linux-x86_64-gnu`.
        let name = prefix.file_name()?.to_str()?;
        name.split('-').find(|part| numbers(part).len() == 3).map(str::to_owned)
    };
    from_conda().or_else(from_name)
}

/// `3.12.1.final.0` is 3.12.1.
fn numeric(version: &str) -> &str {
    version.split(".final").next().unwrap_or(version)
}

fn setting(text: &str, keys: &[&str]) -> Option<String> {
    let value = |line: &str| {
        let (key, value) = line.split_once('=')?;
        keys.contains(&key.trim()).then(|| value.trim().to_owned())
    };
    text.lines().find_map(value)
}

fn version_in_name(path: &Path) -> Option<String> {
    let version = path.file_name()?.to_str()?.strip_prefix("python")?;
    version.contains('.').then(|| version.to_owned())
}

fn beginning_of(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(1024).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A folder with these files, and variables whose values may name it as `@`.
    struct Place {
        folder: tempfile::TempDir,
        variables: Vec<(String, String)>,
    }

    impl Place {
        fn new(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let top = fs::canonicalize(folder.path()).unwrap().display().to_string();
            for (path, text) in files {
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text.replace('@', &top)).unwrap();
            }
            let filled = |(name, value): &(&str, &str)| ((*name).to_owned(), value.replace('@', &top));
            Self { variables: variables.iter().map(filled).collect(), folder }
        }

        fn top(&self) -> PathBuf {
            fs::canonicalize(self.folder.path()).unwrap()
        }

        /// Version, prefix and folders, below the place.
        fn find(&self, command: &[&str]) -> Option<(String, String, Vec<String>)> {
            let top = self.top();
            let here = top.join("project");
            fs::create_dir_all(&here).unwrap();
            let variable = |name: &str| {
                let found = self.variables.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let command: Vec<OsString> =
                command.iter().map(|word| word.replace('@', &top.display().to_string()).into()).collect();
            let found = of_command(&command, &Surroundings { variable: &variable, here: &here })?;
            let below = |path: &Path| path.strip_prefix(&top).unwrap_or(path).display().to_string();
            let folders = found.folders.iter().map(|folder| below(folder)).collect();
            Some((found.version.unwrap_or_default(), below(&found.prefix), folders))
        }
    }

    fn found(version: &str, prefix: &str, folders: &[&str]) -> Option<(String, String, Vec<String>)> {
        let folders = folders.iter().map(|folder| (*folder).to_owned()).collect();
        Some((version.to_owned(), prefix.to_owned(), folders))
    }

    const VENV: &[(&str, &str)] = &[
        (
            "project/.venv/pyvenv.cfg",
            "home = @/base/bin\ninclude-system-site-packages = false\nversion = 3.12.1\n",
        ),
        ("project/.venv/bin/python", ""),
        ("project/.venv/bin/torchrun", "#!@/project/.venv/bin/python3.12\nimport x\n"),
        ("project/.venv/bin/python3.12", ""),
        ("project/.venv/bin/long", "#!/bin/sh\n'''exec' \"@/project/.venv/bin/python\" \"$0\" \"$@\"\n"),
        ("project/.venv/lib/python3.12/site-packages/x", ""),
        ("home/.local/lib/python3.12/site-packages/x", ""),
        ("project/train.py", "#!/usr/bin/env -S python -u\n"),
        ("project/train.sh", "#!/bin/sh\npython\n"),
    ];

    #[test]
    fn an_environment_is_found_however_it_is_started() {
        let variables = [("PATH", "@/project/.venv/bin:/nowhere"), ("HOME", "@/home")];
        let place = Place::new(VENV, &variables);
        let expected = found("3.12.1", "project/.venv", &["project/.venv/lib/python3.12/site-packages"]);
        let commands: [&[&str]; 12] = [
            &["python", "train.py"],
            &["@/project/.venv/bin/python3.12", "-m", "train"],
            &[".venv/bin/python"],
            &["torchrun", "--nproc-per-node", "2", "train.py"],
            &["long"],
            &["./train.py"],
            &["env", "A=1", "python", "train.py"],
            &["nice", "-n", "5", "python"],
            &["srun", "--gpus", "2", "torchrun", "train.py"],
            &["uv", "run", "train.py"],
            &["poetry", "run", "python", "train.py"],
            &["timeout", "5", "nohup", "python", "x"],
        ];
        for command in commands {
            assert_eq!(place.find(command), expected, "{command:?}");
        }
        for command in [&["true"] as &[_], &["bash", "train.sh"], &["./train.sh"], &["no-such-program"], &[]]
        {
            assert_eq!(place.find(command), None, "{command:?}");
        }
    }

    #[test]
    fn an_active_environment_counts_for_a_shell() {
        let place = Place::new(VENV, &[("VIRTUAL_ENV", "@/project/.venv"), ("PATH", "/nowhere")]);
        let expected = found("3.12.1", "project/.venv", &["project/.venv/lib/python3.12/site-packages"]);
        assert_eq!(place.find(&["bash", "train.sh"]), expected);
        assert_eq!(place.find(&["make", "train"]), expected);
        assert_eq!(place.find(&["./train.sh"]), None);
    }

    #[test]
    fn an_environment_that_sees_the_system_borrows_its_packages() {
        let files = [
            (
                "v/pyvenv.cfg",
                "home = @/base/bin\ninclude-system-site-packages = true\nversion_info = 3.12.1.final.0\n",
            ),
            ("v/bin/python3", ""),
            ("v/lib/python3.12/site-packages/x", ""),
            ("base/lib/python3.12/site-packages/x", ""),
            ("home/.local/lib/python3.12/site-packages/x", ""),
        ];
        let place = Place::new(&files, &[("HOME", "@/home"), ("PYTHONPATH", "@/extra")]);
        let folders = [
            "extra",
            "v/lib/python3.12/site-packages",
            "home/.local/lib/python3.12/site-packages",
            "base/lib/python3.12/site-packages",
        ];
        assert_eq!(place.find(&["@/v/bin/python3"]), found("3.12.1", "v", &folders));
    }

    #[test]
    fn conda_is_found_by_name_by_prefix_and_active() {
        let files = [
            ("conda/envs/ml/bin/python3.11", ""),
            ("conda/envs/ml/lib/python3.11/site-packages/x", ""),
            ("conda/envs/ml/conda-meta/python-3.11.7-h955ad1f_0.json", ""),
            ("conda/envs/ml/conda-meta/python-dateutil-2.8.2-pyhd3eb1b0_0.json", ""),
        ];
        let variables = [("CONDA_EXE", "@/conda/bin/conda"), ("CONDA_PREFIX", "@/conda/envs/ml")];
        let place = Place::new(&files, &variables);
        let expected = found("3.11.7", "conda/envs/ml", &["conda/envs/ml/lib/python3.11/site-packages"]);
        for command in [
            &["conda", "run", "-n", "ml", "python", "x.py"] as &[_],
            &["mamba", "run", "-p", "@/conda/envs/ml", "x"],
            &["@/conda/envs/ml/bin/python3.11"],
            &["sh", "-c", "python x.py"],
        ] {
            assert_eq!(place.find(command), expected, "{command:?}");
        }
    }

    #[test]
    fn what_pyenv_would_start_is_found_behind_its_shim() {
        let files = [
            ("pyenv/shims/python3", "#!/bin/sh\nexec pyenv exec"),
            ("pyenv/version", "3.11.7\n"),
            ("pyenv/versions/3.11.7/bin/python3", ""),
            ("pyenv/versions/3.11.7/lib/python3.11/site-packages/x", ""),
            ("pyenv/versions/3.12.10/bin/python3", ""),
            ("pyenv/versions/3.12.10/lib/python3.12/site-packages/x", ""),
            ("pyenv/versions/3.12.9/bin/python3", ""),
            ("pyenv/versions/3.12.9/lib/python3.12/site-packages/x", ""),
        ];
        let place = Place::new(&files, &[("PATH", "@/pyenv/shims")]);
        let expected =
            found("3.11.7", "pyenv/versions/3.11.7", &["pyenv/versions/3.11.7/lib/python3.11/site-packages"]);
        assert_eq!(place.find(&["python3"]), expected);
        let place = Place::new(&files, &[("PATH", "@/pyenv/shims"), ("PYENV_VERSION", "3.12")]);
        assert_eq!(place.find(&["python3"]).unwrap().0, "3.12.10");
    }
}
