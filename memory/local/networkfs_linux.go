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
	return networkFS(uint32(st.Type)) //nolint:gosec // the magic is 32 bits wide on all platforms
}

func networkFS(magic uint32) (string, bool) {
	names := map[uint32]string{
		0x6969:     "NFS",
		0x517B:     "SMB",
		0xFF534D42: "CIFS",
		0xFE534D42: "SMB2",
		0x5346414F: "AFS",
		0x6B414653: "AFS",
		0x73757245: "Coda",
		0x564C:     "NCP",
		0x00C36400: "Ceph",
		0x0BD00BD0: "Lustre",
		0x47504653: "GPFS",
		0xAAD7AAEA: "PanFS",
		0x01021997: "9P",
	}
	name, bad := names[magic]
	return name, bad
}
