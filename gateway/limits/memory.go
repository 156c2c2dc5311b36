package limits

import (
	runtime "runtime/metrics"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// Beyond this part of process-memory, new sessions are refused. What is left is for those that
// exist: their numbers change, and the garbage collector works harder near the limit.
const admitted = 0.9

// memoryAge is how old a measurement may be.
const memoryAge = 100 * time.Millisecond

// memory measures the memory that the process cannot give back: what the last collection has found
// alive, the stacks, and what the runtime itself needs. Garbage does not count, so a process is
// not full because it has not collected for a while.
type memory struct {
	mu      sync.Mutex
	at      time.Time
	used    uint64
	samples []runtime.Sample
}

var memoryMetrics = []string{
	"/gc/heap/live:bytes",
	"/memory/classes/heap/stacks:bytes",
	"/memory/classes/metadata/mcache/inuse:bytes",
	"/memory/classes/metadata/mspan/inuse:bytes",
	"/memory/classes/metadata/other:bytes",
	"/memory/classes/os-stacks:bytes",
	"/memory/classes/other:bytes",
}

// Used returns the measurement, at most memoryAge old.
func (m *memory) Used() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.samples != nil && now.Sub(m.at) < memoryAge {
		return m.used
	}
	if m.samples == nil {
		m.samples = make([]runtime.Sample, len(memoryMetrics))
		for i, name := range memoryMetrics {
			m.samples[i].Name = name
		}
	}
	runtime.Read(m.samples)
	m.at, m.used = now, 0
	for _, s := range m.samples {
		if s.Value.Kind() == runtime.KindUint64 {
			m.used += s.Value.Uint64()
		}
	}
	return m.used
}

// Memory returns an error if the process has too little memory left for a new session.
func (l *Limits) Memory() *wire.Error {
	most := l.values[ProcessMemory]
	if most == None || float64(l.memory.Used()) < admitted*most {
		return nil
	}
	return l.refuse(ProcessMemory, key{limit: ProcessMemory}, most, 5*time.Second)
}
