package app

import (
	"runtime"
	"runtime/debug"
)

// ProgramVersion is the version of this program; see CHANGELOG.md.
const ProgramVersion = "0.1.0"

// Build is what `version` prints.
type Build struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision,omitempty"` // of the source tree, where the build knew it
}

// Version describes this binary.
func Version() Build {
	b := Build{Version: ProgramVersion, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Revision = s.Value
			}
		}
	}
	return b
}
