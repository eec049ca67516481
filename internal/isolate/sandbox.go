package isolate

// Sandbox restrictions of a child on Linux, each as far as the kernel has it. A
// child reports those that hold, see Pool.Sandbox; one that could not be set, or
// whose check failed, is not among them.
const (
	SandboxNoNewPrivs  = "no-new-privs" // no set-user-id program gives it rights
	SandboxLimits      = "rlimits"      // few open files, no bytes written to files, no core dumps
	SandboxLandlock    = "landlock"     // no file can be opened, created or removed
	SandboxLandlockNet = "landlock-net" // no TCP connection can be opened or accepted
	SandboxSeccomp     = "seccomp"      // no sockets, programs or files; no other process can be inspected or signalled
)
