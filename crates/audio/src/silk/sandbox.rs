//! What the worker gives up before it reads.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Processor time for one file, in seconds: two hours of SILK take a tenth of it.
const CPU_SECONDS: u64 = 600;
/// All memory, the program's own text included.
const ADDRESS_SPACE: u64 = 1 << 30;
/// Memory that it may get for itself.
const DATA: u64 = 32 << 20;

/// Leaves nothing but to compute, to read the standard input and to write the standard output.
///
/// # Errors
/// When the system refuses a limit: nothing must be decoded then.
pub(super) fn enter() -> io::Result<()> {
    super::ffi::close_all_files();
    for (resource, limit) in [
        (Resource::Cpu, CPU_SECONDS),
        (Resource::As, ADDRESS_SPACE),
        (Resource::Data, DATA),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 0),
    ] {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        setrlimit(resource, limit)?;
    }
    filter()
}

/// Kills the process at the first system call that is not in the list; forbids that a program started from it gets more rights
/// (`no_new_privs`).
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn filter() -> io::Result<()> {
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    let only = |file: u64| -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        let first = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, file)?;
        Ok(vec![SeccompRule::new(vec![first])?])
    };
    let build = || -> Result<BpfProgram, seccompiler::BackendError> {
        let rules = [
            (libc::SYS_read, only(0)?),
            (libc::SYS_write, only(1)?),
            (libc::SYS_exit_group, vec![]),
            (libc::SYS_exit, vec![]),
            // Ends the handler of a signal.
            (libc::SYS_rt_sigreturn, vec![]),
            // What leaving `main` does.
            (libc::SYS_sigaltstack, vec![]),
            (libc::SYS_munmap, vec![]),
        ];
        SeccompFilter::new(
            rules.into_iter().collect(),
            SeccompAction::KillProcess,
            SeccompAction::Allow,
            std::env::consts::ARCH.try_into()?,
        )?
        .try_into()
    };
    let program = build().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn filter() -> io::Result<()> {
    Ok(())
}
