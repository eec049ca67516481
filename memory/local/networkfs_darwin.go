package local

import "golang.org/x/sys/unix"

// onNetwork reports whether dir is on a file system on which processes of
// several machines cannot share memory, which the write-ahead log needs.
func onNetwork(dir string) (string, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", false // opening the file will say more
	}
	return unix.ByteSliceToString(st.Fstypename[:]), st.Flags&unix.MNT_LOCAL == 0
}
