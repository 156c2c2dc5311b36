package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// yardstick is the time that encoding/json takes for an event of some 200 bytes on two cores that
// nobody else uses: see BenchmarkYardstick of the fold, which decodes the same event.
const yardstick = 2.4 // us

// machine prints how busy other programs keep the machine: its load, and what CPU time buys at the
// moment. Caches and cores are shared with them, and CPU figures grow with that.
func (b *bench) machine() {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return
	}
	us := measureYardstick()
	fmt.Fprintf(b.out, "load average %s; encoding/json takes %.2f us of CPU for an event, %.1f times as much as on an idle machine\n",
		strings.Join(strings.Fields(string(load))[:3], " "), us, us/yardstick)
}

// measureYardstick decodes one event for half a second of CPU time and returns the us it takes.
func measureYardstick() float64 {
	event := []byte(`{"id":"order-00000001","tenant":"default","dashboard":"bench","metric":"checkout.latency","value":977.25,` +
		`"time":1795422000371,"labels":{"country":"DE","host":"host-0042"},"metadata":{"unit":"ms","sdk":"go"}}`)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began, n := threadCPU(), 0
	for threadCPU()-began < 500*time.Millisecond {
		for range 1000 {
			var e struct {
				ID, Tenant, Dashboard, Metric string
				Value                         float64
				Time                          int64
				Labels                        map[string]string
				Metadata                      json.RawMessage
			}
			if err := json.Unmarshal(event, &e); err != nil {
				panic(err) // the event is a constant
			}
		}
		n += 1000
	}
	return float64((threadCPU() - began).Microseconds()) / float64(n)
}

// threadCPU returns the CPU time of the calling thread.
func threadCPU() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
