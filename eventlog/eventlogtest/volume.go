package eventlogtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Volume is a small file system of its own, for tests of what happens when it is full.
type Volume struct {
	Path string
}

// NewVolume mounts a tmpfs of so many bytes. That takes root: others skip the test, root never
// does.
func NewVolume(t *testing.T, sizeBytes int) *Volume {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a volume takes root")
	}
	v := &Volume{Path: t.TempDir()}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", sizeBytes), "tmpfs", v.Path).CombinedOutput(); err != nil {
		t.Fatalf("mount a tmpfs on %s: %v: %s", v.Path, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", v.Path).CombinedOutput(); err != nil {
			t.Errorf("unmount %s: %v: %s", v.Path, err, out)
		}
	})
	return v
}

// Fill takes so many bytes of the volume, or all that is left where there is less, as a stranger
// would. It returns what gives them back.
func (v *Volume) Fill(t *testing.T, sizeBytes int) (free func()) {
	t.Helper()
	file, err := os.CreateTemp(v.Path, "stranger")
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for written := 0; written < sizeBytes && err == nil; written += len(block) {
		_, err = file.Write(block)
	}
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(filepath.Clean(file.Name())); err != nil {
			t.Fatal(err)
		}
	}
}
