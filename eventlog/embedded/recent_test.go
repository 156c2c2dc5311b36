package embedded

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestRecent: after any groups, memory holds the newest records of whole published groups with
// their own sequences, within the bound; and it holds a group that fits.
func TestRecent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const limit = 1000
	r := recent{limit: limit}
	var all [][]byte // by sequence, from 1
	held := 0
	for range 10_000 {
		published := uint64(len(all))
		size := 0
		for range 1 + random.IntN(5) {
			value := bytes.Repeat(fmt.Appendf(nil, "%d,", len(all)+1), 1+random.IntN(1+random.IntN(100)))
			all = append(all, value)
			size += len(value)
			r.add(value)
		}
		if _, ok := r.value(published + 1); ok {
			t.Fatal("a record is read before its group is durable")
		}
		last := uint64(len(all))
		r.publish(last)
		if _, ok := r.value(last); ok != (size <= limit) {
			t.Fatalf("a group of %d bytes: in memory %v", size, ok)
		}
		if len(r.bytes) > limit || len(r.fresh) > 0 {
			t.Fatalf("%d and %d bytes are in memory", len(r.bytes), len(r.fresh))
		}
		for s := last; s > 0; s-- {
			value, ok := r.value(s)
			if !ok {
				break
			}
			held++
			if !bytes.Equal(value, all[s-1]) {
				t.Fatalf("record %d reads %.40q, want %.40q", s, value, all[s-1])
			}
		}
	}
	if held < 10_000 {
		t.Errorf("only %d values were compared", held)
	}
}
