package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint/blob"
	"github.com/dashfeed/dashfeed/fold"
)

// release is set by the linker (make build) for a release.
var release = "0.1.0-dev"

// versionCommand prints the version of this binary.
type versionCommand struct {
	outputFlag
}

// Run prints the version, the commit, the fold's format, the Go version, and where checkpoints can
// be stored, which depends on the tags of the build.
func (c *versionCommand) Run(p *program) error {
	checkpoints := append([]string{"pulsar"}, blob.Schemes()...)
	if c.Output == "table" {
		_, err := fmt.Fprintf(p.stdout, "dashfeed %s (commit %s, fold format %d, %s %s/%s, checkpoints %s)\n",
			release, commit(), fold.Format, runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(checkpoints, " "))
		return err
	}
	return printValue(p.stdout, c.Output, map[string]any{
		"version": release, "commit": commit(), "format": fold.Format, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
		"checkpoints": checkpoints,
	})
}

// commit returns the commit that the Go tool stamped into the binary, or "unknown".
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
