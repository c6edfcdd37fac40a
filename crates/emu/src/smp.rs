//! `-smp`: how many harts, in which sockets, cores and threads.

use hartwright_backend::opts::{Opts, Refusal};

/// A whole topology: `sockets * cores * threads` is `maxcpus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Harts that run from the start.
    pub cpus: u64,
    /// Sockets.
    pub sockets: u64,
    /// Cores a socket.
    pub cores: u64,
    /// Threads a core.
    pub threads: u64,
    /// Harts that there could be.
    pub maxcpus: u64,
}

/// The levels that QEMU knows and no RISC-V machine has.
const FOREIGN: [&str; 5] = ["drawers", "books", "dies", "clusters", "modules"];

impl Topology {
    /// Reads the argument of `-smp` and completes what it leaves out, cores before sockets.
    pub fn parse(text: &str) -> Result<Topology, Refusal> {
        let opts = Opts::parse_strict(text, Some("cpus"))?;
        for (key, _) in opts.pairs() {
            let known = ["cpus", "sockets", "cores", "threads", "maxcpus"];
            if !known.contains(&&**key) && !FOREIGN.contains(&&**key) {
                return Err(Refusal::new(format!("Parameter 'smp.{key}' is unexpected")));
            }
        }
        let count = |key: &str| match opts.get(key).map(str::parse::<i64>) {
            None => Ok(None),
            Some(Err(_)) => Err(Refusal::new(format!("Parameter 'smp.{key}' expects integer"))),
            Some(Ok(1..)) => opts.whole(key),
            Some(Ok(_)) => {
                Err(Refusal::new("Invalid CPU topology: CPU topology parameters must be greater than zero"))
            }
        };
        for level in FOREIGN {
            if count(level)?.is_some_and(|count| count > 1) {
                return Err(Refusal::new(format!(
                    "{level} > 1 not supported by this machine's CPU topology"
                )));
            }
        }
        Self::complete(
            count("cpus")?,
            count("sockets")?,
            count("cores")?,
            count("threads")?,
            count("maxcpus")?,
        )
    }

    fn complete(
        cpus: Option<u64>,
        sockets: Option<u64>,
        cores: Option<u64>,
        threads: Option<u64>,
        maxcpus: Option<u64>,
    ) -> Result<Topology, Refusal> {
        let (sockets, cores, threads) = match (maxcpus.or(cpus), sockets, cores, threads) {
            (None, ..) => (sockets.unwrap_or(1), cores.unwrap_or(1), threads.unwrap_or(1)),
            (Some(max), sockets, None, threads) => {
                let (sockets, threads) = (sockets.unwrap_or(1), threads.unwrap_or(1));
                (sockets, max / sockets.saturating_mul(threads), threads)
            }
            (Some(max), None, Some(cores), threads) => {
                let threads = threads.unwrap_or(1);
                (max / cores.saturating_mul(threads), cores, threads)
            }
            (Some(max), Some(sockets), Some(cores), threads) => {
                (sockets, cores, threads.unwrap_or(max / sockets.saturating_mul(cores)))
            }
        };
        let product = sockets.saturating_mul(cores).saturating_mul(threads);
        let maxcpus = maxcpus.or(cpus).unwrap_or(product);
        let cpus = cpus.unwrap_or(maxcpus);
        let shape = format!("sockets ({sockets}) * cores ({cores}) * threads ({threads})");
        if product != maxcpus {
            return Err(Refusal::new(format!(
                "Invalid CPU topology: product of the hierarchy must match maxcpus: {shape} != maxcpus ({maxcpus})"
            )));
        }
        if maxcpus < cpus {
            return Err(Refusal::new(format!(
                "Invalid CPU topology: maxcpus must be equal to or greater than smp: \
                 {shape} == maxcpus ({maxcpus}) < smp_cpus ({cpus})"
            )));
        }
        Ok(Topology { cpus, sockets, cores, threads, maxcpus })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<[u64; 5], &str>) {
        let said = Topology::parse(text)
            .map(|t| [t.cpus, t.sockets, t.cores, t.threads, t.maxcpus])
            .map_err(|refusal| refusal.message);
        assert_eq!(said.as_ref().copied().map_err(|message| &**message), expect, "{text}");
    }

    #[test]
    fn what_is_left_out_is_completed() {
        check("4", Ok([4, 1, 4, 1, 4]));
        check("cpus=4,cores=2", Ok([4, 2, 2, 1, 4]));
        check("4,sockets=2,cores=1", Ok([4, 2, 1, 2, 4]));
        check("cores=2,threads=2", Ok([4, 1, 2, 2, 4]));
        check("2,maxcpus=4", Ok([2, 1, 4, 1, 4]));
        check("2,dies=1", Ok([2, 1, 2, 1, 2]));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_qemus_words() {
        const ZERO: &str = "Invalid CPU topology: CPU topology parameters must be greater than zero";
        check("0", Err(ZERO));
        check("2,cores=0", Err(ZERO));
        check("foo", Err("Parameter 'smp.cpus' expects integer"));
        check("cpus=2,foo=3", Err("Parameter 'smp.foo' is unexpected"));
        check("2,dies=2", Err("dies > 1 not supported by this machine's CPU topology"));
        check(
            "2,sockets=3",
            Err("Invalid CPU topology: product of the hierarchy must match maxcpus: \
                 sockets (3) * cores (0) * threads (1) != maxcpus (2)"),
        );
        check(
            "2,maxcpus=1",
            Err("Invalid CPU topology: maxcpus must be equal to or greater than smp: \
                 sockets (1) * cores (1) * threads (1) == maxcpus (1) < smp_cpus (2)"),
        );
        check("99999999999999999999", Err("Parameter 'smp.cpus' expects integer"));
    }
}
