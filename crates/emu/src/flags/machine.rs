//! `-machine`, `-cpu`, `-m`, `-smp` and what else makes the machine.

use hartwright_backend::opts::{Opts, parse_size, parse_switch, parse_whole};
use hartwright_exec::Engine;
use hartwright_machine::is_file;

use super::{Complete, FLAG, Flag};
use crate::{
    Accel, Asked, Face, Failure, Outcome, PlannedSource, Rtc, Threads, Topology,
    asked::Argument,
    catalogue,
    config::GlobalOption,
    entropy,
    memory::{self, MemoryBackend},
    not_yet,
    numa::NumaOption,
};

pub(super) const FLAGS: &[Flag] = &[
    Flag {
        names: &["machine", "M"],
        form: "[type=]NAME|FILE.toml[,PROPERTY=VALUE]...",
        brief: "choose the machine, by name or by a file that describes one",
        more: "`-machine help` lists the machines, `-machine NAME,help` the properties of one. \
               With dumpspec=FILE the machine's description is written to FILE, to be edited and run; with \
               dumpdtb=FILE its device tree is; in both cases nothing runs. A value with a '/' or ending in \
               .toml is a file.",
        examples: &[
            ("-machine param,dumpspec=p.toml", "write what the machine is made of"),
            ("-machine ./p.toml -nographic", "run the changed machine"),
        ],
        complete: Complete::Words(&["help", "param", "virt"]),
        parse: machine,
        accepts: &[
            "param",
            "type=param",
            "param,dumpdtb=a,,b",
            "./p.toml",
            "x.toml,dumpspec=y.toml",
            "virt,smp.cpus=4,smp.sockets=2,memory.size=1G",
        ],
        refuses: &[
            ("param,acpi", "-machine param,acpi: Expected '=' after parameter 'acpi'"),
            ("param,=x", "-machine param,=x: Invalid parameter ''"),
            ("virt,smp.cpus=x", "-machine virt,smp.cpus=x: Parameter 'smp.cpus' expects integer"),
        ],
    },
    Flag {
        names: &["cpu"],
        form: "MODEL[,PROPERTY=on|off]...",
        brief: "choose the harts' model and its extensions",
        more: "`-cpu help` lists the models, `-cpu NAME,help` what can be switched on and off. An extension brings what \
               it requires; one that others require cannot be switched off alone.",
        examples: &[
            ("-cpu max", "everything there is"),
            ("-cpu rv64,zfh=on,zba=off", "one extension more and one less"),
        ],
        complete: Complete::Words(&["help", "max", "rv32", "rv64"]),
        parse: |asked, arg| match &*arg.text {
            "help" | "?" => Err(Outcome::print(catalogue::cpus(asked.target()))),
            "" => Err(Outcome::Fail(Failure::new("-cpu option cannot be empty"))),
            _ => {
                if let Some((name, "help" | "?")) = arg.text.split_once(',') {
                    let target = asked.target();
                    let unknown = || Outcome::Fail(Failure::new(catalogue::unknown_cpu(target, name)));
                    return Err(catalogue::cpu(target, name).map_or_else(unknown, Outcome::print));
                }
                asked.cpu = Some(arg.text.clone());
                Ok(())
            }
        },
        accepts: &["max", "rv64,zba=off"],
        refuses: &[("", "-cpu option cannot be empty")],
    },
    Flag {
        names: &["accel"],
        form: "[accel=]interp|jit|tcg[,PROPERTY=VALUE]...",
        brief: "choose the engine that executes instructions",
        more: "`jit`, which runs if nothing is said, translates what runs often to code of the host, if that is an \
               x86-64 with AVX, BMI and FMA; `tcg`, QEMU's name for its own, means it too. `interp` is the \
               interpreter, which also does what is not translated: harts of 32 and 128 bits, breakpoints, watched \
               addresses, -d exec and -d cpu. Each hart has a host thread of its own; with thread=single they take \
               turns on one. tb-size=MIB is how much code a hart keeps (default: 64). With check=on the interpreter \
               does all that code did once more, harts taking turns; where the two differ, both states, the guest's \
               code and the host's are printed, and the exit code is 1; at the end it is said how many instructions were \
               compared. split-wx and one-insn-per-tb are understood and have no meaning.",
        complete: Complete::Words(&["help", "interp", "jit", "tcg"]),
        parse: accel,
        accepts: &[
            "interp",
            "jit",
            "jit,tb-size=8",
            "jit,check=on",
            "tcg,thread=multi",
            "tcg,tb-size=64,split-wx=off",
        ],
        refuses: &[
            ("foo", "-accel foo: invalid accelerator foo"),
            ("kvm", "-accel kvm: invalid accelerator kvm"),
            ("tcg,thread=foo", "-accel tcg,thread=foo: Invalid 'thread' setting foo"),
            ("tcg,foo=1", "-accel tcg,foo=1: Property 'tcg-accel.foo' not found"),
            (
                "jit,check=on,thread=multi",
                "-accel jit,check=on,thread=multi: check=on compares harts that take turns, so thread=multi cannot be",
            ),
            ("interp,check=on", "-accel interp,check=on: Property 'interp-accel.check' not found"),
            ("tcg,tb-size=foo", "-accel tcg,tb-size=foo: Parameter 'tb-size' expects uint64"),
        ],
        ..FLAG
    },
    Flag {
        names: &["m"],
        form: "[size=]MEGABYTES|SIZE",
        brief: "set the size of RAM, in MiB or with a suffix: 512, 512M, 1.5G",
        examples: &[("-m 1.5G", "1536 MiB")],
        parse: memory,
        accepts: &["512", "size=1.5G", "64k"],
        refuses: &[
            (
                "abc",
                "-m abc: Parameter 'size' expects a non-negative number below 2^64\n\
                 Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n\
                 and exabytes, respectively.",
            ),
            ("0", "-m 0: a machine needs RAM; -m 128M gives it 128 MiB"),
            ("128,foo=1", "-m 128,foo=1: Invalid parameter 'foo'"),
            ("1000E", "-m 1000E: Value '1000E' is out of range for parameter 'size'"),
            ("1G,maxmem=2G", "-m 1G,maxmem=2G: maxmem: not yet in hartwright"),
        ],
        ..FLAG
    },
    Flag {
        names: &["smp"],
        form: "[cpus=]N[,maxcpus=N][,sockets=N][,cores=N][,threads=N]",
        brief: "set the number of harts, and their topology",
        examples: &[("-smp 4", "four harts, each on a host thread of its own")],
        parse: |asked, arg| {
            if let Ok(Opts { help: true, .. }) = Opts::parse_strict(&arg.text, Some("cpus")) {
                return Err(Outcome::print(
                    "smp-opts options:\n".to_owned()
                        + "  cores=<num>\n  cpus=<num>\n  maxcpus=<num>\n  sockets=<num>\n  threads=<num>\n",
                ));
            }
            let topology = Topology::parse(&arg.text).map_err(|refusal| Outcome::Fail(refusal.into()))?;
            asked.smp = Some(topology);
            Ok(())
        },
        accepts: &["4", "cpus=4,sockets=2,cores=2,threads=1", "2,maxcpus=4"],
        refuses: &[
            ("foo", "Parameter 'smp.cpus' expects integer"),
            ("0", "Invalid CPU topology: CPU topology parameters must be greater than zero"),
        ],
        ..FLAG
    },
    Flag {
        names: &["numa"],
        form: "node[,nodeid=N][,cpus=FIRST[-LAST]]...[,mem=SIZE|memdev=ID]|dist,src=N,dst=N,val=N",
        brief: "put harts and memory into nodes, or say how far two nodes are from each other",
        more: "Machine virt has a CLINT and an interrupt controller for each node, and tells the guest.",
        examples: &[(
            "-smp 4 -m 2G -numa node,mem=1G -numa node,mem=1G",
            "two nodes with two harts and 1 GiB each",
        )],
        parse: |asked, arg| {
            let numa = NumaOption::parse(&arg.text).map_err(|refusal| arg.refuse(refusal))?;
            if let NumaOption::Node { mem: Some(_), .. } = numa {
                let why = "Parameter -numa node,mem is deprecated, use -numa node,memdev instead";
                asked.warnings.push(format!("{}: warning: {why}", arg.option));
            }
            asked.numa.push((arg.option.clone(), numa));
            Ok(())
        },
        accepts: &["node,mem=1G,cpus=0-1,cpus=4", "node,memdev=m0,nodeid=3", "dist,src=0,dst=1,val=20"],
        refuses: &[
            ("foo=1", "-numa foo=1: Parameter 'type' is missing"),
            ("foo", "-numa foo: Parameter 'type' does not accept value 'foo'"),
            ("node,foo=1", "-numa node,foo=1: Invalid parameter 'foo'"),
            ("node,cpus=x", "-numa node,cpus=x: Parameter 'cpus' expects a uint64 value or range"),
            ("cpu,node-id=0", "-numa cpu,node-id=0: cpu: not yet in hartwright"),
            (
                "dist,src=0,dst=1,val=5",
                "-numa dist,src=0,dst=1,val=5: NUMA distance (5) is invalid, it shouldn't be less than 10.",
            ),
            (
                "dist,src=0,dst=0,val=20",
                "-numa dist,src=0,dst=0,val=20: Local distance of node 0 should be 10.",
            ),
            ("dist,src=0,dst=1,val=300", "-numa dist,src=0,dst=1,val=300: Parameter 'val' expects uint8_t"),
        ],
        ..FLAG
    },
    Flag {
        names: &["device"],
        form: "TYPE[,PROPERTY=VALUE]...|JSON",
        brief: "add a device",
        more: "`-device help` lists the types, `-device TYPE,help` the properties of one. \
               `-device loader,file=FILE,addr=ADDRESS` puts a file into memory.",
        examples: &[(
            "-device loader,file=a.bin,addr=0x80400000",
            "a.bin is in memory when the machine starts",
        )],
        complete: Complete::Words(&["help", "loader,"]),
        parse: device,
        accepts: &["loader,file=a,addr=0x80000000", r#"{"driver":"loader","file":"a","addr":2147483648}"#],
        refuses: &[
            ("id=a", "-device id=a: Parameter 'driver' is missing"),
            (
                "loader,id=1",
                "-device loader,id=1: Parameter 'id' expects an identifier\n\
                 Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
            ),
        ],
    },
    Flag {
        names: &["object"],
        form: "TYPE,id=ID[,PROPERTY=VALUE]...|JSON",
        brief: "create an object: a piece of memory, or a source of random bytes",
        more: "memory-backend-ram, memory-backend-file and memory-backend-memfd are pieces of RAM for -numa and \
               -machine memory-backend=; a file with share=on has what the guest writes. \
               rng-builtin has the host's random bytes, or those of -seed; rng-random those of filename=FILE, or of \
               /dev/urandom.",
        examples: &[
            (
                "-machine virt,memory-backend=m -object memory-backend-file,id=m,size=1G,mem-path=ram,share=on",
                "RAM is the file ram",
            ),
            ("-object rng-builtin,id=r -device virtio-rng-device,rng=r", "give the guest random bytes"),
        ],
        parse: |asked, arg| {
            let mut none = Asked::default();
            if let Ok(Opts { help: true, .. }) = Opts::parse_strict(&arg.text, Some("qom-type")) {
                let names = memory::TYPES.iter().chain(&entropy::TYPES).map(|name| format!("  {name}\n"));
                let names: String = names.collect();
                return Err(Outcome::print(format!("List of user creatable objects:\n{names}")));
            }
            let object = arg.object("qom-type", &mut none, true)?;
            let taken = |id: &str| {
                let backends = asked.backends.iter().map(|other| &other.id);
                match backends.chain(asked.sources.iter().map(|other| &other.id)).any(|other| other == id) {
                    true => Err(arg.refuse(format!(
                        "attempt to add duplicate property '{id}' to object (type 'container')"
                    ))),
                    false => Ok(()),
                }
            };
            if memory::TYPES.contains(&&*object.driver) {
                let backend = MemoryBackend::parse(&object).map_err(|why| arg.refuse(why))?;
                taken(&backend.id)?;
                asked.backends.push(backend);
                return Ok(());
            }
            if entropy::TYPES.contains(&&*object.driver) {
                let planned = PlannedSource::new(object).map_err(|why| arg.refuse(why))?;
                taken(&planned.id)?;
                asked.sources.push(planned);
                return Ok(());
            }
            if not_yet::OBJECTS.contains(&&*object.driver) {
                return Err(arg.not_yet());
            }
            Err(arg.refuse(format!("Parameter 'qom-type' does not accept value '{}'", object.driver)))
        },
        accepts: &[
            "memory-backend-ram,id=m,size=64M",
            "memory-backend-file,id=m,size=1G,mem-path=x,share=on",
        ],
        refuses: &[
            ("foo,id=x", "-object foo,id=x: Parameter 'qom-type' does not accept value 'foo'"),
            ("rng-egd,id=x", "-object rng-egd,id=x: not yet in hartwright"),
            ("rng-builtin", "-object rng-builtin: Parameter 'id' is missing"),
            (
                "rng-builtin,id=x,filename=f",
                "-object rng-builtin,id=x,filename=f: Property 'rng-builtin.filename' not found",
            ),
            ("id=x", "-object id=x: Parameter 'qom-type' is missing"),
            ("memory-backend-ram,id=m", "-object memory-backend-ram,id=m: Parameter 'size' is missing"),
            (
                "memory-backend-file,id=m,size=1G",
                "-object memory-backend-file,id=m,size=1G: Parameter 'mem-path' is missing",
            ),
            (
                "memory-backend-ram,id=m,size=1G,foo=1",
                "-object memory-backend-ram,id=m,size=1G,foo=1: Invalid parameter 'foo'",
            ),
            (
                "memory-backend-ram,id=m,size=1G,prealloc=on",
                "-object memory-backend-ram,id=m,size=1G,prealloc=on: prealloc: not yet in hartwright",
            ),
        ],
        ..FLAG
    },
    Flag {
        names: &["global"],
        form: "TYPE.PROPERTY=VALUE|driver=TYPE,property=PROPERTY,value=VALUE",
        brief: "set a property of every device of a type",
        parse: global,
        accepts: &["ns16550a.fifo-depth=16", "driver=riscv.sifive.plic,property=a,value=b", "a.b.c=d,e"],
        refuses: &[
            ("foo", "-global foo: Invalid parameter 'foo'"),
            ("driver=a", "-global driver=a: Parameter 'property' is missing"),
        ],
        ..FLAG
    },
    Flag {
        names: &["rtc"],
        form: "[base=utc|DATE][,clock=vm|rt|host][,driftfix=none]",
        brief: "set the time of day that the machine begins with, and the clock that it goes by",
        more: "DATE is in UTC, 2006-06-17T16:01:21 or 2006-06-17. With clock=host it goes as the host's time of day \
               does, also where that is set; with rt as the host's clock that nobody sets; with vm as the machine's, \
               which stands while the machine is stopped, and counts instructions with -icount.",
        examples: &[
            ("-rtc base=2026-01-01", "every run begins on new year's day"),
            ("-rtc base=2026-01-01,clock=vm -icount shift=0,sleep=off -seed 1", "two runs are alike"),
        ],
        parse: |asked, arg| {
            let opts = arg.opts("base", asked)?;
            asked.rtc = Rtc::parse(&opts).map_err(|refusal| arg.refuse(refusal))?;
            Ok(())
        },
        accepts: &["base=utc", "base=2006-06-17T16:01:21,clock=vm", "2006-06-17"],
        refuses: &[
            (
                "base=x",
                "-rtc base=x: invalid datetime format\n\
                 valid formats: '2006-06-17T16:01:21' or '2006-06-17'",
            ),
            (
                "base=2023-02-29",
                "-rtc base=2023-02-29: invalid datetime format\n\
                 valid formats: '2006-06-17T16:01:21' or '2006-06-17'",
            ),
            ("base=localtime", "-rtc base=localtime: base=localtime: not yet in hartwright"),
            ("clock=x", "-rtc clock=x: invalid option value 'x'"),
            ("driftfix=slew", "-rtc driftfix=slew: driftfix=slew: not yet in hartwright"),
            ("foo=1", "-rtc foo=1: Invalid parameter 'foo'"),
        ],
        ..FLAG
    },
    Flag {
        names: &["nodefaults"],
        brief: "leave out what a machine has without being asked: console, monitor",
        parse: |asked, _| {
            asked.nodefaults = true;
            Ok(())
        },
        ..FLAG
    },
    Flag {
        names: &["no-user-config", "nouserconfig"],
        brief: "read no configuration of the user's; none is ever read",
        ..FLAG
    },
];

fn machine(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let mut opts = arg.strict("type")?;
    let name = opts.take("type");
    if opts.help {
        return Err(match name {
            None => Outcome::print(catalogue::machines()),
            Some(name) if is_file(&name) => {
                catalogue::machine_file(&name).map_or_else(Outcome::Fail, Outcome::print)
            }
            Some(name) => match catalogue::machine(&name) {
                Some(text) => Outcome::print(text),
                None => Outcome::Fail(catalogue::unknown_machine(&name)),
            },
        });
    }
    if matches!(name.as_deref(), Some("help" | "?")) {
        return Err(Outcome::print(catalogue::machines()));
    }
    asked.machine = name.or(asked.machine.take());
    let mut topology = String::new();
    for (key, value) in opts.pairs() {
        match key.strip_prefix("smp.") {
            Some(key) => topology.push_str(&format!("{key}={value},")),
            None if key == "memory.size" => {
                asked.memory = Some(parse_size(key, value, 'B').map_err(|refusal| arg.refuse(refusal))?);
            }
            None => asked.machine_properties.push((key.clone(), value.clone())),
        }
    }
    if let Some(topology) = topology.strip_suffix(',') {
        asked.smp = Some(Topology::parse(topology).map_err(|refusal| arg.refuse(refusal))?);
    }
    Ok(())
}

/// The engines' names.
const ENGINES: [&str; 3] = ["interp", "jit", "tcg"];

fn accel(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let opts = arg.strict("accel")?;
    if opts.help || matches!(opts.get("accel"), Some("help" | "?")) {
        let names = ENGINES.map(|name| format!("{name}\n")).concat();
        return Err(Outcome::print(format!("Accelerators supported in QEMU binary:\n{names}")));
    }
    let mut accel = Accel::default();
    let name = opts.get("accel").unwrap_or("jit");
    let Some(engine) = Accel::engine(name) else {
        return Err(arg.refuse(format!("invalid accelerator {name}")));
    };
    accel.engine = engine;
    for (key, value) in opts.pairs() {
        match &**key {
            "accel" => {}
            "thread" => {
                accel.threads = match &**value {
                    "single" => Some(Threads::Single),
                    "multi" => Some(Threads::Multi),
                    _ => return Err(arg.refuse(format!("Invalid 'thread' setting {value}"))),
                }
            }
            "tb-size" => {
                let size =
                    parse_whole(key, value).map_err(|_| arg.refuse("Parameter 'tb-size' expects uint64"))?;
                if let (Engine::Jit { code, .. }, true) = (&mut accel.engine, size > 0) {
                    *code = usize::try_from(size).unwrap_or(usize::MAX).saturating_mul(1 << 20);
                }
            }
            "check" => {
                let on = parse_switch(key, value).map_err(|refusal| arg.refuse(refusal))?;
                match &mut accel.engine {
                    Engine::Jit { check, .. } => *check = on,
                    Engine::Interpreter => {
                        return Err(arg.refuse("Property 'interp-accel.check' not found"));
                    }
                }
            }
            "split-wx" | "one-insn-per-tb" => {
                parse_switch(key, value).map_err(|refusal| arg.refuse(refusal))?;
            }
            _ => return Err(arg.refuse(format!("Property '{name}-accel.{key}' not found"))),
        }
    }
    if accel.checks() && accel.threads == Some(Threads::Multi) {
        return Err(arg.refuse("check=on compares harts that take turns, so thread=multi cannot be"));
    }
    asked.accel = Some(accel);
    Ok(())
}

fn memory(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let opts = arg.opts("size", asked)?;
    opts.only(&["size", "slots", "maxmem"]).map_err(|refusal| arg.refuse(refusal))?;
    if let Some(key) = ["slots", "maxmem"].into_iter().find(|key| opts.get(key).is_some()) {
        return Err(arg.refuse(format!("{key}: not yet in hartwright")));
    }
    if let Some(text) = opts.get("size") {
        let size = parse_size("size", text, 'M').map_err(|refusal| arg.refuse(refusal))?;
        if size == 0 {
            return Err(arg.refuse("a machine needs RAM; -m 128M gives it 128 MiB"));
        }
        asked.memory = Some(size);
    }
    Ok(())
}

fn device(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    if !arg.text.starts_with('{') {
        let opts = Opts::parse(&arg.text, Some("driver")).map_err(|refusal| arg.refuse(refusal))?;
        match opts.get("driver") {
            None | Some("help" | "?") if opts.help || opts.get("driver").is_some() => {
                return Err(Outcome::print(catalogue::devices()));
            }
            Some(driver) if opts.help => {
                let face = asked.program.as_ref().map_or(Face::Own, |program| program.face);
                let unknown = || arg.refuse(catalogue::not_a_device(driver, face));
                return Err(catalogue::device(driver).map_or_else(unknown, Outcome::print));
            }
            _ => {}
        }
    }
    let device = arg.object("driver", asked, false)?;
    if let Some(id) = &device.id
        && asked.devices.iter().any(|other| other.id.as_ref() == Some(id))
    {
        return Err(arg.refuse(format!("Duplicate ID '{id}' for device")));
    }
    asked.devices.push(device);
    Ok(())
}

fn global(asked: &mut Asked, arg: &Argument) -> Result<(), Outcome> {
    let dotted = arg.text.split_once('=').and_then(|(path, value)| {
        // A type's name may have dots, a property's has none.
        let (driver, property) = path.rsplit_once('.')?;
        Some((driver.to_owned(), property.to_owned(), value.to_owned()))
    });
    let (driver, property, value) = match dotted {
        Some(parts) if !parts.0.contains(',') => parts,
        _ => {
            let mut opts = Opts::parse(&arg.text, None).map_err(|refusal| arg.refuse(refusal))?;
            opts.only(&["driver", "property", "value"]).map_err(|refusal| arg.refuse(refusal))?;
            let mut take =
                |key: &str| opts.take(key).ok_or_else(|| arg.refuse(format!("Parameter '{key}' is missing")));
            (take("driver")?, take("property")?, take("value")?)
        }
    };
    asked.globals.push(GlobalOption { option: arg.option.clone(), driver, property, value });
    Ok(())
}
