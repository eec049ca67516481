package isolate

// Sandbox restrictions of a child, each as far as the system has it: all of them on
// Linux, the descriptors everywhere. A child reports those that hold, see Pool.Sandbox;
// one that could not be set, or whose check failed, is not among them.
const (
	SandboxDescriptors = "descriptors"  // nothing is open but the pipes to its parent
	SandboxNamespaces  = "namespaces"   // its own user, mounts, processes, network and System V objects
	SandboxEmptyRoot   = "empty-root"   // its root folder is empty: no path leads to a file
	SandboxNoNewPrivs  = "no-new-privs" // no set-user-id program gives it rights
	SandboxLimits      = "rlimits"      // few open files, no bytes written to files, no core dumps
	SandboxLandlock    = "landlock"     // no file can be opened, created or removed
	SandboxLandlockNet = "landlock-net" // no TCP connection can be opened or accepted
	SandboxSeccomp     = "seccomp"      // only the system calls of an allow-list; none takes a path or reaches another process
)
