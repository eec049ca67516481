package local

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// onNetwork reports whether dir is on a network drive: the write-ahead log
// needs memory that is shared by all processes, which several machines do not
// have.
func onNetwork(dir string) (string, bool) {
	volume, err := windows.UTF16PtrFromString(filepath.VolumeName(dir) + `\`) // a drive, or \\machine\share
	if err != nil {
		return "", false // opening the file will report it
	}
	return "a network drive", windows.GetDriveType(volume) == windows.DRIVE_REMOTE
}
