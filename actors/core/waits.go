package core

import "container/heap"

// waits holds the log times that windows of sleeping dashboards wait for, 8 bytes each, so that a
// sleeping dashboard need not be woken to be asked. The zero value is empty. When a dashboard
// wakes, its log times are removed: they are marked as gone, and leave the heap when they come to
// its top or when half of the heap is gone.
type waits struct {
	heap   instants
	gone   map[int64]int // how many elements of the heap with this time are gone
	left   int           // sum of gone
	passed int64         // log time has reached this: nothing up to it is waited for
}

// Sleep takes the log times that the windows of dashboards wait for that go to sleep, or that sleep
// when the shard is loaded.
func (s *Shard) Sleep(waits []int64) { s.waits.add(waits) }

// Wake takes the log times of a dashboard that woke: from now on its own deadline counts.
func (s *Shard) Wake(waits []int64) { s.waits.remove(waits) }

// add adds the log times of a dashboard that goes to sleep.
func (w *waits) add(list []int64) {
	for _, at := range list {
		if at > w.passed {
			heap.Push(&w.heap, at)
		}
	}
}

// remove removes the log times of a dashboard that woke.
func (w *waits) remove(list []int64) {
	for _, at := range list {
		if at <= w.passed {
			continue
		}
		if w.gone == nil {
			w.gone = map[int64]int{}
		}
		w.gone[at]++
		w.left++
	}
	if w.left > len(w.heap)/2 {
		w.compact()
	}
}

// compact rebuilds the heap without the elements that are gone.
func (w *waits) compact() {
	kept := make(instants, 0, len(w.heap))
	for _, at := range w.heap {
		if w.gone[at] > 0 {
			w.gone[at]--
			continue
		}
		kept = append(kept, at)
	}
	heap.Init(&kept)
	w.heap, w.gone, w.left = kept, nil, 0
}

// pass removes the times that log time has reached.
func (w *waits) pass(logTime int64) {
	w.passed = max(w.passed, logTime)
	for len(w.heap) > 0 && (w.heap[0] <= w.passed || w.gone[w.heap[0]] > 0) {
		at := heap.Pop(&w.heap).(int64)
		if n := w.gone[at]; n > 1 {
			w.gone[at] = n - 1
			w.left--
		} else if n == 1 {
			delete(w.gone, at)
			w.left--
		}
	}
	if len(w.heap) == 0 {
		*w = waits{passed: w.passed}
	}
}

// next returns the earliest time. ok is false if nothing is waited for.
func (w *waits) next() (at int64, ok bool) {
	w.pass(w.passed)
	if len(w.heap) == 0 {
		return 0, false
	}
	return w.heap[0], true
}

// instants is a heap with the earliest time on top.
type instants []int64

func (h instants) Len() int           { return len(h) }
func (h instants) Less(i, j int) bool { return h[i] < h[j] }
func (h instants) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *instants) Push(x any) { *h = append(*h, x.(int64)) }

// Pop implements heap.Interface.
func (h *instants) Pop() any {
	at := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return at
}
