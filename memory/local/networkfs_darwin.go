package local

import "golang.org/x/sys/unix"

// onNetwork reports whether dir is on a network file system, and its name: the
// write-ahead log needs memory that is shared by all processes, which several
// machines do not have.
func onNetwork(dir string) (string, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", false // opening the file will report it
	}
	return unix.ByteSliceToString(st.Fstypename[:]), st.Flags&unix.MNT_LOCAL == 0
}
