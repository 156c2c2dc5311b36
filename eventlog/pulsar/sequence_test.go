package pulsar

import (
	"slices"
	"testing"
)

// What comes from a consumer before what lies in front of it is not taken; where it comes so again, nothing lies there.
func TestSequence(t *testing.T) {
	for _, c := range []struct {
		what    string
		numbers []uint64
		doubted []int // which of them are not taken
	}{
		{"in order, from anywhere", []uint64{7, 8, 9}, nil},
		{"again, from an earlier one", []uint64{7, 8, 9, 7, 8, 9, 10}, nil},
		{"from the old connection first", []uint64{1, 2, 50, 2, 3, 4}, []int{2}},
		{"from the old connection first, after what came again", []uint64{1, 2, 3, 1, 3, 2, 3}, []int{4}},
		{"the broker's own", []uint64{1, 3, 1, 3, 4}, []int{1}},
		{"the broker's own, and what is before it is acknowledged", []uint64{1, 3, 3, 4, 6, 6}, []int{1, 4}},
		{"another process was quicker", []uint64{1, 100, 120, 120, 121}, []int{1, 2}},
	} {
		s := sequence{}
		var doubted []int
		for i, n := range c.numbers {
			if !s.follows(&n) {
				doubted = append(doubted, i)
			}
		}
		if !slices.Equal(doubted, c.doubted) {
			t.Errorf("%s: of %v those at %v are not taken, want %v", c.what, c.numbers, doubted, c.doubted)
		}
		if !s.follows(nil) {
			t.Errorf("%s: one without a number is not taken", c.what)
		}
	}
}
