package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/dashfeed/dashfeed/fold"
)

// release is set by the linker (make build) for a release.
var release = "0.1.0-dev"

// versionCommand prints what binary this is.
type versionCommand struct {
	outputFlag
}

// Run prints the version, the commit, the fold's format and the Go version.
func (c *versionCommand) Run(p *program) error {
	if c.Output == "table" {
		_, err := fmt.Fprintf(p.stdout, "dashfeed %s (commit %s, fold format %d, %s %s/%s)\n", release, commit(), fold.Format, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	}
	return printValue(p.stdout, c.Output, map[string]any{
		"version": release, "commit": commit(), "format": fold.Format, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
	})
}

// commit is what the Go tool stamped into the binary, or "unknown".
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return revision + dirty
}
