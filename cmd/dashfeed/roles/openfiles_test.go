package roles

import (
	"errors"
	"strings"
	"testing"
)

func TestTooFewFiles(t *testing.T) {
	for files, want := range map[uint64]string{0: "needs at least 64", 63: "needs at least 64", 64: "should have at least 256", 255: "should have at least 256", 256: "", 1 << 20: ""} {
		said, err := checkFiles(files)
		var known *UsageError
		if err != nil && !errors.As(err, &known) {
			t.Errorf("%d files: %v is no error of usage", files, err)
		}
		if err != nil {
			said = err.Error()
		}
		if (said == "") != (want == "") || !strings.Contains(said, want) || (err != nil) != (files < 64) {
			t.Errorf("%d files: %q, %v; want %q", files, said, err, want)
		}
	}
}
