package isolate

// Walls that a child on Linux raises around itself, each as far as the kernel
// has it. A child says which hold, see Pool.Walls; a wall that it could not
// raise, or that did not stand a try, is not among them.
const (
	WallNoNewPrivs  = "no-new-privs" // no set-user-id program gives it rights
	WallLimits      = "rlimits"      // few open files, no bytes written to files, no core dumps
	WallLandlock    = "landlock"     // no file can be opened, made or removed
	WallLandlockNet = "landlock-net" // no TCP connection can be made or accepted
	WallSeccomp     = "seccomp"      // no sockets, no programs, no files, no other process looked at or signalled
)
