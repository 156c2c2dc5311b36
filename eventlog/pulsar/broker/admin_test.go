package broker

import (
	"net"
	"strings"
	"testing"
	"time"
)

// TestAdminIsSilent: the error of a slow broker does not say that the broker is down, and the other
// way round.
func TestAdminIsSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and answers nobody
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAdmin("http://"+silent.Addr().String(), Security{}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	err = a.Within(50*time.Millisecond).Make(t.Context(), "x/partitions", 3)
	if err == nil || !strings.Contains(err.Error(), "has not answered PUT x/partitions within 50ms: the broker is busy") {
		t.Errorf("of one that is silent: %v", err)
	}
	silent.Close()
	if err := a.Make(t.Context(), "x", nil); err == nil || !strings.Contains(err.Error(), "is the broker up") {
		t.Errorf("of one that is away: %v", err)
	}
}
