package roles

import (
	"testing"
)

func TestSize(t *testing.T) {
	for in, want := range map[string]Size{"0": 0, "17": 17, "1KiB": 1 << 10, "512MiB": 512 << 20, "3 GiB": 3 << 30, "2TiB": 2 << 40, "5B": 5} {
		var s Size
		if err := s.UnmarshalText([]byte(in)); err != nil || s != want {
			t.Errorf("%q: got %d, %v, want %d", in, s, err, want)
		}
	}
	for _, in := range []string{"", "-1", "1.5GiB", "1GB", "x", "9223372036854775807KiB", "4611686018427387904TiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q was taken as %d", in, s)
		}
	}
	if got := Size(1536).String() + " " + Size(1<<30).String() + " " + Size(0).String(); got != "1536B 1GiB 0B" {
		t.Errorf("got %s", got)
	}
}
