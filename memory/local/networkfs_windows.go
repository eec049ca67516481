package local

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// onNetwork reports whether dir is on another machine, with which processes here
// cannot share memory, which the write-ahead log needs.
func onNetwork(dir string) (string, bool) {
	volume, err := windows.UTF16PtrFromString(filepath.VolumeName(dir) + `\`) // a drive, or \\machine\share
	if err != nil {
		return "", false // opening the file will say more
	}
	return "a network drive", windows.GetDriveType(volume) == windows.DRIVE_REMOTE
}
